"""Text for masked language modelling, a text a line; or a text and its translation, modelled together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapter_stilts.data.columns import ID, TEXT, Columns
from adapter_stilts.data.feature import Feature
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.pieces import Tokenizer, marks, pieces
from adapter_stilts.data.tables import TABLES, TSV, Bad, Row, refused
from adapter_stilts.files import numbered_lines
from adapter_stilts.formats.base import Cut, Example, Format, register


@dataclass(frozen=True, slots=True)
class PlainText(Example):
    """Text without a label; `pair` holds its translation where the two are modelled together."""

    text: str
    pair: str | None = None


@register
class TextFormat(Format[PlainText]):
    name = "text"
    row = PlainText
    columns = Columns(
        "text",
        fields={"text": TEXT, "id": ID},
        needed=("text",),
        couple=("text", "pair"),
        couples=(("text", "pair"), ("source", "target")),
        by_language=True,
    )
    head = "mask"
    metric = "masked_accuracy"
    grouped_by = "text"
    max_length = 256
    own_length = True
    one_language = False
    whole = False
    masked = True

    def file(self, path: Path, kind: str, layout: Layout, bad: Bad = refused) -> Iterator[PlainText] | None:
        if kind in TABLES or kind == TSV:
            return None
        lines = ((number, line.strip()) for number, line in numbered_lines(path))  # blank lines separate documents
        return (PlainText(str(number - 1), line) for number, line in lines if line)

    def example(self, row: Row, id: str, layout: Layout) -> PlainText:
        pair = row.text("pair") if "pair" in row.columns else None
        return PlainText(id, row.text("text"), pair)

    def cut(self, examples: Sequence[PlainText], tokenizer: Tokenizer, cut: Cut) -> Iterator[Feature]:
        """Text in chunks of `max_length`, nothing lost; a text and its translation as one pair, cut longest first."""
        first = pieces(tokenizer, (example.text for example in examples))
        second = pieces(tokenizer, (example.pair or "" for example in examples))
        around = marks(tokenizer)
        room = cut.max_length - around.of_one
        for index, example in enumerate(examples):
            if example.pair is not None:
                yield Feature(0, index, around.cut(first[index], second[index], cut.max_length))
            else:
                for start in range(0, len(first[index]), room):
                    yield Feature(0, index, around.single(first[index][start : start + room]))
