"""What a long piece of work tells whoever watches it: sentences, tables and progress.

The library calls a Reporter and does not know who listens. The command line gives one that draws on the terminal;
`Silent` is for tests and for programs that want only the returned value.

    with report.progress("training nli") as progress:
        progress(120, 500, "loss 0.71")
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from adapter_stilts.errors import shown

LOGGER = logging.getLogger("adapter_stilts")


class Advance(Protocol):
    """Told how far the work is: `done` of `total` (0 where unknown), and a word about it."""

    def __call__(self, done: int, total: int, detail: str = "") -> None: ...


class Reporter(Protocol):
    """Someone who is told how the work goes; nothing a Reporter does changes a result."""

    def say(self, text: str) -> None:
        """One line for a person."""

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Rows for a person; every row has one value per column."""

    def progress(self, label: str) -> AbstractContextManager[Advance]:
        """A bar, open as long as the context: call what it gives with (done, total, detail)."""


class Silent:
    """A Reporter that tells nobody."""

    def say(self, text: str) -> None:
        pass

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        pass

    @contextmanager
    def progress(self, label: str) -> Iterator[Advance]:
        yield lambda done, total, detail="": None


class Logged(Silent):
    """A Reporter for Python: what it is told goes to the logger "adapter_stilts", which shows it unless it is told not
    to. It is a warning because all of it changes what a number means: rows left out, texts cut, a run that did not
    learn."""

    def say(self, text: str) -> None:
        LOGGER.warning(shown(text))


def span(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
