"""Every vector against every query: the reference the faster indexes are measured against, as LASER, XTREME and jiant
search.
"""

from __future__ import annotations

from adapter_stilts.retrieval.indexes.base import Index, indexes

# places beside the k: FAISS sums in single precision, so the last places may be in another order than at full precision
SPARE = 4

indexes.add(
    "exact",
    Index(
        None,
        sample=lambda rows, settings: 0,
        extra=lambda width: 0,
        candidates=lambda k: k + SPARE,
        summary="compares all with all",
    ),
)
