"""A step that memory does not suffice for is taken in smaller parts, or leaves everything as it was."""

import pytest
import torch

from adapter_stilts.errors import DoesNotFit
from adapter_stilts.training.loop import Run
from adapter_stilts.training.plan import TrainingPlan
from adapter_stilts.training.step import Stepper, out_of_memory

PLAN = TrainingPlan(learning_rate=0.1, max_steps=6, token_budget=96, warmup=0.0, patience=0)
NO_MEMORY = "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"


@pytest.fixture
def small(toy):
    """A model that has no memory for more than so many tokens; the pass that fails has kept part of its gradient."""

    def made(most):
        model = toy.Toy(dropout=0.0)
        whole, model.passes = model.loss_parts, []

        def loss_parts(batch):
            model.passes.append(batch["input_ids"].numel())
            if model.passes[-1] > most:
                model.adapter.weight.grad = torch.ones_like(model.adapter.weight)
                raise RuntimeError(NO_MEMORY)
            return whole(batch)

        model.loss_parts = loss_parts
        return model

    return made


@pytest.fixture
def train(toy):
    def trained(model, **more):
        outcome = Run(model, toy.toy_data(), PLAN, **more).to_the_end()
        return {name: tensor.detach().clone() for name, tensor in model.trainable()}, outcome

    return trained


def test_learns_the_same_in_smaller_parts_and_says_so_once(toy, small, train):
    said, tight = [], small(30)
    plain, _ = train(toy.Toy(dropout=0.0))
    parts, outcome = train(tight, tell=said.append)
    assert outcome.steps == 6
    for name, tensor in plain.items():
        torch.testing.assert_close(parts[name], tensor, rtol=1e-5, atol=1e-6)
    assert 1 <= len(said) <= 3
    assert "out of memory" in said[0]
    failed = [tokens for tokens in tight.passes if tokens > 30]
    assert len(failed) == len(said)  # what was learned of the memory is kept


def test_one_row_too_large_ends_with_the_weights_of_the_step_before(tmp_path, small, train):
    model = small(5)
    before = {name: tensor.detach().clone() for name, tensor in model.trainable()}
    with pytest.raises(DoesNotFit, match=r"one row of \d+ tokens at step 1(.|\n)*--limit-gb") as caught:
        train(model, folder=tmp_path)
    assert caught.value.exit_code == 5
    assert (tmp_path / "checkpoints").is_dir()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.trainable())
    assert all(parameter.grad is None for _, parameter in model.trainable())


def test_rows_that_are_compared_are_not_parted(small):
    stepper = Stepper(small(5), PLAN)
    ids = torch.ones((4, 3), dtype=torch.int64)
    batch = {"input_ids": ids, "attention_mask": ids, "labels": torch.zeros(4, dtype=torch.int64), "candidate_ids": ids}
    with pytest.raises(DoesNotFit, match="whose rows are compared"):
        stepper.step([batch], 0.1, False, 0.0)


NO_CARD = torch.OutOfMemoryError("CUDA out of memory")
ERRORS = [MemoryError(), NO_CARD, RuntimeError(NO_MEMORY), RuntimeError("std::bad_alloc")]


@pytest.mark.parametrize("error", ERRORS)
def test_knows_what_is_out_of_memory(error):
    assert out_of_memory(error)


def test_another_error_is_not_one(toy, train, monkeypatch):
    def broken(batch):
        raise RuntimeError("shapes do not match")

    model = toy.Toy()
    monkeypatch.setattr(model, "loss_parts", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        train(model)
