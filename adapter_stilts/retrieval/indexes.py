"""The FAISS indexes, each an entry of `indexes`: empty and trained, over inner products, filled shard by shard.

Whatever an index returns is compared again at full precision by `search.py`, so a compressed or coarse index can miss a
neighbour but never report one nearer than it is. The IVF indexes sort vectors into cells by k-means; a query is
compared with its nearest cells alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import faiss
import numpy as np

from adapter_stilts.errors import UsageError
from adapter_stilts.registry import Registry
from adapter_stilts.retrieval import cell_search
from adapter_stilts.retrieval.compared import Vectors

# places beside the k: FAISS sums in single precision, so the last places may be in another order than at full precision
SPARE = 4
TRAINING_POINTS = 39  # vectors FAISS wants per cell, and per pattern, for its k-means
LINKS, BREADTH = 32, 128  # of the graph
PARTS = 64  # bytes of a vector cut into parts, at most
AGAIN = 8  # its candidates per neighbour


@dataclass(frozen=True)
class IndexSettings:
    """What an approximate index may be told; None: chosen by the number of vectors."""

    lists: int | None = None  # cells the vectors are sorted into
    probes: int | None = None  # cells searched for each query
    seed: int = 13  # of the k-means that finds the cells


Train: TypeAlias = Callable[[Vectors, int, IndexSettings], faiss.Index]


@dataclass(frozen=True)
class Index:
    """One way to search.

    train       (sample [S, H], vectors to come, settings) to an empty index; None: all are compared, without an index
    sample      how many vectors it wants to be trained on, of so many
    extra       bytes per vector that the index holds, for vectors of a width, beside the float32 vectors themselves
    candidates  how many it is asked for, so that the k best of them are the true ones
    compressed  its own similarities are rough: they only choose the candidates
    sharded     its answers do not depend on how the vectors are cut into shards, if all use the same trained index
    one_thread  several threads would fill it differently every time
    beside      bytes of one search, of (queries, places asked for, vectors, settings), beside what every index takes
    """

    summary: str
    train: Train | None = None
    sample: Callable[[int, IndexSettings], int] = lambda rows, settings: 0
    extra: Callable[[int], int] = lambda width: 0
    candidates: Callable[[int], int] = lambda k: k + SPARE
    compressed: bool = False
    sharded: bool = True
    one_thread: bool = False
    beside: Callable[[int, int, int, IndexSettings], int] = lambda queries, places, rows, settings: 0


indexes: Registry[Index] = Registry("index")


def default_lists(number: int) -> int:
    """4 sqrt(N) cells, fewer where k-means would not have enough vectors for each."""
    return max(1, min(round(4 * math.sqrt(number)), number // TRAINING_POINTS))


def default_probes(lists: int) -> int:
    """One cell in 32, and at least eight."""
    return min(lists, max(8, lists // 32))


def sample_size(rows: int, settings: IndexSettings) -> int:
    """Enough for k-means; a fixed function of the rows, so that the cells do not depend on memory."""
    return min(rows, (TRAINING_POINTS + 1) * (settings.lists or default_lists(rows)))


def cells(rows: int, settings: IndexSettings) -> tuple[int, int]:
    """(cells, cells searched). Raises UsageError for more cells than vectors or more probes than cells."""
    lists = settings.lists or default_lists(rows)
    probes = settings.probes or default_probes(lists)
    if lists > rows or probes > lists:
        what = f"{lists} lists and {probes} probes for {rows} vectors"
        raise UsageError(what, do="use at most as many lists as vectors, and at most as many probes as lists")
    return lists, probes


def trained(index: faiss.IndexIVF, sample: Vectors, probes: int, settings: IndexSettings) -> faiss.IndexIVF:
    index.cp.seed = settings.seed
    points = max(1, min(TRAINING_POINTS, len(sample) // index.nlist))
    index.cp.min_points_per_centroid = points  # fewer is the caller's choice: no message on stderr
    index.train(np.ascontiguousarray(sample))
    index.nprobe = probes
    return index


# Every vector against every query, as LASER, XTREME and jiant search.
indexes.add("exact", Index("compares all with all"))


def hnsw(sample: Vectors, rows: int, settings: IndexSettings) -> faiss.Index:
    """A graph of near vectors that a query walks through: fast for few queries, dear to build.

    It is built by one thread, since with several it, and so its answers, would differ from run to run, and cannot be
    cut into shards. Malkov and Yashunin (2018), https://arxiv.org/abs/1603.09320
    """
    index = faiss.IndexHNSWFlat(sample.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = index.hnsw.efSearch = BREADTH
    return index


def graph_bytes(width: int) -> int:
    """The vectors once more, and the links: twice as many on the lowest level, 4 bytes each, and a few above."""
    return 4 * width + 4 * 2 * LINKS + 32


graph = Index("a graph, in one piece", hnsw, lambda rows, settings: 1, graph_bytes, sharded=False, one_thread=True)
indexes.add("hnsw", graph)


def ivf(sample: Vectors, rows: int, settings: IndexSettings) -> faiss.Index:
    """Vectors sorted into cells and kept whole; each cell is one matrix product with all the queries that probe it.

    One cell in 32 costs a third of `exact` at a hundred thousand vectors, a sixth at a million
    (benchmarks/mining_growth.py). On 36,000 sentence vectors of 256 dimensions (36 languages, layer 4 of a small XLM-R)
    recall at 4 was 0.96; one cell in 8 gave 0.995.
    """
    lists, probes = cells(rows, settings)
    width = sample.shape[1]
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, lists, faiss.METRIC_INNER_PRODUCT)
    return trained(index, sample, probes, settings)


def beside_cells(queries: int, places: int, rows: int, settings: IndexSettings) -> int:
    return cell_search.beside(queries, cells(rows, settings)[1], places)


whole = Index("cells of whole vectors", ivf, sample_size, lambda width: cell_search.HELD, beside=beside_cells)
indexes.add("ivf", whole)


def ivf_pq(sample: Vectors, rows: int, settings: IndexSettings) -> faiss.Index:
    """Cells of vectors of a few dozen bytes each; the eight times k best are compared again in full.

    Product quantisation cuts a vector into parts and stores for each the nearest of 256 patterns (of 16 for fewer
    vectors than that takes). Jégou, Douze and Schmid (2011), https://ieeexplore.ieee.org/document/5432202
    """
    lists, probes = cells(rows, settings)
    width = sample.shape[1]
    sample = sample if len(sample) > 1 else np.repeat(sample, 2, axis=0)  # a part has two patterns at least
    bits = 8 if len(sample) >= TRAINING_POINTS << 8 else 4 if len(sample) >= TRAINING_POINTS << 4 else 1
    index = faiss.IndexIVFPQ(faiss.IndexFlatIP(width), width, lists, parts(width), bits, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.seed = settings.seed
    index.pq.cp.min_points_per_centroid = max(1, min(TRAINING_POINTS, len(sample) >> bits))
    return trained(index, sample, probes, settings)


def parts(width: int) -> int:
    """The largest number of parts up to 64, and up to a quarter of the width, that divides the width."""
    return max(number for number in range(1, max(1, min(PARTS, width // 4)) + 1) if width % number == 0)


def patterns_sample(rows: int, settings: IndexSettings) -> int:
    return min(rows, max(sample_size(rows, settings), (TRAINING_POINTS + 1) << 8))


SUMMARY = "cells of bytes, re-ranked in full"
coded = Index(SUMMARY, ivf_pq, patterns_sample, lambda width: parts(width) + 8, lambda k: AGAIN * k, compressed=True)
indexes.add("ivf-pq", coded)


def ivf_sq(sample: Vectors, rows: int, settings: IndexSettings) -> faiss.Index:
    """Cells of 16-bit floats, half of IVF's memory; twice the neighbours are read and compared again in full."""
    lists, probes = cells(rows, settings)
    width, half = sample.shape[1], faiss.ScalarQuantizer.QT_fp16
    flat, inner = faiss.IndexFlatIP(width), faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexIVFScalarQuantizer(flat, width, lists, half, inner, False)  # not what remains beside the centre
    return trained(index, sample, probes, settings)


halved = Index(
    "cells of 16-bit vectors",
    ivf_sq,
    sample_size,
    lambda width: 2 * width + 8,
    lambda k: 2 * k + SPARE,
    compressed=True,
)
indexes.add("ivf-sq", halved)
