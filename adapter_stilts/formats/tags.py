"""Words and one tag each."""

from __future__ import annotations

from adapter_stilts.formats.base import Format, register


@register
class TagsFormat(Format):
    name = "tags"
    metrics = ("chunk_f1", "token_accuracy")
    label_field = "tags"
    one_language = True
    cut = True
