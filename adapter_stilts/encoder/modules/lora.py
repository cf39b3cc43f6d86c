"""Low-rank changes of the projections.

lora     Hu et al. (2022), https://arxiv.org/abs/2106.09685
rslora   Kalajdzievski (2023), https://arxiv.org/abs/2312.03732
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from torch import Tensor, nn, zeros

from adapter_stilts.encoder.modules.base import AdapterParts, Change, Norm, Settings, modules
from adapter_stilts.encoder.modules.projections import initialisation, place
from adapter_stilts.encoder.trunk.base import TrunkModel

Fill: TypeAlias = Callable[[Tensor], object]


class LoRA(Change):
    """y + (alpha / r) * B A x, with A [r, inputs] and B [outputs, r]; Hu et al."""

    def __init__(self, inputs: int, outputs: int, settings: Settings) -> None:
        super().__init__()
        self.dropout = nn.Dropout(settings["dropout"])
        self.lora_A = nn.Parameter(zeros(settings["r"], inputs))
        self.lora_B = nn.Parameter(zeros(outputs, settings["r"]))
        self.scaling = settings["alpha"] / settings["r"]
        fill_a, fill_b = initialisation(PAIRS, settings)
        fill_a(self.lora_A)
        fill_b(self.lora_B)

    def change(self, hidden: Tensor, source: Tensor, norm: Norm | None) -> Tensor:
        dropped: Tensor = self.dropout(source)
        change = dropped @ self.lora_A.t() @ self.lora_B.t()
        return change if self.scaling == 1 else change * self.scaling


class RsLoRA(LoRA):
    """y + (alpha / sqrt(r)) * B A x: a scale at which a higher rank does not learn more slowly; Kalajdzievski."""

    def __init__(self, inputs: int, outputs: int, settings: Settings) -> None:
        super().__init__(inputs, outputs, settings)
        self.scaling = settings["alpha"] / math.sqrt(settings["r"])


@modules.register("lora")
def lora(parts: AdapterParts, settings: Settings, trunk: TrunkModel) -> None:
    """A low-rank change of every projection asked for."""
    place(parts, settings, trunk, lambda layer, site: LoRA(*trunk.shape.projections[site], settings))


@modules.register("rslora")
def rslora(parts: AdapterParts, settings: Settings, trunk: TrunkModel) -> None:
    """The same, scaled by the root of the rank."""
    place(parts, settings, trunk, lambda layer, site: RsLoRA(*trunk.shape.projections[site], settings))


SMALL: Fill = partial(nn.init.normal_, std=0.02)
PAIRS: Mapping[str, tuple[Fill, Fill]] = {
    "lora": (partial(nn.init.kaiming_uniform_, a=math.sqrt(5)), nn.init.zeros_),  # B = 0: a fresh one changes nothing
    "bert": (SMALL, SMALL),
    "ia3": (nn.init.ones_, nn.init.ones_),
    "vera": (nn.init.kaiming_uniform_, nn.init.kaiming_uniform_),
}
