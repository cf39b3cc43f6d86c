"""Scored pairs against gold: where to cut them, what a cut is worth, and F1 with the units its interval needs.

    gold = Gold.of(source_rows, target_rows, sources=N, targets=M)
    threshold = gold.best(dev_pairs, "between").threshold
    f1, precision, recall = gold.measures(pairs.above(threshold))
    f1_oracle, *_ = gold.oracle(pairs, "between")
    kept = held_out(pairs, gold, tune, half)

Functions take whether each pair is gold, right [P], best pair first, its score [P], falling, and how many gold pairs
there are, found or not. A threshold that is best on the very pairs it scores is an oracle, and its score is called
"f1-oracle". Where gold is given for one text alone, half of its source lines choose the threshold for the other half,
and the other way round: that is what "held out" means here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from adapter_stilts.errors import TaskDataError, UsageError, refuse
from adapter_stilts.metrics.pairs import MEASURES, counts_by_source
from adapter_stilts.registry import Registry
from adapter_stilts.retrieval.compared import Flags, Numbers, Scores
from adapter_stilts.retrieval.margin import Array
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.statistics.intervals import score_of

Rule: TypeAlias = Callable[[Array], Flags]
Tune: TypeAlias = Callable[[Flags, Scores, int], "Cut"]

threshold_rules: Registry[Rule] = Registry("threshold rule")

POINTS = 50  # of a curve, at most
BINS = 20
HUMP = 20  # candidates; fewer make humps by chance


@dataclass(frozen=True)
class Cut:
    """Pairs that score at least `threshold` are kept; precision, recall and F1 on the pairs it was chosen on."""

    threshold: float
    kept: int
    precision: float
    recall: float
    f1: float


@threshold_rules.register("any")
def anywhere(score: Array) -> Flags:
    """After any candidate, as XTREME and jiant cut, so that pairs of equal score may come along."""
    return np.ones(len(score), dtype=np.bool_)


@threshold_rules.register("between")
def between(score: Array) -> Flags:
    """Only between different scores, and after the last."""
    return np.append(score[:-1] != score[1:], True)[: len(score)]


def best_f1(right: Flags, score: Array, wanted: int, rule: str = "between") -> Cut:
    """The cut with the best F1: midway between the last pair kept and the next; the first best where several are.

    rule   after which candidates a cut may fall, of `threshold_rules`

    0.0 where no candidate is right, as in the scripts it follows.
    """
    if not right.any():
        return Cut(0.0, 0, 0.0, 0.0, 0.0)
    hits = np.cumsum(right)
    f1 = 2 * hits / (np.arange(1, len(right) + 1) + wanted)
    f1[~threshold_rules[rule](score)] = -1
    return _cut(int(f1.argmax()), right, score, wanted)


def at_precision(right: Flags, score: Array, wanted: int, precision: float) -> Cut:
    """The lowest cut between different scores that keeps at least this precision.

    Raises UsageError where no cut reaches it.
    """
    check_precision(precision)
    reached = np.cumsum(right) / np.arange(1, len(right) + 1)
    allowed = between(score)
    places = np.flatnonzero(allowed & (reached >= precision))
    if not len(places):
        best = f"{reached[allowed].max():.4f}" if len(reached) else "none: there are no candidates"
        what = f"no threshold reaches a precision of {precision}"
        raise UsageError(what, do=f"ask for less (the best reached is {best}), or give more gold")
    return _cut(int(places[-1]), right, score, wanted)


def check_precision(precision: float) -> None:
    wrong = f"a target precision of {precision}"
    refuse(not 0 < precision <= 1, wrong, "give a fraction above 0, up to 1, for example 0.95")


def tuner(precision: float | None, rule: str) -> Tune:
    """How a threshold is chosen from pairs whose rightness is known."""
    if precision is None:
        return partial(best_f1, rule=rule)
    return partial(at_precision, precision=precision)


def curve(right: Flags, score: Array, wanted: int, points: int = POINTS) -> list[dict[str, float]]:
    """Threshold, pairs kept, precision, recall and F1 at up to `points` cuts, spread evenly over the pairs."""
    if not len(score):
        return []
    places = np.flatnonzero(between(score))
    chosen = places[np.unique(np.linspace(0, len(places) - 1, min(points, len(places))).round().astype(np.int64))]
    hits = np.cumsum(right)
    kept, hits_kept = chosen + 1, hits[chosen]
    shares = {"precision": hits_kept / kept, "recall": hits_kept / wanted, "f1": 2 * hits_kept / (kept + wanted)}
    columns = {"threshold": score[chosen], "kept": kept, **shares}
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def histogram(score: Array, right: Flags | None = None, bins: int = BINS) -> dict[str, Any]:
    """Edges [bins + 1], counts [bins], counts of gold pairs where they are known, and how many scores are infinite."""
    finite = np.isfinite(score)
    known = score[finite]
    if not len(known):
        return {"edges": [], "counts": [], "infinite": len(score)}
    counts, edges = np.histogram(known, bins)
    document: dict[str, Any] = {"edges": edges.tolist(), "counts": counts.tolist(), "infinite": int((~finite).sum())}
    if right is not None:
        document["right"] = np.histogram(known[right[finite]], edges)[0].tolist()
    return document


def drawn(bars: dict[str, Any], threshold: float | None, width: int = 40) -> list[str]:
    """A histogram as lines of text, the best scores first, with a line where the threshold cuts."""
    if not bars["counts"]:
        return []
    lines, most = [], max(bars["counts"])
    for number in reversed(range(len(bars["counts"]))):
        low, high, count = bars["edges"][number], bars["edges"][number + 1], bars["counts"][number]
        right = f"  {bars['right'][number]} right" if "right" in bars else ""
        cut = "  < threshold" if threshold is not None and low <= threshold < high else ""
        lines.append(f"{low:8.4f} {'#' * -(-width * count // most):<{width}} {count}{right}{cut}")
    return lines


def valley(bars: Mapping[str, Any]) -> tuple[float, float] | None:
    """The scores between which a histogram is lowest between two humps; None where it does not have two.

    The lower of the humps has at least HUMP candidates in its highest bar, and twice those of the valley.
    """
    counts = bars["counts"]
    inner = range(1, len(counts) - 1)
    depths = {place: min(max(counts[:place]), max(counts[place + 1 :])) - counts[place] for place in inner}
    place = max(depths, key=depths.__getitem__, default=0)
    if not place or depths[place] < max(counts[place], HUMP - counts[place]):
        return None
    return bars["edges"][place], bars["edges"][place + 1]


def halves(rows: int, seed: int) -> Flags:
    """[rows] which half each source line is in; the same for the same seed."""
    return np.asarray(np.random.default_rng(seed).permutation(rows) % 2 == 0)


@dataclass(frozen=True)
class Measured:
    """One metric, with what it was computed from, so that intervals and comparisons can be made of it further up.

    score      a fraction
    n          queries, or gold pairs
    units      [N, S] rows of each query or source sentence that sum to what the statistic needs
    statistic  "ratio", "f1", "precision" or "recall": the function of the summed units that is the score
    """

    metric: str
    score: float
    n: int
    units: Scores
    statistic: str


def accuracy(metric: str, right: Flags) -> Measured:
    """The fraction of queries that are right, [N]."""
    units = np.stack([right, np.ones(len(right))], axis=1).astype(np.float64)
    return Measured(metric, float(right.mean()), len(right), units, "ratio")


@dataclass(frozen=True)
class Gold:
    """Distinct gold pairs of rows, as sorted numbers source * targets + target; and the rows of each side."""

    keys: Numbers
    sources: int
    targets: int

    @classmethod
    def of(cls, source: Numbers, target: Numbers, sources: int, targets: int) -> Gold:
        return cls(np.unique(source * targets + target), sources, targets)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def source(self) -> Numbers:
        return self.keys // self.targets

    def right(self, pairs: Pairs) -> Flags:
        return np.isin(pairs.source * self.targets + pairs.target, self.keys)

    def part(self, half: Flags) -> Gold:
        """The gold pairs of the source rows that are flagged, [sources]."""
        return Gold(self.keys[half[self.source]], self.sources, self.targets)

    def best(self, pairs: Pairs, rule: str = "between") -> Cut:
        """The threshold with the best F1 on these pairs; `rule` as in `best_f1`.

        TaskDataError without gold.
        """
        require_gold(len(self))
        return best_f1(self.right(pairs), pairs.score, len(self), rule)

    def measures(self, kept: Pairs, suffix: str = "") -> tuple[Measured, Measured, Measured]:
        """f1, precision and recall of pairs that are kept; n is the number of gold pairs. TaskDataError without gold.

        The units, [sources, 3], are the correct, mined and gold pairs of every source row.
        """
        require_gold(len(self))
        units = counts_by_source(kept.source[self.right(kept)], kept.source, self.source, sources=self.sources)
        rows = [Measured(f"{name}{suffix}", score_of(units, name), len(self), units, name) for name in MEASURES]
        return rows[0], rows[1], rows[2]

    def oracle(self, pairs: Pairs, rule: str = "between") -> tuple[Measured, Measured, Measured]:
        """The same at the threshold that is best on these very pairs: f1-oracle, precision-oracle and recall-oracle."""
        return self.measures(pairs.above(self.best(pairs, rule).threshold), "-oracle")


def held_out(pairs: Pairs, gold: Gold, tune: Tune, half: Flags) -> Pairs | None:
    """The pairs kept where each half of the source rows is cut at the threshold that the other half chose.

    None where a half has no gold.
    """
    kept = np.zeros(len(pairs), dtype=np.bool_)
    for chooses in (half, ~half):
        known = gold.part(chooses)
        if not len(known):
            return None
        own = pairs.chosen(chooses[pairs.source])
        threshold = tune(gold.right(own), own.score, len(known)).threshold
        kept |= ~chooses[pairs.source] & (pairs.score >= threshold)
    return pairs.chosen(kept)


def require_gold(wanted: int) -> None:
    if not wanted:
        raise TaskDataError("no gold pair to tune or score by", do="give a file of gold pairs, or a threshold")


def _cut(place: int, right: Flags, score: Array, wanted: int) -> Cut:
    here = float(score[place])
    below = float(score[place + 1]) if place + 1 < len(score) else here
    middle = (here + below) / 2
    threshold = middle if below < middle else here  # nothing lies midway to -infinity, or between neighbouring numbers
    hits, kept = int(right[: place + 1].sum()), place + 1
    return Cut(threshold, kept, hits / kept, hits / wanted, 2 * hits / (kept + wanted))
