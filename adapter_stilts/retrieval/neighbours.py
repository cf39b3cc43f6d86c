"""The K nearest neighbours of many vectors among many others, by FAISS; the answer does not depend on chance or on memory.

Similarities are inner products, so cosines for unit vectors. Of vectors with equal similarity the one with the lower number comes
first; FAISS itself returns any of them. Base vectors that do not fit in one index are searched shard by shard and merged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import faiss
import numpy as np
from numpy.typing import NDArray

from adapter_stilts.errors import StiltsError, UsageError
from adapter_stilts.retrieval.indexes.base import IndexSettings, Vectors, indexes

Numbers: TypeAlias = NDArray[np.int64]

SHARD_BYTES = 4 << 30  # of vectors in one index
QUERIES = 1 << 16  # read at once: vectors may be a memory map
RESULTS = 1 << 24  # similarities held while ties are settled


@dataclass(frozen=True)
class Neighbours:
    """For each of N queries its K nearest, nearest first."""

    similarity: Vectors  # [N, K]
    index: Numbers  # [N, K] rows of the base vectors

    @property
    def mean(self) -> Vectors:
        """[N] mean similarity of each neighbourhood, which the margin needs."""
        return np.asarray(self.similarity.mean(axis=1), dtype=np.float32)


def nearest(
    queries: Vectors, base: Vectors, k: int, *, index: str = "exact", settings: IndexSettings | None = None, shard_bytes: int = SHARD_BYTES
) -> Neighbours:
    """The min(k, M) nearest of `base` [M, H] for each of `queries` [N, H].

    index      "exact", or "ivf" (approximate; see `recall`)
    settings   for the approximate index

    Raises StiltsError where the two do not have one width or either is empty, UsageError for k below 1.
    """
    _check(queries, base, k)
    k = min(k, len(base))
    rows = max(1, shard_bytes // (4 * base.shape[1]))
    merged: Neighbours | None = None
    for start in range(0, len(base), rows):
        part = np.ascontiguousarray(base[start : start + rows], dtype=np.float32)
        found = _search(indexes[index](part, settings or IndexSettings()), queries, min(k, len(part)))
        moved = Neighbours(found.similarity, found.index + start)
        merged = moved if merged is None else _merge(merged, moved, k)
    assert merged is not None
    return merged


def both_ways(
    source: Vectors, target: Vectors, k: int, *, index: str = "exact", settings: IndexSettings | None = None, shard_bytes: int = SHARD_BYTES
) -> tuple[Neighbours, Neighbours]:
    """(each source's nearest targets, each target's nearest sources)."""
    forward = nearest(source, target, k, index=index, settings=settings, shard_bytes=shard_bytes)
    return forward, nearest(target, source, k, index=index, settings=settings, shard_bytes=shard_bytes)


def recall(found: Neighbours, queries: Vectors, base: Vectors, sample: int = 1000) -> float:
    """The fraction of the true nearest neighbours that `found` holds, over queries spread evenly through all of them."""
    rows = np.unique(np.linspace(0, len(queries) - 1, min(sample, len(queries))).round().astype(np.int64))
    k = found.index.shape[1]
    exact = nearest(np.ascontiguousarray(queries[rows]), base, k)
    hits = [len(np.intersect1d(true, got, assume_unique=True)) for true, got in zip(exact.index, found.index[rows], strict=True)]
    return float(sum(hits) / (k * len(rows)))


def _search(index: faiss.Index, queries: Vectors, k: int) -> Neighbours:
    found = [_settled(index, np.ascontiguousarray(part, dtype=np.float32), k) for part in _slices(queries, QUERIES)]
    return Neighbours(np.concatenate([one.similarity for one in found]), np.concatenate([one.index for one in found]))


def _settled(index: faiss.Index, queries: Vectors, k: int) -> Neighbours:
    """The k nearest, the lower number first among equals; one more is read to see where a tie crosses the end."""
    similarity, number = _complete(index, queries, min(k + 1, index.ntotal))
    width = similarity.shape[1]
    tied = np.flatnonzero(similarity[:, k - 1] == similarity[:, k]) if width > k else np.empty(0, dtype=np.int64)
    ordered = _ordered(similarity, number, k)
    while len(tied):
        width = min(2 * width, index.ntotal)
        undecided = []
        for part in _slices(tied, max(1, RESULTS // width)):
            wide, wide_number = _complete(index, np.ascontiguousarray(queries[part]), width)
            settled = _ordered(wide, wide_number, k)
            ordered.similarity[part], ordered.index[part] = settled.similarity, settled.index
            if width < index.ntotal:
                undecided.append(part[wide[:, k - 1] == wide[:, -1]])
        tied = np.concatenate(undecided) if undecided else np.empty(0, dtype=np.int64)
    return ordered


def _complete(index: faiss.Index, queries: Vectors, k: int) -> tuple[Vectors, Numbers]:
    """A search that always fills k places: queries whose cells held fewer are searched through all cells."""
    similarity, number = index.search(queries, k)
    short = np.flatnonzero(number[:, -1] < 0)
    if len(short):
        everywhere = faiss.SearchParametersIVF()
        everywhere.nprobe = faiss.extract_index_ivf(index).nlist
        similarity[short], number[short] = index.search(np.ascontiguousarray(queries[short]), k, params=everywhere)
    return similarity, number


def _merge(one: Neighbours, other: Neighbours, k: int) -> Neighbours:
    return _ordered(np.concatenate([one.similarity, other.similarity], axis=1), np.concatenate([one.index, other.index], axis=1), k)


def _ordered(similarity: Vectors, number: Numbers, k: int) -> Neighbours:
    order = np.lexsort((number, -similarity), axis=-1)[:, :k]
    return Neighbours(np.take_along_axis(similarity, order, 1), np.take_along_axis(number, order, 1))


def _slices(rows: NDArray[np.generic], size: int) -> Iterator[NDArray[np.generic]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _check(queries: Vectors, base: Vectors, k: int) -> None:
    if k < 1:
        raise UsageError(f"{k} neighbours", where="k", do="ask for at least 1")
    if queries.ndim != 2 or base.ndim != 2 or queries.shape[1] != base.shape[1] or not len(queries) or not len(base):
        what = f"vectors of shapes {list(queries.shape)} and {list(base.shape)}, where [N, H] and [M, H] were expected"
        raise StiltsError(what, do="give vectors of one encoder and layer for both sides, at least one each")
