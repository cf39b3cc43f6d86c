"""An encoder with a head: logits, loss, and the state that trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import XLMRobertaForMaskedLM

from adapter_stilts.encoder.composition import parse
from adapter_stilts.encoder.heads import build_head
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.encoder.trunk.loading import Trunk

Batch = dict[str, torch.Tensor]
Make = Callable[..., AdapterEncoder]
LABELS = {"pair": 3, "single": 3, "tags": 5, "span": 2, "choice": 1}


def labelled(batch: Batch, format: str) -> Batch:
    rows, length = batch["input_ids"].shape
    if format == "choice":
        pairs = {name: torch.stack([tensor, tensor.roll(-1, 0)], 1) for name, tensor in batch.items()}
        return pairs | {"labels": torch.tensor([0, 0, 1])}
    shape = {"tags": (rows, length), "span": (rows, 2)}.get(format, (rows,))
    return batch | {"labels": (torch.arange(rows).view(-1, *[1] * (len(shape) - 1)) % 2 + 1).expand(shape).clone()}


def train_a_little(model: TaskModel, batch: Batch, steps: int = 4) -> list[float]:
    model.eval()  # no dropout: the same losses every time
    optimiser = torch.optim.Adam([parameter for _, parameter in model.trainable()], lr=0.01)
    losses = []
    for _ in range(steps):
        parts = model.loss_parts(batch)
        optimiser.zero_grad()
        (parts.total / parts.targets + parts.penalty).backward()
        optimiser.step()
        losses.append(float(parts.total.detach()) / parts.targets)
    return losses


@pytest.mark.parametrize("format", ["pair", "single", "tags", "span", "choice"])
def test_learns_in_every_format(format: str, make_encoder: Make, batch: Batch) -> None:
    encoder = make_encoder({"a": "seq_bn", "b": "seq_bn", "c": "seq_bn"}, "stack(fuse(a, b), c)")
    model = TaskModel(encoder, build_head(format, 32, LABELS[format], seed=1), format)  # type: ignore[arg-type]
    model.train_parts(["fuse(a, b)", "c"])
    losses = train_a_little(model, labelled(batch, format), steps=60)
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


@pytest.mark.parametrize("format", ["pair", "tags", "span", "choice"])
def test_padding_and_batch_size_do_not_change_a_logit(format: str, make_encoder: Make, batch: Batch) -> None:
    encoder = make_encoder({"a": "seq_bn", "b": "seq_bn", "l": "lora"}, "stack(fuse(a, b), l)")
    model = TaskModel(encoder, build_head(format, 32, LABELS[format], seed=1), format).eval()  # type: ignore[arg-type]
    inputs = labelled(batch, format)
    together = model(inputs)
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    wide = inputs | {
        "input_ids": nn.functional.pad(ids, (0, 5), value=1),
        "attention_mask": nn.functional.pad(mask, (0, 5)),
    }
    further = model(wide)
    for row in range(3):
        length = int(inputs["attention_mask"][row].sum(-1).max())
        alone = model({name: inputs[name][row : row + 1, ..., :length] for name in ("input_ids", "attention_mask")})
        kept = slice(None) if format in ("pair", "choice") else slice(length)
        torch.testing.assert_close(together[row][kept], alone[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(further[row][kept], alone[0], rtol=0, atol=1e-5)


def test_masked_text_is_the_librarys(tiny_folder: Path, tiny_trunk: Trunk, batch: Batch) -> None:
    reference = XLMRobertaForMaskedLM.from_pretrained(tiny_folder, attn_implementation="sdpa").eval()
    head = build_head("text", 32, tiny_trunk.config.vocab_size, seed=1, mask_head=tiny_trunk.mask_head)
    model = TaskModel(AdapterEncoder(tiny_trunk), head, "text").eval()
    with torch.no_grad():
        theirs = reference(**batch).logits[batch["attention_mask"].bool()]
        torch.testing.assert_close(model(batch), theirs, rtol=0, atol=1e-5)


def test_masked_text_learns_through_an_invertible_adapter(make_encoder: Make, tiny_trunk: Trunk, batch: Batch) -> None:
    encoder = make_encoder({"de": "seq_bn_inv"}, "de")
    model = TaskModel(
        encoder, build_head("text", 32, tiny_trunk.config.vocab_size, seed=1, mask_head=tiny_trunk.mask_head), "text"
    )
    model.train_parts(["de"], head=False)
    labels = torch.full_like(batch["input_ids"], -100)
    labels[:, 1:3] = batch["input_ids"][:, 1:3]
    model.eval()
    parts = model.loss_parts(batch | {"labels": labels})
    assert parts.targets == 6
    parts.total.backward()
    for name, parameter in model.trainable():
        assert parameter.grad is not None, name
    assert not any(name.startswith("head/") for name, _ in model.trainable())


def test_masked_text_decodes_with_the_trunk_that_trains(tiny_trunk: Trunk, batch: Batch) -> None:
    encoder = AdapterEncoder(tiny_trunk)
    encoder.add("own", "full")
    encoder.activate(parse("own"))
    model = TaskModel(encoder, build_head("text", 32, tiny_trunk.config.vocab_size, seed=1), "text")
    model.train_parts(["own"])
    inputs = batch | {"labels": batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)}
    before = tiny_trunk.model.embeddings.word_embeddings.weight.clone()
    losses = train_a_little(model, inputs, steps=15)
    assert losses[-1] < 0.9 * losses[0]
    assert torch.equal(tiny_trunk.model.embeddings.word_embeddings.weight, before)
    assert not torch.equal(encoder.tensors("own")["embeddings.word_embeddings.weight"], before)


def test_a_frozen_head_does_not_train(make_encoder: Make) -> None:
    model = TaskModel(make_encoder({"a": "seq_bn"}, "a"), build_head("pair", 32, 3, seed=1), "pair")
    model.train_parts(["a"], head=False)
    assert {name.split("/")[0] for name, _ in model.trainable()} == {"adapter"}
    assert [row.trained for row in model.table()] == [False, True, False]
    model.train_parts([], head=True)
    assert {name.split("/")[0] for name, _ in model.trainable()} == {"head"}


def test_tells_the_head_last(make_encoder: Make) -> None:
    model = TaskModel(make_encoder({"a": "seq_bn"}, "a"), build_head("pair", 32, 3, seed=1), "pair")
    row = model.table()[-1]
    assert (row.part, row.role, row.active, row.trained, row.parameters) == (
        "head",
        "head",
        True,
        True,
        32 * 32 + 32 + 32 * 3 + 3,
    )


def test_split_batches_give_the_gradient_of_the_whole(make_encoder: Make, batch: Batch) -> None:
    encoder = make_encoder({"a": "seq_bn", "b": "seq_bn"}, "fuse(a, b)")
    model = TaskModel(encoder, build_head("tags", 32, 5, seed=1), "tags").eval()
    model.train_parts(["fuse(a, b)"])
    inputs = labelled(batch, "tags")
    inputs["labels"][0, 2:] = -100

    def gradient(batches: list[Batch]) -> torch.Tensor:
        model.zero_grad()
        parts = [model.loss_parts(one) for one in batches]
        targets = sum(one.targets for one in parts)
        (torch.stack([one.total for one in parts]).sum() / targets + parts[0].penalty).backward()
        return torch.cat([parameter.grad.flatten() for _, parameter in model.trainable() if parameter.grad is not None])

    rows = [{name: tensor[row : row + 1] for name, tensor in inputs.items()} for row in range(3)]
    torch.testing.assert_close(gradient(rows), gradient([inputs]), rtol=1e-4, atol=1e-7)
