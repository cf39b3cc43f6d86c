"""What a nearest-neighbour index is: an empty, trained FAISS index over inner products, filled shard by shard.

    indexes.add("ivf", Index("cells of whole vectors", train, extra=..., ...))

A file beside this one that adds an entry is a new `--index`. Whatever an index returns is compared again at full
precision by `search.py`, so a compressed or coarse index can miss a neighbour but never report one nearer than it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import faiss

from adapter_stilts.registry import Registry
from adapter_stilts.retrieval.compared import Vectors

# places beside the k: FAISS sums in single precision, so the last places may be in another order than at full precision
SPARE = 4


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


indexes: Registry[Index] = Registry("index", package="adapter_stilts.retrieval.indexes")
