"""Margin scores: a pair's cosine against the mean cosine of both neighbourhoods.

Artetxe and Schwenk (2019), https://arxiv.org/abs/1811.01136
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.registry import Registry

Array: TypeAlias = NDArray[np.float32]
Margin: TypeAlias = Callable[[Array, Array], Array]

margins: Registry[Margin] = Registry("margin")


@margins.register("ratio")
def ratio(cosine: Array, mean: Array) -> Array:
    """cosine / mean; 1.0 means as close as its neighbours. A mean of 0 gives infinity; 0 / 0 gives -infinity, below every pair."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = cosine / mean
    return np.where(np.isnan(scores), -np.inf, scores).astype(np.float32)


@margins.register("distance")
def distance(cosine: Array, mean: Array) -> Array:
    """cosine - mean."""
    return cosine - mean


@margins.register("absolute")
def absolute(cosine: Array, mean: Array) -> Array:
    """The cosine alone."""
    return np.asarray(cosine, dtype=np.float32)


def margin_scores(cosine: Array, forward: Array, backward: Array, margin: str = "ratio") -> Array:
    """Compare each pair's cosine with how close its two sentences are to everything else.

    A raw cosine favours hub sentences, which lie near all others; the margin removes them.
    cosine    [...]  cosine of each candidate pair
    forward   [...]  mean cosine of the source sentence to its K nearest targets
    backward  [...]  mean cosine of the target sentence to its K nearest sources
    margin           "ratio", "distance" or "absolute"

    Returns float32 of the same shape. Under "ratio" there is no unit: 1.0 means as close as its neighbours; it ranks sensibly only
    where the means are positive, as they are for vectors of a trained encoder.
    Raises UnknownName for any other margin.
    """
    return margins[margin](cosine, ((forward + backward) / 2).astype(np.float32))
