"""What a mining leaves behind: the file of pairs, best first, and a report beside it.

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
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from adapter_stilts.errors import StiltsError, UsageError
from adapter_stilts.files import atomic_write, disk_errors, sha256
from adapter_stilts.mining.sides import Side, as_cell
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.sharing.sealed import CHECKSUM, read_sealed, write_sealed

AT_ONCE = 1 << 14  # pairs on their way to the file
LINES_SHOWN = 1000  # of a repeated text, in JSON lines
OCCUPIED = "name another file with -o, or add --overwrite to replace it"


def write_pairs(out: Path, pairs: Pairs, source: Side, target: Side, *, json_lines: bool, all_lines: bool) -> int:
    """Write pairs of rows and return how many lines the file then has.

    all_lines  JSON lines name every line of a repeated text, not only the one in the pair

    Raises DoesNotFit on a full disk, which leaves what was there before; StiltsError where lines went missing.
    """
    sides = {"source": source, "target": target}

    def line(one: int, other: int, score: float) -> str:
        if json_lines:
            return _object(sides, (one, other), score, all_lines)
        return f"{score:.6f}\t{as_cell(source.text(one))}\t{as_cell(target.text(other))}\n"

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
    return out.with_name(f"{out.name}.report.json")


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


def _object(sides: Mapping[str, Side], rows: tuple[int, int], score: float, all_lines: bool) -> str:
    document: dict[str, object] = {"score": as_json(score)}
    for (name, side), row in zip(sides.items(), rows, strict=True):
        document |= {} if side.texts is None else {name: side.texts[row]}
        document |= {f"{name}_line": side.line(row)} | ({f"{name}_id": side.id(row)} if side.with_ids else {})
        same = side.distinct.lines_of(int(side.distinct.of_line[row]))[:LINES_SHOWN] if all_lines else ()
        document |= {f"{name}_lines": [side.line(int(line)) for line in same]} if len(same) > 1 else {}
    return json.dumps(document, ensure_ascii=False) + "\n"
