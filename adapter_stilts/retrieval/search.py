"""The K nearest neighbours of many vectors among many others, by FAISS, in pieces: a shard of the base and a span of
the queries each.

    neighbours = nearest(queries, base, 4)                          arrays in memory
    neighbours = search(queries, base, 4, Way("ivf", steps=Steps(base_rows=1 << 20)), saved=Saved(path, identity))
    neighbours = search(queries, base, 4, workers=Workers(8, each))     `each` has `search_piece` done by others

Similarities are inner products, so cosines for unit vectors. The answer does not depend on chance, on the size of the
shards or on who does the work: candidates are compared again at full precision, the lower row comes first among equals
(FAISS itself returns any of them), and an approximate index is trained once, on a sample that is a function of the rows
alone, and filled with one shard at a time. After a kill the search goes on at the first piece that is not saved.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeAlias

import faiss
import numpy as np
from numpy.typing import NDArray

from adapter_stilts.errors import StiltsError, refuse
from adapter_stilts.retrieval.blocks import Blocks, Chosen, Held, gathered, ranges
from adapter_stilts.retrieval.cell_search import InCells
from adapter_stilts.retrieval.compared import Numbers, Scores, Vectors, similarities, slack
from adapter_stilts.retrieval.gpu import Ask, on_gpus
from adapter_stilts.retrieval.indexes import Index, IndexSettings, indexes
from adapter_stilts.retrieval.saved import Saved

ALIGNED = 1 << 12  # rows that FAISS multiplies at once: larger shards are cut at multiples, so its sums are the same
QUERY_ROWS = 1 << 14
RESULTS = 1 << 22  # similarities held while ties are settled
SAMPLE = 1000  # queries that recall is measured on
PIECES_A_WORKER = 2  # at least, so that a slow one does not keep all waiting

Progress: TypeAlias = Callable[[int, int], None]
Trained: TypeAlias = NDArray[np.uint8]  # an index, serialised


@dataclass(frozen=True)
class Steps:
    """How much is held at once; nothing that is found depends on it."""

    base_rows: int = 1 << 62
    query_rows: int = QUERY_ROWS

    def shards(self, rows: int) -> list[tuple[int, int]]:
        whole = self.base_rows < ALIGNED or self.base_rows >= rows
        size = self.base_rows if whole else self.base_rows // ALIGNED * ALIGNED
        return list(ranges(rows, size))


@dataclass(frozen=True)
class Way:
    """How neighbours are searched: "exact", or by an approximate index, `list(indexes)`; see `recall`."""

    index: str = "exact"
    settings: IndexSettings = field(default_factory=IndexSettings)
    steps: Steps = field(default_factory=Steps)


EXACT = Way()


@dataclass(frozen=True)
class Neighbours:
    """For each of N queries its K nearest, nearest first."""

    similarity: Vectors  # [N, K]
    index: Numbers  # [N, K] rows of the base vectors

    @property
    def mean(self) -> Scores:
        """[N] mean similarity of each neighbourhood, which the margin needs."""
        return np.asarray(self.similarity.mean(axis=1, dtype=np.float64))


@dataclass(frozen=True)
class Piece:
    """Rows of the base that make a shard, and rows of the queries."""

    base: tuple[int, int]
    queries: tuple[int, int]


@dataclass(frozen=True)
class Workers:
    """How many search at once, and what gives back what `search_piece` found for pieces, in order."""

    number: int
    each: Callable[[Trained | None, Iterable[Piece]], Iterator[Running]]


def nearest(queries: Vectors, base: Vectors, k: int, **way: Any) -> Neighbours:
    """`search` in memory: the min(k, M) nearest of `base` [M, H] for each of `queries` [N, H]."""
    return search(Held(queries), Held(base), k, Way(**way))


def both_ways(source: Vectors, target: Vectors, k: int) -> tuple[Neighbours, Neighbours]:
    """(each source's nearest targets, each target's nearest sources)."""
    return nearest(source, target, k), nearest(target, source, k)


def recall(neighbours: Neighbours, queries: Blocks, base: Blocks, steps: Steps = EXACT.steps) -> float:
    """The fraction of the true nearest neighbours that these hold, over queries spread evenly through all."""
    rows = np.unique(np.linspace(0, queries.rows - 1, min(SAMPLE, queries.rows)).round().astype(np.int64))
    exact = search(Chosen(queries, rows), base, neighbours.index.shape[1], Way(steps=steps))
    hits = (exact.index[:, :, None] == neighbours.index[rows][:, None, :]).any(axis=2)  # [n, K]
    return float(hits.mean())


def search(
    queries: Blocks,
    base: Blocks,
    k: int,
    way: Way = EXACT,
    *,
    saved: Saved | None = None,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> Neighbours:
    """The min(k, M) nearest of `base` [M, H] for each of `queries` [N, H].

    progress  told (pieces done, all there are)
    workers   None: this process

    Raises StiltsError where the two do not have one width or either is empty, UsageError for k below 1.
    """
    if queries.dimension != base.dimension or not queries.rows or not base.rows:
        shapes = f"[{queries.rows}, {queries.dimension}] and [{base.rows}, {base.dimension}]"
        do = "give vectors of one encoder and layer for both sides, at least one each"
        raise StiltsError(f"vectors of shapes {shapes}, where [N, H] and [M, H] were expected", do=do)
    refuse(k < 1, f"{k} neighbours", "ask for a k of at least 1")
    k, kind, settings = min(k, base.rows), indexes[way.index], way.settings
    best = Running.empty(queries.rows, base.rows, k, kind)
    pieces = pieces_of(queries.rows, base.rows, way.steps, workers.number if workers else 0)
    done = saved.load(best.arrays) if saved else 0
    if done < len(pieces):
        trained, left = None, pieces[done:]
        if kind.train is not None:
            trained = kind.train(sample(base, kind.sample(base.rows, settings), settings.seed), base.rows, settings)
        if workers is None:
            results = _searched_here(queries, base, k, kind, trained, left)
        else:
            results = workers.each(None if trained is None else faiss.serialize_index(trained), left)
        for piece, result in zip(left, results, strict=True):
            best.take(slice(*piece.queries), result, piece.base[0])
            done += 1
            if progress is not None:
                progress(done, len(pieces))
            if saved:
                saved.offer(done, best.arrays)
        if saved:
            saved.save(done, best.arrays)
    return _completed(best.best(k), queries, base, way.steps)


def pieces_of(queries: int, base: int, steps: Steps, workers: int = 0) -> list[Piece]:
    """Shard after shard, each with the queries in blocks, or in spans of blocks, so many that all workers have work."""
    shards = steps.shards(base)
    blocks = math.ceil(queries / steps.query_rows)
    spans = min(blocks, math.ceil(PIECES_A_WORKER * workers / len(shards))) if workers else blocks
    size = math.ceil(blocks / spans) * steps.query_rows
    return [Piece(shard, span) for shard in shards for span in ranges(queries, size)]


def search_piece(queries: Blocks, base: Blocks, k: int, way: Way, piece: Piece, trained: Trained | None) -> Running:
    """What one piece gives; its rows of the base count from the shard's first."""
    kind, k = indexes[way.index], min(k, base.rows)
    first, last = piece.queries
    best = Running.empty(last - first, base.rows, k, kind)
    spans = ranges(last - first, way.steps.query_rows)
    blocks = [Piece(piece.base, (first + start, first + stop)) for start, stop in spans]
    ready = None if trained is None else faiss.deserialize_index(np.array(trained))
    for block, result in zip(blocks, _searched_here(queries, base, k, kind, ready, blocks), strict=True):
        best.take(slice(block.queries[0] - first, block.queries[1] - first), result, 0)
    return best


