"""Cuts, curves and histograms, by hand and by trying every cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.retrieval.gold import at_precision, best_f1, curve, drawn, halves, histogram, require_gold, valley

RIGHT, SCORE = np.array([True, True, False, True, False]), np.array([5.0, 4.0, 3.0, 2.0, 1.0])
LISTS = st.lists(st.tuples(st.booleans(), st.integers(1, 5)), min_size=1, max_size=12)


def sorted_lists(rows):
    rows = sorted(rows, key=lambda row: -row[1])
    return np.array([right for right, _ in rows]), np.array([score / 4 for _, score in rows])


def test_cuts_for_f1_by_hand():
    # F1 after 1..5 pairs of 4 gold: 2/5, 4/6, 4/7, 6/8, 6/9
    cut = best_f1(RIGHT, SCORE, 4)
    assert (cut.threshold, cut.kept, cut.precision, cut.recall, cut.f1) == (1.5, 4, 0.75, 0.75, 0.75)


def test_cuts_at_the_last_pair_where_that_is_best():
    assert best_f1(np.array([False, True]), np.array([2.0, 1.0]), 1).threshold == 1.0


@pytest.mark.parametrize(("score", "below"), [(1.0, -np.inf), (np.nextafter(1.0, 2), 1.0)])
def test_cuts_at_the_pair_itself_where_nothing_lies_midway(score, below):
    cut = best_f1(np.array([True, False]), np.array([score, below]), 1)
    assert (cut.threshold, cut.kept) == (score, 1)


@given(LISTS, st.integers(0, 4), st.sampled_from([0.25, 0.5, 0.8, 1.0]))
def test_cuts_as_low_as_the_precision_allows(rows, missed, precision):
    right, score = sorted_lists(rows)
    fine = [
        kept
        for kept in range(1, len(right) + 1)
        if (kept == len(right) or score[kept - 1] != score[kept]) and right[:kept].sum() >= precision * kept
    ]
    if not fine:
        with pytest.raises(UsageError, match="no threshold reaches a precision"):
            at_precision(right, score, max(1, right.sum() + missed), precision)
        return
    cut = at_precision(right, score, max(1, right.sum() + missed), precision)
    assert cut.kept == max(fine) == (score >= cut.threshold).sum()
    assert cut.precision == right[: cut.kept].mean()


@pytest.mark.parametrize("precision", [0.0, 1.5, -1.0])
def test_refuses_a_precision_that_is_none(precision):
    with pytest.raises(UsageError, match="fraction above 0"):
        at_precision(RIGHT, SCORE, 4, precision)


def test_says_which_precision_was_reached():
    with pytest.raises(UsageError, match=r"best reached is 0\.5000"):
        at_precision(np.array([False, True]), np.array([2.0, 1.0]), 1, 0.9)
    with pytest.raises(UsageError, match="no candidates"):
        at_precision(np.empty(0, dtype=bool), np.empty(0), 1, 0.9)


def test_draws_the_curve_by_hand():
    points = curve(RIGHT, SCORE, 4)
    assert [point["kept"] for point in points] == [1, 2, 3, 4, 5]
    assert [point["precision"] for point in points] == pytest.approx([1, 1, 2 / 3, 3 / 4, 3 / 5])
    assert [point["recall"] for point in points] == pytest.approx([1 / 4, 1 / 2, 1 / 2, 3 / 4, 3 / 4])
    assert [point["f1"] for point in points] == pytest.approx([2 / 5, 4 / 6, 4 / 7, 6 / 8, 6 / 9])
    assert curve(np.empty(0, dtype=bool), np.empty(0), 4) == []


def test_keeps_to_so_many_points_between_different_scores():
    points = curve(np.tile(RIGHT, 40), np.repeat(np.arange(100.0, 0, -1), 2), 4, points=7)
    assert len(points) == 7
    assert all(point["kept"] % 2 == 0 for point in points)
    assert points[-1]["kept"] == 200


def test_counts_scores_in_bins():
    found = histogram(np.array([np.inf, 4.0, 3.0, 1.0, 0.0]), np.array([True, True, False, True, False]), bins=2)
    assert found == {"edges": [0.0, 2.0, 4.0], "counts": [2, 2], "infinite": 1, "right": [1, 1]}
    assert histogram(np.empty(0))["counts"] == []


def test_draws_bins_with_the_best_on_top_and_the_threshold():
    lines = drawn(histogram(np.array([4.0, 3.5, 1.0]), bins=2), 1.5, width=4)
    assert lines[0].split() == ["2.5000", "####", "2"]
    assert lines[1].split() == ["1.0000", "##", "1", "<", "threshold"]
    assert drawn(histogram(np.empty(0)), None) == []


def test_halves_lines_the_same_way_for_the_same_seed():
    one = halves(101, 13)
    assert np.array_equal(one, halves(101, 13))
    assert one.sum() in (50, 51)
    assert not np.array_equal(one, halves(101, 14))


def test_refuses_no_gold():
    with pytest.raises(TaskDataError, match="no gold pair"):
        require_gold(0)


@pytest.mark.parametrize(
    ("counts", "place"),
    [
        ([50, 90, 40, 10, 25, 30], 3),
        ([50, 90, 40, 10, 15, 19], None),  # a hump that chance may have made
        ([50, 90, 40, 16, 25, 30], None),  # hardly lower than the second hump
        ([90, 40, 10, 0], None),
        ([7], None),
        ([], None),
    ],
)
def test_finds_the_valley_between_two_humps_and_none_where_there_are_not_two(counts, place):
    edges = [float(edge) for edge in range(len(counts) + 1)]
    assert valley({"counts": counts, "edges": edges}) == (place and (float(place), place + 1.0))
