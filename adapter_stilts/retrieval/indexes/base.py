"""What a nearest-neighbour index is: a function from unit vectors [N, H] to a FAISS index over inner products.

    @indexes.register("exact")
    def exact(vectors, settings): ...

A file beside this one that registers a builder is a new `--index`.
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
    seed: int = 13  # of the k-means that finds the cells


Build: TypeAlias = Callable[[Vectors, IndexSettings], faiss.Index]

indexes: Registry[Build] = Registry("index", package="adapter_stilts.retrieval.indexes")
