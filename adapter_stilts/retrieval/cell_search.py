"""Search in cells, a matrix product for each: all queries that probe a cell are compared with its vectors at once.

    ask = InCells(trained, shard)
    similarity, places = ask(queries, 8)

FAISS walks through the cells one query at a time and reads every vector again for each, so a processor waits for
memory. Mining knows all its queries beforehand: sorted by cell, they read each vector once a block. The vectors stay
where they are; a row number each is all that is held beside them, and a cell of any size is compared a few hundred
vectors at a time. The same cells are searched, so the same neighbours are found.

`faiss.contrib.big_batch_search` has the same idea and does not serve: it reads vectors out of a filled index, a second
copy of the shard; it copies a whole cell and all queries that ask for it, whose size nothing bounds; it sorts the cells
of all queries together, where a search that can go on needs blocks; and its checkpoints are pickles.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import faiss
import numpy as np
from numpy.typing import NDArray

from adapter_stilts.retrieval.compared import Numbers, Vectors

ASSIGNED = 1 << 12  # vectors put into cells at once: shards are cut at multiples, so rounding is the same in any shard
FOUND = 1 << 24  # candidates held at once, of a similarity and a row each
ORDERED = 1 << 20  # of them while the best are taken
AT_ONCE = 1 << 23  # numbers that all threads together copy to compare, and as many products, however large a cell is
LEAST = 1 << 7  # queries, and vectors, that a thread compares at once, however many threads there are
HELD = 40  # bytes a vector: its cell and its place among them, while both are sorted


class InCells:
    """A shard [M, H] in the cells of a trained FAISS index (`quantizer`, `nlist`, `nprobe`; it is left empty)."""

    def __init__(self, trained: faiss.IndexIVF, shard: Vectors) -> None:
        self._trained, self._shard = trained, shard
        cells = np.empty(len(shard), dtype=np.int64)
        for start in range(0, len(shard), ASSIGNED):
            rows = slice(start, start + ASSIGNED)
            cells[rows] = trained.quantizer.search(np.ascontiguousarray(shard[rows]), 1)[1][:, 0]
        self._rows = np.argsort(cells, kind="stable").astype(np.int32)
        self._ends = np.cumsum(np.bincount(cells, minlength=trained.nlist))

    def __call__(self, queries: Vectors, width: int) -> tuple[Vectors, Numbers]:
        """Similarities and rows [N, width] of the best, best first; -infinity and -1 where the cells hold fewer."""
        similarity = np.empty((len(queries), width), dtype=np.float32)
        places = np.empty((len(queries), width), dtype=np.int64)
        step = max(1, FOUND // (self._trained.nprobe * width))
        for start in range(0, len(queries), step):
            rows = slice(start, start + step)
            similarity[rows], places[rows] = self._some(np.ascontiguousarray(queries[rows]), width)
        return similarity, places

    def _some(self, queries: Vectors, width: int) -> tuple[Vectors, Numbers]:
        probes, threads = self._trained.nprobe, faiss.omp_get_max_threads()
        cells = self._trained.quantizer.search(queries, probes)[1].ravel()
        similarity = np.full((len(cells), width), -np.inf, dtype=np.float32)
        places = np.full((len(cells), width), -1, dtype=np.int32)
        order = np.argsort(cells, kind="stable")
        ends = np.cumsum(np.bincount(cells, minlength=self._trained.nlist))
        size = _together(threads, queries.shape[1])

        def compare(some: Numbers) -> None:
            # of this thread: small products are not worth sharing, and a shared one waits for the slowest
            faiss.omp_set_num_threads(1)
            for cell in some.tolist():
                rows = self._rows[self._ends[cell - 1] if cell else 0 : self._ends[cell]]
                asked = order[ends[cell - 1] if cell else 0 : ends[cell]]
                for start, first in product(range(0, len(asked), size), range(0, len(rows), size)):
                    these, part = asked[start : start + size], rows[first : first + size]
                    most = min(width, len(part))
                    sides = queries[these // probes], self._shard[part]
                    cosine, place = faiss.knn(*sides, most, metric=faiss.METRIC_INNER_PRODUCT)
                    if first:
                        both = np.hstack([similarity[these], cosine]), np.hstack([places[these], part[place]])
                        similarity[these], places[these] = _best(*both, width)
                    else:
                        similarity[these, :most], places[these, :most] = cosine, part[place]

        wanted = np.unique(cells)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(compare, (wanted[start::threads] for start in range(threads))))
        return _best(similarity.reshape(len(queries), -1), places.reshape(len(queries), -1), width)


def beside(queries: int, probes: int, width: int) -> int:
    """Bytes of one call beside its queries: the candidates of all cells, their cells, and what the threads compare."""
    rows = max(1, min(queries, FOUND // (probes * width)))
    return rows * probes * (8 * width + 24) + min(ORDERED, queries * probes * width) * 24 + 8 * AT_ONCE


def _together(threads: int, dimension: int) -> int:
    """Queries, and vectors of a cell, that one thread compares at once."""
    return max(LEAST, min(AT_ONCE // (2 * threads * dimension), math.isqrt(AT_ONCE // threads)))


def _best(similarity: Vectors, places: NDArray[np.int32], width: int) -> tuple[Vectors, Numbers]:
    """The `width` largest of each row, largest first."""
    kept = np.empty((len(similarity), width), dtype=np.float32)
    rows = np.empty((len(similarity), width), dtype=np.int64)
    step = max(1, ORDERED // similarity.shape[1])
    for start in range(0, len(similarity), step):
        part = slice(start, start + step)
        some = similarity[part]
        best = np.argpartition(-some, width - 1, axis=1)[:, :width]
        best = np.take_along_axis(best, np.argsort(-np.take_along_axis(some, best, 1), axis=1, kind="stable"), 1)
        kept[part], rows[part] = np.take_along_axis(some, best, 1), np.take_along_axis(places[part], best, 1)
    return kept, rows
