"""Scores of a handful of examples, counted by hand."""

import pytest

from adapter_stilts.errors import StiltsError, TaskDataError, UnknownName
from adapter_stilts.formats.base import formats
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.squad import Answer, SpanQuestion
from adapter_stilts.formats.tags import Tagged
from adapter_stilts.formats.text import PlainText
from adapter_stilts.metrics.base import DEFAULTS, Options
from adapter_stilts.metrics.pairs import score_pairs
from adapter_stilts.metrics.squad import score_answers
from adapter_stilts.statistics.intervals import score_of

FORMATS = {Classified: "pair", MultipleChoice: "choice", Tagged: "tags", SpanQuestion: "span", PlainText: "text"}


def score(metric, rows, guesses, options=DEFAULTS):
    """By the format of the rows."""
    return formats[FORMATS[type(rows[0])]].score(metric, rows, guesses, options)


def pairs(labels):
    return [Classified(str(number), "a", "b", label) for number, label in enumerate(labels)]


def questions(*answers, context="x"):
    return [
        SpanQuestion(f"q{number}", "?", context, tuple(Answer(text, 0) for text in texts))
        for number, texts in enumerate(answers)
    ]


SENTENCES = [Tagged("0", ("Anna", "Lee", "ran"), ("B-PER", "I-PER", "O")), Tagged("1", ("Rome",), ("B-LOC",))]


def test_scores_labels():
    scored = score("accuracy", pairs(["yes", "no", "no", "yes"]), ["yes", "no", "yes", "yes"])
    assert (scored.metrics, scored.headline, scored.n) == ({"accuracy": 0.75}, "accuracy", 4)
    assert scored.main.interval is None  # of four rows
    more = score("accuracy", pairs(["a", "b"] * 20), ["a", "a"] * 20).main
    assert more.interval[0] < 0.5 < more.interval[1]


def test_scores_choices():
    rows = [MultipleChoice(str(number), "p", ("a", "b"), label) for number, label in enumerate([0, 1, 1])]
    assert score("accuracy", rows, [0, 1, 0]).value == pytest.approx(2 / 3)
    assert score("accuracy", rows, ["0", "1", "0"]).value == pytest.approx(2 / 3)  # as a file has them


def test_averages_accuracy_and_f1_where_the_task_asks_for_it():
    # By hand: accuracy 3/5; F1 of "1": 2 right of 3 predicted and 3 gold, 2/3.
    scored = score("accuracy_f1", pairs("11100"), list("11010"))
    assert scored.metrics == pytest.approx({"accuracy": 0.6, "f1": 2 / 3, "accuracy_f1": (0.6 + 2 / 3) / 2})
    assert scored.headline == "accuracy_f1"


def test_names_the_labels_that_could_be_the_positive_one():
    with pytest.raises(TaskDataError, match="one of: no, yes"):
        score("accuracy_f1", pairs(["yes", "no"]), ["yes", "no"])


def test_scores_tags_by_chunk_with_token_accuracy_beside_it():
    scored = score("chunk_f1", SENTENCES, [("B-PER", "O", "O"), ("B-LOC",)])
    # By hand: PER is cut short, LOC right: 1 of 2 and 2; 3 of 4 tags.
    assert scored.metrics == pytest.approx({"f1": 0.5, "precision": 0.5, "recall": 0.5, "token_accuracy": 0.75})
    assert (scored.headline, scored.n) == ("f1", 2)
    assert scored.units.tolist() == [[0, 1, 1], [1, 1, 1]]


def test_takes_token_accuracy_for_the_headline_of_supertags():
    assert score("token_accuracy", SENTENCES, [("B-PER", "O", "O"), ("B-LOC",)]).value == 0.75


def test_scores_answers_by_question_id():
    scored = score("squad", questions(["Rome"], ["two cats"], ["Bonn"]), {"q1": "cats", "q0": "Rome"})
    assert scored.metrics == pytest.approx({"f1": (1 + 2 / 3) / 3, "exact_match": 1 / 3})


def test_scores_answers_in_example_order():
    assert score("squad", questions(["Rome"], ["Bonn"]), ["Rome", "Rome"]).value == 0.5


def test_scores_mlqa_by_its_language():
    rows = questions(["das Haus"])
    assert score("mlqa", rows, ["ein Haus"], Options(language="de")).value == 1.0
    assert score("squad", rows, ["ein Haus"], Options(language="de")).value == 0.5


