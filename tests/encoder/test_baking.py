"""Adapters that are changes of weights, written into the weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from trunk_forms import write_form

from adapter_stilts.encoder.baking import baked_weights
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.base import TrunkModel
from adapter_stilts.encoder.trunk.loading import Trunk, load_trunk
from adapter_stilts.errors import UsageError

ADAPTERS = {"l": "lora", "r": "rslora", "d": "dora", "v": "vera", "s": "ia3", "f": "ia3_ff", "w": "full"}
Make = Callable[..., AdapterEncoder]


def check(encoder: AdapterEncoder, batch: dict[str, torch.Tensor], plain: TrunkModel) -> None:
    """The baked weights in a trunk without adapters give what the adapters give."""
    expected = encoder.hidden(**batch)
    assert (expected - AdapterEncoder(encoder.trunk).eval().hidden(**batch)).abs().max() > 1e-3
    weights, plain = baked_weights(encoder), copy.deepcopy(plain)  # with the whole table of word embeddings
    with torch.no_grad():
        for name, parameter in plain.named_parameters():
            parameter.copy_(weights[name])
    other = Trunk(plain, *[getattr(encoder.trunk, name) for name in ("held", "config")], "", "", "", "fp32", None)
    torch.testing.assert_close(AdapterEncoder(other).eval().hidden(**batch), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("text", ["l", "r", "d", "v", "s", "f", "stack(l, d, s, v)", "average(l, s, weights=0.3/0.7)"])
def test_gives_what_the_adapters_give(text: str, make_encoder: Make, batch: dict[str, torch.Tensor], tiny_folder: Path):
    used = {name: kind for name, kind in ADAPTERS.items() if name in text.replace("stack", "").replace("average", "")}
    encoder = make_encoder(used, text)
    before = {name: tensor.clone() for name, tensor in encoder.base.named_parameters()}
    check(encoder, batch, load_trunk(str(tiny_folder), precision="fp32").model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.base.named_parameters())


def test_bakes_above_a_trained_trunk(make_encoder: Make, batch: dict[str, torch.Tensor], tiny_folder: Path):
    encoder = make_encoder({"w": "full", "l": "lora"}, "stack(w, l)")
    check(encoder, batch, load_trunk(str(tiny_folder), precision="fp32").model)


def test_bakes_where_queries_keys_and_values_are_one_projection(make_encoder: Make, tmp_path: Path):
    folder = str(write_form("mmbert", tmp_path / "mmbert"))
    trunk = load_trunk(folder, precision="fp32")
    encoder = make_encoder({"d": "dora", "s": "ia3"}, "stack(d, s)", trunk)
    texts = trunk.tokenizer(["The cat sleeps.", "Die Katze"], padding=True, return_tensors="pt")
    batch = {name: texts[name] for name in ("input_ids", "attention_mask")}
    check(encoder, batch, load_trunk(folder, precision="fp32").model)


@pytest.mark.parametrize("kind", ["seq_bn", "prefix_tuning", "mam"])
def test_refuses_what_is_no_change_of_weights(kind: str, make_encoder: Make):
    with pytest.raises(UsageError, match=f"'a' is of kind {kind}, which is no change of the trunk's weights"):
        baked_weights(make_encoder({"a": kind}, "a"))
