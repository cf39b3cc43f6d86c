"""Runs under a limit of memory: what is chosen, said and remembered, and what is refused."""

import json
from pathlib import Path

import pytest

from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.trunk.config import LARGE
from adapter_stilts.errors import DoesNotFit, MissingError, UsageError
from adapter_stilts.planning.fit import GB, SURE
from adapter_stilts.planning.memory import Work, memory, peak
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.forecast import foresee as foreseeing
from adapter_stilts.runs.forecast.foresee import Rows, foresee
from adapter_stilts.runs.forecast.limits import under_limit
from adapter_stilts.runs.prepare import prepare, training_plan
from adapter_stilts.runs.subject import Request, subject_of
from adapter_stilts.training.plan import TrainingPlan

CONFIG = with_settings(RunConfig(), {"training.token_budget": 4096, "training.max_steps": 3, "training.rows": 60})
WORK = Work(LARGE, tokens=4096, length=128, data=10_000)


def plan(**numbers):
    return TrainingPlan(**{"learning_rate": 1e-3, "token_budget": 4096, **numbers})


def bound(work):
    return 1.001 * SURE * peak(work) / GB


def test_a_limit_changes_batches_and_is_said_and_remembered():
    whole = prepare(CONFIG, ["nli"], 100.0)
    assert (whole.plan.token_budget, whole.fitted) == (4096, "")
    # so small a trunk is all libraries: the limit lies between what 4,096 and fewer tokens need
    foreseen = [peak(Work(whole.trunk.config, tokens=tokens, length=64)) for tokens in (4096, 128)]
    assert foreseen[0] > foreseen[1]
    tight = prepare(CONFIG, ["nli"], (foreseen[0] + foreseen[1]) / 2 * SURE / GB)
    assert tight.plan.token_budget < 4096
    assert tight.plan.token_budget * tight.plan.accumulation == 4096
    assert tight.config.training.token_budget == tight.plan.token_budget
    assert "tokens at once" in tight.fitted
    assert tight.fitted in list(tight.notes)
    assert tight.identity != whole.identity
    assert prepare(CONFIG, ["nli"], (foreseen[0] + foreseen[1]) / 2 * SURE / GB).identity == tight.identity


def test_nothing_fits_in_less_than_the_libraries():
    with pytest.raises(DoesNotFit, match="libraries 0.40") as caught:
        prepare(CONFIG, ["nli"], 0.2)
    assert caught.value.exit_code == 5


def test_a_limit_is_a_number_above_0():
    with pytest.raises(UsageError, match="above 0"):
        prepare(CONFIG, ["nli"], 0.0)


def test_rows_of_a_protocol_are_parted_and_accumulated():
    tokens = 16 * 128
    work = Work(LARGE, tokens=tokens, length=128, data=10_000)
    limit = 0.999 * SURE * peak(work) / GB
    changed, said = under_limit(plan(batch_rows=16, accumulation=2), work, limit, chosen=True, compared=False)
    assert changed.batch_rows * changed.accumulation == 32
    assert changed.batch_rows < 16
    assert said


def test_rows_that_are_compared_stay_together():
    limit = 0.8 * SURE * peak(WORK) / GB
    changed, said = under_limit(plan(), WORK, limit, chosen=True, compared=True)
    assert (changed.token_budget, changed.accumulation, changed.gradient_checkpointing) == (4096, 1, True)
    assert "computed again" in said


def test_without_a_limit_what_was_chosen_stays_and_what_was_not_follows_the_machine(monkeypatch):
    there = 0.8 * SURE * peak(WORK) / 0.9
    monkeypatch.setattr("adapter_stilts.planning.fit.memory_there_is", lambda device: there)
    changed, said = under_limit(plan(), WORK, None, chosen=False, compared=False)
    assert changed.token_budget < 4096
    assert "this machine" in said
    monkeypatch.setattr("adapter_stilts.planning.fit.memory_there_is", lambda device: 1e8)
    same, said = under_limit(plan(), WORK, None, chosen=True, compared=False)
    assert same == plan()
    assert "may not fit" in said


def test_reading_takes_fewer_tokens_at_once():
    asked = with_settings(RunConfig(), {})
    plain = subject_of(Request(asked, ("tatoeba",)), Path("there"), Path("runs"))
    assert plain.token_budget == 2048
    with pytest.raises(DoesNotFit, match="libraries"):
        subject_of(Request(asked, ("tatoeba",), limit_gb=0.3), Path("there"), Path("runs"))
    assert subject_of(Request(asked, ("tatoeba",), limit_gb=0.55), Path("there"), Path("runs")).token_budget <= 2048


def foreseen(settings=None, rows=None, **more):
    named = {"trunk.name": "FacebookAI/xlm-roberta-large", "trunk.precision": "bf16"}
    config = with_settings(RunConfig(), {**named, **(settings or {})})
    return foresee(config, more.pop("task", ""), rows or Rows(), report=Silent(), **more)


def test_plan_tells_what_train_would_choose():
    told = foreseen(limit_gb=2.5, rows=Rows(10_000, 40.0, 3))
    assert told.work.tokens * told.accumulation == 2048
    assert SURE * told.bytes <= 2.5 * GB
    document = told.document()
    assert document["bytes"] == sum(document["memory"].values()) == sum(memory(told.work).values())
    assert document["settings"]["training.token_budget"] == told.work.tokens
    assert document["changed"]


def test_plan_counts_steps_as_a_training_does():
    assert foreseen().steps is None
    assert foreseen({"training.max_steps": 7}).steps == 7
    assert foreseen(rows=Rows(20_480, 100.0)).steps == 3 * 1000
    assert foreseen({"training.epochs": 1}, Rows(20_480, 100.0)).steps == 1000
    assert foreseen(rows=Rows(100, 10.0)).steps == 300
    assert training_plan(CONFIG, "seq_bn").max_steps == 3


def test_plan_knows_tasks_cards_and_fusions():
    assert foreseen(task="xquad").work.length == 384
    card = foreseen(device="cuda")
    assert card.bytes < foreseen().bytes
    assert foreseen(fused=3).bytes > foreseen(below=2).bytes > foreseen().bytes


def test_plan_refuses_a_trunk_it_knows_nothing_of():
    with pytest.raises(MissingError, match="only the numbers of XLM-R"):
        foreseen({"trunk.name": "someone/some-encoder"})


def test_a_probe_measures_once_and_its_rate_is_remembered(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    small = {"training.token_budget": 256, "training.max_length": 32, "trunk.precision": "fp32"}
    config = with_settings(RunConfig(), small)
    assert foresee(config, "", Rows(1000, 16.0), report=Silent()).seconds is None
    told = foresee(config, "", Rows(1000, 16.0), probe=True, report=Silent())
    assert told.measured["seconds"] > 0
    assert told.measured["operations"] > 1e6
    assert 0.15 * GB < told.bytes < 2 * GB
    again = foresee(config, "", Rows(1000, 16.0), report=Silent())
    assert again.seconds == pytest.approx(told.seconds, rel=0.01)
    path = tmp_path / "adapter-stilts" / "plan" / foreseeing.RATES
    assert len(json.loads(path.read_text())) == 1
    path.write_text("[]")
    assert foresee(config, "", Rows(1000, 16.0), report=Silent()).seconds is None
