"""Ranking measures by hand, and against a slow reading of their definitions."""

import random

import pytest

from adapter_stilts.errors import TaskDataError
from adapter_stilts.metrics.base import Options
from adapter_stilts.metrics.ranked import precision_units, reciprocal_units, score_ranked


def test_divides_average_precision_by_the_gold_ids_it_could_have_found():
    assert precision_units([{"a", "b"}], [["a", "x", "b"]]).tolist() == [[(1 + 2 / 3) / 2, 1]]
    many = [str(number) for number in range(30)]
    assert precision_units([set(many)], [many])[0, 0] == 1.0  # twenty of thirty is all that twenty places can hold
    assert precision_units([set(many)], [many[:10]])[0, 0] == pytest.approx(10 / 20)


def test_counts_the_first_twenty_alone():
    late = [*(f"x{number}" for number in range(20)), "a"]
    assert precision_units([{"a"}], [late])[0, 0] == 0
    assert reciprocal_units([{"a"}], [late])[0, 0] == 0
    assert reciprocal_units([{"a"}], [late[1:]])[0, 0] == pytest.approx(1 / 20)


def test_keeps_the_place_of_a_repeated_candidate_and_gives_it_no_second_hit():
    assert precision_units([{"a", "b"}], [["a", "a", "b"]])[0, 0] == pytest.approx((1 + 2 / 3) / 2)


def test_agrees_with_the_sum_over_precision_at_every_place():
    rnd = random.Random(5)
    ids = [f"c{number}" for number in range(40)]
    for _ in range(2000):
        gold, ranked = set(rnd.sample(ids, rnd.randint(1, 30))), rnd.choices(ids, k=rnd.randint(0, 35))
        top = ranked[:20]
        hits = [place for place in range(len(top)) if top[place] in gold and top[place] not in top[:place]]
        precision = sum(len(gold & set(top[: place + 1])) / (place + 1) for place in hits) / min(len(gold), 20)
        reciprocal = max([1 / (place + 1) for place in range(len(top)) if top[place] in gold], default=0)
        assert precision_units([gold], [ranked])[0].tolist() == pytest.approx([precision, 1], abs=1e-15)
        assert reciprocal_units([gold], [ranked])[0].tolist() == [reciprocal, 1]


def test_counts_a_question_without_candidates_as_wrong():
    found = score_ranked("mrr20", {"m1": ("Q1",), "m2": ("Q2",)}, {"m1": ("Q1", "Q2")}, Options(intervals=False))
    assert (found.headline, found.value, found.n, found.unanswered) == ("mrr20", 0.5, 2, 1)


def test_refuses_a_question_without_gold():
    with pytest.raises(TaskDataError, match="without a gold id"):
        score_ranked("map20", {"q": ()}, {})
    with pytest.raises(TaskDataError, match="no question"):
        score_ranked("map20", {}, {})
