"""Expected fractions are counted by hand; SQuAD v2's best threshold against trying every threshold."""

import numpy as np
import pytest
from at_once import accuracy, bucc_f1, squad_em_f1
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.errors import TaskDataError
from adapter_stilts.metrics.answers import mlqa_text
from adapter_stilts.metrics.labels import accuracy_units, positive_units
from adapter_stilts.metrics.pairs import pair_units
from adapter_stilts.metrics.squad import answerable_units, best_null_threshold
from adapter_stilts.metrics.tags import token_units


def test_counts_right_labels():
    assert accuracy(["a", "b", "c", "a"], ["a", "b", "a", "a"]) == 0.75
    assert accuracy_units([1, 0], [1, 1]).tolist() == [[1, 1], [0, 1]]


def test_counts_a_positive_label():
    assert positive_units(["1", "0", "1"], ["1", "1", "0"], "1").tolist() == [[1, 1, 1], [0, 1, 0], [0, 0, 1]]


def test_counts_right_tags_by_sentence():
    assert token_units([["A", "B"], ["A"]], [["A", "A"], ["A"]]).tolist() == [[1, 2], [1, 1]]


def test_averages_exact_match_and_f1_over_questions():
    # By hand: right; 2*1/(1+2); missing.
    em, f1 = squad_em_f1([["Rome"], ["two cats"], ["Bonn"]], ["rome", "cats", None])
    assert (em, f1) == (pytest.approx(1 / 3), pytest.approx((1 + 2 / 3) / 3))


def test_normalises_by_the_language_it_is_given():
    assert squad_em_f1([["das Haus"]], ["ein Haus"]) == (0.0, 0.5)
    assert squad_em_f1([["das Haus"]], ["ein Haus"], mlqa_text("de")) == (1.0, 1.0)


def test_credits_silence_only_where_a_question_has_no_answer():
    gold = [["Rome"], [], ["Rome"], [], ["the"]]
    assert answerable_units(gold, ["", "", "Rome", "Rome", ""])[:, :2].tolist() == [
        [0, 0],
        [1, 1],
        [1, 1],
        [0, 0],
        [1, 1],
    ]


def all_thresholds(gold, predicted, odds, column):
    best = float(answerable_units(gold, [""] * len(gold))[:, column].mean())
    for threshold in sorted(set(odds)):
        guesses = ["" if odd > threshold else guess for guess, odd in zip(predicted, odds, strict=True)]
        best = max(best, float(answerable_units(gold, guesses)[:, column].mean()))
    return best


QUESTION = st.tuples(
    st.sampled_from([[], ["Rome"], ["old Rome"]]), st.sampled_from(["Rome", "Bonn", "old Rome"]), st.integers(-30, 30)
)


@given(
    st.lists(QUESTION, min_size=1, max_size=12, unique_by=lambda question: question[2]),
    st.sampled_from(["exact_match", "f1"]),
)
def test_finds_the_best_threshold_and_its_threshold_gives_its_score(questions, metric):
    gold, predicted, odds = (list(column) for column in zip(*questions, strict=True))
    column = ("exact_match", "f1").index(metric)
    best = best_null_threshold(gold, predicted, odds, metric)
    assert (
        best.score
        == pytest.approx(all_thresholds(gold, predicted, odds, column))
        == pytest.approx(best.units[:, 0].mean())
    )
    if best.score > answerable_units(gold, [""] * len(gold))[:, column].mean() + 1e-12:
        guesses = ["" if odd > best.threshold else guess for guess, odd in zip(predicted, odds, strict=True)]
        assert answerable_units(gold, guesses)[:, column].mean() == pytest.approx(best.score)


def test_answers_nothing_where_every_answer_is_wrong():
    best = best_null_threshold([[], []], ["Rome", "Bonn"], [-1.0, 2.0], "f1")
    assert (best.score, best.threshold) == (1.0, 0.0)


def test_scores_two_sets_of_pairs():
    # By hand: 2 right of 3 mined and 4 gold, 4/7; a pair mined twice counts once.
    gold = {("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")}
    assert bucc_f1(gold, [("a", "1"), ("b", "2"), ("b", "9"), ("a", "1")]) == pytest.approx(4 / 7)
    assert bucc_f1(gold, []) == 0.0


def test_counts_pairs_by_source_sentence():
    units = pair_units({("b", "2"), ("a", "1")}, {("b", "2"), ("b", "3"), ("c", "1")})
    assert units.tolist() == [[0, 0, 1], [1, 2, 1], [0, 1, 0]]  # a, b, c


def test_refuses_another_number_of_predictions():
    with pytest.raises(TaskDataError, match="1 predictions for 2 examples"):
        accuracy(["a", "b"], ["a"])


def test_refuses_to_score_nothing():
    with pytest.raises(TaskDataError, match="no example to score"):
        accuracy([], [])


def test_takes_arrays_of_line_numbers():
    assert accuracy(list(range(3)), np.array([0, 2, 2])) == pytest.approx(2 / 3)
