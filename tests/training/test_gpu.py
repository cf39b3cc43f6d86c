"""Training on a CUDA device: precisions, loss scaling and resume. Not in the default run (`pytest -m gpu`)."""

import math

import pytest
import torch
from plans import changed, train
from plans import plan as make_plan

from adapter_stilts.errors import Interrupted
from adapter_stilts.training import checkpoint as checkpoints
from adapter_stilts.training.interrupt import StopSignal

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]
PLAN = make_plan(max_steps=40, learning_rate=0.02, token_budget=150, log_steps=5, checkpoint_steps=10, seed=5)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_learns_in_every_precision(toy, precision):
    model = toy.Toy(dropout=0.0).cuda()
    outcome = train(model, toy.toy_data(), changed(PLAN, precision=precision))
    assert outcome.losses[-1][1] < 0.9 * outcome.losses[0][1]
    assert all(value.dtype == torch.float32 and value.isfinite().all() for value in toy.trained(model).values())


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_resumes_with_generators_moments_and_loss_scale(toy, tmp_path, precision):
    """Within rounding: a GPU's sums may change their order, but dropout and loss scale must be those of the unbroken
    run."""
    plan = changed(PLAN, precision=precision)
    whole, resumed = toy.Toy().cuda(), toy.Toy().cuda()
    unbroken = train(whole, toy.toy_data(), plan)
    stop = StopSignal()
    with pytest.raises(Interrupted):
        train(
            toy.Toy().cuda(),
            toy.toy_data(),
            plan,
            folder=tmp_path,
            stop=stop,
            progress=lambda one: one.step == 17 and stop.request(),
        )
    scale = checkpoints.load(checkpoints.newest(tmp_path / "checkpoints"), "").state.scaler
    assert set(scale) == ({"scale", "tracker"} if precision == "fp16" else set())
    again = train(resumed, toy.toy_data(), plan, folder=tmp_path, resume=True)
    assert [loss for _, loss in again.losses] == pytest.approx([loss for _, loss in unbroken.losses], rel=1e-4)
    for name, value in toy.trained(whole).items():
        torch.testing.assert_close(toy.trained(resumed)[name], value, rtol=1e-3, atol=1e-5)


def test_rescues_an_fp16_overflow_by_a_smaller_scale(toy, tmp_path, rows_without_times):
    """A loss scale far too large: the first steps are left out, their norms are not numbers, and training goes on."""
    model = toy.Toy().cuda()
    model.head.weight.data *= 100
    outcome = train(model, toy.toy_data(), changed(PLAN, precision="fp16", log_steps=1), folder=tmp_path)
    assert outcome.steps == 40
    assert all(math.isfinite(row["loss"]) for row in rows_without_times(tmp_path))
