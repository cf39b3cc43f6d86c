"""How far one score can be believed: its units, and the interval that they give it.

Every metric here is a function of sums: accuracy is sum(right) / sum(counted), micro F1 is 2 sum(correct) /
(sum(predicted) + sum(gold)). So a score comes with its units, an array [N, S] whose rows are what one example
(sentence, question, query) adds to the sums:

    units = [[1, 1], [0, 1], [1, 1]]      three examples, two of them right
    score_of(units, "ratio")              0.667
    score_interval(units, "ratio")        None: three examples tell nothing; from twenty on, a low and a high end

How sure a difference between runs is stands in gains.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adapter_stilts.errors import StiltsError
from adapter_stilts.registry import Registry
from adapter_stilts.statistics.quantiles import normal_quantile, t_quantile

Array: TypeAlias = NDArray[np.float64]
Statistic: TypeAlias = Callable[[Array], Array]
LEVEL = 0.95  # of every interval
FEWEST = 20  # units; fewer have no interval

statistics: Registry[Statistic] = Registry("statistic")


@statistics.register("ratio")
@statistics.register("precision")
def ratio(sums: Array) -> Array:
    """[..., (right, counted, ...)] to the fraction that is right; of (correct, predicted, gold) the precision."""
    return _fraction(sums[..., 0], sums[..., 1])


@statistics.register("f1")
def f1(sums: Array) -> Array:
    """[..., (correct, predicted, gold)] to F1; 0 where nothing is predicted and nothing is gold."""
    return _fraction(2 * sums[..., 0], sums[..., 1] + sums[..., 2])


@statistics.register("recall")
def recall(sums: Array) -> Array:
    """[..., (correct, predicted, gold)] to the fraction of the gold that was found."""
    return _fraction(sums[..., 0], sums[..., 2])


@statistics.register("accuracy_f1")
def accuracy_f1(sums: Array) -> Array:
    """[..., (right, counted, correct, predicted, gold)] to the mean of accuracy and F1, as GLUE scores QQP."""
    return (ratio(sums[..., :2]) + f1(sums[..., 2:])) / 2


def score_of(units: ArrayLike, statistic: str) -> float:
    """The score that units [N, S] add up to."""
    return float(statistics[statistic](as_units(units).sum(axis=0)))


def influence(units: ArrayLike, statistic: str) -> Array:
    """By how much each row of units [N, S] moves the score, [N]; the squares add up to the score's variance.

    The infinitesimal jackknife by leaving one row out: Efron (1982), The Jackknife, the Bootstrap and Other Resampling
    Plans, chapter 6. Of a proportion the squares add up to p(1 - p) / N exactly.
    """
    rows = as_units(units)
    sums, score = rows.sum(axis=0), statistics[statistic]
    moved = (score(sums) - score(sums - rows)) * (len(rows) - 1) / len(rows)
    return np.asarray(moved - moved.mean())


def score_interval(units: ArrayLike, statistic: str) -> tuple[float, float] | None:
    """The 95 % interval of a score over its rows, units [N, S]; None where fewer than 20 of them are not zeros.

    Wilson's (1927) for a proportion. Any other score in 0 to 1 counts as a proportion of as many independent trials as
    have its variance, fewer where that is known of few rows: the effective sample size of Korn and Graubard (1998),
    Survey Methodology 24.
    """
    rows = as_units(units)
    live, score = int(rows.any(axis=1).sum()), score_of(rows, statistic)
    if live < FEWEST:
        return None
    variance = float((influence(rows, statistic) ** 2).sum())
    trials, z = float(live), normal_quantile((1 + LEVEL) / 2)
    if 0 < score < 1 and variance > 0:
        plain = statistic == "ratio" and bool(np.isin(rows[:, 0], (0, 1)).all() and (rows[:, 1] == 1).all())
        wider = 1 if plain else float(t_quantile(live - 1, (1 + LEVEL) / 2)) / z
        trials = score * (1 - score) / variance / wider**2
    centre = (score + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(score * (1 - score) / trials + (z / (2 * trials)) ** 2)
    return max(0.0, min(score, centre - half)), min(1.0, max(score, centre + half))


def seed_interval(scores: Sequence[float]) -> tuple[float, float] | None:
    """The t interval of a mean over seeds; None for fewer than two, which say nothing of their spread."""
    n = len(scores)
    if n < 2:
        return None
    half = float(t_quantile(n - 1, (1 + LEVEL) / 2)) * float(np.std(scores, ddof=1)) / math.sqrt(n)
    return float(np.mean(scores)) - half, float(np.mean(scores)) + half


def as_units(units: ArrayLike) -> Array:
    """Units [N, S] as numbers; raises StiltsError for another shape, and for none."""
    rows = np.asarray(units, dtype=np.float64)
    if rows.ndim != 2 or not len(rows):
        what = f"units of shape {list(rows.shape)}, where [N, S] with at least one row was expected"
        raise StiltsError(what, do="score at least one example")
    return rows


def _fraction(above: Array, below: Array) -> Array:
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)
