"""Adapters on the tiny XLM-R: small settings per kind, a batch, and encoders with adapters whose weights matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest
import torch

from adapter_stilts.encoder.composition import fusions, parse
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.loading import Trunk

SETTINGS: dict[str, dict[str, object]] = {
    "seq_bn": {"reduction_factor": 4},
    "double_seq_bn": {"reduction_factor": 4},
    "par_bn": {"reduction_factor": 4},
    "seq_bn_inv": {"reduction_factor": 4},
    "compacter": {"reduction_factor": 4},
    "lora": {"r": 4, "alpha": 8},
    "rslora": {"r": 4, "alpha": 8},
    "dora": {"r": 4, "alpha": 8},
    "vera": {"r": 4},
    "ia3": {},
    "ia3_ff": {},
    "prefix_tuning": {"prefix_length": 3, "bottleneck_size": 8},
    "mam": {"prefix_length": 3, "bottleneck_size": 8, "reduction_factor": 4},
    "full": {},
}


@pytest.fixture(scope="session")
def kind_settings() -> Mapping[str, dict[str, object]]:
    """Settings of every kind that fit 32 dimensions."""
    return SETTINGS


@pytest.fixture
def batch(tiny_trunk: Trunk) -> dict[str, torch.Tensor]:
    """Three sentences of different length."""
    sentences = ["The cat sleeps.", "Die kleine Katze schläft unter dem alten Tisch.", "小さな猫"]
    return dict(tiny_trunk.tokenizer(sentences, padding=True, return_tensors="pt"))


@pytest.fixture
def make_encoder(tiny_trunk: Trunk) -> Callable[..., AdapterEncoder]:
    """An encoder with adapters {name: kind}, trained-looking weights, and a composition active with its fusions."""

    def make(adapters: Mapping[str, str], composition: str | None = None, trunk: Trunk | None = None) -> AdapterEncoder:
        encoder = AdapterEncoder(tiny_trunk if trunk is None else trunk).eval()
        for seed, (name, kind) in enumerate(adapters.items()):
            encoder.add(name, kind, SETTINGS[kind], seed=seed)
        if composition is not None:
            for seed, fuse in enumerate(fusions(parse(composition))):
                encoder.add_fusion(fuse, seed=100 + seed)
            encoder.activate(parse(composition))
        shake(parameter for parts in encoder._parts().values() for parameter in parts.parameters())
        return encoder

    return make


def shake(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Move weights away from where they started, so that none is zero, one or the identity."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for parameter in parameters:
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)


@pytest.fixture
def torchs_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trunk's dropout drops what torch would drop."""

    def draw(like: torch.Tensor, p: float) -> tuple[torch.Tensor, float]:
        return torch.empty_like(like).bernoulli_(1 - p) == 0, float(torch.ones(()).div(1 - p))

    for module in ("dropout", "attention"):
        monkeypatch.setattr(f"adapter_stilts.encoder.trunk.{module}.draw", draw)
