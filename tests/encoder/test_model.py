"""The encoder: what runs, up to which layer, in which precision."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import nn

from adapter_stilts.encoder.composition import Name, parse
from adapter_stilts.encoder.kinds import kinds
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.loading import Trunk, load_trunk
from adapter_stilts.errors import UsageError

KINDS = ["seq_bn", "double_seq_bn", "par_bn", "seq_bn_inv", "compacter", "lora", "rslora", "dora", "vera", "ia3"]
KINDS += ["ia3_ff", "prefix_tuning", "mam", "full"]
Batch = dict[str, torch.Tensor]
Make = Callable[..., AdapterEncoder]
Settings = Mapping[str, dict[str, object]]


@pytest.mark.parametrize("adapters", [{}, {"a": "seq_bn_inv"}, {"a": "lora"}, {"a": "mam"}])
def test_stops_at_the_layer_asked_for(adapters: dict[str, str], make_encoder: Make, batch: Batch) -> None:
    encoder = make_encoder(adapters, "a" if adapters else None)
    ran: list[int] = []
    for index, layer in enumerate(encoder.base.encoder.layer):
        for module in layer.modules():
            if isinstance(module, nn.Linear):
                module.register_forward_hook(lambda *_, index=index: ran.append(index))
    everything = encoder.states(**batch)
    assert set(ran) == {0, 1}
    for layer in range(3):
        ran.clear()
        state = encoder.hidden(**batch, layer=layer)
        assert torch.equal(state, everything[layer])
        assert set(ran) == set(range(layer))


def test_refuses_a_layer_that_is_not_there(make_encoder: Make, batch: Batch) -> None:
    for layer in (-1, 3):
        with pytest.raises(UsageError, match=f"no hidden state {layer}(.|\n)*from 0 \\(embeddings\\) to 2"):
            make_encoder({}).hidden(**batch, layer=layer)


def test_refuses_a_row_that_is_too_long(make_encoder: Make) -> None:
    with pytest.raises(UsageError, match="65 tokens in a row, and .* reads at most 64"):
        make_encoder({}).hidden(torch.full((1, 65), 5), torch.ones(1, 65, dtype=torch.long))
    assert make_encoder({}).hidden(torch.full((1, 64), 5), torch.ones(1, 64, dtype=torch.long)).shape == (1, 64, 32)


@pytest.mark.parametrize("kind", ["seq_bn", "double_seq_bn", "compacter", "lora", "mam", "full"])
def test_layers_above_the_one_read_are_not_built(
    kind: str, make_encoder: Make, tiny_folder: Path, kind_settings: Settings, batch: Batch
) -> None:
    whole = make_encoder({"a": kind}, "a")
    half = AdapterEncoder(load_trunk(str(tiny_folder), precision="fp32", layers=1)).eval()
    half.load("a", kind, kind_settings[kind], whole.tensors("a"))
    half.activate(Name("a"))
    assert torch.equal(half.hidden(**batch), whole.hidden(**batch, layer=1))
    assert not any("layer.1." in name for name in half.tensors("a"))


def test_train_sets_the_mode_as_in_torch(make_encoder: Make, batch: Batch) -> None:
    encoder = make_encoder({"a": "seq_bn"}, "a")
    encoder.train_parts(["a"])
    assert not encoder.training
    nn.ModuleList([encoder]).train()
    assert encoder.training
    torch.manual_seed(0)
    assert not torch.equal(encoder.hidden(**batch), encoder.hidden(**batch))  # the trunk's own dropout
    encoder.eval()
    assert torch.equal(encoder.hidden(**batch), encoder.hidden(**batch))
    assert encoder.trainable()


def test_encoders_that_share_a_trunk_keep_their_own_mode(make_encoder: Make, tiny_trunk: Trunk, batch: Batch) -> None:
    reading, training = make_encoder({"a": "seq_bn"}, "a"), AdapterEncoder(tiny_trunk)
    before = reading.hidden(**batch)
    training.train()
    assert torch.equal(reading.hidden(**batch), before)
    assert not torch.equal(training.hidden(**batch), training.hidden(**batch))


def test_a_trunk_that_trains_in_bf16_has_nearly_the_gradient_of_float32(make_encoder: Make, batch: Batch) -> None:
    def gradient(rough: bool) -> torch.Tensor:
        encoder = make_encoder({"a": "full"}, "a").eval()
        encoder.train_parts(["a"])
        encoder.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=rough):
            encoder.hidden(**batch).sin().sum().backward()
        return torch.cat(
            [parameter.grad.flatten() for _, parameter in encoder.trainable() if parameter.grad is not None]
        )

    exact, rough = gradient(False), gradient(True)
    assert not torch.equal(exact, rough)
    assert torch.nn.functional.cosine_similarity(exact, rough, dim=0) > 0.99


def test_trained_parts_are_float32_on_a_bf16_trunk(tiny_folder: Path, batch: Batch, kind_settings: Settings) -> None:
    trunk = load_trunk(str(tiny_folder), precision="bf16")
    for kind in KINDS[:-1]:
        encoder = AdapterEncoder(trunk).eval()
        bare = encoder.hidden(**batch)
        encoder.add("a", kind, kind_settings[kind], seed=1)
        encoder.activate(Name("a"))
        encoder.train_parts(["a"])
        state = encoder.hidden(**batch)
        assert state.dtype == torch.float32
        assert torch.equal(state, encoder.hidden(**batch))
        if kinds[kind].fresh == 0:
            assert torch.equal(state, bare)
        encoder.train()
        encoder.hidden(**batch).sin().mean().backward()
        for name, parameter in encoder.trainable():
            assert parameter.dtype == torch.float32, name
            assert parameter.grad is not None, name
            assert parameter.grad.dtype == torch.float32, name


def test_bf16_is_close_to_float32(tiny_folder: Path, tiny_trunk: Trunk, make_encoder: Make, batch: Batch) -> None:
    halved = load_trunk(str(tiny_folder), precision="bf16")
    for text in (None, "stack(fuse(a, b), c)"):
        adapters = {"a": "seq_bn", "b": "seq_bn", "c": "lora"} if text else {}
        exact = make_encoder(adapters, text).hidden(**batch)
        rough = make_encoder(adapters, text, trunk=halved).hidden(**batch)
        assert (rough - exact).norm() < 0.02 * exact.norm()
        assert not torch.equal(rough, exact)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_checkpointing_gives_the_same_gradients(kind: str, make_encoder: Make, batch: Batch) -> None:
    gradients = []
    for on in (False, True):
        encoder = make_encoder({"a": kind, "b": "seq_bn", "c": "seq_bn"}, "stack(a, fuse(b, c))")
        encoder.train_parts(["a", "fuse(b, c)"])
        encoder.gradient_checkpointing(on)
        encoder.train()
        torch.manual_seed(5)  # dropout is on
        encoder.hidden(**batch).sin().mean().backward()
        gradients.append({name: parameter.grad for name, parameter in encoder.trainable()})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        assert gradient is not None, name
        assert torch.equal(gradient, gradients[1][name]), name


@pytest.mark.parametrize("composition", [None, "stack(a, b)", "stack(low, pre)", "lang", "stack(fuse(a, b), c)"])
def test_padding_and_batch_size_do_not_change_a_state(
    composition: str | None, make_encoder: Make, batch: Batch
) -> None:
    adapters = {
        "a": "seq_bn",
        "b": "seq_bn",
        "c": "double_seq_bn",
        "low": "lora",
        "pre": "prefix_tuning",
        "lang": "seq_bn_inv",
    }
    encoder = make_encoder(adapters, composition)
    together = encoder.hidden(**batch)
    padded = {
        "input_ids": nn.functional.pad(batch["input_ids"], (0, 9), value=1),
        "attention_mask": nn.functional.pad(batch["attention_mask"], (0, 9)),
    }
    further = encoder.hidden(**padded)
    for row, mask in enumerate(batch["attention_mask"]):
        length = int(mask.sum())
        alone = encoder.hidden(batch["input_ids"][row : row + 1, :length], mask[None, :length])
        torch.testing.assert_close(together[row, :length], alone[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(further[row, :length], alone[0], rtol=0, atol=1e-5)


def test_a_row_of_padding_alone_stays_finite(make_encoder: Make, batch: Batch) -> None:
    batch["input_ids"][1], batch["attention_mask"][1] = 1, 0
    encoder = make_encoder({"a": "prefix_tuning"}, "a")
    for composition in (None, Name("a")):
        encoder.activate(composition)
        assert encoder.hidden(**batch).isfinite().all()


def test_captures_mean_attention_over_tokens_that_are_not_padding(make_encoder: Make, batch: Batch) -> None:
    encoder = make_encoder({"a": "double_seq_bn", "b": "double_seq_bn", "c": "seq_bn"}, "stack(c, fuse(a, b))")
    with encoder.capture_attention() as together:
        encoder.hidden(**batch)
    mean = together.mean("fuse(a, b)")
    assert mean.shape == (2, 2)
    torch.testing.assert_close(mean.sum(-1), torch.ones(2, dtype=torch.float64))
    assert (mean - 0.5).abs().max() > 1e-3
    with encoder.capture_attention() as apart:
        for row, mask in enumerate(batch["attention_mask"]):
            length = int(mask.sum())
            encoder.hidden(batch["input_ids"][row : row + 1, :length], mask[None, :length])
    torch.testing.assert_close(apart.mean("fuse(a, b)"), mean, rtol=0, atol=1e-6)
    encoder.hidden(**batch)
    assert torch.equal(together.mean("fuse(a, b)"), mean)  # nothing is collected outside the block


def test_penalises_active_trained_fusions_alone_and_differentiably(make_encoder: Make) -> None:
    encoder = make_encoder({"a": "seq_bn", "b": "seq_bn", "c": "seq_bn"}, "fuse(a, b)")
    encoder.add_fusion(parse("fuse(b, c)"))
    assert float(encoder.fusion_penalty()) == 0
    encoder.train_parts(["fuse(b, c)"])
    assert float(encoder.fusion_penalty()) == 0  # it trains, and is not active
    encoder.train_parts(["fuse(a, b)"])
    values = [
        tensor.double()
        for name, tensor in encoder.fusion_tensors(parse("fuse(a, b)")).items()
        if name.endswith("value.weight")
    ]
    assert len(values) == 2
    by_hand = sum(0.01 * float((torch.eye(32) - value).pow(2).sum()) for value in values)
    penalty = encoder.fusion_penalty()
    assert float(penalty.detach()) == pytest.approx(by_hand, rel=1e-5)
    penalty.backward()
    gradients = {name: parameter.grad for name, parameter in encoder.trainable() if name.endswith("value.weight")}
    for (name, gradient), value in zip(gradients.items(), values, strict=True):
        assert gradient is not None, name
        torch.testing.assert_close(gradient.double(), 0.02 * (value - torch.eye(32)), rtol=1e-4, atol=1e-7)


def test_undoes_invertible_adapters_in_reverse_order(make_encoder: Make, batch: Batch) -> None:
    encoder = make_encoder({"a": "seq_bn_inv", "b": "seq_bn", "c": "seq_bn_inv"}, "stack(a, b, c)")
    changed = encoder.hidden(**batch, layer=0)
    encoder.activate(None)
    plain = encoder.hidden(**batch, layer=0)
    assert (changed - plain).abs().max() > 1e-2
    assert encoder.before_decoder(plain) is plain
    encoder.activate(parse("stack(a, b, c)"))
    torch.testing.assert_close(encoder.before_decoder(changed), plain, rtol=0, atol=1e-5)
    torch.testing.assert_close(encoder.before_decoder(changed[0, 1]), plain[0, 1], rtol=0, atol=1e-5)


def test_importing_the_encoder_does_not_import_the_library() -> None:
    modules = ", ".join(f"adapter_stilts.encoder.{name}" for name in ("trunk", "model", "task_model", "heads", "kinds"))
    code = f"import sys, {modules}; print('adapters' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False"]
