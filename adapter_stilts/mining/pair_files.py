"""What a mining leaves behind: pairs, best first, and a report beside them.

    pairs.tsv                 score TAB source TAB target
    pairs.csv                 under a header: score, cosine, source_line, target_line, source, target; with ids where
                              the files have them. So is a .tsv with `--columns`
    pairs.jsonl               the same as objects, the cosine with `--columns`
    pairs.tsv.report.json     settings, rows in and out, threshold, scores, precision-recall curve, histogram, memory
                              and time

A tab or line break inside a sentence (tables and JSON can have one) is a space in the TSV.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from adapter_stilts.data.cells import csv_line
from adapter_stilts.data.tables import CSV, JSON, JSON_LINES, NOT_READ
from adapter_stilts.errors import StiltsError, UsageError
from adapter_stilts.files import COMPRESSED, REPORT, atomic_write, disk_errors, sha256
from adapter_stilts.mining.sides import Side, as_cell
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.sharing.sealed import CHECKSUM, read_sealed, write_sealed

AT_ONCE = 1 << 14  # pairs on their way to the file
LINES_SHOWN = 1000  # of a repeated text, in JSON lines
OCCUPIED = "name another file with -o, or add --overwrite to replace it"


def form(out: Path, *, json_lines: bool, columns: bool) -> str:
    """How pairs are written, by the name of the file and what was asked for: "jsonl", "csv", "columns" or "plain"."""
    kind = out.suffix.lower()
    if json_lines or kind in JSON_LINES:
        return "jsonl"
    return "csv" if kind == CSV else "columns" if columns else "plain"


def write_pairs(
    out: Path, pairs: Pairs, source: Side, target: Side, form: str, *, columns: bool = False, all_lines: bool = False
) -> int:
    """Write pairs of rows in one of the forms that `form` tells and return how many there are.

    columns    JSON lines have the cosine, too
    all_lines  JSON lines name every line of a repeated text, not only the one in the pair

    Raises DoesNotFit on a full disk, which leaves what was there before; StiltsError where lines went missing.
    """
    sides, expected = {"source": source, "target": target}, 0
    how = {"cosine": columns if form == "jsonl" else form != "plain", "all_lines": all_lines and form == "jsonl"}
    names = _names(sides, form)
    with atomic_write(out) as stream:
        if form in ("csv", "columns"):
            stream.write(_record(names, form).encode())
            expected = 1
        for start in range(0, len(pairs), AT_ONCE):
            objects = _objects(pairs.chosen(slice(start, start + AT_ONCE)), sides, **how)
            if form == "jsonl":
                lines = [json.dumps(document, ensure_ascii=False) + "\n" for document in objects]
            else:
                lines = [_record(map(document.get, names), form) for document in objects]
            expected += sum(line.count("\n") for line in lines)
            stream.write("".join(lines).encode())
    with out.open("rb") as content:
        written = sum(chunk.count(b"\n") for chunk in iter(partial(content.read, 1 << 20), b""))
    if written != expected:
        what = f"{written} lines were written where {expected} are expected"
        raise StiltsError(what, where=str(out), do="check the disk, and run the command again")
    return len(pairs)


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
    """Raises UsageError for a file that is a folder, is there already and from no mining, or is read, and for a name
    that promises what is not written."""
    where, there = str(out), out.exists()
    if out.suffix.lower() in (*COMPRESSED, *JSON, *NOT_READ):
        what = f"pairs are written as plain .tsv, .csv or .jsonl, and the file ends in '{out.suffix}'"
        raise UsageError(what, where=where, do="name it so, for example -o pairs.tsv")
    if out.resolve() in {path.resolve() for path in read}:
        what = "the file of pairs would take the place of a file that is read"
        raise UsageError(what, where=where, do="name another file with -o")
    if there and not out.is_file():
        raise UsageError("not a file", where=where, do="name a file with -o")
    if there and not overwrite and not report_path(out).exists():
        raise UsageError("the file is there already", where=where, do=OCCUPIED)


def _objects(
    pairs: Pairs, sides: Mapping[str, Side], *, cosine: bool, all_lines: bool
) -> Iterator[dict[str, object]]:
    """Each pair with its line numbers, ids and texts."""
    cosines = pairs.cosine.tolist() if cosine and pairs.cosine is not None else [None] * len(pairs)
    columns = (pairs.source.tolist(), pairs.target.tolist(), pairs.score.tolist(), cosines)
    for *rows, score, similarity in zip(*columns, strict=True):
        document: dict[str, object] = {"score": as_json(score)}
        document |= {} if similarity is None else {"cosine": as_json(similarity)}
        for (name, side), row in zip(sides.items(), rows, strict=True):
            document |= {} if side.texts is None else {name: side.texts[row]}
            document |= {f"{name}_line": side.line(row)} | ({f"{name}_id": side.id(row)} if side.with_ids else {})
            same = side.distinct.lines_of(int(side.distinct.of_line[row]))[:LINES_SHOWN] if all_lines else ()
            document |= {f"{name}_lines": [side.line(int(line)) for line in same]} if len(same) > 1 else {}
        yield document


def _names(sides: Mapping[str, Side], form: str) -> list[str]:
    """The columns of a table of pairs."""
    texts = [name for name, side in sides.items() if side.texts is not None]
    if form == "plain":
        return ["score", *(name if name in texts else f"{name}_line" for name in sides)]
    ids = [f"{name}_id" for name, side in sides.items() if side.with_ids]
    return ["score", "cosine", *(f"{name}_line" for name in sides), *ids, *texts]


def _record(cells: Iterable[object], form: str) -> str:
    values = [f"{cell:.6f}" if isinstance(cell, float) else cell for cell in cells]
    return csv_line(values) if form == "csv" else "\t".join(as_cell(str(value)) for value in values) + "\n"
