"""Faults of the adapters library 1.3.0: each test states the right behaviour, and our code shows it."""

from __future__ import annotations

import copy
import itertools
import socket
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from adapter_stilts.encoder.composition import fusions, parse
from adapter_stilts.encoder.heads import build_head
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.encoder.trunk.config import TrunkConfig
from adapter_stilts.encoder.trunk.loading import Trunk, load_trunk, new_trunk
from adapter_stilts.errors import ArtefactError, CompositionError
from adapter_stilts.training.checkpoint import restore, snapshot

SMALL = {"reduction_factor": 4}


@pytest.fixture
def batch(tiny_trunk: Trunk) -> dict[str, torch.Tensor]:
    inputs = dict(
        tiny_trunk.tokenizer(["Anna schläft.", "El gato duerme debajo de la mesa."], padding=True, return_tensors="pt")
    )
    return inputs | {"labels": torch.tensor([0, 2])}


def fused(trunk: Trunk) -> TaskModel:
    """stack(fuse(a, b), c) under a head whose name nobody chose."""
    encoder = AdapterEncoder(trunk)
    for seed, name in enumerate("abc"):
        encoder.add(name, "seq_bn", {**SMALL, "init_weights": "bert"}, seed=seed)
    encoder.add_fusion(fusions(parse("fuse(a, b)"))[0])
    encoder.activate(parse("stack(fuse(a, b), c)"))
    model = TaskModel(encoder, build_head("pair", 32, 3, seed=1), "pair")
    model.train_parts(["fuse(a, b)", "c"])
    return model


def train(model: TaskModel, batch: dict[str, torch.Tensor]) -> None:
    model.train()
    optimiser = torch.optim.SGD([parameter for _, parameter in model.trainable()], lr=0.5)
    parts = model.loss_parts(batch)
    optimiser.zero_grad()
    (parts.total / parts.targets + parts.penalty).backward()
    optimiser.step()
    model.eval()


def units(names: Iterable[str]) -> set[str]:
    return {name.rsplit("/", 1)[0] for name in names}


def test_the_best_state_is_one_unit_of_adapter_fusion_and_head(
    tiny_trunk: Trunk, batch: dict[str, torch.Tensor]
) -> None:
    """The library restores only heads that carry an adapter's name: adapter and fusion of the best epoch, head of the
    last."""
    model = fused(tiny_trunk)
    train(model, batch)
    best, logits = snapshot(dict(model.trainable())), model(batch)
    train(model, batch)
    assert units(best) == {"adapter/c", "fusion/fuse(a, b)", "head"}
    assert units(name for name, tensor in model.trainable() if not torch.equal(tensor, best[name])) == units(best)
    restore(dict(model.trainable()), best, "here")
    assert torch.equal(model(batch), logits)


def test_the_fusions_penalty_is_in_the_loss_of_its_own_step(tiny_trunk: Trunk, batch: dict[str, torch.Tensor]) -> None:
    """The library calls backward on it after zero_grad, so that its gradient comes one step late and vanishes under
    fp16 scaling."""
    model = fused(tiny_trunk).eval()
    values = {name: parameter for name, parameter in model.trainable() if name.endswith("value.weight")}
    for parameter in values.values():
        parameter.data = 2 * torch.eye(32)
    parts = model.loss_parts(batch)
    assert float(parts.penalty.detach()) == pytest.approx(2 * 0.01 * 32)  # two layers, ||I - 2I||^2 = 32
    without = torch.autograd.grad(parts.total / parts.targets, list(values.values()), retain_graph=True)
    together = torch.autograd.grad(parts.total / parts.targets + parts.penalty, list(values.values()))
    for one, other in zip(without, together, strict=True):
        torch.testing.assert_close(other - one, 0.02 * torch.eye(32), rtol=0, atol=1e-6)


def test_an_adapter_of_another_depth_is_refused(tiny_trunk: Trunk, tiny_folder: Path) -> None:
    """The library loads it without a word; layers too many keep their random weights."""
    for layers in (1, 3):
        other = AdapterEncoder(
            new_trunk(tiny_folder, TrunkConfig(0, 32, layers, 4, 64, 66), seed=1)
        )
        other.add("a", "seq_bn", SMALL)
        with pytest.raises(
            ArtefactError, match=r"lacks 'encoder\.layer\.1" if layers == 1 else r"layer\.2.* has no place here"
        ):
            AdapterEncoder(tiny_trunk).load("a", "seq_bn", SMALL, other.tensors("a"))


def test_a_renamed_or_retrained_trunk_is_noticed(tiny_trunk: Trunk, tiny_folder: Path) -> None:
    """The library goes by the trunk's name; the fingerprint is made from its weights."""
    twin = new_trunk(tiny_folder, TrunkConfig(0, 32, 2, 4, 64, 66), seed=1)
    assert twin.fingerprint != tiny_trunk.fingerprint
    assert load_trunk(str(tiny_folder), precision="bf16").fingerprint == tiny_trunk.fingerprint


def test_tensors_travel_as_safetensors(tiny_trunk: Trunk) -> None:
    """The library's default is a pickle."""
    encoder = AdapterEncoder(tiny_trunk)
    for kind, settings in (("compacter", SMALL), ("mam", {**SMALL, "bottleneck_size": 8}), ("full", {})):
        encoder.add(kind, kind, settings)
        tensors = encoder.tensors(kind)
        back = load(save(tensors))
        assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())


def test_what_is_stored_is_what_changed(tiny_trunk: Trunk) -> None:
    """The library stores all frozen source adapters again in every checkpoint."""
    model = fused(tiny_trunk)
    assert units(name for name, _ in model.trainable()) == {"adapter/c", "fusion/fuse(a, b)", "head"}


