"""A sentence and its translation, line by line: retrieval with a known partner."""

from __future__ import annotations

from adapter_stilts.formats.base import Format, register


@register
class AlignedFormat(Format):
    name = "aligned"
    metrics = ("retrieval",)
    max_length = 512
    retrieval = True
