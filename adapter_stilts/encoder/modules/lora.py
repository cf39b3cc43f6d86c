"""Changes of the projections: low-rank matrices (LoRA) and learned scales ((IA)^3).

Hu et al. (2022), https://arxiv.org/abs/2106.09685
Liu et al. (2022), https://arxiv.org/abs/2205.05638
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from adapter_stilts.encoder.modules.base import (
    PROJECTIONS,
    AdapterParts,
    Change,
    Norm,
    Settings,
    kept_layers,
    modules,
)
from adapter_stilts.encoder.trunk.base import TrunkModel

T = TypeVar("T")
Fill: TypeAlias = Callable[[Tensor], object]


class LoRA(Change):
    """y + (alpha / r) * B A x, with A [r, inputs] and B [outputs, r]; Hu et al."""

    def __init__(self, inputs: int, outputs: int, settings: Settings) -> None:
        super().__init__()
        self.dropout = nn.Dropout(settings["dropout"])
        self.lora_A = nn.Parameter(torch.zeros(settings["r"], inputs))
        self.lora_B = nn.Parameter(torch.zeros(outputs, settings["r"]))
        self.scaling = settings["alpha"] / settings["r"]
        fill_a, fill_b = _known(PAIRS, settings)
        fill_a(self.lora_A)
        fill_b(self.lora_B)

    def change(self, hidden: Tensor, source: Tensor, norm: Norm | None) -> Tensor:
        dropped: Tensor = self.dropout(source)
        change = dropped @ self.lora_A.t() @ self.lora_B.t()
        return change if self.scaling == 1 else change * self.scaling


class IA3(Change):
    """y * s with s [outputs], as what it adds: y * s is y + y * (s - 1); Liu et al."""

    def __init__(self, inputs: int, outputs: int, settings: Settings) -> None:
        super().__init__()
        self.lora_B = nn.Parameter(torch.zeros(outputs, 1))
        _known(SCALES, settings)(self.lora_B)

    def change(self, hidden: Tensor, source: Tensor, norm: Norm | None) -> Tensor:
        return hidden * (self.lora_B.view(-1) - 1).to(hidden.dtype)


@modules.register("lora")
def lora(parts: AdapterParts, settings: Settings, trunk: TrunkModel) -> None:
    """A low-rank change of every projection asked for, in each layer that is kept."""
    _place(parts, settings, trunk, LoRA)


@modules.register("ia3")
def ia3(parts: AdapterParts, settings: Settings, trunk: TrunkModel) -> None:
    """A scale on the output of every projection asked for, in each layer that is kept."""
    _place(parts, settings, trunk, IA3)


def _place(
    parts: AdapterParts, settings: Settings, trunk: TrunkModel, make: Callable[[int, int, Settings], Change]
) -> None:
    unknown = set(settings["attn_matrices"]) - {"q", "k", "v"}
    if unknown:
        raise ValueError(f"attn_matrices holds '{sorted(unknown)[0]}', which is not one of: q, k, v")
    asked = {
        **{site: settings["selfattn_lora"] and site[0] in settings["attn_matrices"] for site in ATTENTION},
        "intermediate": settings["intermediate_lora"],
        "output_dense": settings["output_lora"],
    }
    sites = [site for site in PROJECTIONS if asked[site]]
    if not sites:
        raise ValueError("attn_matrices, intermediate_lora and output_lora leave no projection to change")
    for layer in kept_layers(settings, trunk.shape.layers):
        for site in sites:
            parts.attach(layer, site, make(*trunk.shape.projections[site], settings))


def _known(values: Mapping[str, T], settings: Settings) -> T:
    how = settings["init_weights"]
    if how not in values:
        raise ValueError(f"Unknown init_weights '{how}'; one of: {', '.join(values)}")
    return values[how]


ATTENTION = ("query", "key", "value")
SMALL: Fill = partial(nn.init.normal_, std=0.02)
SCALES: Mapping[str, Fill] = {"lora": nn.init.zeros_, "bert": SMALL, "ia3": nn.init.ones_}
PAIRS: Mapping[str, tuple[Fill, Fill]] = {
    "lora": (partial(nn.init.kaiming_uniform_, a=math.sqrt(5)), nn.init.zeros_),  # B = 0: a fresh one changes nothing
    "bert": (SMALL, SMALL),
    "ia3": (nn.init.ones_, nn.init.ones_),
    "vera": (nn.init.kaiming_uniform_, nn.init.kaiming_uniform_),
}
