"""(IA)^3: learned scales on the outputs of projections, or on what goes into them.

Liu et al. (2022), https://arxiv.org/abs/2205.05638
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from adapter_stilts.encoder.modules.base import AdapterParts, Change, Norm, Settings, modules
from adapter_stilts.encoder.modules.lora import SMALL, Fill
from adapter_stilts.encoder.modules.projections import WORDS, initialisation, place
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


class InputIA3(Change):
    """W (s * x) + b with s [inputs], as what it adds to W x + b; Liu et al., of the feed-forward block."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.lora_A = nn.Parameter(torch.ones(1, inputs))

    def change(self, hidden: Tensor, source: Tensor, norm: Norm | None) -> Tensor:
        assert norm is not None
        return norm(source * (self.lora_A.view(-1) - 1).to(source.dtype)).to(hidden.dtype)


@modules.register("ia3")
def ia3(parts: AdapterParts, settings: Settings, trunk: TrunkModel) -> None:
    """A scale on the output of every projection asked for."""
    place(parts, settings, trunk, lambda layer, site: IA3(trunk.shape.projections[site][1], settings))


@modules.register("ia3_ff")
def ia3_ff(parts: AdapterParts, settings: Settings, trunk: TrunkModel) -> None:
    """A scale on every projection asked for: on its inputs where `scaled_inputs` names it, else on its outputs."""
    unknown = set(settings["scaled_inputs"]) - set(WORDS.values())
    if unknown:
        known = ", ".join(WORDS.values())
        raise ValueError(f"scaled_inputs holds '{sorted(unknown)[0]}', which is not one of: {known}")

    def make(layer: int, site: str) -> Change:
        inputs, outputs = trunk.shape.projections[site]
        return InputIA3(inputs) if WORDS[site] in settings["scaled_inputs"] else IA3(outputs, settings)

    place(parts, settings, trunk, make)
