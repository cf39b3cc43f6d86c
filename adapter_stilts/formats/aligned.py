"""A sentence and its translation, line by line: retrieval with a known partner.

Bitext("0", "Der Mann schläft.", "The man sleeps.")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapter_stilts.data.columns import ID, Columns, couples_of
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.tables import CSV, JSON, JSON_LINES, TSV, Row, empty, suffix
from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.files import numbered_lines
from adapter_stilts.formats.base import Example, Format, register

BLANK = "blank on one side or both"
TABLES = (*JSON_LINES, *JSON, CSV, TSV)  # files that hold both sides


@dataclass(frozen=True, slots=True)
class Bitext(Example):
    """A foreign sentence (`source`) and its English translation (`target`), line by line."""

    source: str
    target: str


@register
class AlignedFormat(Format[Bitext]):
    name = "aligned"
    row = Bitext
    columns = Columns(
        "aligned",
        fields={"id": ID},
        needed=("source", "target"),
        couple=("source", "target"),
        couples=couples_of(
            "source target, source_sentence target_sentence, src tgt, sentence1 sentence2, foreign english"
        ),
        by_language=True,
    )
    metric = "retrieval"
    form = "lines"
    max_length = 512
    one_language = False
    retrieval = True

    def together(self, paths: Sequence[Path]) -> int:
        return 1 if suffix(paths[0]) in TABLES else 2

    def joined(self, paths: Sequence[Path], split: str) -> list[Bitext] | None:
        if len(paths) > 1:
            return read_aligned(paths[0], paths[1])
        if suffix(paths[0]) not in TABLES:
            do = f"give both: --data {split}=FOREIGN --data {split}=ENGLISH"
            raise UsageError("one side of a bitext alone", where=str(paths[0]), do=do)
        return None

    def example(self, row: Row, id: str, layout: Layout) -> Bitext:
        return Bitext(id, row.text("source").strip(), row.text("target").strip())

    def left_out(self, example: Bitext, layout: Layout) -> str:
        return "" if example.source and example.target else BLANK

    def sides(self, examples: Sequence[Bitext]) -> tuple[Sequence[str], Sequence[str]]:
        return [row.source for row in examples], [row.target for row in examples]


def read_aligned(source_path: Path, target_path: Path) -> list[Bitext]:
    """Line i of both files; a blank line is a row. Raises TaskDataError where the line counts differ by more than blank
    lines at the end of one of them."""
    source = [line.strip() for _, line in numbered_lines(source_path)]
    target = [line.strip() for _, line in numbered_lines(target_path)]
    for path, lines in ((source_path, source), (target_path, target)):
        if not lines:
            raise empty(path)
    shorter, longer = sorted((source, target), key=len)
    if any(longer[len(shorter) :]):
        what = f"aligned files of different length: {len(source)} and {len(target)} lines"
        do = "line i of both must be translations of each other; one of the files may be truncated"
        raise TaskDataError(what, where=f"{source_path} and {target_path}", do=do)
    return [Bitext(str(number), *pair) for number, pair in enumerate(zip(source, target, strict=False))]
