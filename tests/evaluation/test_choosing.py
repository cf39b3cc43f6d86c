"""One of many settings: a real lead is found, luck is not taken for one."""

import numpy as np
import pytest

from adapter_stilts.errors import StiltsError
from adapter_stilts.evaluation.choosing import choose
from adapter_stilts.statistics.intervals import replicate_together


def replicate(units, statistic, **how):
    return replicate_together([units], statistic, **how)[0]


def answers(draw, rate, rows=200):
    """[N, 2] units of an accuracy."""
    return np.column_stack([draw.random(rows) < rate, np.ones(rows)]).astype(float)


def test_finds_the_setting_that_is_better():
    draw = np.random.default_rng(3)
    units = [[answers(draw, 0.6 if setting == 7 else 0.3) for _ in range(2)] for setting in range(20)]
    found = choose(units, "ratio", default=2, order=range(20), seed=1)
    assert (found.best, found.chosen, found.decided) == (7, 7, True)
    assert found.p < 0.01
    assert found.tied == (7,)
    assert found.gains[7, 0] == found.scores[7] - found.scores[2]
    assert found.gains[7, 1] > 0


def test_keeps_the_default_where_all_are_equally_good():
    """The best of 40 equal settings leads the default by several points; by its own interval that would pass for real
    far too often."""
    wrong = naive = 0
    for seed in range(60):
        draw = np.random.default_rng(seed)
        found = choose(
            [[answers(draw, 0.3)] for _ in range(40)], "ratio", default=0, order=range(40), seed=seed, replicates=300
        )
        wrong += found.decided
        naive += found.gains[found.best, 1] > 0
        assert found.decided or found.chosen == 0
    assert wrong <= 6  # 5 % of 60 is 3; more than 6 has a probability below 0.03
    assert naive > 2 * wrong  # what an interval for each setting alone would have let through


def test_takes_the_simplest_of_those_that_are_as_good():
    draw = np.random.default_rng(5)
    better = answers(draw, 0.7)
    nearly = better.copy()
    nearly[np.flatnonzero(better[:, 0])[:3], 0] = 0  # three of 200 answers lost,
    nearly[np.flatnonzero(better[:, 0] == 0)[:2], 0] = 1  # two won: 0.5 points behind, with a standard error of 1.1
    units = [[answers(draw, 0.2)], [nearly], [better], [better.copy()]]
    found = choose(units, "ratio", default=0, order=[0, 1, 3, 2], seed=1)
    assert (found.best, found.chosen, found.tied) == (3, 1, (1, 2, 3))
    assert choose(units, "ratio", default=0, order=[0, 3, 1, 2], seed=1).chosen == 2


def test_measures_luck_as_the_largest_lead_of_all_settings():
    draw = np.random.default_rng(8)
    units = [[answers(draw, rate, rows) for rows in (30, 50)] for rate in (0.4, 0.45, 0.5)]
    found = choose(units, "ratio", default=0, order=range(3), seed=4, replicates=400)
    spread = [
        np.mean(
            [replicate(one, "ratio", seed=4, replicates=400, stratum=str(place)) for place, one in enumerate(arm)],
            axis=0,
        )
        for arm in units
    ]
    scores = [np.mean([one[:, 0].mean() for one in arm]) for arm in units]
    luck = np.max([spread[arm] - spread[0] - (scores[arm] - scores[0]) for arm in range(3)], axis=0)
    assert found.scores == pytest.approx(scores)
    assert found.p == pytest.approx((1 + (luck >= scores[found.best] - scores[0]).sum()) / 401)
    assert found.intervals[1] == pytest.approx(np.quantile(spread[1], (0.025, 0.975)))


def test_resamples_mining_settings_together():
    """Rows of zeros, where only one setting finds anything, keep their place."""
    one, other = np.zeros((10, 3)), np.zeros((10, 3))
    one[:4], other[2:8] = 1, (1, 1, 2)
    both = replicate_together([one, other], "f1", seed=2, replicates=50)
    alone = replicate(np.concatenate([one[:8], other[:8]], axis=1)[:, :3], "f1", seed=2, replicates=50)
    assert both.shape == (2, 50)
    assert both[0].mean() == pytest.approx(1, abs=0.05)  # every pair that is found is right
    assert alone.shape == (50,)
    with pytest.raises(StiltsError, match="different rows"):
        replicate_together([one, other[:5]], "f1", seed=2)
