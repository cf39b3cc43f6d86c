"""Cosines at full precision, whatever found the pairs: the same number for a pair in every search, shard and direction.

FAISS compares in single precision, where the last bits depend on how many vectors are compared at once. Whatever it
returns is summed again in double precision and rounded once, so neighbours, scores and ties do not depend on memory or
machine.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Vectors: TypeAlias = NDArray[np.float32]  # [N, H], of length 1 but where it is said otherwise
Numbers: TypeAlias = NDArray[np.int64]  # rows
Scores: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

AT_ONCE = 1 << 19  # products held at once: they stay in a processor's cache


def similarities(queries: Vectors, base: Vectors, places: Numbers) -> Vectors:
    """Inner products [N, R] of each query [N, H] with its rows of the base [M, H]; -infinity where a place is -1."""
    out = np.empty(places.shape, dtype=np.float32)
    step = max(1, AT_ONCE // max(1, places.shape[1] * queries.shape[1]))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        products = base[places[rows]].astype(np.float64)  # [n, R, H]
        products *= queries[rows, None, :]
        out[rows] = products.sum(axis=-1)
    out[places < 0] = -np.inf
    return out


def pair_similarities(source: Vectors, target: Vectors) -> Vectors:
    """Row i of one side with row i of the other, [P]."""
    return similarities(source, target, np.arange(len(source), dtype=np.int64)[:, None])[:, 0]


def slack(width: int) -> float:
    """How far a cosine in single precision may lie from the true one: `width` rounding errors, like a random walk."""
    return 4 * math.sqrt(width) * 2.0**-24
