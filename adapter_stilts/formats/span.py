"""A question, a context, and where the answer stands in it."""

from __future__ import annotations

from adapter_stilts.formats.base import Format, register


@register
class SpanFormat(Format):
    name = "span"
    metrics = ("squad", "squad_v2", "mlqa")
    max_length = 384
    one_language = True
    cut = True