def test_refuses_mlqa_in_a_language_it_does_not_define():
    with pytest.raises(UnknownName, match="MLQA language"):
        score("mlqa", questions(["a"]), ["a"], Options(language="fi"))


def test_adds_f1_by_character_where_a_language_writes_no_spaces():
    scored = score("squad", questions(["北京"]), ["北京市"], Options(language="zh"))
    assert scored.metrics == pytest.approx({"f1": 0.0, "exact_match": 0.0, "f1-characters": 0.8})
    assert scored.headline == "f1"


def test_answers_nothing_above_the_null_threshold_and_names_the_oracle():
    rows = questions(["Rome"], [], ["Bonn"])
    guesses = {"q0": "Rome", "q1": "Rome", "q2": "Bonn"}
    odds = {"q0": 1.0, "q1": 2.0, "q2": -1.0}
    # By hand: at threshold 0 q0 is silenced wrongly and q1 rightly: 2 of 3; at 1.0 all three are right.
    scored = score("squad_v2", rows, guesses, Options(null_odds=odds))
    assert scored.metrics == pytest.approx(
        {"f1": 2 / 3, "exact_match": 2 / 3, "exact_match-oracle": 1.0, "f1-oracle": 1.0}
    )
    assert score("squad_v2", rows, guesses, Options(null_odds=odds, null_threshold=1.5)).value == 1.0


def test_names_no_oracle_without_odds():
    assert set(score("squad_v2", questions(["Rome"], []), ["Rome", ""]).metrics) == {"f1", "exact_match"}


def test_silences_only_questions_that_have_odds():
    scored = score_answers(
        "squad_v2", {"a": ["x"], "b": ["y"], "c": []}, {"a": "x", "b": "y"}, Options(null_odds={"a": 1.0, "c": 1.0})
    )
    assert scored.value == pytest.approx(1 / 3)


def test_gives_the_oracle_of_answering_nothing_where_that_is_best():
    # By hand: every threshold that answers b answers a, and a has no answer; at threshold 0 both are answered: 0.
    # Silence gives 1 of 2.
    odds = {"b": -1.0, "a": -2.0}
    scored = score_answers("squad_v2", {"a": [], "b": ["Rome"]}, {"a": "Bonn", "b": "Bonn"}, Options(null_odds=odds))
    assert scored.metrics == pytest.approx({"f1": 0.0, "exact_match": 0.0, "exact_match-oracle": 0.5, "f1-oracle": 0.5})
    oracle = next(one for one in scored.measures if one.metric == "f1-oracle")
    assert oracle.units.tolist() == [[1, 1], [0, 1]]


def test_scores_pairs_by_id():
    scored = score_pairs([("a", "1"), ("b", "2")], [("a", "1"), ("b", "1")])
    assert scored.metrics == {"f1": 0.5, "precision": 0.5, "recall": 0.5}
    assert scored.n == 2


def test_gives_units_that_add_up_to_the_score():
    for scored in (
        score("squad", questions(["a b"], ["c"]), ["b", "d"]),
        score("chunk_f1", SENTENCES, [("O", "O", "O"), ("B-LOC",)]),
    ):
        for measure in scored.measures:
            assert score_of(measure.units, measure.statistic) == measure.score


def test_leaves_the_intervals_out_where_none_are_wanted():
    assert score("accuracy", pairs(["a", "b"]), ["a", "a"], Options(intervals=False)).main.interval is None


@pytest.mark.parametrize(
    ("metric", "rows", "guesses", "message"),
    [
        ("accuracy", pairs(["yes", ""]), ["yes", "yes"], "example '1'"),
        ("accuracy", [MultipleChoice("7", "p", ("a", "b"), -1)], [0], "example '7'"),
        ("chunk_f1", [Tagged("3", ("a",), ())], [("O",)], "sentence without gold tags"),
        ("squad", questions([]), ["x"], "squad_v2"),
        ("accuracy", pairs(["yes"]), ["yes", "no"], "2 predictions for 1 examples"),
    ],
)
def test_refuses_gold_or_predictions_that_cannot_be_scored(metric, rows, guesses, message):
    with pytest.raises(TaskDataError, match=message):
        score(metric, rows, guesses)


def test_refuses_a_format_that_has_no_labels():
    with pytest.raises(StiltsError, match="accuracy cannot be taken of PlainText"):
        score("accuracy", [PlainText("0", "x")], ["x"])


def test_suggests_the_nearest_metric():
    with pytest.raises(UnknownName, match="did you mean 'accuracy'"):
        score("acuracy", pairs(["a"]), ["a"])
