"""AdapterFusion: attention, learned, over what several adapters add.

Pfeiffer et al. (2021), https://arxiv.org/abs/2005.00247
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from adapter_stilts.encoder.modules.base import STREAM, AdapterParts, small_normal
from adapter_stilts.encoder.trunk.base import TrunkModel

BESIDE = 1e-6  # the value matrix starts as the identity, with this beside the diagonal


class FusionLayer(nn.Module):
    """softmax(Q x (K v_1 ... K v_A)) over the values V v_a, without a scale of the products."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.query = nn.Linear(width, width)
        small_normal(self.query)
        self.key = nn.Linear(width, width)
        small_normal(self.key)
        self.value = nn.Linear(width, width, bias=False)
        small_normal(self.value)
        self.value.weight.data.fill_(BESIDE).fill_diagonal_(1.0)

    def forward(self, query: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """query [B, T, H], values [B, T, A, H]; returns what to add [B, T, H] and the attention [B, T, A]."""
        scores = (self.query(query).unsqueeze(2) @ self.key(values).transpose(-2, -1)).squeeze(2)
        attention = torch.softmax(self.dropout(scores), dim=-1)
        mixed = (attention.to(scores.dtype).unsqueeze(2) @ self.value(values)).squeeze(2)
        return mixed, attention


class FusionParts(AdapterParts):
    """AdapterFusion's modules at the given sites of all layers held, drawn from the global generator."""

    def __init__(self, sites: tuple[str, ...], trunk: TrunkModel) -> None:
        super().__init__(len(trunk.layers))
        for layer in range(self.depth):
            for site in sites:
                self.put(_place(layer, site), FusionLayer(trunk.shape.hidden, trunk.shape.dropout))

    def fuse(self, layer: int, site: str, query: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """query [B, T, H], values [B, T, A, H]; returns what to add [B, T, H] and the attention [B, T, A]."""
        module: Any = self.at(_place(layer, site))
        fused: tuple[Tensor, Tensor] = module(query, values)
        return fused

    def value_matrices(self) -> list[Tensor]:
        """The value matrix of each layer, [H, H]: what the regulariser keeps near the identity."""
        return [module.value.weight for module in self.children() if isinstance(module, FusionLayer)]


def _place(layer: int, site: str) -> str:
    return f"encoder.layer.{layer}.{STREAM[site]}.adapter_fusion_layer"
