"""A retrieval score with what it was computed from, so that intervals and comparisons can be made of it further up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Units: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """One metric.

    score      a fraction
    n          queries, or gold pairs
    units      [N, S] rows that sum to what the statistic needs
    statistic  "ratio", "f1", "precision" or "recall": the function of the summed units that is the score
    keys       what each row of units stands for, where that is not simply the query's number: source ids, to pair runs by
    """

    metric: str
    score: float
    n: int
    units: Units
    statistic: str
    keys: Sequence[str] = ()


def accuracy(metric: str, right: NDArray[np.bool_]) -> Measured:
    """The fraction of queries that are right, [N]."""
    return Measured(metric, float(right.mean()), len(right), np.stack([right, np.ones(len(right))], axis=1).astype(np.float64), "ratio")
