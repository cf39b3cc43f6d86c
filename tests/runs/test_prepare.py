"""The numbers of the configuration reach the training plan, and steps are counted before they are taken."""

from __future__ import annotations

import json

import pytest

from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.data.batches import token_budget_batches
from adapter_stilts.data.feature import length
from adapter_stilts.encoder.kinds import kinds
from adapter_stilts.encoder.model import FUSION_PENALTY
from adapter_stilts.errors import TaskDataError
from adapter_stilts.runs.prepare import prepare, training_plan
from adapter_stilts.seeding import Seeds
from adapter_stilts.training.usual import FEWEST_STEPS, USUAL_EPOCHS, usual_epochs


def test_passes_every_number_of_training_on():
    values = {
        "max_steps": 7,
        "epochs": 2,
        "minutes": 3.0,
        "learning_rate": 0.5,
        "token_budget": 11,
        "accumulation": 3,
        "seed": 5,
        "warmup": 0.2,
    }
    values |= {
        "weight_decay": 0.3,
        "clip": 0.4,
        "patience": 2,
        "evaluate_steps": 6,
        "checkpoint_steps": 8,
        "log_steps": 9,
        "precision": "bf16",
    }
    config = with_settings(RunConfig(), {f"training.{name}": value for name, value in values.items()})
    plan = training_plan(config, "seq_bn")
    assert {name: getattr(plan, name) for name in values} == values


def test_gives_a_fusion_its_own_learning_rate_and_penalty():
    config = with_settings(
        RunConfig(), {"how": "fuse", "after": ["a", "b"], "fusion.learning_rate": 0.25, "fusion.penalty": 0.03}
    )
    plan = training_plan(config, "seq_bn")
    assert plan.learning_rate == 0.25
    assert plan.fusion_penalty * FUSION_PENALTY == pytest.approx(0.03)
    assert training_plan(RunConfig(), "seq_bn").fusion_penalty == 1.0


def test_takes_what_is_left_open_from_the_kind_and_from_the_rows(config):
    open_ended = {"training__max_steps": None, "training__epochs": None, "training__learning_rate": None}
    few = prepare(config(**open_ended, training__rows=20, adapter__kind="ia3"), ("nli",))
    assert few.plan.learning_rate == few.config.training.learning_rate == kinds["ia3"].rate
    assert few.steps >= FEWEST_STEPS > few.steps * (few.plan.epochs - 1) / few.plan.epochs
    assert few.config.training.epochs == few.plan.epochs
    assert few.plan.evaluate_steps == 50  # an epoch has a step or two: five of them without a gain must not end it
    assert (usual_epochs(1), usual_epochs(100), usual_epochs(9999)) == (FEWEST_STEPS, USUAL_EPOCHS, USUAL_EPOCHS)


def test_counts_the_steps_of_all_epochs(config):
    prepared = prepare(config(training__max_steps=None, training__epochs=2, training__token_budget=200), ("nli",))
    lengths = [length(feature) for feature in prepared.data[0].features]
    seeds = Seeds(13)
    assert prepared.steps == sum(
        len(token_budget_batches(lengths, 200, seeds.torch(f"order/{epoch}"))) for epoch in range(2)
    )


def test_counts_no_steps_where_the_clock_ends_training(config):
    assert prepare(config(training__max_steps=None, training__minutes=1.0), ("nli",)).steps == 0


def test_says_how_many_questions_are_left_out_and_that_inputs_are_cut(config, tmp_path):
    rows = [
        {"id": str(n), "question": "Who?", "answers": [{"text": "Anna", "answer_start": start}]}
        for n, start in enumerate((0, 3, 0))
    ]
    document = {"data": [{"paragraphs": [{"context": "Anna " + "and the small cat " * 12, "qas": rows}]}]}
    (tmp_path / "train.json").write_text(json.dumps(document))
    notes = list(
        prepare(config("qa", data__sources=[f"train={tmp_path / 'train.json'}"], data__language="en"), ("qa",)).notes
    )
    assert notes[0].startswith("1 of 3 questions are left out")
    assert notes[1].startswith("inputs are cut at 64 tokens, which is all this trunk has positions for (asked for 384)")


def test_refuses_training_rows_of_which_none_can_be_used(config, tmp_path):
    question = {"id": "1", "question": "Who?", "answers": [{"text": "Ben", "answer_start": 0}]}
    (tmp_path / "train.json").write_text(
        json.dumps({"data": [{"paragraphs": [{"context": "Anna slept.", "qas": [question]}]}]})
    )
    with pytest.raises(TaskDataError, match="no row of the training data can be trained on"):
        prepare(config("qa", data__sources=[f"train={tmp_path / 'train.json'}"]), ("qa",))


def test_reports_a_label_that_only_validation_has(config, data, tmp_path):
    (tmp_path / "validation.jsonl").write_text(json.dumps({"text": "Anna", "label": "weather"}) + "\n")
    with pytest.raises(TaskDataError, match="weather"):
        prepare(
            config("single", data__sources=[data("single")[0], f"validation={tmp_path / 'validation.jsonl'}"]),
            ("single",),
        )


def test_reads_the_trunk_in_float32_where_it_is_trained(config):
    prepared = prepare(config(adapter__kind="full", trunk__precision="auto"), ("nli",))
    assert prepared.trunk.precision == "fp32"


def test_counts_the_labels_and_says_how_tags_are_read(config, tmp_path):
    (tmp_path / "train.tsv").write_text("0\tIna\tU-PER\n1\tging\tO\n\n0\tUlm\tU-LOC\n")
    notes = list(prepare(config("ner", data__sources=[f"train={tmp_path / 'train.tsv'}"]), ("ner",)).notes)
    assert "ner: 2 training rows, labels B-LOC 1, B-PER 1, O 1" in notes
    assert "ner (train): train.tsv: the tags are BILOU, read as IOB2" in notes
    assert any("words are in column 2 and tags in column 3 of 3" in note for note in notes)
