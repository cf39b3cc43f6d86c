"""Where lines, ticks and bars lie."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.reports.charts import BOTTOM, LARGE, LEFT, TOP, bar, drawn, spread, ticks
from adapter_stilts.reports.page import Line, Lines


def test_draws_a_bar_to_its_side_of_the_middle():
    assert bar(0.02, widest=0.04, width=100) == (50.0, 25.0)
    assert bar(-0.04, widest=0.04, width=100) == (0.0, 50.0)
    assert bar(float("nan"), widest=0.04, width=100) == (50.0, 0.0)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_puts_round_ticks_around_any_numbers(low, width):
    found = ticks(low, low + width)
    assert found[0] <= low + 1e-6 * width
    assert found[-1] >= low + width - 1e-6 * width
    assert 2 <= len(found) <= 8


def test_puts_the_highest_value_highest_and_tells_it():
    chart = drawn(Lines("c", "step", "score", [Line("a", [(0, 0.1), (10, 0.5), (20, 0.3)])]))
    ((first, best, last),) = (path.points for path in chart.paths)
    assert best[1] < last[1] < first[1]
    assert first[0] == LEFT
    assert TOP <= best[1] <= first[1] <= LARGE[1] - BOTTOM
    assert chart.told == "score by step. a: 10.0 at step 0, 30.0 at 20, highest 50.0 at 10."
    assert [tick.text for tick in chart.up] == ["10", "20", "30", "40", "50"]


def test_draws_one_point_and_none():
    assert drawn(Lines("c", "step", "score", [Line("a", [(5, 0.2)])])).paths[0].points[0][0] > LEFT
    assert drawn(Lines("c", "step", "score", [Line("a", [(5, float("nan"))])])).paths == []


@given(st.lists(st.floats(0, 300), max_size=40))
def test_keeps_labels_apart(heights):
    places = sorted(place for place in spread(heights, 0, 300) if place is not None)
    assert all(after - before >= 13.8 for before, after in pairwise(places))
    assert all(-0.1 <= place <= 300.1 for place in places)
