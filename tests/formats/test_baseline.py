"""What each format gives without learning, counted by hand or by brute force."""

from __future__ import annotations

import random

import pytest

from adapter_stilts.formats.base import formats
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.queries import Candidate, Query
from adapter_stilts.formats.squad import Answer, SpanQuestion
from adapter_stilts.formats.tags import Tagged
from adapter_stilts.formats.text import PlainText
from adapter_stilts.metrics.ranked import score_ranked
from adapter_stilts.statistics.learned import Baseline


def baseline(format, metric, rows, labels=None):
    return formats[format].baseline(metric, rows, labels)


@pytest.mark.parametrize("metric", ["accuracy", "accuracy_f1"])
@pytest.mark.parametrize("format", ["pair", "single"])
def test_takes_the_commonest_label(format, metric):
    rows = [Classified(str(number), "a", "b", label) for number, label in enumerate("112113")]
    assert baseline(format, metric, rows, ("1", "2", "3")) == Baseline("accuracy", 1 / 3, 4 / 6)


def test_takes_the_commonest_position_of_the_right_choice():
    rows = [MultipleChoice(str(number), "p", ("a", "b", "c", "d"), label) for number, label in enumerate([0, 2, 2])]
    assert baseline("choice", "accuracy", rows) == Baseline("accuracy", 1 / 4, 2 / 3)


@pytest.mark.parametrize("metric", ["chunk_f1", "token_accuracy"])
def test_takes_the_commonest_tag_by_word(metric):
    rows = [Tagged("0", ("Anna", "Lee", "ran"), ("B-PER", "I-PER", "O")), Tagged("1", ("so", "what"), ("O", "O"))]
    tags = ("B-PER", "I-PER", "O", "B-LOC", "I-LOC")
    assert baseline("tags", metric, rows, tags) == Baseline("token_accuracy", 1 / 5, 3 / 5)


def test_takes_the_whole_context_as_the_answer():
    """Two of six words are the answer: precision 1/3, recall 1, F1 1/2; of the other one of four, F1 2/5."""
    first = SpanQuestion("0", "?", "red cats sleep under big trees", (Answer("red cats", 0),))
    second = SpanQuestion("1", "?", "dogs eat old bones", (Answer("dogs", 0),))
    assert baseline("span", "squad", [first, second]) == Baseline("f1", pytest.approx(0.45), None)
    silent = [SpanQuestion(id, "?", "nobody knows", ()) for id in "234"]
    assert baseline("span", "squad_v2", [first, *silent]) == Baseline("f1", pytest.approx(0.125), 0.75)


@pytest.mark.parametrize("metric", ["map20", "mrr20"])
@pytest.mark.parametrize("number", [2, 12, 60])
def test_ranks_in_random_order(metric, number):
    rows = [Query(str(row), "?", Candidate(f"c{row % number}", f"text {row % number}")) for row in range(number + 5)]
    gold = {row.id: {row.positive.id} for row in rows}
    draw, pool, scores = random.Random(1), [f"c{row}" for row in range(number)], []
    for _ in range(400):
        ranked = {row.id: draw.sample(pool, number)[:20] for row in rows}
        scores.append(score_ranked(metric, gold, ranked).value)
    expected = baseline("ranking", metric, rows)
    assert (expected.metric, expected.majority) == (metric, None)
    assert expected.chance == pytest.approx(sum(scores) / len(scores), rel=0.05)


def test_knows_none_of_masked_text_and_of_sentences_that_are_compared():
    assert baseline("text", "masked_accuracy", [PlainText("0", "a b")]) is None
    assert baseline("aligned", "retrieval", []) is None


@pytest.mark.parametrize(
    ("format", "alike", "different"),
    [
        ("pair", ["a", "a"], ["a", "b"]),
        ("choice", [1, 1], [0, 1]),
        ("tags", [("O", "O"), ("O",)], [("O", "B-PER"), ("O",)]),
        ("span", {"0": "", "1": ""}, {"0": "", "1": "cats"}),
    ],
)
def test_sees_that_every_prediction_is_the_same(format, alike, different):
    assert formats[format].one_class(alike)
    assert not formats[format].one_class(different)
    assert not formats["text"].one_class(None)
