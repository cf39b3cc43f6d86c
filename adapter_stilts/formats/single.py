"""One text and a label: topics, sentiment, intents."""

from __future__ import annotations

from collections.abc import Mapping

from adapter_stilts.data.columns import ID, LABEL, Columns
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.tables import Row, string_of
from adapter_stilts.formats.base import register
from adapter_stilts.formats.pair import Classified, ClassifiedFormat, label_of

USUAL = (
    *("text", "sentence", "content", "review", "review_body", "utterance"),
    *("query", "question", "func", "code", "title"),
)


@register
class SingleFormat(ClassifiedFormat):
    name = "single"
    texts = ("text",)
    columns = Columns("single", fields={"text": USUAL, "label": LABEL, "id": ID}, needed=("text",))

    def example(self, row: Row, id: str, found: Mapping[str, str], layout: Layout) -> Classified:
        return Classified(id, string_of(row, found["text"]), None, label_of(row, found, layout))
