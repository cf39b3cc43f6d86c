"""How far a score can be believed: bootstrap intervals, paired comparisons, intervals over seeds.

Every metric here is a function of sums: accuracy is sum(right) / sum(counted), micro F1 is 2 sum(correct) /
(sum(predicted) + sum(gold)). So a score comes with its units, an array [N, S] whose rows are what one example
(sentence, question, query) adds to the sums, and a replicate is that function of resampled sums:

    units = [[1, 1], [0, 1], [1, 1]]             three examples, two of them right
    bootstrap_interval(units, "ratio", seed=13)  a low and a high end around 0.667

Arms are compared by `paired_bootstrap`, which draws every resample once for both. Rows of zeros (most sentences of a
mining pool) count among the N but are not drawn one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adapter_stilts.errors import StiltsError
from adapter_stilts.registry import Registry
from adapter_stilts.seeding import Seeds

Array: TypeAlias = NDArray[np.float64]
Arm: TypeAlias = ArrayLike | Sequence[ArrayLike]  # units [N, S], or a list of them, one per language
Statistic: TypeAlias = Callable[[Array], Array]
REPLICATES = 1000
DRAWS = 1 << 22  # random numbers held in memory at once
TAILS = ((1 - 0.95) / 2, (1 + 0.95) / 2)  # of an interval of 95 %; the low one is not quite 0.025, as it always was

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


@dataclass(frozen=True)
class Comparison:
    """How much better arm a scored than arm b, over the same rows: a fraction, its interval, and the two-sided p."""

    difference: float
    interval: tuple[float, float]
    p: float


def score_of(units: ArrayLike, statistic: str) -> float:
    """The score that units [N, S] add up to."""
    return float(statistics[statistic](_rows(units).sum(axis=0)))


def bootstrap_interval(
    units: ArrayLike, statistic: str, *, seed: int, replicates: int = REPLICATES
) -> tuple[float, float]:
    """The 95 % percentile interval of a score over resampled rows of units [N, S].

    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13
    """
    return _percentiles(replicate_together([units], statistic, seed=seed, replicates=replicates)[0])


def replicate_together(
    units: Sequence[ArrayLike], statistic: str, *, seed: int, replicates: int = REPLICATES, stratum: str = ""
) -> Array:
    """The scores of arms over the same rows in resamples of these, [arms, replicates]: each is drawn once for all arms,
    and independently for the strata of a seed."""
    arms = [_rows(arm) for arm in units]
    if len({arm.shape for arm in arms}) != 1:
        raise StiltsError("arms of different rows cannot be resampled together", do="score them on the same examples")
    sums = _resampled_sums(np.concatenate(arms, axis=1), Seeds(seed).number(f"bootstrap/{stratum}"), replicates)
    return statistics[statistic](sums.reshape(replicates, len(arms), -1)).T


def paired_bootstrap(a: Arm, b: Arm, statistic: str, *, seed: int, replicates: int = REPLICATES) -> Comparison:
    """Compare two arms scored over the same rows; every resample is drawn once and applied to both.

    Of several languages the score is the mean, and each is resampled on its own.
    Raises StiltsError where the rows of the two arms cannot be paired.
    """
    differences, spreads = _differences(a, b, statistic, seed, replicates)
    return _comparison(differences, spreads.mean(axis=0))


def nested_bootstrap(
    a: Sequence[Arm], b: Sequence[Arm], statistic: str, *, seed: int, replicates: int = REPLICATES
) -> Comparison:
    """The paired comparison when seeds and languages are samples too: a[seed][language] and b[seed][language] are units
    [N, S].

    A replicate draws seeds, languages and rows; a language's rows are drawn alike under every seed, since those share
    its examples.
    """
    by_seed = [_differences(x, y, statistic, seed, replicates) for x, y in zip(a, b, strict=True)]
    spreads = np.array([spread for _, spread in by_seed])  # [seeds, languages, replicates]
    seeds, languages, _ = spreads.shape
    generator = Seeds(seed).numpy("bootstrap/nested")
    picked_seeds = generator.integers(0, seeds, (seeds, 1, replicates))
    picked_languages = generator.integers(0, languages, (1, languages, replicates))
    spread = spreads[picked_seeds, picked_languages, np.arange(replicates)].mean(axis=(0, 1))
    return _comparison([difference for differences, _ in by_seed for difference in differences], spread)


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for having tested several targets (Holm 1979), in the order given."""
    order = np.argsort(values, kind="stable")
    corrected = np.maximum.accumulate([(len(values) - rank) * values[place] for rank, place in enumerate(order)])
    result = np.empty(len(values))
    result[order] = np.minimum(corrected, 1)
    return [float(value) for value in result]


