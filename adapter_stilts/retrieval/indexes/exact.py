"""Every vector against every query: the reference the faster indexes are measured against."""

from __future__ import annotations

import faiss

from adapter_stilts.retrieval.indexes.base import IndexSettings, Vectors, indexes


@indexes.register("exact")
def exact(vectors: Vectors, settings: IndexSettings) -> faiss.Index:
    """IndexFlatIP, as LASER, XTREME and jiant search."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index
