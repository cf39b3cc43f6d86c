"""Prefix tuning: learned keys and values before those of the sentence, in each layer.

Li and Liang (2021), https://arxiv.org/abs/2101.00190
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from adapter_stilts.encoder.activations import Activation
from adapter_stilts.encoder.modules.base import PREFIX, AdapterParts, Prefix, Settings, kept_layers, modules
from adapter_stilts.encoder.trunk.base import TrunkModel


class PrefixTuning(nn.Module):
    """`length` keys and values in each of `layers`: an MLP's of `length` embeddings, or parameters themselves (flat).

    The MLP makes training steadier (Li and Liang, section 4.3).
    """

    def __init__(self, layers: list[int], heads: int, width: int, settings: Settings) -> None:
        super().__init__()
        self.layers = layers
        self.length = settings["prefix_length"]
        self.split = (2 * len(layers), heads, width // heads)
        self.flat = settings["flat"]
        outputs = 2 * len(layers) * width
        if self.flat:
            self.control_trans: nn.Parameter | nn.Sequential = nn.Parameter(torch.randn(self.length * outputs))
        else:
            narrow = settings["bottleneck_size"]
            self.wte = nn.Embedding(self.length, width)
            function = Activation(settings["non_linearity"])
            self.control_trans = nn.Sequential(nn.Linear(width, narrow), function, nn.Linear(narrow, outputs))
        self.dropout = nn.Dropout(settings["dropout"])

    def forward(self, batch: int) -> Mapping[int, Prefix]:
        """By layer; with dropout each row of the batch has its own, otherwise one serves all."""
        rows = batch if self.training and self.dropout.p > 0 else 1
        dropped: Tensor = self.dropout(self._values(rows).view(rows, self.length, *self.split))
        pairs = torch.split(dropped.permute(2, 0, 3, 1, 4), 2)  # each [2, rows, heads, length, H / heads]
        return {layer: Prefix(*pair) for layer, pair in zip(self.layers, pairs, strict=True)}

    def _values(self, rows: int) -> Tensor:
        """[rows, length, 2 L H], or flat [rows, length * 2 L H]."""
        if isinstance(self.control_trans, nn.Parameter):
            return self.control_trans.unsqueeze(0).expand(rows, -1)
        indices = torch.arange(self.length, device=self.wte.weight.device)
        values: Tensor = self.control_trans(self.wte(indices.unsqueeze(0).expand(rows, -1)))
        return values


@modules.register("prefix")
def prefix(parts: AdapterParts, settings: Settings, trunk: TrunkModel) -> None:
    """One module for all layers that are kept; those above the ones held are made and never used."""
    layers = kept_layers(settings, trunk.shape.layers)
    parts.put(PREFIX, PrefixTuning(layers, trunk.shape.heads, trunk.shape.hidden, settings))
