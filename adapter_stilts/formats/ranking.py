"""A query and what answers it; in evaluation, found among many candidates."""

from __future__ import annotations

from adapter_stilts.formats.base import Format, register


@register
class RankingFormat(Format):
    name = "ranking"
    metrics = ("map20", "mrr20")
    max_length = 256
    ranking = True
