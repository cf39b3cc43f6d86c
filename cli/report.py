"""`--report`: tables by class, of what is taken for what and by length, and the most confident mistakes.

One language is shown in full; of several a table over them, and each in full when it is asked for.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace

from adapter_stilts.statistics.report import Report, Table, overview, percent, tables, texts_of

from . import render

SHOWN = 5  # mistakes
OF_ROWS = ("data", "limit")  # settings that say which rows were scored, not how
LINES = 2  # of a text, on a terminal
INDENT, MORE = " " * 7, " ..."


def show(reports: Sequence[Report]) -> None:
    """Print the reports of scores, task by task, and way of reading by way."""
    ways: dict[str, list[Report]] = {}
    for report in reports:
        settings = {name: value for name, value in report["settings"].items() if name not in OF_ROWS}
        way = "\n".join(map(str, (report["task"], report["protocol"], report["split"], settings)))
        ways.setdefault(way, []).append(report)
    for of_way in ways.values():
        if len(of_way) == 1:
            detail(of_way[0])
        else:
            _table(overview(of_way))
            render.say(f"one in full: --languages {of_way[0]['language']}; all are under reports/ in the run")


def detail(report: Report) -> None:
    """Print one report."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    name = " ".join(str(report[part]) for part in ("task", "language"))
    for table in tables(report, width):
        _table(replace(table, title=f"{name}: {table.title}"))
    mistakes = report.get("mistakes", ())
    if mistakes:
        more = f", {SHOWN} of {len(mistakes)}" if len(mistakes) > SHOWN else ""
        render.say(f"\n{name}: the most confident mistakes{more}")
    for mistake in mistakes[:SHOWN]:
        labels = _wrapped(f"{mistake['predicted']}, gold {mistake['gold']}", width)
        render.say(percent(mistake["probability"]).rjust(5) + labels[5:])
        for _, text in texts_of(mistake):
            render.say(_wrapped(text, width))


def _table(table: Table) -> None:
    render.say(f"\n{table.title}")  # a drawn table would break it where the table ends
    render.table("", table.columns, table.rows)


def _wrapped(text: str, width: int | None) -> str:
    """A text under a mistake: whole in a pipe, at most so many lines of a terminal."""
    whole = " ".join(text.split())
    if width is None:
        return INDENT + whole
    from rich.console import Console
    from rich.text import Text

    room = width - len(INDENT) - len(MORE) - 1
    lines = [str(line).rstrip() for line in Text(whole).wrap(Console(width=room), room)]
    return "\n".join(INDENT + line for line in lines[:LINES]) + (MORE if len(lines) > LINES else "")
