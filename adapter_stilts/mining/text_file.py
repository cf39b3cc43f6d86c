"""A file of sentences that was read once, from first to last line, so that mistakes are found before any work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adapter_stilts.data.sentences import Source, Survey, sentence_source, survey
from adapter_stilts.reporting import Reporter


@dataclass(frozen=True)
class TextFile:
    """How it is read, and what is in it."""

    source: Source
    survey: Survey

    @property
    def path(self) -> Path:
        return self.source.path


def surveyed(path: Path, layout: str | None, column: str | None, report: Reporter) -> TextFile:
    """Read a file once. Raises TaskDataError with the line of a mistake."""
    source = sentence_source(path, layout, column)
    with report.progress(f"checking {path.name}") as progress:
        return TextFile(source, survey(source, lambda rows: progress(rows, 0)))
