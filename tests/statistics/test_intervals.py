"""Scores and their intervals are checked against hand counts, Wilson's printed values, and how often they cover."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from adapter_stilts.errors import StiltsError, UnknownName
from adapter_stilts.statistics.intervals import influence, score_interval, score_of, seed_interval, statistics


def coin(n, right):
    return np.array([[1, 1]] * right + [[0, 1]] * (n - right))


def test_scores_the_sums():
    assert score_of(coin(8, 6), "ratio") == 0.75
    counts = [[2, 3, 4], [0, 1, 0]]  # by hand: 2 right of 4 predicted and 4 gold
    assert [score_of(counts, name) for name in ("f1", "precision", "recall")] == [0.5, 0.5, 0.5]
    assert score_of([[3, 4, 1, 2, 2]], "accuracy_f1") == (0.75 + 0.5) / 2


def test_scores_zero_where_nothing_is_counted():
    assert [score_of([[0, 0, 0]], name) for name in ("f1", "precision", "recall")] == [0.0, 0.0, 0.0]


@given(st.integers(20, 400), st.data())
def test_gives_a_proportion_the_interval_of_wilson(n, data):
    right = data.draw(st.integers(0, n))
    assert score_interval(coin(n, right), "ratio") == pytest.approx(proportion_confint(right, n, method="wilson"))


def test_does_not_call_sixty_of_sixty_certain():
    low, high = score_interval(coin(60, 60), "ratio")
    assert (round(100 * low, 1), high) == (94.0, 1.0)


def test_has_no_interval_for_fewer_than_twenty_rows_that_tell_anything():
    assert score_interval(coin(19, 12), "ratio") is None
    units = np.zeros((5000, 3))
    units[:19] = 1
    assert score_interval(units, "f1") is None
    units[19] = 1
    assert score_interval(units, "f1") is not None


@pytest.mark.parametrize("statistic", ["ratio", "f1", "recall", "accuracy_f1"])
def test_an_influence_is_what_a_row_more_or_less_changes(statistic):
    draw = np.random.default_rng(2)
    units = draw.integers(0, 4, (400, 5)).astype(float)
    units[:, 1] += units[:, 0]  # counted: never fewer than right
    drawn = units[draw.integers(0, 400, (4000, 400))].sum(axis=1)
    spread = float(np.std(statistics[statistic](drawn)))  # of resamples, by brute force
    assert float(np.sqrt((influence(units, statistic) ** 2).sum())) == pytest.approx(spread, rel=0.05)


def sentences(draw, n, rate):
    """[n, 3] of tagged sentences: (correct, predicted, gold) chunks, those of a sentence right or wrong together."""
    gold = draw.poisson(1.5, n)
    hard = draw.beta(2 * rate, 2 * (1 - rate), n)
    correct = draw.binomial(gold, hard)
    return np.stack([correct, correct + draw.binomial(gold - correct, 0.7), gold], axis=1).astype(float)


def answers(draw, n, rate):
    """[n, 2] of token F1: right, nothing, or in between."""
    kind = draw.random(n)
    some = np.where(kind < rate, 1.0, np.where(kind < rate + 0.1, draw.random(n), 0.0))
    return np.stack([some, np.ones(n)], axis=1)


@pytest.mark.parametrize("n", [60, 200])
@pytest.mark.parametrize("rate", [0.4, 0.85])
@pytest.mark.parametrize(("sample", "statistic"), [(sentences, "f1"), (answers, "ratio")])
def test_covers_the_score_of_more_rows_like_these(sample, statistic, n, rate):
    draw = np.random.default_rng(7)
    truth = score_of(sample(draw, 200_000, rate), statistic)
    held = 0
    for _ in range(200):
        low, high = score_interval(sample(draw, n, rate), statistic)
        held += low <= truth <= high
    assert 0.90 <= held / 200 <= 0.99


def test_gives_the_t_interval_over_seeds():
    # By hand: mean 0.7, s.d. 0.1, t(0.975, 2) = 4.3027, half width 4.3027 * 0.1 / sqrt(3).
    assert seed_interval([0.6, 0.7, 0.8]) == pytest.approx((0.7 - 0.24842, 0.7 + 0.24842), abs=1e-5)


def test_says_nothing_of_the_spread_of_one_seed():
    assert seed_interval([0.6]) is None


def test_refuses_units_without_a_row():
    with pytest.raises(StiltsError, match=r"units of shape \[0, 2\]"):
        score_interval(np.zeros((0, 2)), "ratio")


def test_suggests_the_nearest_statistic():
    with pytest.raises(UnknownName, match="did you mean 'precision'"):
        statistics["precission"]