def _searched_here(
    queries: Blocks, base: Blocks, k: int, kind: Index, trained: faiss.Index | None, pieces: Iterable[Piece]
) -> Iterator[Running]:
    """What each piece gives, shard after shard; one shard is held at a time."""
    for span, same in groupby(pieces, key=lambda piece: piece.base):
        shard = gathered(base, *span)
        ask = asker(kind, trained, shard)
        for piece in same:
            yield (roughly if kind.compressed else truly)(ask, shard, queries.block(*piece.queries), kind, k)
        del ask, shard


@dataclass(frozen=True)
class Running:
    """The best so far of every query: what they are ranked by, the true similarity, the row; -1 where none is known."""

    rank: Vectors
    similarity: Vectors
    index: Numbers

    @classmethod
    def empty(cls, rows: int, base_rows: int, k: int, kind: Index) -> Running:
        width = min(kind.candidates(k), base_rows) if kind.compressed else k
        similarity = np.full((rows, width), -np.inf, dtype=np.float32)
        rank = similarity.copy() if kind.compressed else similarity
        return cls(rank, similarity, np.full((rows, width), -1, dtype=np.int64))

    @property
    def arrays(self) -> Mapping[str, NDArray[Any]]:
        own = {} if self.rank is self.similarity else {"rank": self.rank}
        return {"similarity": self.similarity, "index": self.index, **own}

    def take(self, rows: slice, new: Running, start: int) -> None:
        """Merge what a shard gave for some rows; `start` is the shard's first row."""
        moved = np.where(new.index >= 0, new.index + start, -1)
        index = np.concatenate([self.index[rows], moved], axis=1)
        similarity = np.concatenate([self.similarity[rows], new.similarity], axis=1)
        rank = np.concatenate([self.rank[rows], new.rank], axis=1)
        order = np.lexsort((index, -rank), axis=-1)[:, : self.index.shape[1]]
        for kept, both in ((self.rank, rank), (self.similarity, similarity), (self.index, index)):
            kept[rows] = np.take_along_axis(both, order, 1)

    def best(self, k: int) -> Neighbours:
        if self.rank is self.similarity:
            return Neighbours(self.similarity, self.index)
        for start in range(0, len(self.index), QUERY_ROWS):
            rows = slice(start, start + QUERY_ROWS)
            order = np.lexsort((self.index[rows], -self.similarity[rows]), axis=-1)
            self.similarity[rows] = np.take_along_axis(self.similarity[rows], order, 1)
            self.index[rows] = np.take_along_axis(self.index[rows], order, 1)
        return Neighbours(np.ascontiguousarray(self.similarity[:, :k]), np.ascontiguousarray(self.index[:, :k]))


