"""Intervals are checked against printed tables, exact binomials, and resampling by a plain loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from adapter_stilts.errors import StiltsError, UnknownName
from adapter_stilts.statistics.intervals import (
    bootstrap_interval,
    holm,
    nested_bootstrap,
    paired_bootstrap,
    replicate_together,
    score_of,
    seed_interval,
    statistics,
    t_quantile,
)


def coin(n, right):
    return np.array([[1, 1]] * right + [[0, 1]] * (n - right))


def replicate(units, statistic, **how):
    return replicate_together([units], statistic, **how)[0]


def width(compared):
    return compared.interval[1] - compared.interval[0]


def test_scores_the_sums():
    assert score_of(coin(8, 6), "ratio") == 0.75
    counts = [[2, 3, 4], [0, 1, 0]]  # by hand: 2 right of 4 predicted and 4 gold
    assert [score_of(counts, name) for name in ("f1", "precision", "recall")] == [0.5, 0.5, 0.5]
    assert score_of([[3, 4, 1, 2, 2]], "accuracy_f1") == (0.75 + 0.5) / 2


def test_scores_zero_where_nothing_is_counted():
    assert [score_of([[0, 0, 0]], name) for name in ("f1", "precision", "recall")] == [0.0, 0.0, 0.0]


def test_covers_about_what_the_normal_approximation_does():
    # 0.6 +- 1.96 sqrt(0.6 * 0.4 / 1000)
    low, high = bootstrap_interval(coin(1000, 600), "ratio", seed=3, replicates=4000)
    assert low == pytest.approx(0.6 - 0.0304, abs=0.003)
    assert high == pytest.approx(0.6 + 0.0304, abs=0.003)


def test_recomputes_micro_f1_and_not_a_mean_over_sentences():
    units = np.array([[9, 9, 9], [0, 1, 1]])
    # By hand, the three resamples of two rows: both the first (1.0), both the second (0.0), one of each (18/20).
    assert sorted(set(replicate(units, "f1", seed=1, replicates=50).round(6))) == [0.0, 0.9, 1.0]


def test_gives_the_same_interval_for_the_same_seed_and_another_for_another():
    units = coin(50, 30)
    assert bootstrap_interval(units, "ratio", seed=4) == bootstrap_interval(units, "ratio", seed=4)
    assert not np.array_equal(replicate(units, "ratio", seed=4), replicate(units, "ratio", seed=5))


def test_spreads_over_rows_of_zeros_as_over_any_other():
    # 300 rows that count in a pool of 20,000: resampling all rows by a plain loop gives the same spread as drawing only
    # those 300.
    units = np.zeros((20_000, 3))
    units[:300] = [[1, 1, 1], [0, 1, 0], [0, 0, 1]] * 100
    draw = np.random.default_rng(2)
    loops = [score_of(units[draw.integers(0, 20_000, 20_000)], "f1") for _ in range(400)]
    spread = replicate(units, "f1", seed=1, replicates=4000)
    assert np.std(spread) == pytest.approx(np.std(loops), rel=0.15)
    assert np.mean(spread) == pytest.approx(np.mean(loops), abs=0.01)


def test_scores_nought_in_every_resample_of_nothing():
    assert bootstrap_interval(np.zeros((5, 3)), "f1", seed=1) == (0.0, 0.0)


def test_does_not_depend_on_how_many_replicates_fit_in_memory(monkeypatch):
    units = coin(40, 25)
    whole = replicate(units, "ratio", seed=2, replicates=30)
    monkeypatch.setattr("adapter_stilts.statistics.intervals.DRAWS", 70)
    assert np.array_equal(whole, replicate(units, "ratio", seed=2, replicates=30))


@given(arrays.arrays(np.int64, (12, 2), elements=st.integers(0, 1)), st.integers(0, 2**31))
def test_applies_one_resample_to_both_arms(rights, seed):
    a, b = (np.stack([rights[:, arm], np.ones(12)], axis=1) for arm in (0, 1))
    compared = paired_bootstrap(a, b, "ratio", seed=seed, replicates=40)
    # Accuracy is linear, so comparing arms over shared resamples is resampling the per-row differences.
    spread = replicate(
        np.stack([rights[:, 0] - rights[:, 1], np.ones(12)], axis=1), "ratio", seed=seed, replicates=40, stratum="0"
    )
    assert compared.difference == pytest.approx(float(a[:, 0].mean() - b[:, 0].mean()))
    assert compared.interval == pytest.approx(tuple(np.quantile(spread, [0.025, 0.975])))


def test_finds_no_difference_between_an_arm_and_itself():
    compared = paired_bootstrap(coin(30, 20), coin(30, 20), "ratio", seed=1)
    assert (compared.difference, compared.interval, compared.p) == (0.0, (0.0, 0.0), 1.0)


def test_is_sure_of_a_difference_in_every_row():
    compared = paired_bootstrap(coin(30, 30), coin(30, 0), "ratio", seed=1, replicates=999)
    assert compared.difference == 1.0
    assert compared.p == pytest.approx(2 / 1000)


def test_is_far_surer_of_paired_than_of_separate_samples():
    draw = np.random.default_rng(0)
    hard = draw.random(500)
    a, b = (np.stack([hard < easy, np.ones(500)], axis=1) for easy in (0.62, 0.58))
    separate = np.std(replicate(a, "ratio", seed=1)) * 2**0.5
    assert width(paired_bootstrap(a, b, "ratio", seed=1)) < 2 * 1.96 * separate / 2


def test_averages_over_languages_of_different_sizes():
    a, b = [coin(10, 10), coin(1000, 0)], [coin(10, 0), coin(1000, 0)]
    assert paired_bootstrap(a, b, "ratio", seed=1).difference == 0.5


def test_refuses_arms_that_were_scored_on_other_rows():
    with pytest.raises(StiltsError, match=r"rows that cannot be paired: \[3\] and \[4\]"):
        paired_bootstrap(coin(3, 1), coin(4, 1), "ratio", seed=1)


def test_spreads_wider_when_seeds_and_languages_are_samples_too():
    draw = np.random.default_rng(1)
    a = [[coin(200, int(right)) for right in draw.integers(100, 180, 4)] for _ in range(3)]
    b = [[coin(200, 100)] * 4] * 3
    nested = nested_bootstrap(a, b, "ratio", seed=1)
    assert nested.difference == pytest.approx(float(np.mean([[score_of(x, "ratio") - 0.5 for x in row] for row in a])))
    assert width(nested) > width(paired_bootstrap(a[0], b[0], "ratio", seed=1))


def test_corrects_for_several_tests_as_holm_does():
    # By hand: sorted 0.01, 0.02, 0.03, 0.9 times 4, 3, 2, 1, never falling: 0.04, 0.06, 0.06, 0.9.
    assert holm([0.9, 0.01, 0.03, 0.02]) == pytest.approx([0.9, 0.04, 0.06, 0.06])


@pytest.mark.parametrize(
    ("probability", "freedom", "expected"),
    [
        (0.975, 1, 12.7062),
        (0.975, 2, 4.3027),
        (0.975, 4, 2.7764),
        (0.95, 9, 1.8331),
        (0.995, 3, 5.8409),
        (0.975, 30, 2.0423),
        (0.975, 120, 1.9799),
    ],
)
def test_gives_the_printed_values_of_students_t(probability, freedom, expected):
    assert t_quantile(probability, freedom) == pytest.approx(expected, abs=1e-4)


def test_gives_the_t_interval_over_seeds():
    # By hand: mean 0.7, s.d. 0.1, t(0.975, 2) = 4.3027, half width 4.3027 * 0.1 / sqrt(3).
    assert seed_interval([0.6, 0.7, 0.8]) == pytest.approx((0.7 - 0.24842, 0.7 + 0.24842), abs=1e-5)


def test_says_nothing_of_the_spread_of_one_seed():
    assert seed_interval([0.6]) is None


def test_refuses_units_without_a_row():
    with pytest.raises(StiltsError, match=r"units of shape \[0, 2\]"):
        bootstrap_interval(np.zeros((0, 2)), "ratio", seed=1)


def test_suggests_the_nearest_statistic():
    with pytest.raises(UnknownName, match="did you mean 'precision'"):
        statistics["precission"]
