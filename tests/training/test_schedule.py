import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from plans import plan as make_plan

from adapter_stilts.errors import ArtefactError
from adapter_stilts.training.step import Stepper, linear, optimiser


def test_rises_to_one_and_falls_to_zero():
    """Ten steps, two of warm-up: half, full, then down by eighths."""
    factors = [linear(step / 10, (step + 1) / 10, 0.2) for step in range(10)]
    assert factors == pytest.approx([0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125])
    assert linear(1.0, 1.0, 0.2) == 0.0


def test_starts_at_full_rate_without_warm_up():
    assert [linear(step / 4, (step + 1) / 4, 0.0) for step in range(4)] == [1.0, 0.75, 0.5, 0.25]


@given(st.floats(0, 1), st.floats(0, 0.99))
def test_stays_between_zero_and_one(done, warmup):
    assert 0.0 <= linear(done, min(1.0, done + 0.01), warmup) <= 1.0


def test_decays_matrices_but_not_vectors_or_what_is_spared():
    matrix, vector, spared = (torch.nn.Parameter(torch.ones(shape)) for shape in ((2, 2), (2,), (2, 2)))
    adamw = optimiser({"matrix": matrix, "vector": vector, "spared": spared}, [spared], make_plan(weight_decay=0.3))
    decay = {id(parameter): group["weight_decay"] for group in adamw.param_groups for parameter in group["params"]}
    assert decay == {id(matrix): 0.3, id(vector): 0.0, id(spared): 0.0}
    assert adamw.defaults["eps"] == 1e-8


def test_refuses_moments_of_another_shape(toy):
    stepper = Stepper(toy.Toy(), make_plan())
    stepper.step([toy.toy_data().collate([0, 1])], 1e-3, False, 0.0)
    moments = stepper.moments()
    moments["head.weight/exp_avg"] = torch.ones(3, 2)
    with pytest.raises(ArtefactError, match="optimiser state of 'head.weight' does not fit"):
        Stepper(toy.Toy(), make_plan()).restore(moments, {}, "here")
