"""Faults of adapters 1.3.0's AdapterTrainer (see each test), shown to be none of ours on a real TaskModel."""

import json
import random

import pytest
import torch
from plans import changed, train
from plans import plan as make_plan

from adapter_stilts.encoder.composition import parse
from adapter_stilts.encoder.heads import build_head
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.errors import Interrupted
from adapter_stilts.training import checkpoint as checkpoints
from adapter_stilts.training.checkpoint import snapshot
from adapter_stilts.training.interrupt import StopSignal
from adapter_stilts.training.plan import TrainingData

PLAN = make_plan(
    max_steps=8, learning_rate=0.01, token_budget=80, evaluate_steps=2, checkpoint_steps=4, log_steps=1, patience=0
)
PARTS = ("fuse(first, second_one)", "own")


def rows(labelled=True):
    """Forty sentences of random tokens; the label is whether the first is an even one, or nothing."""
    draw = random.Random(3)
    sentences = [[0, *(draw.randrange(5, 150) for _ in range(draw.randrange(3, 9))), 2] for _ in range(40)]

    def collate(numbers):
        longest = max(len(sentences[row]) for row in numbers)
        ids = torch.tensor([sentences[row] + [1] * (longest - len(sentences[row])) for row in numbers])
        labels = torch.tensor([sentences[row][1] % 2 if labelled else -100 for row in numbers])
        return {"input_ids": ids, "attention_mask": (ids != 1).long(), "labels": labels}

    return TrainingData([len(sentence) for sentence in sentences], collate)


@pytest.fixture
def build(tiny_folder):
    """A model that trains a fusion of two frozen adapters, an adapter of its own, and a head; the same at every
    call."""

    def make(parts=PARTS):
        encoder = AdapterEncoder(load_trunk(str(tiny_folder), precision="fp32"))
        for seed, name in enumerate(("first", "second_one", "own")):
            encoder.add(name, "seq_bn", {"reduction_factor": 4}, seed=seed)
        composition = parse("stack(fuse(first, second_one), own)")
        encoder.add_fusion(parse(PARTS[0]), seed=4)
        encoder.activate(composition)
        model = TaskModel(encoder, build_head("single", encoder.trunk.config.hidden_size, 2, seed=5), "single")
        model.train_parts(parts)
        return model

    return make


def state_of(model):
    return snapshot(dict(model.trainable()))


def unit_of(name):
    return name.rsplit("/", 1)[0]


def scripted(model_states, scores):
    def validate(model):
        model_states.append(state_of(model))
        return next(scores)

    return validate


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_loads_adapter_fusion_and_head_of_one_step(build):
    """AdapterTrainer restores a head only if it carries an adapter's name: otherwise the adapter is the best epoch's
    and the head the last's."""
    model, states = build(), []
    outcome = train(model, rows(), PLAN, validate=scripted(states, iter([0.2, 0.8, 0.4, 0.6])))
    assert outcome.best_step == 4
    best = state_of(model)
    assert {unit_of(name) for name in best} == {"adapter/own", f"fusion/{PARTS[0]}", "head"}
    assert same(best, states[1])
    assert not any(torch.equal(best[name], states[3][name]) for name in best)


def test_resumes_a_fusion_whatever_its_name(build, tmp_path):
    """AdapterTrainer recognises a fusion's checkpoint by a comma in its folder's name, and starts others from
    scratch."""
    whole, parts, fresh = build(), build(), build()
    train(whole, rows(), PLAN, validate=lambda model: 0.5)
    stop = StopSignal()
    with pytest.raises(Interrupted):
        train(
            parts,
            rows(),
            PLAN,
            folder=tmp_path,
            stop=stop,
            progress=lambda one: one.step == 5 and stop.request(),
            validate=lambda model: 0.5,
        )
    train(fresh, rows(), PLAN, folder=tmp_path, resume=True, validate=lambda model: 0.5)
    assert same(state_of(fresh), state_of(whole))


def away_from_the_identity(model):
    values = model.without_decay()
    with torch.no_grad():
        for value in values:
            value += 0.1 * torch.randn(value.shape, generator=torch.Generator().manual_seed(1))
    return values, [value.detach().clone() for value in values]


@pytest.mark.parametrize("accumulation", [1, 3])
def test_moves_the_values_by_the_penalty_of_the_same_step(build, accumulation):
    """AdapterTrainer calls the regulariser's backward after zero_grad, so that its gradient arrives with the next step.

    Without a labelled row the penalty is the whole loss. Expected by hand: AdamW's first step moves every element by
    the learning rate, against the sign of the gradient, which is that of V - I (elements at the identity itself left
    aside).
    """
    model = build([PARTS[0]])
    values, before = away_from_the_identity(model)
    train(
        model,
        rows(labelled=False),
        changed(PLAN, max_steps=1, warmup=0.0, evaluate_steps=None, accumulation=accumulation),
    )
    for old, new in zip(before, values, strict=True):
        away = old - torch.eye(len(old))
        clear = away.abs() > 1e-3
        torch.testing.assert_close(new.detach()[clear], (old - 0.01 * away.sign())[clear], rtol=0, atol=1e-5)


@pytest.mark.parametrize("accumulation", [1, 4])
def test_counts_the_penalty_once_a_step(build, tmp_path, accumulation):
    """0.01 * sum of |I - V|^2, however many batches and rows the step has."""
    model = build([PARTS[0]])
    _, before = away_from_the_identity(model)
    train(model, rows(), changed(PLAN, max_steps=1, evaluate_steps=None, accumulation=accumulation), folder=tmp_path)
    row = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert row["penalty"] == pytest.approx(
        0.01 * sum(float((torch.eye(len(value)) - value).square().sum()) for value in before), rel=1e-5
    )


def test_leaves_all_that_is_frozen_as_it_was(build):
    model = build()
    frozen = {name: value.clone() for name, value in model.named_parameters() if not value.requires_grad}
    assert any("adapters" in name or "_modules_of_parts.0" in name for name in frozen)
    train(model, rows(), PLAN, validate=lambda model: 0.5)
    for name, value in model.named_parameters():
        assert name not in frozen or torch.equal(value, frozen[name])


def test_stores_what_trains_and_nothing_that_is_frozen(build, tmp_path):
    """AdapterTrainer stores every frozen source adapter again in each checkpoint."""
    model = build()
    train(model, rows(), PLAN, folder=tmp_path, validate=lambda model: 0.5)
    path = checkpoints.newest(tmp_path / "checkpoints")
    found = checkpoints.load(path, "")
    trained = {name for name, _ in model.trainable()}
    assert set(found.weights) == set(found.best) == trained
    assert {name.rpartition("/")[0] for name in found.optimiser} == trained
    assert all(name.startswith(("adapter/own/", f"fusion/{PARTS[0]}/", "head/")) for name in trained)
    stored = sum(tensor.numel() for part in (found.weights, found.best, found.optimiser) for tensor in part.values())
    size = sum(parameter.numel() for _, parameter in model.trainable())
    assert stored == 4 * size + len(trained)  # weights, best, two moments, and a step each
