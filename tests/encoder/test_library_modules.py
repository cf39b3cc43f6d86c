"""Our modules against the adapters library's, bit by bit: first values, outputs and gradients of every kind, setting
and composition, with dropout at work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from encoder import library_modules
from torch import Tensor

from adapter_stilts.encoder.activations import ACTIVATIONS
from adapter_stilts.encoder.composition import fusion_name, fusions, names, parse
from adapter_stilts.encoder.kinds import kinds
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.loading import load_trunk

BOTTLENECKS = ("seq_bn", "double_seq_bn", "par_bn", "seq_bn_inv")
COMPOSITIONS = (
    "a",
    "stack(a, b)",
    "fuse(a, b)",
    "average(a, b, weights=0.3/0.7)",
    "stack(a, fuse(b, c), d)",
    "fuse(stack(a, b), average(c, d))",
)
PREFIX: dict[str, Any] = {"prefix_length": 3, "bottleneck_size": 8}
SETTINGS: list[tuple[str, dict[str, Any]]] = [
    *((kind, {"dropout": 0.2, "scaling": scaling}) for kind in BOTTLENECKS for scaling in ("learned", "channel", 0.5)),
    *((kind, {"init_weights": how}) for kind in BOTTLENECKS for how in ("bert", "mam_adapter", "houlsby")),
    *((kind, {"ln_before": True, "leave_out": [1]}) for kind in BOTTLENECKS if kind != "par_bn"),
    *(("seq_bn", {"non_linearity": name}) for name in (*ACTIVATIONS, "prelu", "GELU")),
    ("seq_bn_inv", {"inv_adapter_reduction_factor": 4.0, "non_linearity": "prelu"}),
    ("compacter", {"shared_phm_rule": False}),
    ("compacter", {"phm_dim": 2, "phm_rank": 3, "dropout": 0.2, "scaling": "channel"}),
    *(("lora", {"init_weights": how, "dropout": 0.2}) for how in ("lora", "bert", "ia3", "vera")),
    ("lora", {"r": 3, "alpha": 5, "attn_matrices": ["q", "k", "v"], "intermediate_lora": True, "output_lora": True}),
    ("lora", {"selfattn_lora": False, "output_lora": True, "leave_out": [0]}),
    *(("ia3", {"init_weights": how, "output_lora": True}) for how in ("lora", "bert", "ia3")),
    ("ia3", {"attn_matrices": ["q"], "intermediate_lora": False}),
    *(("prefix_tuning", PREFIX | {"flat": flat, "dropout": drop}) for flat in (False, True) for drop in (0.0, 0.2)),
    ("prefix_tuning", PREFIX | {"leave_out": [0], "non_linearity": "gelu_new"}),
    ("mam", PREFIX | {"dropout": 0.2, "scaling": "learned", "leave_out": [1]}),
]
ALLOWED = [
    (name, text)
    for name, kind in kinds.items()
    if name not in library_modules.PEFTS
    for text in COMPOSITIONS
    if name != "full" and all(text.count(block) == 0 for block in kind.refuses)
]


@pytest.fixture(params=["fp32", "bf16"])
def precision(request: pytest.FixtureRequest) -> str:
    library_modules.import_library()
    return str(request.param)


@pytest.mark.parametrize(("kind", "settings"), SETTINGS, ids=str)
def test_every_setting_is_the_librarys(
    kind: str, settings: dict[str, Any], precision: str, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same(kind, settings, "a", precision, tiny_folder, monkeypatch)


@pytest.mark.parametrize(("kind", "composition"), ALLOWED)
def test_every_composition_is_the_librarys(
    kind: str, composition: str, precision: str, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = PREFIX if "prefix_length" in kinds[kind].settings else {}
    settings = settings | ({"dropout": 0.1} if "dropout" in kinds[kind].settings else {})
    same(kind, settings, composition, precision, tiny_folder, monkeypatch)


def same(
    kind: str,
    settings: dict[str, Any],
    composition: str,
    precision: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "reduction_factor" in kinds[kind].settings:
        settings = {"reduction_factor": 4.0} | settings
    ours = one_step(kind, settings, composition, precision, folder)
    monkeypatch.setattr("adapter_stilts.encoder.model.build", library_modules.build)
    monkeypatch.setattr("adapter_stilts.encoder.model.FusionParts", library_modules.LibraryFusion)
    theirs = one_step(kind, settings, composition, precision, folder)
    assert list(ours) == list(theirs)  # names, and the order in which an optimiser sees them
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


def one_step(kind: str, settings: dict[str, Any], text: str, precision: str, folder: Path) -> dict[str, Tensor]:
    """First values, moved values' output in training and evaluation, and gradients, by name."""
    trunk, composition = load_trunk(str(folder), precision=precision), parse(text)
    encoder = AdapterEncoder(trunk)
    for seed, name in enumerate(names(composition)):
        encoder.add(name, kind, settings, seed=seed)
    for fuse in fusions(composition):
        encoder.add_fusion(fuse, seed=9)
    encoder.activate(composition)
    encoder.train_parts([*names(composition), *map(fusion_name, fusions(composition))])
    seen = {f"first {name}": tensor.detach().clone() for name, tensor in encoder.trainable()}

    generator = torch.Generator().manual_seed(11)
    for _, parameter in encoder.trainable():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    batch = trunk.tokenizer(["The cat sleeps.", "Die Katze schläft.", "猫"], padding=True, return_tensors="pt")
    inputs = (batch["input_ids"], batch["attention_mask"])
    seen["evaluated"] = encoder.eval().hidden(*inputs).detach()
    torch.manual_seed(4)
    seen["trained"] = state = encoder.train().hidden(*inputs)
    (encoder.before_decoder(state).sin().mean() + encoder.fusion_penalty()).backward()
    return seen | {f"gradient {name}": tensor.grad for name, tensor in encoder.trainable() if tensor.grad is not None}
