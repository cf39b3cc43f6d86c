"""One of many settings, chosen on dev without being fooled by their number.

    found = choose(units, "ratio", default=4, order=order, seed=13)
    found.chosen, found.decided, found.p

The best of many settings looks better than it is: among a hundred that are equal, one is ahead by luck. So the best is
believed only if its lead over the default is larger than the largest lead that luck gives any of them, resample by
resample (White's reality check). If it is not, the default stays. If it is, the simplest of those within one standard
error of it is chosen, as far as luck does not explain their lead either.

Breiman et al. (1984), Classification and Regression Trees, section 3.4.3; White (2000), A reality check for data
snooping, Econometrica 68(5)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from adapter_stilts.statistics.intervals import REPLICATES, Array, replicate_together, score_of

LEVEL = 0.95


@dataclass(frozen=True)
class Choice:
    """What was found of S settings."""

    scores: Array  # [S] the mean over languages
    intervals: Array  # [S, 2] of each score by itself
    gains: Array  # [S, 3] score less the default's, and its paired interval, one setting at a time
    best: int  # the setting with the highest score
    decided: bool  # whether the best beats the default beyond what the best of so many would by luck
    p: float  # how often luck alone gives the best of them such a lead
    tied: tuple[int, ...]  # settings as good as the best; the chosen one is the simplest of them
    chosen: int  # the default where nothing is decided


def choose(
    units: Sequence[Sequence[ArrayLike]],
    statistic: str,
    *,
    default: int,
    order: Sequence[int],
    seed: int,
    replicates: int = REPLICATES,
) -> Choice:
    """Choose among settings that were scored on the same rows of the same languages.

    units    units[setting][language] is [N, C]
    default  the setting that stays unless another is better
    order    order[setting]: its place by simplicity, 0 the simplest
    """
    scores = np.array([np.mean([score_of(rows, statistic) for rows in languages]) for languages in units])
    spreads = [
        replicate_together(arms, statistic, seed=seed, replicates=replicates, stratum=str(number))
        for number, arms in enumerate(zip(*units, strict=True))
    ]
    spread = np.mean(spreads, axis=0)
    gain, gains = scores - scores[default], spread - spread[default]  # [S], [S, replicates]
    luck = (gains - gain[:, None]).max(axis=0)
    best = min(np.flatnonzero(scores == scores.max()).tolist(), key=lambda setting: order[setting])
    p = float((1 + (luck >= gain[best]).sum()) / (replicates + 1))
    decided = bool(gain[best] > 0 and p < 1 - LEVEL)
    behind, error = scores[best] - scores, (spread[best] - spread).std(axis=1, ddof=1)
    as_good = np.flatnonzero((behind <= error) & (gain > np.quantile(luck, LEVEL)))
    tied = as_good.tolist() if decided else []
    chosen = min([*tied, best], key=lambda setting: order[setting]) if decided else default
    ends = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    intervals, widths = np.quantile(spread, ends, axis=1).T, np.quantile(gains, ends, axis=1).T
    return Choice(scores, intervals, np.column_stack([gain, widths]), best, decided, p, tuple(tied), chosen)
