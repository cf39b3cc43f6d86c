"""LogME: the evidence of a linear model, by the textbook's formula; what tells labels scores higher than noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adapter_stilts.statistics.logme import gram, one_hot


def drawn(rows: int = 200, width: int = 7) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(1)
    return draw.normal(size=(rows, width)), draw.integers(0, 3, rows)


def plain(features: np.ndarray, column: np.ndarray, alpha: float, beta: float) -> float:
    """log N(y; 0, I / beta + F F' / alpha), without a shortcut."""
    rows = len(column)
    covariance = np.eye(rows) / beta + features @ features.T / alpha
    _, volume = np.linalg.slogdet(covariance)
    return float(-0.5 * (rows * math.log(2 * math.pi) + volume + column @ np.linalg.solve(covariance, column)))


def test_is_the_largest_evidence_over_both_precisions() -> None:
    features, classes = drawn(80)
    for column in one_hot(classes, 3).T:
        found = gram(features, column[:, None]).score() * len(column)
        grid = [(10.0**a, 10.0**b) for a in np.arange(-2, 9, 0.5) for b in np.arange(-0.5, 2, 0.05)]
        best = max(plain(features, column, alpha, beta) for alpha, beta in grid)
        assert found > best - 0.3
        assert found < best + 0.3


def test_what_tells_the_labels_scores_above_noise() -> None:
    noise, classes = drawn()
    telling = noise.copy()
    telling[:, :3] += 2 * one_hot(classes, 3)
    targets = one_hot(classes, 3)
    assert gram(telling, targets).score() > gram(noise, targets).score() + 0.1


def test_a_weight_is_a_row_that_stands_there_so_often() -> None:
    features, classes = drawn(60)
    targets, weights = one_hot(classes, 3), np.random.default_rng(2).integers(0, 4, 60)
    again = np.repeat(np.arange(60), weights)
    weighed = gram(features, targets, weights.astype(float)).score()
    assert weighed == pytest.approx(gram(features[again], targets[again]).score(), abs=1e-9)


def test_bears_states_that_say_the_same_twice_and_more_columns_than_rows() -> None:
    features, classes = drawn(20, 40)
    doubled = np.concatenate([features, features], axis=1)
    assert math.isfinite(gram(doubled, one_hot(classes, 3)).score())
    assert gram(features[:0], one_hot(classes[:0], 3)).score() == -math.inf
