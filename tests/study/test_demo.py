"""The demo as a whole, cut to a step per stage: every arm and every control is there, and the table follows from the scores."""

from __future__ import annotations

import json

import numpy as np
import pytest

from adapter_stilts.study import demo as module
from adapter_stilts.study.reporting import Silent


@pytest.fixture
def short(monkeypatch, tmp_path):
    """`short()` runs the demo with one optimiser step per stage."""
    for section in (module.INTERMEDIATE, module.TARGETED):
        monkeypatch.setitem(section, "training.max_steps", 1)
        monkeypatch.setitem(section, "training.rows", 20)
    return lambda dry_run=False: module.demo(out=tmp_path / "demo", seed=13, overwrite=False, dry_run=dry_run, report=Silent())


def test_scores_every_arm_and_both_controls_and_goes_on_where_it_stopped(short, tmp_path):
    found = short()
    assert [row["arm"] for row in found["target"]] == [stage.label for stage in module.STAGES if stage.label]
    assert {row["task"] for row in found["retrieval"]} == {"tatoeba", "bucc2018"}
    assert sum("control" in row["arm"] for row in found["target"]) == 2
    direct, second = found["target"][0], found["target"][1]
    scores = [
        row["score"] for row in found["results"] if row["run"] == "direct" and row["task"] == "panx" and row["split"] == "test" and row["language"] != "en"
    ]
    assert direct["score"] == pytest.approx(np.mean(scores))
    assert second["gain"] == pytest.approx(second["score"] - direct["score"], abs=1e-9)
    assert json.loads((tmp_path / "demo" / "demo.json").read_text())["verdicts"] == found["verdicts"]
    assert short()["target"] == found["target"]


def test_says_what_it_would_do_and_does_nothing(short, tmp_path):
    assert short(dry_run=True)["stages"] == [stage.name for stage in module.STAGES]
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize(("low", "high", "word"), [(0.01, 0.05, "helped"), (-0.05, -0.01, "hurt"), (-0.01, 0.02, "made no difference")])
def test_calls_a_gain_what_its_interval_says(low, high, word):
    assert word in module._verdict({"task": "panx", "arm": "stack", "gain": (low + high) / 2, "interval": [low, high]})
