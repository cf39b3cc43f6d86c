"""Files of pairs: gold pairs to tune and score by, pairs to score, and those that a mining leaves behind, best first,
with a report beside them.

    pairs.tsv                 score TAB source TAB target
    pairs.tsv.report.json     settings, rows in and out, threshold, scores, precision-recall curve, histogram, memory
                              and time

With JSON lines a pair has its line numbers, and its ids where the files have them. A tab or line break inside a
sentence (JSON can have one) is a space in the TSV.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from adapter_stilts.data.tables import empty
from adapter_stilts.errors import StiltsError, TaskDataError, UsageError
from adapter_stilts.files import REPORT, atomic_write, disk_errors, numbered_lines, sha256
from adapter_stilts.mining.sides import Side, as_cell, rows_of_ids, rows_of_texts
from adapter_stilts.retrieval.compared import Numbers
from adapter_stilts.retrieval.gold import Gold
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.sharing.sealed import CHECKSUM, read_sealed, write_sealed

SHOWN = 3  # offending ids in a message
AT_ONCE = 1 << 14  # pairs on their way to the file
LINES_SHOWN = 1000  # of a repeated text, in JSON lines
OCCUPIED = "name another file with -o, or add --overwrite to replace it"

Lines: TypeAlias = list[tuple[int, tuple[str, str]]]  # a line's number and its two cells


def read_gold(path: Path, source: Side, target: Side) -> Gold:
    """ "source TAB target" a line: ids where the files have ids, else line numbers from 1. Pairs of ids the other way
    round are turned.

    Raises TaskDataError for a line that is no pair, an id or line that is nowhere, or one without text.
    """
    turn = source.with_ids or target.with_ids
    rows = _rows(path, gold_columns(path), (source, target), rows_of_ids, turn=turn)
    return Gold.of(*rows, source.rows, target.rows)


def read_given(path: Path, source: Side, target: Side) -> tuple[Numbers, Numbers]:
    """Pairs to score, as rows: "source TAB target" or "score TAB source TAB target", as `mine` writes them.

    The columns are the sentences themselves, or line numbers where texts are not known.
    Raises TaskDataError for a line that is no pair, or a sentence that is in neither file.
    """
    lines = _columns(path, (2, 3), "a source and a target sentence with a tab between")
    look = rows_of_ids if source.texts is None or target.texts is None else rows_of_texts
    return _rows(path, lines, (source, target), look, what="sentences")


def gold_columns(path: Path) -> Lines:
    """The lines of a file of gold pairs."""
    return _columns(path, (2,), "two ids, or two line numbers, with a tab between")


def known_pairs(
    path: Path,
    lines: Lines,
    left: Mapping[str, int],
    right: Mapping[str, int],
    *,
    turn: bool = False,
    what: str = "ids or line numbers",
) -> tuple[Numbers, Numbers]:
    """Pairs as rows, by where each name stands on its side; `turn` takes those that only fit the other way round.

    Raises TaskDataError for names that are nowhere.
    """
    if turn:
        lines = [(number, _turned(pair, left, right)) for number, pair in lines]
    sides = (left, right)
    names = [(number, *name) for number, pair in lines for name in zip(pair, sides, strict=True)]
    wrong = [(number, name) for number, name, known in names if name not in known]
    if wrong:
        shown = ", ".join(f"{name[:60]!r} (line {number})" for number, name in wrong[:SHOWN])
        more = ", ..." if len(wrong) > SHOWN else ""
        do = "the files may be truncated, or belong to another split"
        raise TaskDataError(f"{len(wrong)} {what} are not where they should be: {shown}{more}", where=str(path), do=do)
    rows = [np.array([known[pair[side]] for _, pair in lines], dtype=np.int64) for side, known in enumerate(sides)]
    return rows[0], rows[1]


def write_pairs(out: Path, pairs: Pairs, source: Side, target: Side, *, json_lines: bool, all_lines: bool) -> int:
    """Write pairs of rows and return how many lines the file then has.

    all_lines  JSON lines name every line of a repeated text, not only the one in the pair

    Raises DoesNotFit on a full disk, which leaves what was there before; StiltsError where lines went missing.
    """

    def line(row: int, other: int, score: float) -> str:
        if json_lines:
            return _object({"source": (source, row), "target": (target, other)}, score, all_lines)
        return f"{score:.6f}\t{as_cell(source.text(row))}\t{as_cell(target.text(other))}\n"

    with atomic_write(out) as stream:
        for start in range(0, len(pairs), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            columns = (pairs.source[part], pairs.target[part], pairs.score[part])
            stream.write("".join(map(line, *(column.tolist() for column in columns))).encode())
    with out.open("rb") as content:
        written = sum(chunk.count(b"\n") for chunk in iter(partial(content.read, 1 << 20), b""))
    if written != len(pairs):
        what = f"{written} lines were written for {len(pairs)} pairs"
        raise StiltsError(what, where=str(out), do="check the disk, and run the command again")
    return written


def report_path(out: Path) -> Path:
    return out.with_name(f"{out.name}{REPORT}")


def publish(written: Path, out: Path, identity: str, document: Mapping[str, Any]) -> None:
    """The report first, then the pairs: a kill between the two leaves no file of unknown making."""
    write_sealed(report_path(out), {"identity": identity, "pairs_sha256": sha256(written), **document})
    with disk_errors(out):
        os.replace(written, out)


def as_json(value: Any) -> Any:
    """A value as JSON can hold it: an infinite score, which a margin over nothing has, as text."""
    if isinstance(value, Mapping):
        return {name: as_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def finished(out: Path, identity: str, *, overwrite: bool) -> dict[str, Any] | None:
    """The report of the same mining, if it is done.

    Raises UsageError where the file is there and is not the outcome of this mining.
    """
    refuse_occupied(out, overwrite=overwrite)
    if overwrite or not out.exists():
        return None
    report = read_sealed(report_path(out), "the report of a mining", do=OCCUPIED)
    if report.get("identity") == identity and report.get("pairs_sha256") == sha256(out):
        return {name: value for name, value in report.items() if name not in ("identity", "pairs_sha256", CHECKSUM)}
    what = "the file is there already, and is not the outcome of this very mining"
    raise UsageError(what, where=str(out), do=OCCUPIED)


def refuse_occupied(out: Path, *, overwrite: bool, read: Iterable[Path] = ()) -> None:
    """Raises UsageError for a file that is a folder, is there already and from no mining, or is read."""
    where, there = str(out), out.exists()
    if out.resolve() in {path.resolve() for path in read}:
        what = "the file of pairs would take the place of a file that is read"
        raise UsageError(what, where=where, do="name another file with -o")
    if there and not out.is_file():
        raise UsageError("not a file", where=where, do="name a file with -o")
    if there and not overwrite and not report_path(out).exists():
        raise UsageError("the file is there already", where=where, do=OCCUPIED)


def _turned(pair: tuple[str, str], left: Mapping[str, int], right: Mapping[str, int]) -> tuple[str, str]:
    fits, fits_turned = pair[0] in left and pair[1] in right, pair[1] in left and pair[0] in right
    return (pair[1], pair[0]) if fits_turned and not fits else pair


def _columns(path: Path, widths: tuple[int, ...], wanted: str) -> Lines:
    """The line number and the last two cells of every line that is not blank."""
    lines = []
    for number, line in numbered_lines(path):
        cells = [cell.strip() for cell in line.split("\t")]
        if not line.strip():
            continue
        if len(cells) not in widths:
            what = f"a line holds {wanted}: {line[:40]!r}"
            raise TaskDataError(what, where=f"{path}, line {number}", do="correct the line")
        lines.append((number, (cells[-2], cells[-1])))
    if not lines:
        raise empty(path)
    return lines


def _rows(
    path: Path,
    lines: Lines,
    sides: tuple[Side, Side],
    look: Callable[[Side, Sequence[str]], Mapping[str, int]],
    **how: Any,
) -> tuple[Numbers, Numbers]:
    """Pairs as rows that have text, by what `look` knows of the names on either side."""
    names = [name for _, pair in lines for name in pair]
    rows = known_pairs(path, lines, look(sides[0], names), look(sides[1], names), **how)
    for side, numbers in zip(sides, rows, strict=True):
        blank = np.flatnonzero(side.distinct.of_line[numbers] < 0)
        if len(blank):
            number, line = lines[blank[0]][0], side.line(int(numbers[blank[0]]))
            what = f"line {line} of the {side.name} has no text"
            raise TaskDataError(what, where=f"{path}, line {number}", do="correct the pair")
    return rows


def _object(pair: Mapping[str, tuple[Side, int]], score: float, all_lines: bool) -> str:
    document: dict[str, object] = {"score": as_json(score)}
    for name, (side, row) in pair.items():
        document |= {} if side.texts is None else {name: side.texts[row]}
        document |= {f"{name}_line": side.line(row)} | ({f"{name}_id": side.id(row)} if side.with_ids else {})
        same = side.distinct.lines_of(int(side.distinct.of_line[row]))[:LINES_SHOWN] if all_lines else ()
        document |= {f"{name}_lines": [side.line(int(line)) for line in same]} if len(same) > 1 else {}
    return json.dumps(document, ensure_ascii=False) + "\n"
