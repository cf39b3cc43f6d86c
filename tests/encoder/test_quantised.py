"""A trunk in 8 or 4 bits: in training and after it, that of the rounded weights, in bf16."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from adapter_stilts.encoder.model import AdapterEncoder, count
from adapter_stilts.encoder.trunk.loading import Trunk, load_trunk
from adapter_stilts.encoder.trunk.quantised import QUANTISED, PackedLinear
from adapter_stilts.errors import UsageError

pytest.importorskip("bitsandbytes")
BITS = {"int8": 8, "nf4": 4}
ROUNDED = {"int8": 0.015, "nf4": 0.12}  # |packed - W| / |W|
FOUR = {"a": "seq_bn", "b": "lora", "c": "dora", "d": "prefix_tuning"}
TEXT = "stack(a, b, c, d)"


@pytest.fixture(params=QUANTISED)
def precision(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def packed(tiny_folder: Path, precision: str) -> Trunk:
    return load_trunk(str(tiny_folder), precision=precision)


@pytest.fixture
def rounded(tiny_folder: Path, packed: Trunk) -> Trunk:
    """A bf16 trunk whose weights are those of the packed one."""
    trunk = load_trunk(str(tiny_folder), precision="bf16")
    for name, module in packed.model.named_modules():
        if isinstance(module, PackedLinear):
            trunk.model.get_parameter(f"{name}.weight").data.copy_(module.weight)
    return trunk


def test_is_a_trunk_of_rounded_weights_in_and_after_training(
    packed: Trunk, rounded: Trunk, make_encoder: Callable[..., AdapterEncoder], batch: dict[str, Tensor]
) -> None:
    """Evaluated between two trainings, too: nothing is packed anew that no gradient would pass."""
    ours, plain = (passes(make_encoder(FOUR, TEXT, trunk=trunk), batch) for trunk in (packed, rounded))
    assert list(ours) == list(plain)
    for name, tensor in ours.items():
        assert torch.equal(tensor, plain[name]), (name, (tensor - plain[name]).abs().max(), tensor.abs().max())
        assert tensor.abs().max() > 0, name


def passes(encoder: AdapterEncoder, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    seen: dict[str, Tensor] = {}
    encoder.train_parts([*FOUR])
    for turn in ("first", "second"):
        seen[f"{turn} evaluated"] = encoder.eval().hidden(**batch).detach()
        encoder.zero_grad()
        torch.manual_seed(3)
        seen[f"{turn} trained"] = (state := encoder.train().hidden(**batch)).detach()
        state.sin().mean().backward()
        gradients = {name: tensor.grad for name, tensor in encoder.trainable()}
        seen |= {f"{turn} {name}": gradient for name, gradient in gradients.items() if gradient is not None}
    return seen


def test_says_how_far_its_weights_are_from_those_stored(packed: Trunk, tiny_folder: Path, precision: str) -> None:
    stored = load_trunk(str(tiny_folder), precision="fp32").model
    named = {name: each for name, each in packed.model.named_modules() if isinstance(each, PackedLinear)}
    assert len(named) == 6 * packed.config.num_hidden_layers
    for name, module in named.items():
        weight = stored.get_parameter(f"{name}.weight")
        error = float((module.weight.float() - weight).norm() / weight.norm())
        assert error == pytest.approx(module.error, abs=0.004)  # of bf16
        assert 0 < error < ROUNDED[precision], error
    assert packed.rounding == max(module.error for module in named.values())
    assert load_trunk(str(tiny_folder), precision="bf16").rounding == 0


def test_holds_so_many_bits_a_weight(precision: str) -> None:
    module = PackedLinear(torch.nn.Linear(512, 512), precision, torch.device("cpu"))
    state = module._scales
    scales = state if isinstance(state, Tensor) else state.absmax
    assert module._codes.numel() * module._codes.itemsize * 8 == BITS[precision] * 512 * 512
    assert scales.numel() * scales.itemsize < 0.02 * 512 * 512
    assert not list(module.parameters())[1:]  # the bias alone


@pytest.mark.parametrize("sizes", [(32, 32), (96, 96), (64, 160), (7, 100), (33, 65)])
def test_rounds_weights_of_every_shape_alike(sizes: tuple[int, int], precision: str) -> None:
    """bitsandbytes 0.50 gives some rows of 32, 96 and 160 numbers the scales of others, on a CPU in 4 bits."""
    assert PackedLinear(torch.nn.Linear(*sizes), precision, torch.device("cpu")).error < ROUNDED[precision]


def test_counts_all_parameters(packed: Trunk, tiny_folder: Path) -> None:
    assert count(packed.model) == count(load_trunk(str(tiny_folder), precision="fp32").model)
    assert set(packed.model.tensors()) == set(load_trunk(str(tiny_folder), precision="fp32").model.tensors())


def test_fetches_no_kernels(tmp_path: Path, precision: str) -> None:
    """Where the package `kernels` is installed, bitsandbytes would download code with it."""
    (tmp_path / "kernels.py").write_text("open('fetched', 'w').close()\ndef get_kernel(*names, **more): pass\n")
    code = f"""
import torch
from adapter_stilts.encoder.trunk.quantised import PackedLinear
PackedLinear(torch.nn.Linear(64, 64), {precision!r}, torch.device("cpu"))
"""
    place = {"PYTHONPATH": str(tmp_path), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=place, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "fetched").exists()


def test_refuses_devices_without_such_projections(tiny_folder: Path, precision: str) -> None:
    from adapter_stilts.encoder.trunk.precision import resolve_precision

    with pytest.raises(UsageError, match=f"{precision} trunks run on cuda and cpu, and this device is mps"):
        resolve_precision(precision, torch.device("mps"))
