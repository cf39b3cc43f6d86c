"""A score on the rows that a run learned from, or was selected on, says so."""

from __future__ import annotations

import shutil

import pytest
from asking import evaluation

from adapter_stilts.reporting import Silent
from adapter_stilts.runs.evaluate import evaluate
from adapter_stilts.statistics.result import remarks


@pytest.fixture
def told(trained, tmp_path):
    """Train on a.tsv, select on b.tsv; `told(name)` scores a file as a test and returns what is remarked."""
    for name in ("a", "b", "c"):
        rows = "".join(f"{name} buys {n} books\t{('x', 'y')[n % 2]}\n" for n in range(24))
        (tmp_path / f"{name}.tsv").write_text(f"text\tlabel\n{rows}")
    shutil.copy(tmp_path / "a.tsv", tmp_path / "copy.tsv")
    sources = tuple(f"{split}={tmp_path / name}.tsv" for split, name in (("train", "a"), ("validation", "b")))
    run = trained("single", data__sources=sources)

    def score(name):
        asked = evaluation(run=run, trunk=None, tasks=("single",), data=(f"test={tmp_path / name}.tsv",))
        how = {"out": None, "runs": tmp_path, "overwrite": False, "dry_run": False, "report": Silent()}
        return " ".join(remarks(evaluate(asked, **how).results))

    return score


def test_says_that_a_score_is_of_rows_that_were_learned_from_or_selected_on(told):
    assert "copy.tsv holds rows that the run was trained on: it says nothing of other rows" in told("copy")
    assert "b.tsv holds rows that the run was selected on" in told("b")
    assert "holds rows" not in told("c")


def test_says_that_the_validation_rows_are_the_training_rows(trained, tmp_path, heard):
    rows = "".join(f"book {n}\t{('x', 'y')[n % 2]}\n" for n in range(24))
    (tmp_path / "a.tsv").write_text(f"text\tlabel\n{rows}")
    sources = tuple(f"{split}={tmp_path}/a.tsv" for split in ("train", "validation"))
    trained("single", data__sources=sources, report=heard)
    assert len([line for line in heard.lines if "the validation rows are the training rows" in line]) == 1
