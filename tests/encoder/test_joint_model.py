"""Several heads over one encoder: each batch moves the adapter and the head of its own task, and no other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from adapter_stilts.data.batches import TASK
from adapter_stilts.encoder.heads import build_head
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import JointModel, TaskModel
from adapter_stilts.errors import UsageError

Make = Callable[..., AdapterEncoder]


@pytest.fixture
def model(make_encoder: Make) -> JointModel:
    encoder = make_encoder({"joint": "seq_bn"}, "joint")
    vocabulary = encoder.trunk.config.vocab_size
    tasks = {
        "nli": TaskModel(encoder, build_head("pair", 32, 3, seed=1), "pair"),
        "tags": TaskModel(encoder, build_head("tags", 32, 5, seed=2), "tags"),
        "mlm": TaskModel(
            encoder, build_head("text", 32, vocabulary, seed=3, mask_head=encoder.trunk.mask_head), "text"
        ),
    }
    found = JointModel(tasks)
    found.train_parts(["joint"])
    return found


def of_task(batch: dict[str, torch.Tensor], number: int) -> dict[str, torch.Tensor]:
    rows, length = batch["input_ids"].shape
    labels = [torch.tensor([0, 1, 2]), torch.arange(rows * length).view(rows, length) % 5, batch["input_ids"]][number]
    return {**batch, "labels": labels, TASK: torch.full((rows,), number)}


def test_gives_each_batch_the_loss_of_its_own_task(model: JointModel, batch: dict[str, torch.Tensor]) -> None:
    model.eval()
    for number, alone in enumerate(model.tasks.values()):
        given = of_task(batch, number)
        expected = alone.loss_parts({name: tensor for name, tensor in given.items() if name != TASK})
        found = model.loss_parts(given)
        assert torch.equal(found.total, expected.total)
        assert found.targets == expected.targets


def test_moves_the_adapter_and_the_head_of_the_batch_alone(model: JointModel, batch: dict[str, torch.Tensor]) -> None:
    names = {name for name, _ in model.trainable()}
    assert len(names) == len(model.trainable())
    for number, task in enumerate(model.tasks):
        model.zero_grad()
        total, _, _ = model.loss_parts(of_task(batch, number))
        total.backward()
        moved = {name for name, parameter in model.trainable() if parameter.grad is not None}
        assert moved == {name for name in names if name.startswith(("adapter/joint/", f"head/{task}/"))}


def test_shares_the_encoder_and_decodes_text_with_its_embeddings(model: JointModel) -> None:
    assert len({id(one.encoder) for one in model.tasks.values()}) == 1
    trained = [parameter for _, parameter in model.trainable()]
    embeddings = model.encoder.word_embeddings()
    assert all(parameter is not embeddings for parameter in trained)
    assert not embeddings.requires_grad


def test_trains_nothing_when_told_so_and_lists_a_head_per_task(model: JointModel) -> None:
    rows = model.table()
    assert [(row.part, row.role, row.trained) for row in rows] == [
        ("trunk", "trunk", False),
        ("joint", "adapter", True),
        ("nli", "head", True),
        ("tags", "head", True),
        ("mlm", "head", True),
    ]
    model.train_parts((), head=False)
    assert model.trainable() == []


def test_puts_every_part_into_training_mode_and_out_of_it(model: JointModel) -> None:
    model.train()
    assert all(module.training for one in model.tasks.values() for module in (one, one.head, one.encoder))
    model.eval()
    assert not any(module.training for one in model.tasks.values() for module in (one, one.head, one.encoder))


def test_refuses_a_batch_of_two_tasks_and_tasks_over_two_encoders(
    model: JointModel, make_encoder: Make, batch: dict[str, torch.Tensor]
) -> None:
    with pytest.raises(UsageError, match="a batch of 2 tasks"):
        model.loss_parts({**of_task(batch, 0), TASK: torch.tensor([0, 1, 0])})
    other = make_encoder({"joint": "seq_bn"}, "joint")
    with pytest.raises(UsageError, match="share one encoder"):
        JointModel({**model.tasks, "more": TaskModel(other, build_head("pair", 32, 3, seed=1), "pair")})