def truly(ask: Ask, shard: Vectors, queries: Vectors, kind: Index, k: int) -> Running:
    """The k nearest of a shard in full precision, asking for ever more while the last could hide a better one."""
    k, width = min(k, len(shard)), min(kind.candidates(k), len(shard))
    similarity, index, unsure = _compared(ask, shard, queries, k, width)
    while len(unsure):
        width = min(2 * width, len(shard))
        still = []
        for start, stop in ranges(len(unsure), max(1, RESULTS // width)):
            rows = unsure[start:stop]
            similarity[rows], index[rows], left = _compared(ask, shard, np.ascontiguousarray(queries[rows]), k, width)
            still.append(rows[left])
        unsure = np.concatenate(still)
    return Running(similarity, similarity, index)


def _compared(ask: Ask, shard: Vectors, queries: Vectors, k: int, width: int) -> tuple[Vectors, Numbers, Numbers]:
    """The k best of `width` candidates, and which queries may have a better one beyond them."""
    rough, places = ask(queries, width)
    similarity = similarities(queries, shard, places)
    order = np.lexsort((places, -similarity), axis=-1)[:, :k]
    best = np.take_along_axis(similarity, order, 1)
    open_end = (places[:, -1] >= 0) & (best[:, -1] <= rough[:, -1] + slack(queries.shape[1]))
    unsure = np.flatnonzero(open_end) if width < len(shard) else np.empty(0, dtype=np.int64)
    return best, np.take_along_axis(places, order, 1), unsure


def roughly(ask: Ask, shard: Vectors, queries: Vectors, kind: Index, k: int) -> Running:
    """The candidates of a compressed index, ranked as it ranks them, with their true similarities beside."""
    rank, places = ask(queries, min(kind.candidates(k), len(shard)))
    rank = np.where(places >= 0, rank, -np.inf).astype(np.float32)
    return Running(rank, similarities(queries, shard, places), places)


def _completed(neighbours: Neighbours, queries: Blocks, base: Blocks, steps: Steps) -> Neighbours:
    """Queries whose cells held fewer than k vectors are compared with all."""
    short = np.flatnonzero(neighbours.index[:, -1] < 0)
    if len(short):
        whole = search(Chosen(queries, short), base, neighbours.index.shape[1], Way(steps=steps))
        neighbours.similarity[short], neighbours.index[short] = whole.similarity, whole.index
    return neighbours


def asker(kind: Index, trained: faiss.Index | None, shard: Vectors) -> Ask:
    """A function from queries and a number of places to similarities in single precision, and places, best first."""
    if (on_gpu := on_gpus(trained, shard)) is not None:
        return on_gpu
    if trained is None:
        return lambda queries, width: faiss.knn(queries, shard, width, metric=faiss.METRIC_INNER_PRODUCT)
    trained.reset()
    if isinstance(trained, faiss.IndexIVFFlat):  # which is left empty: it says only which cells there are
        return InCells(trained, shard)
    threads = faiss.omp_get_max_threads()
    try:
        faiss.omp_set_num_threads(1 if kind.one_thread else threads)
        trained.add(shard)
    finally:
        faiss.omp_set_num_threads(threads)
    return lambda queries, width: trained.search(queries, width)


def sample(base: Blocks, size: int, seed: int) -> Vectors:
    """Vectors to train an index on, drawn from all of them."""
    if size >= base.rows:
        return gathered(base, 0, base.rows)
    rows = np.sort(np.random.default_rng(seed).choice(base.rows, size, replace=False))
    return Chosen(base, rows).block(0, size)
