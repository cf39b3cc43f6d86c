"""LogME: how well features explain labels by a linear model, before anything is trained.

    gram(features, targets).score()          the evidence of one row, in nats; higher is better

Bayesian linear regression of each column of the targets, with the precisions of weights and noise that make the
evidence largest (a fixed point); of one-hot classes the mean over classes.

You et al. (2021), LogME: Practical Assessment of Pre-trained Models for Transfer Learning, https://arxiv.org/abs/2102.11005
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
STEPS, STILL = 50, 1e-4  # of the fixed point; a relative change of alpha / beta that is none
LEAST = 1e-12


@dataclass(frozen=True)
class Gram:
    """What the evidence needs of rows: F' F [D, D], F' Y [D, K], the squares of Y [K] and how many rows there are."""

    inner: Array
    outer: Array
    squares: Array
    rows: float

    def score(self) -> float:
        """Log evidence of a row, the mean over columns."""
        if self.rows <= 0:
            return -math.inf
        values, vectors = np.linalg.eigh(self.inner)
        values = np.clip(values, 0.0, None)
        along = vectors.T @ self.outer
        columns = zip(along.T, self.squares, strict=True)
        return float(np.mean([_evidence(values, column, float(squares), self.rows) for column, squares in columns]))


def gram(features: Array, targets: Array, weights: Array | None = None) -> Gram:
    """features [N, D], targets [N, K]; weights [N]: how often each row counts, as in a bootstrap."""
    weighed = features if weights is None else features * weights[:, None]
    counted = targets if weights is None else targets * weights[:, None]
    rows = float(len(features)) if weights is None else float(weights.sum())
    return Gram(weighed.T @ features, features.T @ counted, (counted * targets).sum(0), rows)


def one_hot(classes: NDArray[np.int64], count: int) -> Array:
    """[N] class numbers to [N, count] of ones and zeros."""
    return np.eye(count, dtype=np.float64)[classes]


def _evidence(values: Array, along: Array, squares: float, rows: float) -> float:
    """One column, in the basis of the features' own directions. values: eigenvalues of F' F; along: F' y."""
    alpha = beta = 1.0
    for _ in range(STEPS):
        means = beta * along / (alpha + beta * values)
        size, rest = float(means @ means), _rest(values, along, squares, means)
        known = float((beta * values / (alpha + beta * values)).sum())
        before = alpha / beta
        alpha, beta = known / max(size, LEAST), (rows - known) / max(rest, LEAST)
        alpha, beta = max(alpha, LEAST), max(beta, LEAST)
        if abs(alpha / beta - before) <= STILL * before:
            break
    means = beta * along / (alpha + beta * values)
    total = len(values) * math.log(alpha) + rows * (math.log(beta) - math.log(2 * math.pi))
    total -= float(np.log(alpha + beta * values).sum())
    total -= beta * _rest(values, along, squares, means) + alpha * float(means @ means)
    return total / (2 * rows)


def _rest(values: Array, along: Array, squares: float, means: Array) -> float:
    """|y - F m|^2."""
    return max(0.0, squares - 2 * float(means @ along) + float((means**2) @ values))
