"""Every kind of adapter and every composition on BERT's and ModernBERT's form: built, trained, and loaded again."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from trunk_forms import TEXTS, write_form

from adapter_stilts.encoder.composition import fusions, names, parse
from adapter_stilts.encoder.kinds import kinds
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.loading import Trunk, load_trunk
from adapter_stilts.errors import CompositionError

Settings = Mapping[str, dict[str, object]]
COMPOSITIONS = ("a", "stack(a, b)", "fuse(a, b)", "average(a, b)", "stack(a, fuse(b, c))")
CASES = list(itertools.product(kinds, COMPOSITIONS))


@pytest.fixture(scope="module", params=["mbert", "mmbert"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_form(request.param, tmp_path_factory.mktemp("attached") / request.param)


def load(folder: Path, **options: object) -> Trunk:
    return load_trunk(str(folder), precision="fp32", **options)


def batch_of(trunk: Trunk) -> dict[str, torch.Tensor]:
    texts = trunk.tokenizer(list(TEXTS[4:7]), padding=True, return_tensors="pt")
    return {name: texts[name] for name in ("input_ids", "attention_mask")}


def encoder_of(trunk: Trunk, kind: str, text: str, settings: Settings) -> AdapterEncoder:
    encoder = AdapterEncoder(trunk).eval()
    for seed, name in enumerate(names(parse(text))):
        encoder.add(name, kind, settings[kind], seed=seed)
    for seed, fuse in enumerate(fusions(parse(text))):
        encoder.add_fusion(fuse, seed=seed)
    encoder.activate(parse(text))
    return encoder


@pytest.mark.parametrize(("kind", "text"), CASES)
def test_builds_trains_a_step_and_comes_back(kind: str, text: str, folder: Path, kind_settings: Settings) -> None:
    trunk = load(folder)
    used = {word for word in ("stack", "fuse", "average") if word in text}
    if used & set(kinds[kind].refuses) or (kind == "full" and used):
        with pytest.raises(CompositionError):
            encoder_of(trunk, kind, text, kind_settings)
        return
    encoder = encoder_of(trunk, kind, text, kind_settings)
    frozen = {name: parameter.clone() for name, parameter in encoder.base.named_parameters()}
    encoder.train_parts([*encoder.adapters, *encoder.fusions])
    batch, trained = batch_of(trunk), encoder.trainable()
    optimiser = torch.optim.SGD([parameter for _, parameter in trained], lr=0.1)
    for _ in range(2):  # what starts at zero has a gradient only once the other factor is not
        optimiser.zero_grad()
        (encoder.train().hidden(**batch).sin().mean(1).square().sum() + encoder.fusion_penalty()).backward()
        optimiser.step()
    moved = [name for name, parameter in trained if parameter.grad is not None and bool(parameter.grad.any())]
    assert len(moved) > len(trained) // 2
    assert all(torch.equal(frozen[name], parameter) for name, parameter in encoder.base.named_parameters())
    after = encoder.eval().hidden(**batch)
    assert after.isfinite().all()

    again = AdapterEncoder(load(folder)).eval()
    for name in names(parse(text)):
        again.load(name, kind, kind_settings[kind], encoder.tensors(name))
    for fuse in fusions(parse(text)):
        again.load_fusion(fuse, encoder.fusion_tensors(fuse))
    again.activate(parse(text))
    assert torch.equal(again.hidden(**batch), after)


@pytest.mark.parametrize("kind", kinds)
def test_a_fresh_adapter_stays_within_its_kinds_bound(kind: str, folder: Path, kind_settings: Settings) -> None:
    trunk = load(folder)
    batch = batch_of(trunk)
    plain = AdapterEncoder(trunk).eval().states(**batch)
    states = encoder_of(trunk, kind, "a", kind_settings).states(**batch)
    if (bound := kinds[kind].fresh) is None:
        assert not torch.equal(states[-1], plain[-1])
    else:
        assert all((one - other).norm() <= bound * other.norm() for one, other in zip(states, plain, strict=True))


@pytest.mark.parametrize("kind", ["seq_bn_inv", "lora", "mam"])
def test_padding_and_the_layers_held_do_not_change_a_state(kind: str, folder: Path, kind_settings: Settings) -> None:
    trunk = load(folder)
    batch = batch_of(trunk)
    encoder = encoder_of(trunk, kind, "a", kind_settings)
    whole = encoder.hidden(**batch, layer=2)
    for row in range(3):
        length = int(batch["attention_mask"][row].sum())
        alone = {name: tensor[row : row + 1, :length] for name, tensor in batch.items()}
        assert torch.allclose(encoder.hidden(**alone, layer=2)[0], whole[row, :length], atol=1e-5)
    part = AdapterEncoder(load(folder, layers=2)).eval()
    part.load("a", kind, kind_settings[kind], encoder.tensors("a"))
    part.activate(parse("a"))
    assert torch.equal(part.hidden(**batch), whole)


def test_a_bf16_trunk_is_close_and_checkpointing_gives_the_same_gradients(
    folder: Path, kind_settings: Settings
) -> None:
    trunk = load(folder)
    batch = batch_of(trunk)
    exact = AdapterEncoder(trunk).eval().hidden(**batch)
    rounded = AdapterEncoder(load_trunk(str(folder), precision="bf16")).eval().hidden(**batch)
    assert rounded.dtype == torch.float32
    assert (rounded - exact).norm() < 0.1 * exact.norm()
    gradients = []
    for checkpointed in (False, True):
        encoder = encoder_of(load(folder), "mam", "a", kind_settings).train()
        encoder.gradient_checkpointing(checkpointed)
        encoder.train_parts(["a"])
        torch.manual_seed(5)
        encoder.hidden(**batch).square().mean().backward()
        gradients.append([parameter.grad for _, parameter in encoder.trainable() if parameter.grad is not None])
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(*gradients, strict=True))
