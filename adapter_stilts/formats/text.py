"""Text for masked language modelling."""

from __future__ import annotations

from adapter_stilts.formats.base import Format, register


@register
class TextFormat(Format):
    name = "text"
    metrics = ("masked_accuracy",)
    max_length = 256
    masked = True
    cut = True
