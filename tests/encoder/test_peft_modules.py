"""Our changes of projections against peft's own layers: outputs and gradients, with dropout at work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LoraConfig, PeftModel, VeraConfig, get_peft_model
from torch import Tensor
from transformers import XLMRobertaModel

from adapter_stilts.encoder.composition import Name
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.loading import load_trunk

pytestmark = [
    pytest.mark.usefixtures("torchs_draws"),
    # peft's, of transformers
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),
]

ALL = {"attn_matrices": ["q", "k", "v", "o"], "intermediate_lora": True, "output_lora": True}
EVERY = ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"]
LOW_RANK = {"lora": {}, "rslora": {"use_rslora": True}, "dora": {"use_dora": True}}
NAMES = {
    "lora_A": "lora_A.default.weight",
    "lora_B": "lora_B.default.weight",
    "magnitude": "lora_magnitude_vector.default.weight",
    "vera_lambda_d": "vera_lambda_d.default",
    "vera_lambda_b": "vera_lambda_b.default",
}


def configured(kind: str, everywhere: bool, dropout: float = 0.3) -> tuple[dict[str, Any], Any]:
    """Our settings and peft's configuration of the same."""
    where = ALL if everywhere else {"attn_matrices": ["k"] if kind == "ia3" else ["q", "v"]}
    targets = EVERY if everywhere else ["key"] if kind == "ia3" else ["query", "value"]
    if kind == "ia3":
        return {"intermediate_lora": False, **where}, IA3Config(target_modules=targets, feedforward_modules=[])
    if kind == "vera":
        vera: dict[str, Any] = {"r": 4, "projection_prng_key": 3, "vera_dropout": dropout}
        ours = {"r": 4, "projection_seed": 3, "dropout": dropout}
        return ours | where, VeraConfig(target_modules=targets, **vera)
    lora: dict[str, Any] = {"r": 4, "lora_alpha": 6, "lora_dropout": dropout}
    return {"r": 4, "alpha": 6, "dropout": dropout} | where, LoraConfig(
        target_modules=targets, **lora, **LOW_RANK[kind]
    )


def name_in_peft(canonical: str) -> str:
    place, _, tensor = canonical.partition(".loras.")
    return f"base_model.model.{place}.{NAMES[tensor]}"


@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize("kind", ["lora", "rslora", "dora", "vera", "ia3"])
def test_is_pefts_own_arithmetic(
    kind: str, everywhere: bool, tiny_folder: Path, batch: dict[str, Tensor]
) -> None:
    settings, config = configured(kind, everywhere)
    encoder = AdapterEncoder(load_trunk(str(tiny_folder), precision="fp32"))
    encoder.add("a", kind, settings, seed=2)
    encoder.activate(Name("a"))
    encoder.train_parts(["a"])
    plain = XLMRobertaModel.from_pretrained(tiny_folder, add_pooling_layer=False, attn_implementation="sdpa")
    model: PeftModel = get_peft_model(plain, config)
    theirs = dict(model.named_parameters())
    if kind == "ia3":
        named = {name: theirs[name_of_scale(name)] for name in encoder.tensors("a")}
    else:
        named = {name: theirs[name_in_peft(name)] for name in encoder.tensors("a")}
    assert len(named) == sum(parameter.requires_grad for parameter in model.parameters())
    if kind == "dora":
        for name, tensor in encoder.tensors("a").items():
            if name.endswith("magnitude"):
                assert torch.equal(tensor, named[name])  # the lengths of the frozen rows
    generator = torch.Generator().manual_seed(1)
    ours = [parameter for _, parameter in encoder.trainable()]
    for own, their in zip(ours, named.values(), strict=True):
        own.data += 0.1 * torch.randn(own.shape, generator=generator)
        their.data.copy_(own.data)
    for training in (False, True):
        states = []
        for run in (encoder.train(training), model.train(training)):
            torch.manual_seed(4)
            states.append(encoder.hidden(**batch) if run is encoder else model(**batch).last_hidden_state)
        torch.testing.assert_close(*states, rtol=0, atol=2e-6)
        gradients = (
            torch.autograd.grad(state.sin().mean(), list(side))
            for state, side in zip(states, (ours, named.values()), strict=True)
        )
        torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-7)


def name_of_scale(canonical: str) -> str:
    return f"base_model.model.{canonical.removesuffix('.loras.lora_B')}.ia3_l.default"


def test_random_matrices_of_vera_are_pefts(make_encoder: Callable[..., AdapterEncoder], tiny_folder: Path) -> None:
    encoder = make_encoder({})
    encoder.add("a", "vera", {"r": 4, "intermediate_lora": True, "projection_seed": 5})
    shared = next(module for module in encoder.adapters["a"].modules() if hasattr(module, "down"))
    config = VeraConfig(r=4, target_modules=["query", "value", "intermediate.dense"], projection_prng_key=5)
    model = get_peft_model(XLMRobertaModel.from_pretrained(tiny_folder, add_pooling_layer=False), config)
    assert torch.equal(shared.down, model.base_model.vera_A["default"])
    assert torch.equal(shared.up, model.base_model.vera_B["default"])
    assert not any("down" in name for name in encoder.tensors("a"))
