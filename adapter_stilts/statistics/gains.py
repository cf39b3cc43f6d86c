"""How much better one arm scored than another, over seeds, languages and items that both have; and how sure that is.

    gain = compare(arm, base, "ratio")       each {seed: {language: Scored(units [N, S], items [N])}}
    gain.gain, gain.interval, gain.p         over seeds, on these languages: what a verdict is made of
    gain.elsewhere                           the same for languages that were not scored

With d[seed, language, item] the difference, the mean over languages varies with the seed and with the items:

    error^2 = s^2 / S + max(0, R - E)        s: of the S seeds' gains; R: of the items' gains averaged over seeds;
                                             E: that part of R which the seeds' spread holds already

so that noise of items under each seed counts once (as in Davison and Hinkley 1997, Bootstrap Methods and Their
Application, section 3.8). It is a two-way random-effects variance (Searle, Casella and McCulloch 1992, Variance
Components, chapter 4). The quantile is the mean of the two parts' own t, weighted by their variance (Cochran and Cox
1957, Experimental Designs, section 4.14); where items add nothing of their own, it is t with S - 1. Satterthwaite's
(1946) degrees of freedom are more where the seeds agree by chance: of five seeds p is then below 0.05 / 12 twice as
often as it says. They serve for other languages. An item in several languages (parallel rows) is one item: its
differences add up before they are squared. With one seed only items are left, resampled for both arms and all languages
at once (the paired bootstrap).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.errors import StiltsError
from adapter_stilts.statistics.intervals import FEWEST, LEVEL, Array, as_units, influence, score_of, statistics
from adapter_stilts.statistics.quantiles import t_quantile, t_share

REPLICATES = 1000
DRAWS = 1 << 22  # random numbers held in memory at once
SIMULATED = 4000  # repetitions of the design, to see how small an effect it would find
POWER = 0.8
ENOUGH = 5  # seeds for a word about a gain
LEAST = 1e-12  # of a tail that is looked up
Interval: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Scored:
    """What a run scored in one language: the units [N, S] of its score, and which item each row is, [N], all distinct.
    An item of the same name in two languages is the same question asked twice."""

    units: Array
    items: NDArray[Any]

    @classmethod
    def numbered(cls, units: Array) -> Scored:
        """Rows whose items are their numbers."""
        return cls(units, np.arange(len(units)))


def hashed(names: Sequence[str]) -> NDArray[np.uint64]:
    """Names of items as numbers, [N]."""
    digests = (hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in names)
    return np.frombuffer(b"".join(digests), dtype=np.uint64)


Arm: TypeAlias = Mapping[int, Mapping[str, Scored]]  # by seed and language


@dataclass(frozen=True)
class Error:
    """What the variance of a gain is made of: by its source, (variance in squares of a score, degrees of freedom).

    weighted  whether quantiles are the mean of the parts' own, in place of those of Satterthwaite's degrees of freedom
    """

    parts: Mapping[str, tuple[float, float]]
    weighted: bool = False

    @property
    def total(self) -> float:
        return math.sqrt(sum(variance for variance, _ in self.parts.values()))

    @property
    def freedom(self) -> float:
        return float(_satterthwaite(self.parts.values()))

    def interval(self, gain: float, level: float = LEVEL) -> Interval:
        half = float(_quantile(self.parts.values(), (1 - level) / 2, self.weighted)) * self.total
        return gain - half, gain + half

    def p(self, gain: float) -> float:
        """Two-sided, of a gain of nothing."""
        return 2 * self.tail(abs(gain) / self.total) if self.total else float(gain == 0)

    def tail(self, away: float) -> float:
        """The chance of more than so many standard errors, to one side."""
        if away < 0:
            return 1 - self.tail(-away)
        if not self.weighted:
            return t_share(self.freedom, -away)
        parts = self.parts.values()
        if away >= _quantile(parts, LEAST, True):
            return LEAST
        from scipy.optimize import brentq  # only now, as in quantiles.py

        return float(brentq(lambda tail: _quantile(parts, tail, True) - away, LEAST, 0.5))


@dataclass(frozen=True)
class Elsewhere:
    """A gain's interval and p where languages are a sample too."""

    interval: Interval
    p: float
    error: Error


