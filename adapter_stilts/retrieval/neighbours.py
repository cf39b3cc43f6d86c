"""The K nearest neighbours of many vectors among many others, by FAISS; the answer does not depend on chance or on memory.

Similarities are inner products, so cosines for unit vectors. Of vectors with equal similarity the one with the lower number comes
first; FAISS itself returns any of them. Base vectors that do not fit in one index are searched shard by shard (`search.py`).
"""

from __future__ import annotations

import numpy as np

from adapter_stilts.retrieval.blocks import Blocks, Chosen, Held
from adapter_stilts.retrieval.compared import Numbers, Vectors
from adapter_stilts.retrieval.indexes.base import IndexSettings
from adapter_stilts.retrieval.search import Neighbours, Steps, search

__all__ = ["Neighbours", "Numbers", "both_ways", "nearest", "recall"]

SHARD_BYTES = 4 << 30  # of vectors searched at once
SAMPLE = 1000  # queries that recall is measured on


def nearest(
    queries: Vectors, base: Vectors, k: int, *, index: str = "exact", settings: IndexSettings | None = None, shard_bytes: int = SHARD_BYTES
) -> Neighbours:
    """The min(k, M) nearest of `base` [M, H] for each of `queries` [N, H].

    index      "exact", or an approximate one: `list(indexes)`; see `recall`
    settings   for the approximate index

    Raises StiltsError where the two do not have one width or either is empty, UsageError for k below 1.
    """
    steps = Steps(max(1, shard_bytes // (4 * base.shape[1])))
    return search(Held(queries), Held(base), k, index=index, settings=settings, steps=steps)


def both_ways(
    source: Vectors, target: Vectors, k: int, *, index: str = "exact", settings: IndexSettings | None = None, shard_bytes: int = SHARD_BYTES
) -> tuple[Neighbours, Neighbours]:
    """(each source's nearest targets, each target's nearest sources)."""
    forward = nearest(source, target, k, index=index, settings=settings, shard_bytes=shard_bytes)
    return forward, nearest(target, source, k, index=index, settings=settings, shard_bytes=shard_bytes)


def recall(found: Neighbours, queries: Vectors | Blocks, base: Vectors | Blocks, sample: int = SAMPLE, steps: Steps | None = None) -> float:
    """The fraction of the true nearest neighbours that `found` holds, over queries spread evenly through all of them."""
    queries, base = (Held(side) if isinstance(side, np.ndarray) else side for side in (queries, base))
    rows = np.unique(np.linspace(0, queries.rows - 1, min(sample, queries.rows)).round().astype(np.int64))
    k = found.index.shape[1]
    exact = search(Chosen(queries, rows), base, k, steps=steps)
    hits = (exact.index[:, :, None] == found.index[rows][:, None, :]).any(axis=2)  # [n, K]
    return float(hits.mean())
