"""What a verb leaves on stdout: one JSON document with `--json`, else tables for reading.

How tables fit a terminal is in tables.py.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TextIO

import typer

from adapter_stilts.errors import CONTROL, shown

from . import tables

if TYPE_CHECKING:
    from adapter_stilts.runs.evaluate import Evaluated
    from adapter_stilts.runs.merges.bake import Baked
    from adapter_stilts.runs.merges.merge import MergePlanned
    from adapter_stilts.runs.record import Planned, Trained
    from adapter_stilts.runs.results import Means
    from adapter_stilts.statistics.result import Result

    Made = Baked | Evaluated | MergePlanned | Planned | Trained

Rows = Sequence[Sequence[object]]


def finish(made: Made | None, as_json: bool, *, all_metrics: bool = False) -> None:
    """Print the document of what was made, or its scores and where it lies. Of several processes the first prints.

    all_metrics  every row, also of tasks read at several layers, of which a table by layer shows the headline
    """
    if made is None or not speaks():
        return
    if as_json:
        document(made.to_json())
        return
    from . import layers, report

    several = [] if all_metrics else layers.of_several(made.results)
    tasks = {row.task for row in several}
    results([row for row in made.results if row.task not in tasks], made.means and made.means.without(tasks))
    layers.show(several, made.folder)
    report.show([row.report for row in made.results if row.report is not None])
    say(f"run  {made.folder}")


def speaks() -> bool:
    """Whether this process prints: the only one, or the first of several."""
    return os.environ.get("RANK", "0") == "0"


def document(value: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout; a number that is none (nan, infinity) becomes null."""
    unicode = (getattr(sys.stdout, "encoding", "") or "").lower().startswith("utf")
    text = json.dumps(_plain(value), indent=2, ensure_ascii=not unicode, allow_nan=False)
    typer.echo(CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def say(text: str) -> None:
    """Print a line on stdout; what it holds of others' texts does nothing to a terminal."""
    typer.echo(shown(text))


class Screen:
    """Stdout for rows that are data: as they are in a pipe, and on a terminal as people are shown them."""

    def write(self, text: str) -> int:
        return sys.stdout.write(shown(text) if sys.stdout.isatty() else text)

    def flush(self) -> None:
        sys.stdout.flush()


def table(title: str, columns: Sequence[str], rows: Rows, stream: TextIO | None = None) -> None:
    """Print rows under column names, on stdout unless another stream is given."""
    tables.show(title, columns, [[cell(value) for value in row] for row in rows], stream or sys.stdout)


def facts(pairs: Mapping[str, object]) -> None:
    """Print names and values, one a line; on a terminal long ones go on below themselves."""
    tables.show_facts({name: cell(value) for name, value in pairs.items()}, sys.stdout)


def results(rows: Sequence[Result | Mapping[str, Any]], means: Means | None = None) -> None:
    """Print scores as percent with their examples and interval, a row per task, language and metric; then means.

    Settings are long and mostly the same: a row has a letter for them, and what it stands for is under the table, once.
    A row that something has to be said of is marked with "*", and the remarks come last. Rows may be those of a JSON
    document.
    """
    from adapter_stilts.statistics.result import Result, remarks

    read = [row if isinstance(row, Result) else Result.from_json(row) for row in rows]
    if not read:
        return
    said = {_key(row.settings, row): text for row in read if (text := _settings(row))}
    letters = {key: _letter(number) for number, key in enumerate(said)}
    columns = ["task", "protocol", "language", "metric", "score", "95 % interval"]
    more: dict[str, Callable[[Result], object]] = {}
    if len({row.split for row in read}) > 1:
        more["split"] = lambda row: row.split
    if any("majority" in row.notes for row in read):
        more["majority"] = lambda row: percent(row.notes.get("majority"))
    more["n"] = lambda row: row.n
    if said:
        more["settings"] = lambda row: letters.get(_key(row.settings, row), "")
    if any("seen" in row.notes for row in read):
        more["learned in it"] = lambda row: ", ".join(row.notes.get("seen", ()))
    table("results", [*columns, *more], [[*_result(row), *(tell(row) for tell in more.values())] for row in read])
    shown = [
        [task, mean.protocol, mean.languages, percent(mean.score), letters.get(_key(mean.settings), "")]
        for task, of_task in (means.tasks if means else {}).items()
        for mean in of_task
        if mean.languages > 1
    ]
    if shown:
        table("means over languages", ("task", "protocol", "languages", "score", "settings"), shown)
    for key, letter in letters.items():
        say(f"settings {letter}: {said[key]}")
    for remark in remarks(read):
        say(f"* {remark}")


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


def _result(row: Result) -> list[object]:
    shown = " to ".join(percent(bound) for bound in row.interval or ())
    noted = any(map(row.notes.get, ("substitutions", "leaks", "counted", "one_class")))
    task = f"{row.task} *" if noted else row.task
    return [task, row.protocol, row.language, row.metric, percent(row.score), shown]


def _settings(row: Result) -> str:
    settings = ", ".join(f"{name} {cell(value)}" for name, value in row.settings.items())
    if adapter := row.notes.get("language_adapter"):
        settings += f", language adapter of {adapter['language']}"
        settings += f" ({adapter['note']})" if "note" in adapter else ""
    return settings


def _key(settings: Mapping[str, Any], row: Result | None = None) -> str:
    """The same for the same settings in any order."""
    adapter = row.notes.get("language_adapter") or {} if row else {}
    return json.dumps([dict(settings), adapter], sort_keys=True, default=str)


def _letter(number: int) -> str:
    """a to z, then aa, ab, ..."""
    return (_letter(number // 26 - 1) if number >= 26 else "") + chr(ord("a") + number % 26)


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
