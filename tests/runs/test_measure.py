"""A model with a head is scored by its task's metric, and what was scored can be found again."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from adapter_stilts.encoder.heads import build_head
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.formats.tags import Tagged
from adapter_stilts.metrics.base import Options
from adapter_stilts.metrics.forms import read_answers, read_choices, read_lines, read_tags
from adapter_stilts.runs.material import where_of
from adapter_stilts.runs.measure import masked_score, measure, validation_score
from adapter_stilts.runs.rows import Reading
from adapter_stilts.tasks.base import labels_of
from adapter_stilts.tasks.sources import load
from adapter_stilts.tasks.user import find_task

OUTPUTS = {"text": None, "span": 2, "choice": 1}


@pytest.fixture
def subject(tiny_trunk, data):
    """`subject(task)`: an untrained model, the task, its validation rows and how they are read."""

    def make(name):
        task = find_task(name)
        where = where_of(data(name), "x", columns={})
        labels = labels_of(task, load(task, "train", "en", where).examples)
        outputs = {**OUTPUTS, "text": tiny_trunk.config.vocab_size}.get(task.format.name, len(labels or ()))
        model = TaskModel(
            AdapterEncoder(tiny_trunk),
            build_head(task.format.name, tiny_trunk.config.hidden_size, outputs, 3, tiny_trunk.mask_head),
            task.format.name,
        )
        return model, task, load(task, "validation", "en", where, labels), Reading(labels, 64, 512, seed=5)

    return make


@pytest.mark.parametrize("name", ["nli", "single", "ner", "choice", "qa", "mlm"])
def test_makes_a_row_for_each_metric_and_one_headline(subject, tmp_path, name):
    model, task, loaded, reading = subject(name)
    rows = [row.to_json() for row in measure(model, task, loaded, reading, tmp_path)]
    assert [row["headline"] for row in rows].count(True) == 1
    assert {row["language"] for row in rows} == {"en"}
    assert all(row["interval"] is None for row in rows)  # fewer than twenty rows
    assert json.loads(json.dumps(rows)) == rows
    main = next(row for row in rows if row["headline"])
    assert validation_score(task, loaded.examples, reading, "", model.encoder.trunk)(model) == main["score"]
    units = np.load(tmp_path / main["units"])
    assert units.ndim == 2
    assert main["statistic"] in ("ratio", "f1")


def test_scores_what_it_predicted(subject, tmp_path):
    """Accuracy counted by hand from the files that were written."""
    model, task, loaded, reading = subject("nli")
    row = measure(model, task, loaded, reading, tmp_path)[0].to_json()
    assert row["predictions"] == "predictions/nli/validation-en.tsv"
    predicted = read_lines(tmp_path / row["predictions"])
    right = [guess == example.label for guess, example in zip(predicted, loaded.examples, strict=True)]
    assert row["score"] == sum(right) / len(right)
    assert np.load(tmp_path / row["units"]).tolist() == [[float(one), 1.0] for one in right]


def test_writes_predictions_in_the_form_of_their_task(subject, tmp_path):
    for name, read in (("ner", read_tags), ("qa", read_answers), ("choice", read_choices)):
        model, task, loaded, reading = subject(name)
        rows = [row.to_json() for row in measure(model, task, loaded, reading, tmp_path)]
        assert len(read(tmp_path / rows[0]["predictions"])) == len(loaded.examples)


def test_keeps_nothing_without_a_folder(subject):
    model, task, loaded, reading = subject("nli")
    row = measure(model, task, loaded, reading, None)[0].to_json()
    assert not {"predictions", "units"} & row.keys()


def test_leaves_the_model_in_the_mode_it_was_in(subject):
    for name in ("nli", "mlm"):
        model, task, loaded, reading = subject(name)
        for mode in (True, False):
            model.train(mode)
            validation_score(task, loaded.examples, reading, "", model.encoder.trunk)(model)
            assert model.training is mode


def test_tokenises_the_validation_rows_once(subject, monkeypatch):
    model, task, loaded, reading = subject("nli")
    calls = Counter()
    fresh = task.format.features
    monkeypatch.setattr(
        task.format, "features", lambda *values, **named: calls.update(["features"]) or fresh(*values, **named)
    )
    validate = validation_score(task, loaded.examples, reading, "", model.encoder.trunk)
    assert validate(model) == validate(model)
    assert calls["features"] == 1


def test_scores_masked_text_under_masks_that_depend_on_the_seed_alone(subject):
    model, _, loaded, reading = subject("mlm")
    first = masked_score(model, loaded.examples, replace(reading, seed=1), Options())
    torch.manual_seed(99)
    again, other = (
        masked_score(model, loaded.examples, replace(reading, seed=seed), Options()) for seed in (1, 2)
    )
    assert again.units.tolist() == first.units.tolist()
    assert other.units.tolist() != first.units.tolist()
    assert first.units.shape == (len(loaded.examples), 2)
    assert first.n == first.units[:, 1].sum()
    assert first.value == first.units[:, 0].sum() / first.units[:, 1].sum()


@pytest.mark.parametrize("protocol", ["xtreme", "xtreme-r", "jiant", "own"])
def test_reads_long_sentences_as_the_protocol_does_and_says_so(subject, tmp_path, protocol):
    model, task, loaded, reading = subject("ner")
    long = replace(loaded, examples=[Tagged("0", ("cat",) * 200, ("B-PER", "O") * 100)])
    rows = [row.to_json() for row in measure(model, task, long, replace(reading, protocol=protocol), tmp_path)]
    (tags,) = read_tags(tmp_path / rows[0]["predictions"])
    settings = {
        "xtreme": {
            "max_length": 64,
            "protocol_max_length": 128,
            "long_sentences": "split",
            "end_marks": 2,
            "label_on": "first sub-word",
        },
        "jiant": {
            "max_length": 64,
            "protocol_max_length": 256,
            "long_sentences": "truncated",
            "end_marks": 1,
            "label_on": "first sub-word",
        },
        "own": {"max_length": 64, "long_sentences": "split", "end_marks": 1, "label_on": "first sub-word"},
    }[protocol.removesuffix("-r")]
    assert all((row["protocol"], row["settings"]) == (protocol, settings) for row in rows)
    if protocol == "jiant":
        assert {row["words_lost"] for row in rows} == {200 - len(tags)}
        assert 0 < len(tags) < 62
    else:
        assert len(tags) == 200
        assert "words_lost" not in rows[0]


def test_keeps_the_sums_of_each_protocol(subject, tmp_path):
    model, task, loaded, reading = subject("qa")
    units = {
        protocol: measure(model, task, loaded, replace(reading, protocol=protocol), tmp_path)[0].paths["units"]
        for protocol in ("own", "xtreme", "jiant")
    }
    assert len(set(units.values())) == 3
    assert all((tmp_path / path).is_file() for path in units.values())


def test_reads_at_the_protocols_length_as_far_as_the_trunk_has_positions(subject):
    model, _, _, reading = subject("nli")
    trunk = model.encoder.trunk
    assert reading.length(model.format, trunk) == min(reading.max_length, trunk.config.max_length)
    assert replace(reading, protocol="xtreme").length(model.format, trunk) == trunk.config.max_length < 128
