"""Invertible adapters on the embeddings: what a language adapter changes below all layers, undone before the output.

Pfeiffer et al. (2020), https://arxiv.org/abs/2005.00052, with the coupling of Dinh et al. (2015),
https://arxiv.org/abs/1410.8516
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from adapter_stilts.encoder.activations import Activation
from adapter_stilts.encoder.modules.base import INVERTIBLE, AdapterParts, Settings, modules, narrowed, small_normal
from adapter_stilts.encoder.trunk.base import TrunkModel


class NiceCoupling(nn.Module):
    """y1 = x1 + F(x2), y2 = x2 + G(y1) over the two halves of the dimensions: what is added can be taken off again."""

    def __init__(self, width: int, settings: Settings) -> None:
        super().__init__()
        self.first = width // 2
        self.F = _bottleneck(width - self.first, self.first, settings)
        self.G = _bottleneck(self.first, width - self.first, settings)
        for half in (self.F, self.G):
            for linear in (half[0], half[2]):
                assert isinstance(linear, nn.Linear)
                small_normal(linear)

    def forward(self, hidden: Tensor, *, rev: bool = False) -> Tensor:
        first, second = hidden[:, :, : self.first], hidden[:, :, self.first :]
        if rev:
            second = second - self.G(first)
            first = first - self.F(second)
        else:
            first = first + self.F(second)
            second = second + self.G(first)
        return torch.cat((first, second), -1)


@modules.register("invertible")
def invertible(parts: AdapterParts, settings: Settings, trunk: TrunkModel) -> None:
    """One coupling on the embeddings."""
    parts.put(INVERTIBLE, NiceCoupling(trunk.shape.hidden, settings))


def _bottleneck(inputs: int, outputs: int, settings: Settings) -> nn.Sequential:
    narrow = narrowed(inputs, settings, "inv_adapter_reduction_factor")
    function = Activation(settings["non_linearity"])
    return nn.Sequential(nn.Linear(inputs, narrow), function, nn.Linear(narrow, outputs))
