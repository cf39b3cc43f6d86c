"""Scoring pairs of row numbers against gold: what is right, F1 with the units its interval needs, and F1 on held-out
halves.

    gold = Gold.of(source_rows, target_rows, sources=N, targets=M)
    threshold = gold.best(dev_pairs, "between").threshold
    f1, precision, recall = gold.measures(pairs.above(threshold))
    f1_oracle, *_ = gold.oracle(pairs, "between")
    kept = held_out(pairs, gold, tune, half)

A score at the threshold that is best on the very pairs it scores is an oracle, and is called "f1-oracle".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from adapter_stilts.metrics.pairs import MEASURES, counts_by_source
from adapter_stilts.retrieval.compared import Flags, Numbers, Scores
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.retrieval.thresholds import Cut, best_f1, require_gold
from adapter_stilts.statistics.intervals import score_of

Tune: TypeAlias = Callable[[Flags, Scores, int], Cut]


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
        """The threshold with the best F1 on these pairs; `rule` as in `thresholds.best_f1`.

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
