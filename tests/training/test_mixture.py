"""Training several tasks at once: resumed exactly, its losses logged by task, its best step chosen by their mean."""

from __future__ import annotations

from dataclasses import replace

import pytest
from plans import changed, train
from plans import plan as make_plan

from adapter_stilts.errors import Interrupted, StiltsError
from adapter_stilts.training.interrupt import StopSignal
from adapter_stilts.training.plan import Mixture

PLAN = make_plan(
    max_steps=24,
    learning_rate=0.01,
    token_budget=120,
    log_steps=5,
    checkpoint_steps=7,
    evaluate_steps=6,
    patience=0,
    seed=5,
)


@pytest.fixture
def mixture(toy):
    return Mixture({"first": toy.toy_data(), "second": toy.toy_data(40)}, {"first": 0.6, "second": 0.4})


@pytest.mark.parametrize("step", [1, 6, 7, 8, 23])
def test_resumes_as_if_it_had_never_stopped(toy, mixture, tmp_path, same_bits, rows_without_times, step):
    plan = changed(PLAN, accumulation=2)
    whole, parts, fresh = toy.Toy(), toy.Toy(), toy.Toy()
    unbroken = train(whole, mixture, plan, folder=tmp_path / "whole", validate=toy.accuracy)
    stop = StopSignal()

    def at(progress):
        if progress.step == step:
            stop.request()

    with pytest.raises(Interrupted):
        train(parts, mixture, plan, folder=tmp_path / "parts", validate=toy.accuracy, stop=stop, progress=at)
    resumed = train(fresh, mixture, plan, folder=tmp_path / "parts", validate=toy.accuracy, resume=True)
    assert same_bits(toy.trained(fresh), toy.trained(whole))
    assert replace(resumed, seconds=0.0) == replace(unbroken, seconds=0.0)
    assert rows_without_times(tmp_path / "parts") == rows_without_times(tmp_path / "whole")


def test_counts_the_steps_of_each_task_and_logs_its_loss(toy, mixture, tmp_path, rows_without_times):
    losses = {}
    plan = changed(PLAN, log_steps=1)
    outcome = train(toy.Toy(), mixture, plan, folder=tmp_path)
    rows, before = [row for row in rows_without_times(tmp_path) if "loss" in row], {"first": 0, "second": 0}
    for row in rows:
        steps = {task: found["steps"] for task, found in row["tasks"].items()}
        (learned,) = [task for task in steps if steps[task] == before[task] + 1]
        assert row["tasks"][learned]["loss"] == row["loss"]
        assert all(found["loss"] is None for task, found in row["tasks"].items() if task != learned)
        losses.setdefault(learned, []).append(row["loss"])
        before = steps
    assert before == outcome.tasks == {task: len(found) for task, found in losses.items()}
    rarely = train(toy.Toy(), mixture, changed(plan, log_steps=24), folder=tmp_path / "rarely")
    (row,) = [row for row in rows_without_times(tmp_path / "rarely") if "loss" in row]
    for task, found in losses.items():
        assert row["tasks"][task]["loss"] == pytest.approx(sum(found) / len(found))
    assert rarely.losses[0][1] == pytest.approx(sum(map(sum, losses.values())) / 24)


def test_keeps_the_step_with_the_best_mean_of_the_tasks_scores(toy, mixture, tmp_path, rows_without_times):
    scores = iter(
        [
            {"first": 0.9, "second": 0.1},
            {"first": 0.2, "second": 0.9},
            {"first": 1.0, "second": 0.05},
            {"first": 0.5, "second": 0.5},
        ]
    )
    outcome = train(toy.Toy(), mixture, PLAN, folder=tmp_path, validate=lambda model: next(scores))
    assert (outcome.best_step, outcome.best_score) == (12, pytest.approx(0.55))
    rows = [row for row in rows_without_times(tmp_path) if "scores" in row]
    assert [row["best"] for row in rows] == [True, True, False, False]
    assert rows[1]["scores"] == {"first": 0.2, "second": 0.9}


def test_stops_early_on_the_mean(toy, mixture):
    scores = iter([{"first": 0.9, "second": 0.1}, {"first": 1.0, "second": 0.0}, {"first": 0.0, "second": 0.9}])
    outcome = train(toy.Toy(), mixture, changed(PLAN, patience=1), validate=lambda model: next(scores))
    assert (outcome.stopped_by, outcome.steps, outcome.best_step) == ("patience", 12, 6)


def test_refuses_a_score_that_is_no_number(toy, mixture):
    with pytest.raises(StiltsError, match="the validation score at step 6 is nan"):
        train(toy.Toy(), mixture, PLAN, validate=lambda model: {"first": float("nan"), "second": 0.5})
