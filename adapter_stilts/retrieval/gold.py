"""Scoring pairs of row numbers against gold: what is right, F1 with the units its interval needs, and F1 on held-out halves.

    gold = Gold.of(source_rows, target_rows, sources=N, targets=M)
    right = gold.right(pairs)
    f1, precision, recall = gold.measures(pairs.above(threshold))
    kept = held_out(pairs, gold, tune, half)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.retrieval.margin import Scores
from adapter_stilts.retrieval.measured import Measured
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.retrieval.thresholds import Cut

Numbers: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]
Tune: TypeAlias = Callable[[Flags, Scores, int], Cut]


@dataclass(frozen=True)
class Gold:
    """Distinct gold pairs of rows, each as the number source * targets + target, sorted; and how many rows each side has."""

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

    def measures(self, kept: Pairs, suffix: str = "") -> tuple[Measured, Measured, Measured]:
        """f1, precision and recall of pairs that are kept; n is the number of gold pairs."""
        columns = (kept.source[self.right(kept)], kept.source, self.source)
        counts = [np.bincount(column, minlength=self.sources) for column in columns]
        units = np.stack(counts, axis=1)[(counts[1] > 0) | (counts[2] > 0)].astype(np.float64)
        correct, mined, wanted = (int(count.sum()) for count in counts)
        scores = {"f1": 2 * correct / (mined + wanted), "precision": correct / mined if mined else 0.0, "recall": correct / wanted}
        f1, precision, recall = (Measured(f"{name}{suffix}", score, wanted, units, name) for name, score in scores.items())
        return f1, precision, recall


def held_out(pairs: Pairs, gold: Gold, tune: Tune, half: Flags) -> Pairs | None:
    """The pairs kept where each half of the source rows is cut at the threshold that the other half chose; None where a half has no gold."""
    kept = np.zeros(len(pairs), dtype=np.bool_)
    for chooses in (half, ~half):
        known = gold.part(chooses)
        if not len(known):
            return None
        own = pairs.chosen(chooses[pairs.source])
        kept |= ~chooses[pairs.source] & (pairs.score >= tune(gold.right(own), own.score, len(known)).threshold)
    return pairs.chosen(kept)