@dataclass(frozen=True)
class Gain:
    """A gain: the mean over seeds, and over languages counted equally; a fraction.

    interval, p  over seeds on these languages, for more items like these; of one seed, over items alone.
                 None where fewer than 20 items tell anything
    by_seed      of each seed in common
    n            rows compared, over languages
    dropped      what only one of the two has, in words
    """

    gain: float
    interval: Interval | None
    p: float | None
    by_seed: tuple[float, ...]
    seeds: tuple[int, ...]
    languages: tuple[str, ...]
    n: int
    error: Error | None
    elsewhere: Elsewhere | None = None
    dropped: tuple[str, ...] = ()
    by_language: Mapping[str, float] = field(default_factory=dict)

    def detectable(self, tests: int = 1) -> float | None:
        """The smallest true gain that this design would have told from none in 80 % of repetitions, of so many tests.

        By simulation of seeds and items with the variances that were estimated.
        """
        if self.error is None:
            return None
        generator = np.random.default_rng(0)
        parts = [
            (variance * (generator.chisquare(freedom, SIMULATED) / freedom if freedom < math.inf else 1.0), freedom)
            for variance, freedom in self.error.parts.values()
        ]
        error = np.sqrt(sum(variance for variance, _ in parts))
        needed = _quantile(parts, (1 - LEVEL) / (2 * tests), self.error.weighted) * error
        return float(np.quantile(needed - generator.normal(0, self.error.total, SIMULATED), POWER))

    def equal_within(self, margin: float) -> float | None:
        """p of "the true gain is at least `margin` away from none": small where the arms are as good as equal.

        Two one-sided tests: Schuirmann (1987), Journal of Pharmacokinetics and Biopharmaceutics 15
        """
        if self.error is None or not self.error.total:
            return None
        return self.error.tail((margin - abs(self.gain)) / self.error.total)


def compare(arm: Arm, base: Arm, statistic: str) -> Gain | None:
    """Arm against base over what both have; None where that is nothing. StiltsError for units of other shapes."""
    pairs = _Pairs.of(arm, base)
    if not pairs.seeds or not pairs.languages:
        return None
    scores = [[[score_of(units, statistic) for units in both] for both in row] for row in pairs.units]
    by_both = np.array([[a - b for a, b in row] for row in scores])  # [seeds, languages]
    by_seed, by_language = by_both.mean(axis=1), by_both.mean(axis=0)
    facts: dict[str, Any] = {"seeds": pairs.seeds, "languages": pairs.languages, "dropped": pairs.dropped}
    facts |= {"by_seed": tuple(by_seed.tolist()), "n": sum(map(len, pairs.items))}
    facts |= {"by_language": dict(zip(pairs.languages, by_language.tolist(), strict=True))}
    gain = float(by_both.mean())
    if pairs.live < FEWEST:
        return Gain(gain, None, None, error=None, **facts)
    moved = pairs.influences(statistic)
    joint = _item_variance([by_item(moved, pairs.items)])
    error = _error(by_seed, joint, pairs.least, pairs.live - 1)
    if len(pairs.seeds) == 1:
        spread = pairs.resampled(statistic)
        interval = (float(np.quantile(spread, (1 - LEVEL) / 2)), float(np.quantile(spread, (1 + LEVEL) / 2)))
        tail = min(int((spread <= 0).sum()), int((spread >= 0).sum()))
        return Gain(gain, interval, min(1.0, 2 * (tail + 1) / (len(spread) + 1)), error=error, **facts)
    shared = joint.own - _item_variance(moved).own  # what parallel rows add
    elsewhere = _elsewhere(by_both, max(0.0, shared))
    return Gain(gain, error.interval(gain), error.p(gain), error=error, elsewhere=elsewhere, **facts)


def mean_interval(scored: Mapping[str, Scored], statistic: str) -> Interval | None:
    """The 95 % interval of a mean over languages, for more items like these; None for fewer than 20 that tell anything.

    An item that stands in several languages counts once.
    """
    languages = list(scored.values())
    items = [own.items for own in languages]
    live = np.concatenate([own.items[as_units(own.units).any(axis=1)] for own in languages])
    if len(np.unique(live)) < FEWEST:
        return None
    moved = [influence(own.units, statistic)[None] / len(languages) for own in languages]
    mean = float(np.mean([score_of(own.units, statistic) for own in languages]))
    error = Error({"items": (_item_variance([by_item(moved, items)]).all, len(np.unique(live)) - 1)})
    low, high = error.interval(mean)
    return max(0.0, low), min(1.0, high)


def compare_means(arm: Sequence[float], base: Sequence[float]) -> tuple[float, Interval, float]:
    """(gain, interval, p) of two arms of which only a mean per seed is known: t with S - 1, on these very items."""
    differences = np.subtract(arm, base)
    gain, seeds = float(differences.mean()), len(differences)
    error = Error({"seeds": (float(differences.var(ddof=1)) / seeds, seeds - 1)})
    return gain, error.interval(gain), error.p(gain)


