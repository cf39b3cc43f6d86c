"""Whether a run learned, by its validation rows."""

from __future__ import annotations

import pytest

from adapter_stilts.statistics.intervals import score_interval
from adapter_stilts.statistics.learned import Baseline, learned_of
from adapter_stilts.statistics.result import Result, remarks


def accuracy(right, n, *, language="en", majority=1 / 3, chance=1 / 3, **facts):
    interval = score_interval([[1, 1]] * right + [[0, 1]] * (n - right), "ratio")
    notes = {"chance": chance, "majority": majority, **facts}
    row = Result("nli", "own", language, "accuracy", right / n, n, interval, "validation", headline=True)
    return row.with_notes(**notes)


def tags(f1, accuracy, majority=0.8):
    """Rows of a tagging task; each score is (score, low, high)."""
    rows = [
        Result("ner", "own", "en", metric, score, 200, interval, "validation", headline=metric == "f1")
        for metric, (score, *interval) in (("f1", f1), ("token_accuracy", accuracy))
    ]
    return [rows[0], rows[1].with_notes(chance=0.1, majority=majority)]


def test_counts_the_commonest_answer_and_what_guessing_gives():
    assert Baseline.of_classes("accuracy", "aabac", 3) == Baseline("accuracy", 1 / 3, 0.6)
    assert Baseline.of_classes("accuracy", "aabac", 4).chance == 0.25  # a head may know more labels than the rows show
    assert Baseline.of_classes("accuracy", "aabac", 0).chance == 1 / 3


@pytest.mark.parametrize("answers", ["", "aaaa"])
def test_knows_no_baseline_where_all_rows_have_one_answer(answers):
    assert Baseline.of_classes("accuracy", answers, 2) is None


# Wilson's interval of 200 of 500 is 0.358 to 0.444 by hand
@pytest.mark.parametrize(
    ("majority", "learned"), [(0.34, True), (0.357, True), (0.359, False), (0.4, False), (0.555, False)]
)
def test_asks_wilsons_interval_to_lie_above_the_majority(majority, learned):
    assert learned_of([accuracy(200, 500, majority=majority)])["nli"].learned is learned


def test_asks_it_to_lie_above_chance_where_that_is_more():
    assert learned_of([accuracy(200, 500, majority=0.2, chance=0.5)])["nli"].learned is False
    assert learned_of([accuracy(200, 500, majority=None, chance=0.1)])["nli"].learned is True


def test_does_not_learn_by_one_answer_for_all_rows_whatever_that_scores():
    learning = learned_of([accuracy(300, 400, majority=0.5, one_class=True)])["nli"]
    assert (learning.learned, learning.one_class) == (False, True)
    assert learning.numbers == "every prediction is the same, accuracy 75.0 (n 400)"


def test_says_nothing_of_fewer_than_twenty_rows():
    learning = learned_of([accuracy(4, 19)])["nli"]
    assert (learning.learned, learning.interval, learning.n) == (None, None, 19)


def test_says_nothing_of_a_task_without_a_baseline():
    assert learned_of([Result("mlm", "own", "en", "masked_accuracy", 0.5, 900, (0.45, 0.55), headline=True)]) == {}


def test_takes_the_mean_of_languages_and_of_their_intervals():
    """Right also where the languages have the same rows: the spread of a mean is at most the mean of the spreads."""
    rows = [accuracy(200, 500, language="de"), accuracy(250, 500, language="sw", majority=0.4)]
    learning = learned_of(rows)["nli"]
    low, high = zip(*(row.interval for row in rows), strict=True)
    assert learning.interval == pytest.approx((sum(low) / 2, sum(high) / 2))
    assert (learning.score, learning.n) == (pytest.approx(0.45), 1000)
    assert learning.baseline.majority == pytest.approx((1 / 3 + 0.4) / 2)
    mixed = learned_of([rows[0], accuracy(3, 10, language="sw")])["nli"]
    assert mixed.learned is None


def test_compares_tags_by_their_accuracy_and_asks_for_a_chunk_besides():
    few = (0.013, 0.006, 0.02)  # found by the audit of an NER run that tags everything O
    assert learned_of(tags(few, (0.8, 0.77, 0.83)))["ner"].learned is False
    assert learned_of(tags((0.4, 0.35, 0.45), (0.88, 0.86, 0.9)))["ner"].learned is True
    nothing = learned_of(tags((0.0, 0.0, 0.01), (0.88, 0.86, 0.9)))["ner"]
    assert nothing.learned is False
    assert nothing.numbers.endswith("alone gives 80.0, and nothing that the main score counts")


def test_says_what_was_reached():
    learning = learned_of([accuracy(170, 500, majority=0.336)])["nli"]
    numbers = "accuracy 34.0 (n 500, 30.0 to 38.3) where the commonest answer alone gives 33.6"
    assert learning.numbers == numbers
    assert "where guessing gives 40.0" in learned_of([accuracy(170, 500, chance=0.4)])["nli"].numbers


def test_remarks_on_rows_that_were_all_answered_alike():
    row = accuracy(100, 300, language="sw", one_class=True)
    assert remarks([row, row]) == ["nli sw validation: every prediction is the same, as of a run that did not learn"]
    assert remarks([accuracy(100, 300)]) == []
