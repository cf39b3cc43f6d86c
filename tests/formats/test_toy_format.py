"""A format that is one file trains, evaluates, predicts and scores through the ordinary doors."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from asking import evaluation

from adapter_stilts.errors import ConfigError, TaskDataError
from adapter_stilts.evaluation.score import score
from adapter_stilts.formats.base import formats
from adapter_stilts.metrics.base import Options, metrics
from adapter_stilts.metrics.forms import forms
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.evaluate import evaluate
from adapter_stilts.runs.train import train
from adapter_stilts.tasks.user import find_task

WORDS = ("awful", "bad", "fair", "good", "superb")
TASK = """
name: stars
format: grades
languages: en
files: {train: [stars.train.jsonl], validation: [stars.dev.jsonl], test: [stars.test.jsonl]}
"""


@pytest.fixture
def grades(monkeypatch):
    """The toy format, for one test alone."""
    for registry in (formats, metrics, forms):
        list(registry)  # imports its package
        monkeypatch.setattr(registry, "_things", dict(registry._things))
    spec = importlib.util.spec_from_file_location("grades", Path(__file__).with_name("grades.py"))
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "grades", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path):
    """Its task file and its rows: a text of a word that tells the grade."""
    for split, count in (("train", 40), ("dev", 10), ("test", 15)):
        rows = [{"id": str(n), "text": f"A {WORDS[n % 5]} film, number {n}.", "stars": n % 5 + 1} for n in range(count)]
        (tmp_path / f"stars.{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "stars.yaml").write_text(TASK)
    return tmp_path


@pytest.fixture
def run(grades, folder, config):
    """A run that has learned it for some steps."""
    task = str(folder / "stars.yaml")
    chosen = config(task, data__sources=(str(folder),), training__max_steps=8)
    again = {"resume": True, "overwrite": False, "dry_run": False}
    found = train(chosen, (task,), out=folder / "run", runs=folder, report=Silent(), **again)
    assert [(row.metric, row.n, row.split) for row in found.results] == [("nearness", 10, "validation")]
    return found.folder


def evaluated(run, folder):
    request = evaluation(run=run, trunk=None, tasks=(str(folder / "stars.yaml"),), data=(str(folder),))
    return evaluate(request, out=None, runs=folder, overwrite=False, dry_run=False, report=Silent())


def test_trains_and_is_evaluated_and_its_prediction_file_scores_the_same(run, folder):
    (row,) = evaluated(run, folder).results
    assert (row.metric, row.n, row.headline) == ("nearness", 15, True)
    assert json.loads((run / "head" / "head.json").read_text())["labels"] == ["1", "2", "3", "4", "5"]
    predictions = run / row.paths["predictions"]
    assert predictions.name == "test-en.txt"
    guesses = [line.count("*") for line in predictions.read_text().splitlines()]
    assert row.score == pytest.approx(1 - sum(abs(guess - (n % 5 + 1)) for n, guess in enumerate(guesses)) / 4 / 15)
    (folder / "gold.txt").write_text("".join("*" * (n % 5 + 1) + "\n" for n in range(15)))
    gold, task = folder / "gold.txt", str(folder / "stars.yaml")
    (again,) = score(gold, predictions, Options(language=""), task=task, report=Silent())
    assert again.score == row.score


def test_predicts_rows_whose_labels_are_withheld(run, folder):
    rows = [{"id": str(n), "text": f"A {WORDS[n % 5]} film."} for n in range(4)]
    (folder / "stars.test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    document = evaluated(run, folder)
    (row,) = document.predicted
    assert document.results == ()
    assert len((run / row.predictions).read_text().splitlines()) == row.n == 4


def test_is_known_wherever_formats_are(grades, folder):
    task = find_task(str(folder / "stars.yaml"))
    assert (task.metric, task.max_length, task.format.metrics) == ("nearness", 128, ("nearness",))
    assert sorted(
        row.grade for row in task.format.shuffled([grades.Graded(str(n), "a", n) for n in (1, 2, 5)], _Backwards())
    ) == [1, 2, 5]
    (folder / "stars.yaml").write_text(TASK + "metric: accuracy\n")
    with pytest.raises(ConfigError, match=r"'accuracy' does not suit the format 'grades' \(one of: nearness\)"):
        find_task(str(folder / "stars.yaml"))


def test_is_refused_by_its_own_reader(run, folder):
    (folder / "stars.test.jsonl").write_text('{"text": "x", "stars": 9}\n')
    with pytest.raises(TaskDataError, match="grade 9 is not one of: 1 to 5"):
        evaluated(run, folder)


class _Backwards:
    def shuffle(self, values):
        values.reverse()
