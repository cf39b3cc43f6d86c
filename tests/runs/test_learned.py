"""A run that did not learn says so: when it ends, in its folder, in lists, and to whatever builds on it."""

from __future__ import annotations

import pytest

from adapter_stilts.mining.encode import Encoding, encode
from adapter_stilts.mining.find import Finder
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.evaluate import evaluate
from adapter_stilts.runs.inspect import info, list_runs
from adapter_stilts.runs.results import read_results
from adapter_stilts.runs.subject import Request
from adapter_stilts.sharing.manifest import read_manifest
from adapter_stilts.sharing.metadata import in_markdown


@pytest.fixture
def weak(data):
    """Settings under which nothing is learned of 30 validation rows."""
    return {"data__sources": data("nli", validation=30), "training__learning_rate": 1e-6}


def test_knows_a_run_that_learned(trained, heard, data):
    run = trained("ner", training__max_steps=30, data__sources=data("ner", 60, validation=30), report=heard)
    manifest = read_manifest(run)
    learning = manifest.training.learned["ner"]
    assert (learning.learned, learning.one_class) == (True, False)
    assert learning.interval[0] > learning.baseline.best == pytest.approx(4 / 6)  # four of six words are O
    assert (manifest.unlearned, manifest.did_not_learn) == ({}, False)
    assert not [line for line in heard.lines if "did not learn" in line]
    assert "id not learn" not in (run / "README.md").read_text()
    assert [row["state"] for row in list_runs(run.parent)] == ["finished"]


def test_says_that_a_run_did_not_learn_wherever_it_appears(trained, heard, weak):
    run = trained("nli", report=heard, **weak)
    manifest = read_manifest(run)
    (learning,) = manifest.unlearned.values()
    assert (learning.learned, learning.n, manifest.did_not_learn) == (False, 30, True)
    assert heard.lines[-1].startswith("did not learn: ")
    advice = manifest.training.advice
    assert heard.lines[-1].endswith(f"; {advice}")
    assert advice.startswith("the rate 1e-06 is low for ")
    assert ": try --set training.learning_rate=" in advice
    said = heard.lines[-1].removeprefix("d")
    assert f"**D{in_markdown(said)}.**" in (run / "README.md").read_text()
    (listed,) = list_runs(run.parent)
    assert (listed["state"], listed["unlearned"]) == ("finished, did not learn", ["nli"])
    stored = info(run)["training"]["learned"]["nli"]
    assert stored["learned"] is False
    assert stored["baseline"] == {"metric": "accuracy", "chance": pytest.approx(1 / 3), "majority": 1 / 3}
    trained("nli", report=heard, **weak)
    assert heard.lines[-2] == f"d{said}"
    assert "holds this run already" in heard.lines[-1]


def test_says_plainly_that_a_control_did_not_learn(trained, heard, weak):
    run = trained("nli", control="shuffled-labels", report=heard, **weak)
    assert heard.lines[-1].startswith("did not learn, as a control should not: ")
    assert "--set" not in heard.lines[-1]
    (listed,) = list_runs(run.parent)
    assert listed["state"] == "finished (shuffled-labels)"
    heard.lines.clear()
    trained("paraphrase", how="stack", after=[str(run)], report=heard)
    assert not [line for line in heard.lines if run.name in line]


def test_says_so_before_anything_is_built_on_such_a_run_or_read_with_it(trained, heard, weak, config):
    run = trained("nli", **weak)
    first = f"{run.name} did not learn nli: "
    for how in ("sequential", "stack"):
        heard.lines.clear()
        trained("paraphrase", how=how, after=[str(run)], report=heard)
        assert heard.lines[0].startswith(first)
        assert "; what comes of it shows nothing of transfer; the rate 1e-06 is low" in heard.lines[0]
        assert heard.lines[0].count("did not learn") == 1
    other = trained("paraphrase")
    heard.lines.clear()
    trained("nli", how="fuse", after=[str(run), str(other)], report=heard)
    assert [line for line in heard.lines if "what comes of it" in line] == [heard.lines[0]]
    heard.lines.clear()
    asked = Request(config("nli"), ("nli",), run=run, split="validation")
    evaluate(asked, out=None, runs=run.parent, overwrite=False, dry_run=False, report=heard)
    assert heard.lines[0].startswith(first)


def test_knows_nothing_of_few_rows_and_has_no_baseline_for_masked_text(trained, heard):
    run = trained("nli", report=heard)  # 12 validation rows
    (learning,) = read_manifest(run).training.learned.values()
    assert learning.learned is None
    assert not read_manifest(run).did_not_learn
    assert not [line for line in heard.lines if "did not learn" in line]
    assert "learned" not in read_manifest(trained("mlm")).training.model_dump()


def test_names_the_task_of_several(trained, heard, data):
    sources = [f"{task}/{source}" for task in ("nli", "paraphrase") for source in data(task, validation=30)]
    joint = {"data__sources": sources, "training__learning_rate": 1e-6}
    run = trained("nli,paraphrase", report=heard, **joint)
    assert read_manifest(run).did_not_learn
    assert [line.partition(":")[0] for line in heard.lines[-2:]] == ["did not learn nli", "did not learn paraphrase"]


def test_puts_the_majority_beside_accuracy_and_marks_one_class(trained, weak, monkeypatch):
    (row,) = read_results(trained("nli", **weak))
    assert (row.notes["majority"], row.notes["chance"]) == (1 / 3, pytest.approx(1 / 3))
    alike = "adapter_stilts.formats.pair.ClassifiedFormat.decode"
    monkeypatch.setattr(alike, lambda self, examples, *values: ["neutral"] * len(examples))
    run = trained("nli", out="alike", **weak)
    (row,) = read_results(run)
    assert row.notes["one_class"] is True
    (learning,) = read_manifest(run).unlearned.values()
    assert learning.numbers == "every prediction is the same, accuracy 33.3 (n 30)"


def test_compares_a_tagger_by_the_accuracy_of_its_tags(trained, data):
    run = trained("ner", data__sources=data("ner", validation=30), training__learning_rate=1e-6)
    beside = {row.metric: row.notes.get("majority") for row in read_results(run)}
    assert beside == {"f1": None, "precision": None, "recall": None, "token_accuracy": pytest.approx(4 / 6)}
    assert read_manifest(run).did_not_learn


def test_has_nothing_to_say_of_a_random_adapter(trained):
    parent = trained("paraphrase")
    run = trained("nli", how="sequential", after=[str(parent)], control="random-adapter", report=Silent())
    assert read_manifest(run).training.learned == {}


def test_says_it_to_whoever_reads_vectors_with_it(trained, heard, weak, tmp_path):
    run = trained("nli", **weak)
    (tmp_path / "news.en").write_text("The train is late.\nA cat sleeps.\n")
    request = Encoding(tmp_path / "news.en", run)
    encode(request, out=tmp_path / "v", runs=tmp_path, overwrite=False, dry_run=False, report=heard)
    with Finder.open(request, runs=tmp_path, report=heard):
        pass
    assert len([line for line in heard.lines if line.startswith(f"{run.name} did not learn nli")]) == 2
