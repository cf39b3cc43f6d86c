import math
import shutil
from dataclasses import replace
from unittest.mock import ANY

import pytest
import torch
from plans import changed, train
from plans import plan as make_plan
from torch import nn

from adapter_stilts.errors import ConfigError, Interrupted, StiltsError, TaskDataError
from adapter_stilts.training.interrupt import StopSignal

PLAN = make_plan(max_steps=30, learning_rate=0.01, token_budget=150, log_steps=4, checkpoint_steps=7, seed=5)


def stopping_at(step):
    """A stop signal and a progress callback that requests it once `step` is done."""
    stop = StopSignal()
    return stop, lambda progress: stop.request() if progress.step == step else None


def test_changes_what_requires_a_gradient_and_nothing_else(toy):
    model = toy.Toy()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    train(model, toy.toy_data(), PLAN)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"adapter.weight", "adapter.bias", "fusion", "head.weight", "head.bias"}


def test_learns_what_there_is_to_learn(toy):
    model = toy.Toy(dropout=0.0)
    outcome = train(model, toy.toy_data(), changed(PLAN, max_steps=150, learning_rate=0.05))
    assert outcome.losses[0][1] > 0.95
    assert outcome.losses[-1][1] < 0.7


def test_takes_the_step_that_adamw_takes_on_the_mean_loss(toy):
    """Expected: torch's AdamW on the mean loss of all rows plus the penalty, with the same clipping and groups, by
    hand."""
    plan = make_plan(max_steps=1, learning_rate=0.02, warmup=0.0, weight_decay=0.5, clip=0.1, accumulation=1000)
    model, expected = toy.Toy(dropout=0.0), toy.Toy(dropout=0.0)
    data = toy.toy_data(unlabelled=10)
    train(model, data, plan)
    batch = data.collate(range(toy.ROWS))
    mean = nn.functional.cross_entropy(expected(batch), batch["labels"])
    (mean + 0.01 * (expected.fusion - torch.eye(toy.WIDTH)).square().sum()).backward()
    parameters = [parameter for parameter in expected.parameters() if parameter.requires_grad]
    nn.utils.clip_grad_norm_(parameters, 0.1)
    decayed = [expected.adapter.weight, expected.head.weight]
    kept = [expected.adapter.bias, expected.head.bias, expected.fusion]
    torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.5}, {"params": kept, "weight_decay": 0.0}], lr=0.02, eps=1e-8
    ).step()
    for name, value in toy.trained(model).items():
        torch.testing.assert_close(value, toy.trained(expected)[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("unlabelled", [0, 40])
def test_accumulates_to_the_step_of_one_large_batch(toy, unlabelled):
    data = toy.toy_data(unlabelled=unlabelled)
    small, large = toy.Toy(dropout=0.0), toy.Toy(dropout=0.0)
    plan = make_plan(epochs=4, learning_rate=0.01, seed=3)
    one = train(small, data, changed(plan, token_budget=40, accumulation=1000, log_steps=1))
    other = train(large, data, changed(plan, token_budget=400, accumulation=1000, log_steps=1))
    assert (one.steps, other.steps) == (4, 4)
    for name, value in toy.trained(small).items():
        torch.testing.assert_close(value, toy.trained(large)[name], rtol=1e-4, atol=1e-6)
    assert [loss for _, loss in one.losses] == pytest.approx([loss for _, loss in other.losses], rel=1e-5)


def test_adds_the_penalty_in_the_step_it_was_computed_in(toy):
    """With no labelled row the penalty is all there is: after one step fusion has moved towards the identity, the rest
    stands still."""
    model = toy.Toy(dropout=0.0)
    before = toy.trained(model)
    train(
        model,
        toy.toy_data(unlabelled=toy.ROWS),
        make_plan(max_steps=1, learning_rate=0.01, warmup=0.0, weight_decay=0.0, accumulation=1000),
    )
    assert (model.fusion - torch.eye(toy.WIDTH)).norm() < (before["fusion"] - torch.eye(toy.WIDTH)).norm()
    assert torch.equal(model.head.weight, before["head.weight"])
    plain = toy.Toy(dropout=0.0)
    train(
        plain,
        toy.toy_data(unlabelled=toy.ROWS),
        make_plan(max_steps=1, fusion_penalty=0.0, weight_decay=0.0, accumulation=1000),
    )
    assert torch.equal(plain.fusion, before["fusion"])


@pytest.mark.parametrize("step", [1, 2, 6, 7, 8, 13, 29])
def test_resumes_as_if_it_had_never_stopped(toy, tmp_path, same_bits, rows_without_times, step):
    plan = changed(PLAN, accumulation=2, evaluate_steps=6, patience=0)
    whole, parts = toy.Toy(), toy.Toy()
    unbroken = train(whole, toy.toy_data(), plan, folder=tmp_path / "whole", validate=toy.accuracy)
    stop, at = stopping_at(step)
    with pytest.raises(Interrupted, match=f"stopped at step {step} of 30"):
        train(parts, toy.toy_data(), plan, folder=tmp_path / "parts", validate=toy.accuracy, stop=stop, progress=at)
    fresh = toy.Toy()
    resumed = train(fresh, toy.toy_data(), plan, folder=tmp_path / "parts", validate=toy.accuracy, resume=True)
    assert same_bits(toy.trained(fresh), toy.trained(whole))
    assert replace(resumed, seconds=0.0) == replace(unbroken, seconds=0.0)
    assert rows_without_times(tmp_path / "parts") == rows_without_times(tmp_path / "whole")


def test_removes_the_checkpoint_before_which_a_kill_left_beside_the_last(toy, tmp_path):
    kept = []

    def keep(progress):
        if progress.step == 20:
            kept.append(shutil.copytree(next((tmp_path / "checkpoints").iterdir()), tmp_path / "before"))

    train(toy.Toy(), toy.toy_data(), PLAN, folder=tmp_path, progress=keep)
    last = [path.name for path in (tmp_path / "checkpoints").iterdir()]
    shutil.move(kept[0], tmp_path / "checkpoints/step-00000014")
    train(toy.Toy(), toy.toy_data(), PLAN, folder=tmp_path, resume=True)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == last


def test_goes_back_to_the_last_checkpoint_and_its_metrics(toy, tmp_path, same_bits, rows_without_times):
    """A death between two checkpoints: rows written after the last one are written again, not twice."""
    whole = toy.Toy()
    train(whole, toy.toy_data(), PLAN, folder=tmp_path / "whole")

    def die(progress):
        if progress.step == 13:
            raise MemoryError

    with pytest.raises(MemoryError):
        train(toy.Toy(), toy.toy_data(), PLAN, folder=tmp_path / "parts", progress=die)
    assert [row["step"] for row in rows_without_times(tmp_path / "parts")] == [4, 8, 12]
    assert [path.name for path in (tmp_path / "parts/checkpoints").iterdir()] == ["step-00000007"]
    with (tmp_path / "parts/metrics.jsonl").open("a") as stream:
        stream.write('{"step": 13, "lo')
    fresh = toy.Toy()
    train(fresh, toy.toy_data(), PLAN, folder=tmp_path / "parts", resume=True)
    assert same_bits(toy.trained(fresh), toy.trained(whole))
    assert rows_without_times(tmp_path / "parts") == rows_without_times(tmp_path / "whole")


def test_draws_nothing_from_an_evaluation(toy, same_bits):
    """Validation that draws random numbers does not shift training."""
    quiet, noisy = toy.Toy(), toy.Toy()

    def draw(model):
        return float(torch.rand(()))

    train(quiet, toy.toy_data(), PLAN)
    train(noisy, toy.toy_data(), changed(PLAN, evaluate_steps=30), validate=draw)
    assert same_bits(toy.trained(quiet), toy.trained(noisy))


def test_leaves_the_callers_generators_alone(toy):
    model = toy.Toy()
    torch.manual_seed(99)
    before = torch.get_rng_state()
    train(model, toy.toy_data(), PLAN)
    assert torch.equal(torch.get_rng_state(), before)


def test_trains_the_same_whatever_was_drawn_before(toy, same_bits):
    one, other = toy.Toy(), toy.Toy()
    train(one, toy.toy_data(), PLAN)
    torch.rand(3)
    train(other, toy.toy_data(), PLAN)
    assert same_bits(toy.trained(one), toy.trained(other))


def test_keeps_the_step_it_was_told_to_of_a_course_planned_for_all(toy, same_bits):
    """As a control does: validation, whose best step comes earlier, chooses nothing, and the rate falls as ever."""
    whole, cut = toy.Toy(), toy.Toy()
    scores = iter([0.9, 0.1, 0.1])
    outcome = train(
        cut,
        toy.toy_data(),
        changed(PLAN, keep_step=12, select=False, evaluate_steps=4),
        validate=lambda model: next(scores),
    )
    assert (outcome.steps, outcome.best_step, outcome.best_score, outcome.stopped_by) == (12, 12, 0.1, "kept step")
    stop, progress = stopping_at(12)
    with pytest.raises(Interrupted):
        train(whole, toy.toy_data(), PLAN, stop=stop, progress=progress)
    assert same_bits(toy.trained(cut), toy.trained(whole))


def test_loads_the_best_step_whole(toy, same_bits):
    """Scores by script: the third evaluation is the best, and all trained parts are those of its step."""
    scores = iter([0.1, 0.3, 0.9, 0.5, 0.9, 0.2])
    seen = []

    def validate(model):
        seen.append(toy.trained(model))
        return next(scores)

    model = toy.Toy()
    outcome = train(model, toy.toy_data(), changed(PLAN, evaluate_steps=5), validate=validate)
    assert (outcome.best_step, outcome.best_score, outcome.stopped_by) == (15, 0.9, "steps")
    assert same_bits(toy.trained(model), seen[2])


def test_stops_after_evaluations_without_gain(toy):
    scores = iter([0.5, 0.6, 0.6, 0.4, 0.1])
    outcome = train(
        toy.Toy(), toy.toy_data(), changed(PLAN, evaluate_steps=2, patience=3), validate=lambda model: next(scores)
    )
    assert (outcome.steps, outcome.best_step, outcome.stopped_by) == (10, 4, "patience")


def test_evaluates_at_the_last_step_too(toy):
    asked = []
    train(toy.Toy(), toy.toy_data(), changed(PLAN, evaluate_steps=20), validate=lambda model: asked.append(1) or 0.5)
    assert len(asked) == 2


def test_evaluates_after_every_epoch_unless_told_otherwise(toy, tmp_path, rows_without_times):
    outcome = train(
        toy.Toy(), toy.toy_data(), make_plan(epochs=3, token_budget=200), folder=tmp_path, validate=lambda model: 0.5
    )
    evaluations = [row for row in rows_without_times(tmp_path) if "score" in row]
    assert [row["epoch"] for row in evaluations] == [1, 2, 3]
    assert [row["best"] for row in evaluations] == [True, False, False]
    assert (outcome.epochs, outcome.stopped_by) == (3, "epochs")


def test_runs_an_evaluation_that_was_due_when_it_was_stopped(toy, tmp_path):
    plan = changed(PLAN, evaluate_steps=10)
    stop, at = stopping_at(10)
    asked = []
    with pytest.raises(Interrupted):
        train(toy.Toy(), toy.toy_data(), plan, folder=tmp_path, validate=toy.accuracy, stop=stop, progress=at)
    train(toy.Toy(), toy.toy_data(), plan, folder=tmp_path, validate=lambda model: asked.append(1) or 0.5, resume=True)
    assert len(asked) == 3


def test_returns_at_once_from_a_finished_training(toy, tmp_path, same_bits):
    first, again = toy.Toy(), toy.Toy()
    outcome = train(first, toy.toy_data(), changed(PLAN, evaluate_steps=10), folder=tmp_path, validate=toy.accuracy)
    repeated = train(
        again, toy.toy_data(), changed(PLAN, evaluate_steps=10), folder=tmp_path, validate=ANY, resume=True
    )
    assert repeated == outcome
    assert same_bits(toy.trained(again), toy.trained(first))


def test_starts_afresh_where_resume_is_not_asked_for(toy, tmp_path, rows_without_times):
    train(toy.Toy(), toy.toy_data(), PLAN, folder=tmp_path)
    train(toy.Toy(), toy.toy_data(), changed(PLAN, max_steps=5), folder=tmp_path)
    assert [row["step"] for row in rows_without_times(tmp_path)] == [4, 5]


def test_writes_the_promised_row(toy, tmp_path, rows_without_times):
    data = toy.toy_data()
    train(
        toy.Toy(),
        data,
        make_plan(max_steps=2, learning_rate=0.01, warmup=0.5, accumulation=1000, log_steps=1),
        folder=tmp_path,
    )
    tokens = sum(data.lengths)
    first, second = rows_without_times(tmp_path)
    assert first == {
        "step": 1,
        "epoch": 1,
        "loss": ANY,
        "penalty": pytest.approx(0.01 * 64 * 0.01),
        "learning_rate": 0.01,
        "grad_norm": ANY,
        "tokens": tokens,
    }
    assert (second["epoch"], second["tokens"], second["learning_rate"]) == (2, 2 * tokens, 0.01)


def test_says_where_it_stands(toy):
    shown = []
    train(toy.Toy(), toy.toy_data(), PLAN, progress=shown.append)
    assert [(one.step, one.total) for one in shown] == [(step, 30) for step in range(1, 31)]
    assert shown[-1].seconds_left == 0
    assert all(one.tokens_per_second > 0 and one.seconds_left >= 0 for one in shown)


def test_stops_by_the_clock_with_the_rate_at_zero(toy):
    """One second a call of the clock, two calls a step would be wrong: sixty steps in one minute."""
    ticks = iter(range(10_000))
    rates = []
    plan = make_plan(minutes=1.0, learning_rate=1.0)
    outcome = train(
        toy.Toy(), toy.toy_data(), plan, clock=lambda: next(ticks), progress=lambda one: rates.append(one.learning_rate)
    )
    assert (outcome.steps, outcome.stopped_by) == (60, "minutes")
    assert max(rates) > 0.95
    assert rates[-1] == pytest.approx((1 - 59 / 60) / 0.9)


def test_stops_at_a_loss_that_is_not_a_number_and_keeps_what_was_learned(toy, tmp_path, same_bits):
    plan = changed(PLAN, evaluate_steps=3)

    def poison(batch, generator):
        calls.append(1)
        return {**batch, "attention_mask": batch["attention_mask"] * (math.nan if len(calls) == 12 else 1)}

    calls = []
    model = toy.Toy()
    message = (
        r"the loss is not a finite number at step 12; the weights of step 11 and the best ones are kept(.|\n)*lower "
        r"training.learning_rate"
    )
    with pytest.raises(StiltsError, match=message):
        train(model, toy.toy_data(prepare=poison), plan, folder=tmp_path, validate=toy.accuracy)
    assert all(value.isfinite().all() for value in toy.trained(model).values())
    calls = []
    resumed, whole = toy.Toy(), toy.Toy()
    train(resumed, toy.toy_data(), plan, folder=tmp_path, validate=toy.accuracy, resume=True)
    train(whole, toy.toy_data(), plan, validate=toy.accuracy)
    assert same_bits(toy.trained(resumed), toy.trained(whole))


def test_stops_at_a_score_that_is_not_a_number(toy):
    with pytest.raises(StiltsError, match="the validation score at step 30 is nan"):
        train(toy.Toy(), toy.toy_data(), changed(PLAN, evaluate_steps=30), validate=lambda model: math.nan)


def test_refuses_to_train_nothing(toy):
    with pytest.raises(StiltsError, match="nothing to train"):
        train(toy.Toy().requires_grad_(False), toy.toy_data(), PLAN)
    with pytest.raises(TaskDataError, match="no training examples"):
        train(toy.Toy(), toy.toy_data(0), PLAN)


def test_passes_gradient_checkpointing_on(toy):
    model = toy.Toy()
    train(model, toy.toy_data(), changed(PLAN, max_steps=1, gradient_checkpointing=True))
    assert model.recomputes


def test_trains_in_bfloat16_with_float32_weights(toy):
    model = toy.Toy()
    outcome = train(model, toy.toy_data(), changed(PLAN, precision="bf16"))
    assert math.isfinite(outcome.losses[-1][1])
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_refuses_fp16_on_the_cpu(toy, tmp_path):
    with pytest.raises(ConfigError, match=r"fp16 needs a CUDA device(.|\n)*bf16 or fp32"):
        train(toy.Toy(), toy.toy_data(), changed(PLAN, precision="fp16"), folder=tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_says_that_nothing_is_saved_without_a_folder(toy):
    stop, at = stopping_at(3)
    with pytest.raises(Interrupted, match="nothing is saved, since no folder was given") as caught:
        train(toy.Toy(), toy.toy_data(), PLAN, stop=stop, progress=at)
    assert caught.value.exit_code == 130