def elsewhere_of(by_both: Array) -> Elsewhere | None:
    """To other languages, from differences [seeds, languages] alone."""
    return _elsewhere(by_both, 0.0)


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for having tested several, in order: Holm (1979), Scandinavian Journal of Statistics 6."""
    order = np.argsort(values, kind="stable")
    corrected = np.maximum.accumulate([(len(values) - rank) * values[place] for rank, place in enumerate(order)])
    result = np.empty(len(values))
    result[order] = np.minimum(corrected, 1)
    return [float(value) for value in result]


def by_item(moved: Sequence[Array], items: Sequence[NDArray[Any]]) -> Array:
    """Influences by language, [arms, N] each, added up over the languages of an item, [arms, M]."""
    count, places = _places(items)
    total = np.zeros((len(moved[0]), count))
    for place, own in zip(places, moved, strict=True):
        total[:, place] += own  # an item is once in a language
    return total


@dataclass(frozen=True)
class _Pairs:
    """What both arms have: units[seed][language] is (arm's, base's), in the order of items[language]."""

    seeds: tuple[int, ...]
    languages: tuple[str, ...]
    units: list[list[tuple[Array, Array]]]
    items: list[NDArray[Any]]
    dropped: tuple[str, ...]

    @classmethod
    def of(cls, arm: Arm, base: Arm) -> _Pairs:
        seeds = tuple(seed for seed in arm if seed in base)
        dropped = [f"seed {seed}" for seed in (*arm, *base) if (seed in arm) != (seed in base)]
        read = [side[seed] for side in (arm, base) for seed in seeds]
        every = dict.fromkeys(code for languages in read for code in languages)
        languages = tuple(code for code in every if all(code in languages for languages in read))
        dropped += [code for code in every if code not in languages]
        items, units = [], list[list[tuple[Array, Array]]]([] for _ in seeds)
        for code in languages:
            common = _common([scored[code].items for scored in read])
            lost = max(len(scored[code].items) for scored in read) - len(common)
            dropped += [f"{lost} rows of {code}"] if lost else []
            items.append(common)
            for row, seed in zip(units, seeds, strict=True):
                pair = _aligned(arm[seed][code], common), _aligned(base[seed][code], common)
                if pair[0].shape != pair[1].shape:
                    what = f"units of {pair[0].shape[1]} and {pair[1].shape[1]} sums cannot be compared"
                    raise StiltsError(what, where=code, do="compare the same metric of both runs")
                row.append(pair)
        kept = [number for number, common in enumerate(items) if len(common)]
        units = [[row[number] for number in kept] for row in units]
        names = tuple(languages[number] for number in kept)
        return cls(seeds, names, units, [items[number] for number in kept], tuple(dropped))

    @cached_property
    def told(self) -> list[NDArray[Any]]:
        """The items of each language that tell anything: in one of the arms, not all zeros."""
        return [
            common[np.any([units.any(axis=1) for row in self.units for units in row[number]], axis=0)]
            for number, common in enumerate(self.items)
        ]

    @property
    def live(self) -> int:
        return len(np.unique(np.concatenate(self.told)))

    @property
    def least(self) -> float:
        """The variance that equal answers leave: as of two more rows a language, one better and one worse by a half.

        Agresti and Min (2005), Statistics in Medicine 24
        """
        return sum(1 / (len(self.languages) * (len(told) + 2)) ** 2 for told in self.told)

    def influences(self, statistic: str) -> list[Array]:
        """How much each item of a language moves the mean over languages, [seeds, N] by language."""
        return [
            np.array([np.subtract(*(influence(units, statistic) for units in row[number])) for row in self.units])
            / len(self.languages)
            for number in range(len(self.languages))
        ]

    def resampled(self, statistic: str) -> Array:
        """The gain of one seed in resamples of the items, drawn once for both arms and all languages, [replicates]."""
        count, places = _places(self.items)
        both = [np.concatenate(pair, axis=1) for pair in self.units[0]]
        live = np.zeros(count, dtype=bool)
        for place, rows in zip(places, both, strict=True):
            live[place[rows.any(axis=1)]] = True
        at = np.cumsum(live) - 1
        parts = []
        for counts in _counts(count, int(live.sum())):
            sums = [
                (counts[:, at[place[own]]] @ rows[own]).reshape(len(counts), 2, -1)
                for place, rows in zip(places, both, strict=True)
                for own in [rows.any(axis=1)]
            ]
            scores = np.array([statistics[statistic](each) for each in sums])  # [languages, replicates, 2]
            parts.append((scores[..., 0] - scores[..., 1]).mean(axis=0))
        return np.concatenate(parts)


@dataclass(frozen=True)
class _Items:
    """The variance of a gain that comes of its items: `all` of the mean over seeds, `noise` the part of it that is
    another under every seed."""

    all: float
    noise: float

    @property
    def own(self) -> float:
        return self.all - self.noise


def _error(by_seed: Array, items: _Items, least: float, freedom: int) -> Error:
    seeds = len(by_seed)
    if seeds == 1:
        return Error({"items": (max(items.all, least), freedom)})
    spread = float(by_seed.var(ddof=1)) / seeds
    parts = {"seeds": (spread, seeds - 1), "items": (max(0.0, items.own, least - spread), freedom)}
    return Error(parts, weighted=True)


def _elsewhere(by_both: Array, shared: float) -> Elsewhere | None:
    """Seeds and languages crossed, both drawn at random; None with fewer than two of either.

    shared  the variance that items in several languages add
    """
    seeds, languages = by_both.shape
    if min(seeds, languages) < 2:
        return None
    by_seed, by_language, gain = by_both.mean(axis=1), by_both.mean(axis=0), float(by_both.mean())
    rest = by_both - by_seed[:, None] - by_language + gain
    inside = float((rest**2).sum()) / ((seeds - 1) * (languages - 1)) / (seeds * languages)
    outside = float(by_language.var(ddof=1)) / languages
    own, freedom = outside - inside, outside**2 / (languages - 1) + inside**2 / ((seeds - 1) * (languages - 1))
    parts = {"seeds": (float(by_seed.var(ddof=1)) / seeds, seeds - 1)}
    parts["languages"] = (own, own**2 / freedom) if own > 0 else (0.0, languages - 1)
    error = Error(parts | {"items": (shared * languages / (languages - 1), math.inf)})
    return Elsewhere(error.interval(gain), error.p(gain), error)


def _quantile(parts: Iterable[tuple[Any, float]], tail: float, weighted: bool) -> Any:
    """How many standard errors from nothing leave so much in one tail."""
    listed = list(parts)
    if not weighted:
        return -t_quantile(_satterthwaite(listed), tail)
    total = sum(variance for variance, _ in listed)
    own = sum(variance * -t_quantile(freedom, tail) for variance, freedom in listed)
    return np.divide(own, total, out=np.zeros_like(np.asarray(own, dtype=np.float64)), where=np.asarray(total) > 0)


def _satterthwaite(parts: Iterable[tuple[Any, float]]) -> Any:
    """The degrees of freedom of a sum of variances, each with its own."""
    listed = list(parts)
    below = sum(variance**2 / freedom for variance, freedom in listed)
    return np.maximum(sum(variance for variance, _ in listed) ** 2 / np.where(below > 0, below, 1.0), 1.0)


def _item_variance(moved: Sequence[Array]) -> _Items:
    """Of influences [seeds, N], each of its own items; parts of the list are independent."""
    total, noise = 0.0, 0.0
    for own in moved:
        mean, (seeds, n) = own.mean(axis=0), own.shape
        scale = n / max(n - 1, 1)
        total += scale * float((mean**2).sum())
        noise += scale * float(((own - mean) ** 2).sum()) / (seeds * max(seeds - 1, 1))
    return _Items(total, noise)


def _places(items: Sequence[NDArray[Any]]) -> tuple[int, list[NDArray[np.int64]]]:
    """(the number of distinct items, where each row's is among them, by language)."""
    names, inverse = np.unique(np.concatenate(items), return_inverse=True)
    return len(names), np.split(inverse, np.cumsum([len(own) for own in items])[:-1])


def _common(items: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The items that are in all of these, in the order of the first."""
    first = items[0]
    if all(np.array_equal(first, other) for other in items[1:]):
        return first
    return first[np.all([np.isin(first, other) for other in items], axis=0)]


def _aligned(scored: Scored, items: NDArray[Any]) -> Array:
    units = as_units(scored.units)
    if np.array_equal(scored.items, items):
        return units
    order = np.argsort(scored.items)
    return units[order[np.searchsorted(scored.items, items, sorter=order)]]


def _counts(n: int, live: int) -> Iterator[Array]:
    """How often each of `live` items among n is drawn in a resample, in slices [r, live]; the others add nothing."""
    generator = np.random.default_rng(0)
    draws = generator.binomial(n, live / n, REPLICATES)
    at_once = max(1, DRAWS // n)
    for first in range(0, REPLICATES, at_once):
        part = draws[first : first + at_once]
        picked = generator.integers(0, live, int(part.sum())) + live * np.repeat(np.arange(len(part)), part)
        yield np.bincount(picked, minlength=len(part) * live).reshape(len(part), live).astype(np.float64)
