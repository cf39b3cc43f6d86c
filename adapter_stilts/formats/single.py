"""One text and a label."""

from __future__ import annotations

from adapter_stilts.formats.base import Format, register


@register
class SingleFormat(Format):
    name = "single"
    metrics = ("accuracy", "accuracy_f1")
    label_field = "label"
    one_language = True
