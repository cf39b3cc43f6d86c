"""How work is followed on stderr: rich bars on a terminal, otherwise one plain line every few seconds.

Colours follow NO_COLOR, which rich honours itself. Under several processes only the first one speaks.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from adapter_stilts.errors import shown
from adapter_stilts.reporting import Advance, Reporter, Silent, span

from . import render

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

SECONDS = 5.0
WIDE = 100  # columns of a terminal with room for everything


def reporter() -> Reporter:
    """The reporter for this process and its stderr."""
    if not render.speaks():
        return Silent()
    return Drawn(sys.stderr) if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else Plain(sys.stderr)


class Plain:
    """Lines of text; a step of progress is shown at most every `seconds`, and at the end."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic, seconds: float = SECONDS) -> None:
        self._stream = stream
        self._clock = clock
        self._seconds = seconds

    def say(self, text: str) -> None:
        with suppress(OSError):  # who works must not stop because nobody can be told
            print(shown(text), file=self._stream, flush=True)

    def table(self, title: str, columns: Sequence[str], rows: render.Rows) -> None:
        render.table(title, columns, rows, self._stream)

    @contextmanager
    def progress(self, label: str) -> Iterator[Advance]:
        started = shown = self._clock()
        last = written = (0, 0, "")
        first: tuple[int, float] | None = None  # what was done, and when, as it was first told

        def advance(done: int, total: int, detail: str = "") -> None:
            nonlocal first, shown, last, written
            now, last = self._clock(), (done, total, detail)
            first = first or (done, now)
            if now - shown >= self._seconds:
                shown, written = now, last
                self.say(line(label, *last, now - started, (now - first[1], done - first[0])))

        yield advance
        if last[0] and last != written:
            self.say(line(label, *last, self._clock() - started))


class Drawn:
    """Rich bars, with sentences and tables above them."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        self._stream = stream
        self._console = Console(file=stream, highlight=False)
        self._bars: Progress | None = None

    def say(self, text: str) -> None:
        self._console.print(shown(text), markup=False, soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], rows: render.Rows) -> None:
        render.table(title, columns, rows, self._stream)

    @contextmanager
    def progress(self, label: str) -> Iterator[Advance]:
        with self._live() as bars:
            task = bars.add_task(shown(label), total=None, detail="")

            def advance(done: int, total: int, detail: str = "") -> None:
                bars.update(task, completed=done, total=total or None, detail=shown(detail))

            yield advance
            drawn = bars.tasks[bars.task_ids.index(task)]
            if drawn.total is None and not drawn.completed:  # there was nothing to do
                bars.remove_task(task)

    @contextmanager
    def _live(self) -> Iterator[Progress]:
        """One display for bars that are open at the same time: rich allows no second one."""
        if self._bars is not None:
            yield self._bars
            return
        from rich.progress import Progress

        with Progress(*_columns(self._console.width), console=self._console) as self._bars:
            try:
                yield self._bars
            finally:
                self._bars = None


def _columns(width: int) -> list[ProgressColumn]:
    """Label, bar, steps, time gone (where there is room), time left, detail; names are cut before numbers are."""
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeElapsedColumn
    from rich.table import Column
    from rich.text import Text

    class Left(ProgressColumn):
        max_refresh = 0.5

        def render(self, task: Task) -> Text:
            seconds = None if task.finished else task.time_remaining
            return Text("" if seconds is None else f"{span(seconds)} left")

    label = Column(max_width=width // 3, no_wrap=True, overflow="ellipsis")
    detail = Column(max_width=width * 2 // 5 - 4, no_wrap=True, overflow="ellipsis")
    columns = [TextColumn("{task.description}", markup=False, table_column=label), BarColumn(width // 12)]
    columns += [MofNCompleteColumn(), *([TimeElapsedColumn()] if width >= WIDE else []), Left()]
    return [*columns, TextColumn("{task.fields[detail]}", markup=False, table_column=detail)]


def line(
    label: str, done: int, total: int, detail: str, seconds: float, paced: tuple[float, int] | None = None
) -> str:
    """ "training nli 120/500 (24 %) in 8 s, 25 s left, loss 0.71".

    paced  seconds and steps that tell the speed, without what was done before and what loading took
    """
    share = f"/{total} ({100 * done // total} %)" if total else ""
    spent, steps = paced or (seconds, done)
    left = f", {span(spent * (total - done) / steps)} left" if total > done and steps > 0 else ""
    return f"{label} {done}{share} in {span(seconds)}{left}" + (f", {detail}" if detail else "")
