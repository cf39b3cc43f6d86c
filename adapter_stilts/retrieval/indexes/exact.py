"""Every vector against every query, as LASER, XTREME and jiant search: what the faster indexes are measured against."""

from __future__ import annotations

from adapter_stilts.retrieval.indexes.base import Index, indexes

indexes.add("exact", Index("compares all with all"))
