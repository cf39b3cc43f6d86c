"""Margin scores: a pair's cosine against the mean cosine of both neighbourhoods.

Artetxe and Schwenk (2019), https://arxiv.org/abs/1811.01136; CSLS: Conneau et al. (2018),
https://arxiv.org/abs/1710.04087
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.registry import Registry
from adapter_stilts.retrieval.compared import Scores

Array: TypeAlias = NDArray[np.floating[Any]]
Margin: TypeAlias = Callable[[Scores, Scores], Scores]

margins: Registry[Margin] = Registry("margin")


@margins.register("ratio")
def ratio(cosine: Scores, mean: Scores) -> Scores:
    """cosine / mean; 1.0 means as close as its neighbours.

    A mean of 0 gives infinity; 0 / 0 gives -infinity, below every pair.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = cosine / mean
    return np.where(np.isnan(scores), -np.inf, scores)


@margins.register("distance")
def distance(cosine: Scores, mean: Scores) -> Scores:
    """cosine - mean."""
    return cosine - mean


@margins.register("absolute")
def absolute(cosine: Scores, mean: Scores) -> Scores:
    """The cosine alone."""
    return cosine


@margins.register("csls")
def csls(cosine: Scores, mean: Scores) -> Scores:
    """2 cosine - both neighbourhoods' means: twice "distance", so it finds the same pairs at twice the threshold."""
    return 2 * (cosine - mean)


def margin_scores(cosine: Array, forward: Array, backward: Array, margin: str = "ratio") -> Scores:
    """Compare each pair's cosine with how close its two sentences are to everything else.

    A raw cosine favours hub sentences, which lie near all others; the margin removes them.
    cosine    [...]  cosine of each candidate pair
    forward   [...]  mean cosine of the source sentence to its K nearest targets
    backward  [...]  mean cosine of the target sentence to its K nearest sources
    margin           "ratio", "distance", "absolute" or "csls"

    Returns float64 of the same shape: cosines in single precision have sums that are exact in double, so pairs that tie
    stay tied. Under "ratio" there is no unit: 1.0 means as close as its neighbours; it ranks sensibly only where the
    means are positive, as they are for vectors of a trained encoder. Raises UnknownName for any other margin.
    """
    own, onward, back = (np.asarray(values, dtype=np.float64) for values in (cosine, forward, backward))
    scores = margins[margin](own, (onward + back) / 2)
    return np.broadcast_to(scores, np.broadcast_shapes(own.shape, onward.shape, back.shape))