def test_an_average_of_one_and_minus_one_is_refused_and_leaves_nothing_behind(tiny_trunk: Trunk) -> None:
    """The library divides by zero and leaves the name registered."""
    model = fused(tiny_trunk)
    before = model.encoder.composition
    with pytest.raises(CompositionError, match="sum to 0, not to 1"):
        model.encoder.activate(parse("average(a, b, weights=1/-1)"))
    assert model.encoder.composition == before
    assert list(model.encoder.adapters) == ["a", "b", "c"]


def test_an_average_in_the_forward_pass_is_a_mean(tiny_trunk: Trunk, batch: dict[str, torch.Tensor]) -> None:
    """The library divides by the number of parts twice; the residual is halved with the rest."""
    encoder = fused(tiny_trunk).encoder.eval()
    encoder.activate(parse("a"))
    alone = encoder.hidden(batch["input_ids"], batch["attention_mask"])
    encoder.activate(parse("average(a, a)"))
    torch.testing.assert_close(encoder.hidden(batch["input_ids"], batch["attention_mask"]), alone, rtol=0, atol=5e-6)


def test_an_average_of_low_rank_changes_is_the_mean_of_their_products(
    tiny_trunk: Trunk, batch: dict[str, torch.Tensor]
) -> None:
    """The library averages A and B apart, which is far from the mean of B A."""
    encoder = AdapterEncoder(tiny_trunk).eval()
    generator = torch.Generator().manual_seed(3)
    products = []
    for name in "ab":
        encoder.add(name, "lora", {"r": 4, "alpha": 4, "init_weights": "bert", "attn_matrices": ["q"]}, seed=ord(name))
        for parameter in encoder.adapters[name].parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)
        tensors = encoder.tensors(name)
        places = [f"encoder.layer.{layer}.attention.self.query.loras" for layer in (0, 1)]
        products.append([tensors[f"{place}.lora_B"] @ tensors[f"{place}.lora_A"] for place in places])
    encoder.activate(parse("average(a, b)"))
    ours = encoder.hidden(batch["input_ids"], batch["attention_mask"])
    merged = copy.deepcopy(tiny_trunk)
    for layer in (0, 1):
        merged.model.encoder.layer[layer].attention.self.query.weight.data += (
            products[0][layer] + products[1][layer]
        ) / 2
    theirs = AdapterEncoder(merged).eval().hidden(batch["input_ids"], batch["attention_mask"])
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)


def test_what_trains_is_set_parameter_by_parameter(tiny_trunk: Trunk, batch: dict[str, torch.Tensor]) -> None:
    """The library's train_adapter(Stack(Fuse(a, b), c)) raises TypeError although its forward pass works."""
    model = fused(tiny_trunk)
    frozen = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    trained = {id(parameter) for _, parameter in model.trainable()}
    train(model, batch)
    for name, parameter in model.named_parameters():
        if id(parameter) not in trained:
            assert not parameter.requires_grad
            assert torch.equal(parameter, frozen[name])
    assert len(trained) == 2 * 5 + 2 * 4 + 4


def test_a_fusion_of_low_rank_changes_is_refused_with_a_sentence(tiny_trunk: Trunk) -> None:
    """The library raises an empty NotImplementedError."""
    encoder = AdapterEncoder(tiny_trunk)
    encoder.add("a", "lora")
    encoder.add("b", "lora")
    with pytest.raises(
        CompositionError, match="'a' is of kind lora, which cannot fuse .* low-rank changes act inside the projections"
    ):
        encoder.add_fusion(fusions(parse("fuse(a, b)"))[0])


def test_heads_and_adapters_leave_the_configuration_as_it_was(
    tiny_trunk: Trunk, batch: dict[str, torch.Tensor]
) -> None:
    """The library changes the configuration it is given, and a second model built from it fails."""
    before = copy.deepcopy(tiny_trunk.config)
    for _ in range(2):
        model = fused(tiny_trunk)
        train(model, batch)
    assert tiny_trunk.config == before


def test_nothing_here_asks_the_network(
    tiny_trunk: Trunk, batch: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library asks the network for adapter indexes without an offline check."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    for owner, name in ((socket.socket, "connect"), (socket, "getaddrinfo"), (socket, "create_connection")):
        monkeypatch.setattr(owner, name, refuse)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    encoder = AdapterEncoder(tiny_trunk)
    for kind in (
        "seq_bn",
        "double_seq_bn",
        "par_bn",
        "seq_bn_inv",
        "compacter",
        "lora",
        "ia3",
        "prefix_tuning",
        "mam",
        "full",
    ):
        settings = SMALL if "bn" in kind or kind == "compacter" else {}
        encoder.add(kind, kind, settings)
        encoder.load(f"{kind}-again", kind, settings, encoder.tensors(kind))
    train(fused(tiny_trunk), batch)


def test_stacked_low_rank_changes_add_up(tiny_trunk: Trunk, batch: dict[str, torch.Tensor]) -> None:
    """The library feeds one's output to the next, so that a fresh LoRA on a trained one erases it."""
    encoder = AdapterEncoder(tiny_trunk).eval()
    encoder.add("trained", "lora", {"init_weights": "bert", "alpha": 64}, seed=1)
    encoder.add("fresh", "lora", seed=2)
    states = []
    for text in ("trained", "stack(trained, fresh)"):
        encoder.activate(parse(text))
        states.append(encoder.hidden(batch["input_ids"], batch["attention_mask"]))
    encoder.activate(None)
    bare = encoder.hidden(batch["input_ids"], batch["attention_mask"])
    assert torch.equal(states[0], states[1])
    assert all((one - other).abs().max() > 1e-4 for one, other in itertools.combinations([states[0], bare], 2))
