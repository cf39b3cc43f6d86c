"""Two unaligned sets of sentences that hide translation pairs: mining."""

from __future__ import annotations

from adapter_stilts.formats.base import Format, register


@register
class PoolsFormat(Format):
    name = "pools"
    metrics = ("mining",)
    max_length = 512
    retrieval = True
    pools = True
