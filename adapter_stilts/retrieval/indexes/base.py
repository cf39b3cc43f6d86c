"""What a nearest-neighbour index is: an empty, trained FAISS index over inner products, to which vectors are added
shard by shard.

    indexes.add("ivf", Index(train, extra=..., ...))

A file beside this one that adds an entry is a new `--index`. Whatever an index returns is compared again at full
precision by `search.py`, so a compressed or coarse index can miss a neighbour but never report one nearer than it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import faiss
import numpy as np
from numpy.typing import NDArray

from adapter_stilts.registry import Registry

Vectors: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class IndexSettings:
    """What an approximate index may be told; None: chosen by the number of vectors."""

    lists: int | None = None  # cells the vectors are sorted into
    probes: int | None = None  # cells searched for each query
    links: int | None = None  # of a graph, per vector
    breadth: int | None = None  # of a walk through the graph
    seed: int = 13  # of the k-means that finds the cells


Train: TypeAlias = Callable[[Vectors, int, IndexSettings], faiss.Index]


@dataclass(frozen=True)
class Index:
    """One way to search.

    train       (sample [S, H], number of vectors to come, settings) to an empty index; None: every vector is compared,
                no index is made
    sample      how many vectors it wants to be trained on, of so many
    extra       bytes per vector that the index holds, for vectors of a width, beside the float32 vectors themselves
    candidates  how many it is asked for, so that the k best of them are the true ones
    compressed  its own similarities are rough: they only choose the candidates
    sharded     its answers do not depend on how the vectors are cut into shards, if the same trained index is used for
                all
    one_thread  several threads would fill it differently every time
    beside      bytes of one search, of (queries, places asked for, vectors, settings), beside what every index takes
    """

    train: Train | None
    sample: Callable[[int, IndexSettings], int]
    extra: Callable[[int], int]
    candidates: Callable[[int], int]
    compressed: bool = False
    sharded: bool = True
    one_thread: bool = False
    beside: Callable[[int, int, int, IndexSettings], int] = lambda queries, places, rows, settings: 0
    summary: str = ""


indexes: Registry[Index] = Registry("index", package="adapter_stilts.retrieval.indexes")
