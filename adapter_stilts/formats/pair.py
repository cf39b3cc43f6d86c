"""Two texts and a label."""

from __future__ import annotations

from adapter_stilts.formats.base import Format, register


@register
class PairFormat(Format):
    name = "pair"
    metrics = ("accuracy", "accuracy_f1")
    label_field = "label"
    one_language = True
