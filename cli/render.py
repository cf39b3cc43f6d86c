"""What a verb leaves on stdout: one JSON document with `--json`, else tables for reading.

On a terminal tables are drawn by rich; in a pipe they are aligned columns of plain text, never shortened.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, TextIO

import typer

Rows = Sequence[Sequence[object]]


def finish(found: Mapping[str, Any], as_json: bool) -> None:
    """What a verb that made or scored a run prints: its document, or its scores and where it lies. Of several processes the first prints."""
    if not speaks():
        return
    if as_json:
        document(found)
        return
    results(found.get("results") or (), found.get("means") or {})
    if "run" in found:
        typer.echo(f"run  {found['run']}")


def speaks() -> bool:
    """Whether this process prints: the only one, or the first of several."""
    return os.environ.get("RANK", "0") == "0"


def document(value: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout; a number that is none (nan, infinity) becomes null, as JSON has no word for it."""
    typer.echo(json.dumps(_plain(value), indent=2, ensure_ascii=not _speaks_unicode(sys.stdout), allow_nan=False))


def table(title: str, columns: Sequence[str], rows: Rows, stream: TextIO | None = None) -> None:
    """Print rows under column names, on stdout unless another stream is given."""
    stream = stream or sys.stdout
    cells = [[cell(value) for value in row] for row in rows]
    if stream.isatty():
        _drawn(title, columns, cells, stream)
    else:
        print(aligned(title, columns, cells), file=stream)


def facts(pairs: Mapping[str, object]) -> None:
    """Print names and values, one a line."""
    width = max((len(name) for name in pairs), default=0)
    for name, value in pairs.items():
        typer.echo(f"{name:<{width}}  {cell(value)}".rstrip())


def results(rows: Sequence[Mapping[str, Any]], means: Mapping[str, Any] | None = None) -> None:
    """Print scores as percent with their number of examples and interval: one row per task, language and metric; then the means over languages.

    Settings are long and mostly the same: a row has a letter for them, and what it stands for is under the table, once. A row that
    something has to be said of is marked with "*", and the remarks come last.
    """
    from adapter_stilts.runs.disclosure import remarks

    if not rows:
        return
    said = {_key(row): _settings(row) for row in rows if _settings(row)}
    letters = {key: _letter(number) for number, key in enumerate(said)}
    columns = ["task", "protocol", "language", "metric", "score", "95 % interval", "n"]
    more: dict[str, Callable[[Mapping[str, Any]], str]] = {}
    if said:
        more["settings"] = lambda row: letters.get(_key(row), "")
    if any("seen" in row for row in rows):
        more["learned in it"] = lambda row: ", ".join(row.get("seen", ()))
    table("results", [*columns, *more], [[*_result(row), *(tell(row) for tell in more.values())] for row in rows])
    of_many = [{"task": task, **mean} for task, found in ((means or {}).get("tasks") or {}).items() for mean in found if mean["languages"] > 1]
    if of_many:
        shown = [[mean["task"], mean["protocol"], mean["languages"], percent(mean["score"]), letters.get(_key(mean), "")] for mean in of_many]
        table("means over languages", ("task", "protocol", "languages", "score", "settings"), shown)
    for key, letter in letters.items():
        typer.echo(f"settings {letter}: {said[key]}")
    for remark in remarks(rows):
        typer.echo(f"* {remark}")


def percent(score: float | None) -> str:
    return "" if score is None or math.isnan(score) else f"{100 * score:.1f}"


def cell(value: object) -> str:
    """A value as it stands in a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ")
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return " ".join(str(item) for item in value)
    return " ".join(str(value).split("\n"))


def aligned(title: str, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """A table as plain text; columns of numbers are aligned to the right."""
    widths = [max([len(name), *(len(row[number]) for row in cells)]) for number, name in enumerate(columns)]
    right = [_numeric([row[number] for row in cells]) for number in range(len(columns))]
    lines = [
        [name.rjust(width) if to_right else name.ljust(width) for name, width, to_right in zip(row, widths, right, strict=True)]
        for row in [list(columns), *cells]
    ]
    return "\n".join([*([title] if title else []), *("  ".join(line).rstrip() for line in lines)])


def _result(row: Mapping[str, Any]) -> list[object]:
    interval = row.get("interval") or ()
    shown = " to ".join(percent(bound) for bound in interval)
    task = f"{row['task']} *" if row.get("substitutions") or row.get("leaks") else row["task"]
    return [task, row["protocol"], row["language"], row["metric"], percent(row["score"]), shown, row["n"]]


def _settings(row: Mapping[str, Any]) -> str:
    settings = ", ".join(f"{name} {cell(value)}" for name, value in (row.get("settings") or {}).items())
    adapter = row.get("language_adapter") or {}
    return settings + (f", language adapter of {adapter['language']}" + (f" ({adapter['note']})" if "note" in adapter else "") if adapter else "")


def _key(row: Mapping[str, Any]) -> str:
    """The same for the same settings in any order."""
    return json.dumps([row.get("settings") or {}, row.get("language_adapter") or {}], sort_keys=True, default=str)


def _letter(number: int) -> str:
    """a to z, then aa, ab, ..."""
    return (_letter(number // 26 - 1) if number >= 26 else "") + chr(ord("a") + number % 26)


def _drawn(title: str, columns: Sequence[str], cells: Sequence[Sequence[str]], stream: TextIO) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawing = Table(title=Text(title, style="bold") if title else None, title_justify="left", box=SIMPLE_HEAD)
    for number, name in enumerate(columns):
        drawing.add_column(name, justify="right" if _numeric([row[number] for row in cells]) else "left", overflow="fold")
    for row in cells:
        drawing.add_row(*(Text(value) for value in row))
    Console(file=stream, highlight=False).print(drawing)


def _numeric(column: Sequence[str]) -> bool:
    filled = [value for value in column if value]
    return bool(filled) and all(value.replace(" ", "").replace(".", "", 1).replace("e-", "", 1).lstrip("-").isdigit() for value in filled)


def _plain(value: object) -> object:
    """A value as JSON has it: paths as text, tuples as lists, NumPy's numbers as numbers."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    if isinstance(value, PurePath):
        return str(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    number = value.item() if hasattr(value, "item") else value
    return None if isinstance(number, float) and not math.isfinite(number) else number


def _speaks_unicode(stream: TextIO) -> bool:
    return (getattr(stream, "encoding", "") or "").lower().replace("-", "").startswith("utf")
