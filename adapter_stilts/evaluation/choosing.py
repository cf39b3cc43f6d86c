"""One of many settings, chosen on dev: the simplest of those within one standard error of the best, and the best of
those that are equally simple.

    choice = choose(scored, "ratio", order=order)
    choice.best, choice.tied, choice.chosen

The error is of the difference between a setting and the best over the same items; an item in several languages counts
once. That the choice is better than the default is not known from dev, where the best of many looks better than it is:
test tells.

Breiman et al. (1984), Classification and Regression Trees, section 3.4.3
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adapter_stilts.statistics.gains import Scored, by_item
from adapter_stilts.statistics.intervals import LEVEL, Array, influence, score_of
from adapter_stilts.statistics.quantiles import normal_quantile


@dataclass(frozen=True)
class Choice:
    """What was found of S settings."""

    scores: Array  # [S] the mean over languages
    errors: Array  # [S] the standard error of the score behind the best
    best: int  # the setting with the highest score, the simplest of several
    tied: tuple[int, ...]  # those within one standard error of it
    chosen: int  # the simplest of these, and of several the best
    moved: Array  # [S, items] how much an item moves the mean score

    def gain(self, setting: int, base: int) -> tuple[float, float, float]:
        """(by how much a setting is ahead of another, and the ends of the interval over items)."""
        ahead, half = self.scores[setting] - self.scores[base], normal_quantile((1 + LEVEL) / 2)
        half *= float(_errors(self.moved[setting] - self.moved[base]))
        return float(ahead), float(ahead - half), float(ahead + half)

    def interval(self, setting: int) -> tuple[float, float]:
        half = normal_quantile((1 + LEVEL) / 2) * float(_errors(self.moved[setting]))
        return max(0.0, float(self.scores[setting] - half)), min(1.0, float(self.scores[setting] + half))


def choose(scored: Sequence[Mapping[str, Scored]], statistic: str, *, order: Sequence[int]) -> Choice:
    """Choose among settings that were scored on the same items of the same languages.

    scored  scored[setting][language]
    order   order[setting]: how far from simple, 0 the simplest; several may be equally so
    """
    languages = list(scored[0])
    scores = np.array([np.mean([score_of(own[code].units, statistic) for code in languages]) for own in scored])
    influences = [np.array([influence(own[code].units, statistic) for own in scored]) for code in languages]
    moved = by_item([own / len(languages) for own in influences], [scored[0][code].items for code in languages])
    rank = [(-score, order[setting]) for setting, score in enumerate(scores.tolist())]
    best = min(range(len(scores)), key=rank.__getitem__)
    errors = _errors(moved - moved[best])
    tied = np.flatnonzero(scores[best] - scores <= errors).tolist()
    return Choice(scores, errors, best, tuple(tied), min(tied, key=lambda setting: rank[setting][::-1]), moved)


def _errors(moved: Array) -> Array:
    """Standard errors from influences [..., items]."""
    items = moved.shape[-1]
    return np.asarray(np.sqrt((moved**2).sum(axis=-1) * items / max(items - 1, 1)))
