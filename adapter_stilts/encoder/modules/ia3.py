"""(IA)^3: learned scales on the outputs of projections.

Liu et al. (2022), https://arxiv.org/abs/2205.05638
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from adapter_stilts.encoder.modules.base import AdapterParts, Change, Norm, Settings, modules
from adapter_stilts.encoder.modules.lora import SMALL, Fill
from adapter_stilts.encoder.modules.projections import initialisation, place
from adapter_stilts.encoder.trunk.base import TrunkModel

SCALES: Mapping[str, Fill] = {"lora": nn.init.zeros_, "bert": SMALL, "ia3": nn.init.ones_}


class IA3(Change):
    """y * s with s [outputs], as what it adds: y * s is y + y * (s - 1); Liu et al."""

    def __init__(self, outputs: int, settings: Settings) -> None:
        super().__init__()
        self.lora_B = nn.Parameter(torch.zeros(outputs, 1))
        initialisation(SCALES, settings)(self.lora_B)

    def change(self, hidden: Tensor, source: Tensor, norm: Norm | None) -> Tensor:
        return hidden * (self.lora_B.view(-1) - 1).to(hidden.dtype)


@modules.register("ia3")
def ia3(parts: AdapterParts, settings: Settings, trunk: TrunkModel) -> None:
    """A scale on the output of every projection asked for."""
    place(parts, settings, trunk, lambda layer, site: IA3(trunk.shape.projections[site][1], settings))
