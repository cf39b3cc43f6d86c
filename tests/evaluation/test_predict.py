"""Predictions of heads with random weights, checked against running one feature at a time without padding."""

import numpy as np
import pytest
import torch

from adapter_stilts.data.batches import collate
from adapter_stilts.encoder.heads import build_head
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.errors import UsageError
from adapter_stilts.evaluation.predict import logits, predict
from adapter_stilts.formats.base import Cut, Rules, formats
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.squad import Answer, SpanQuestion
from adapter_stilts.formats.tags import Tagged
from adapter_stilts.formats.text import PlainText
from adapter_stilts.metrics.answers import Window, best_span

LONG = "The small cat sleeps under the old table in Paris on Monday , and Anna bought two red apples there"
PAIRS = [
    Classified("a", "The cat sleeps.", "A cat sleeps under the table.", "yes"),
    Classified("b", "Anna bought two red apples in Paris on Monday.", "No.", "no"),
    Classified("c", "Pieni kissa", "nukkuu", "no"),
]
WORDS = [Tagged("a", tuple(LONG.split()), ("X",) * 20), Tagged("b", (), ()), Tagged("c", ("Anna",), ("Y",))]
QUESTIONS = [
    SpanQuestion("q1", "Who bought the apples?", f"{LONG} . " * 3, (Answer("Anna", 55),)),
    SpanQuestion("q2", "Wer?", "Anna kaufte am Montag zwei rote Äpfel.", (Answer("Anna", 0),)),
]
CHOICES = [
    MultipleChoice("a", "The cat sleeps.", ("It is old.", "It sleeps under the table."), 1),
    MultipleChoice("b", "Anna", ("x", "y z"), 0),
]


@pytest.fixture
def make_model(tiny_trunk):
    def make(format, labels=2):
        head = build_head(format, tiny_trunk.config.hidden_size, labels, seed=5)
        with torch.no_grad():
            for number, parameter in enumerate(head.parameters()):
                parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number)))
        return TaskModel(AdapterEncoder(tiny_trunk), head, format)

    return make


def made(format, examples, model, **more):
    return formats[format].features(
        examples,
        model.encoder.trunk.tokenizer,
        Cut(max_length=24, query_length=8, window_step=6, training=False, **more),
    )


@torch.no_grad()
def one_by_one(model, rows):
    model.eval()
    return [model(collate([row], model.encoder.trunk.config.pad_token_id))[0].numpy() for row in rows]


CASES = [
    ("pair", PAIRS, {"labels": ("yes", "no")}),
    ("tags", WORDS, {"labels": ("X", "Y")}),
    ("span", QUESTIONS, {}),
    ("choice", CHOICES, {}),
]


@pytest.mark.parametrize(("format", "examples", "more"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("budget", [1, 60, 10_000])
def test_gives_logits_that_do_not_depend_on_the_batch(make_model, format, examples, more, budget):
    model = make_model(format)
    rows = made(format, examples, model, **more)
    for found, expected in zip(logits(model, rows, budget), one_by_one(model, rows), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5)


def test_names_the_label_of_the_highest_logit(make_model):
    model = make_model("pair")
    rows = made("pair", PAIRS, model, labels=("yes", "no"))
    expected = [("yes", "no")[int(row.argmax())] for row in one_by_one(model, rows)]
    assert predict(model, PAIRS, rows, Rules(labels=("yes", "no"))) == expected
    assert predict(model, PAIRS, rows, Rules(labels=("no", "yes"))) == [
        {"yes": "no", "no": "yes"}[label] for label in expected
    ]


def test_joins_the_pieces_of_a_sentence_that_was_cut(make_model):
    model = make_model("tags")
    rows = made("tags", WORDS, model, labels=("X", "Y"))
    assert [row.example for row in rows].count(0) > 1
    by_hand = [[], [], []]
    for row, found in zip(rows, one_by_one(model, rows), strict=True):
        by_hand[row.example] += ["XY"[int(found[place].argmax())] for place in row.words]
    predictions = predict(model, WORDS, rows, Rules(labels=("X", "Y")))
    assert predictions == [tuple(tags) for tags in by_hand]
    assert [len(tags) for tags in predictions] == [20, 0, 1]


def test_takes_the_best_answer_over_all_windows(make_model):
    model = make_model("span")
    rows = made("span", QUESTIONS, model)
    assert [row.example for row in rows].count(0) > 2
    found = one_by_one(model, rows)
    expected = {}
    for number, question in enumerate(QUESTIONS):
        windows = [Window(one, row.offsets) for row, one in zip(rows, found, strict=True) if row.example == number]
        expected[question.id] = best_span(question.context, windows).text
    answers = predict(model, QUESTIONS, rows, Rules())
    assert answers == expected
    assert all(text and text in question.context for text, question in zip(answers.values(), QUESTIONS, strict=True))


def test_answers_nothing_where_no_answer_scored_higher(make_model, monkeypatch):
    model = make_model("span")
    rows = made("span", QUESTIONS, model)
    silent = predict(model, QUESTIONS, rows, Rules(unanswerable=True))
    for question, span in silent.spans.items():
        assert silent[question] == ("" if span.null_odds > 0 else span.text)


def test_carries_the_odds_to_the_score(make_model):
    model = make_model("span")
    answers = predict(model, QUESTIONS, made("span", QUESTIONS, model), Rules(unanswerable=True))
    assert {"f1", "f1-oracle", "exact_match-oracle"} <= set(
        formats["span"].score("squad_v2", QUESTIONS, answers).metrics
    )


def test_numbers_the_choice_with_the_highest_score(make_model):
    model = make_model("choice")
    rows = made("choice", CHOICES, model)
    assert predict(model, CHOICES, rows, Rules()) == [int(row.argmax()) for row in one_by_one(model, rows)]


def test_leaves_every_module_in_the_mode_it_was_in(make_model):
    model = make_model("pair").train()
    model.encoder.base.eval()
    modes = [module.training for module in model.modules()]
    predict(model, PAIRS, made("pair", PAIRS, model, labels=("yes", "no")), Rules(labels=("yes", "no")))
    assert [module.training for module in model.modules()] == modes


def test_refuses_labels_that_do_not_match_the_head(make_model):
    model = make_model("pair", labels=3)
    with pytest.raises(UsageError, match="2 labels for a head of 3 classes"):
        predict(model, PAIRS, made("pair", PAIRS, model, labels=("yes", "no")), Rules(labels=("yes", "no")))


def test_refuses_a_format_without_predictions(make_model):
    model = make_model("text", labels=320)
    with pytest.raises(UsageError, match="a head for 'text' makes no predictions"):
        predict(model, [PlainText("a", "x")], [], Rules())