def seed_interval(scores: Sequence[float]) -> tuple[float, float] | None:
    """The t interval of a mean over seeds; None for fewer than two, which say nothing of their spread."""
    n = len(scores)
    if n < 2:
        return None
    half = t_quantile(TAILS[1], n - 1) * float(np.std(scores, ddof=1)) / math.sqrt(n)
    return float(np.mean(scores)) - half, float(np.mean(scores)) + half


def t_quantile(probability: float, freedom: int) -> float:
    """Student's t at a probability of at least one half, by bisection (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    low, high = 0.0, math.pi / 2  # of the angle arctan(t / sqrt(freedom))
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < 2 * probability - 1 else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: int) -> float:
    """P(|t| < sqrt(freedom) tan(angle)), the finite series for whole degrees of freedom."""
    sine, cosine = math.sin(angle), math.cos(angle)
    term, total = (cosine, 0.0) if freedom % 2 else (1.0, 0.0)
    for power in range(1 if freedom % 2 else 0, freedom - 1, 2):
        total += term
        term *= cosine * cosine * (power + 1) / (power + 2)
    return (angle + sine * total) * 2 / math.pi if freedom % 2 else sine * total


def _resampled_sums(rows: Array, seed: int, replicates: int) -> Array:
    """The summed rows of each resample, [replicates, S].

    Of the N draws of a replicate, those that fall on a row of zeros add nothing: only their number is drawn.
    """
    live = rows[rows.any(axis=1)]
    if not len(live):
        return np.zeros((replicates, rows.shape[1]))
    if len(rows) * replicates <= DRAWS:
        return _counts_once(len(rows), len(live), seed, replicates) @ live
    return np.concatenate([counts @ live for counts in _counts(len(rows), len(live), seed, replicates)])


@lru_cache(maxsize=2)
def _counts_once(n: int, live: int, seed: int, replicates: int) -> Array:
    """The counts of a small test set, kept: its metrics and layers, and languages of the same size, share them."""
    return np.concatenate(list(_counts(n, live, seed, replicates)))


def _counts(n: int, live: int, seed: int, replicates: int) -> Iterator[Array]:
    """How often each of `live` rows among n is drawn, replicate by replicate, in slices [r, live]."""
    generator = np.random.default_rng(seed)
    draws = generator.binomial(n, live / n, replicates)
    at_once = max(1, DRAWS // n)
    for first in range(0, replicates, at_once):
        part = draws[first : first + at_once]
        picked = generator.integers(0, live, int(part.sum())) + live * np.repeat(np.arange(len(part)), part)
        yield np.bincount(picked, minlength=len(part) * live).reshape(len(part), live).astype(np.float64)


def _differences(a: Arm, b: Arm, statistic: str, seed: int, replicates: int) -> tuple[list[float], Array]:
    """a less b, stratum by stratum: the scores, and those of every resample [strata, replicates]."""
    left, right = _strata(a), _strata(b)
    if [x.shape for x in left] != [y.shape for y in right]:
        what = f"rows that cannot be paired: {[len(x) for x in left]} and {[len(y) for y in right]}"
        raise StiltsError(what, do="compare runs scored on the same examples of the same languages")
    pairs = list(zip(left, right, strict=True))
    arms = [
        replicate_together(pair, statistic, seed=seed, replicates=replicates, stratum=str(number))
        for number, pair in enumerate(pairs)
    ]
    differences = [score_of(x, statistic) - score_of(y, statistic) for x, y in pairs]
    return differences, np.array([of_a - of_b for of_a, of_b in arms])


def _comparison(differences: Sequence[float], spread: Array) -> Comparison:
    tail = min(int((spread <= 0).sum()), int((spread >= 0).sum()))
    p = min(1.0, 2 * (tail + 1) / (len(spread) + 1))
    return Comparison(float(np.mean(differences)), _percentiles(spread), p)


def _percentiles(spread: Array) -> tuple[float, float]:
    low, high = np.quantile(spread, TAILS)
    return float(low), float(high)


def _rows(units: ArrayLike) -> Array:
    rows = np.asarray(units, dtype=np.float64)
    if rows.ndim != 2 or not len(rows):
        what = f"units of shape {list(rows.shape)}, where [N, S] with at least one row was expected"
        raise StiltsError(what, do="score at least one example")
    return rows


def _strata(units: Arm) -> list[Array]:
    if isinstance(units, np.ndarray) and units.ndim == 2:
        return [_rows(units)]
    return [_rows(part) for part in cast(Sequence[ArrayLike], units)]


def _fraction(above: Array, below: Array) -> Array:
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)
