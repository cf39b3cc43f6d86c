"""Bottlenecks: down to a few dimensions, a non-linearity, and up again, on the residual stream.

double_seq_bn   after attention and the feed-forward block, Houlsby et al. (2019), https://arxiv.org/abs/1902.00751
seq_bn          after the feed-forward block, Pfeiffer et al. (2021), https://arxiv.org/abs/2005.00247
par_bn          beside the feed-forward block, He et al. (2022), https://arxiv.org/abs/2110.04366
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn

from adapter_stilts.encoder.activations import Activation
from adapter_stilts.encoder.modules.base import (
    AdapterParts,
    Change,
    Norm,
    Settings,
    kept_layers,
    modules,
    narrowed,
    small_normal,
)
from adapter_stilts.encoder.trunk.base import TrunkModel

Pair: TypeAlias = tuple[nn.Module, nn.Module]  # down and up


class Bottleneck(Change):
    """x + scaling * up(f(down(r))); Houlsby et al., Pfeiffer et al., He et al.

    What it reads, r, is the difference between the three: "hidden", what the block computed; "norm", the layer norm of
    that and the residual; "residual", what the block read.
    """

    def __init__(self, width: int, pair: Pair, settings: Settings) -> None:
        super().__init__()
        self.reads = settings["reads"]
        steps: list[nn.Module] = []
        if settings["ln_before"]:
            self.adapter_norm_before = nn.LayerNorm(width)
            steps.append(self.adapter_norm_before)
        down, up = pair
        self.non_linearity = Activation(settings["non_linearity"])
        self.adapter_down = nn.Sequential(*steps, down, self.non_linearity)
        self.adapter_up = up
        self.scaling: float | nn.Parameter = _scaling(settings["scaling"], width)
        self.dropout = nn.Dropout(settings["dropout"])

    def change(self, hidden: Tensor, source: Tensor, norm: Norm | None) -> Tensor:
        change = self.adapter_up(self.adapter_down(self.query(hidden, source, norm)))
        if not isinstance(self.scaling, float) or self.scaling != 1:
            change = change * self.scaling
        dropped: Tensor = self.dropout(change)
        return dropped

    def query(self, hidden: Tensor, source: Tensor, norm: Norm | None) -> Tensor:
        if self.reads == "residual":
            return source
        if self.reads == "hidden":
            return hidden
        assert norm is not None
        return norm(hidden)


def linear_pair(width: int, narrow: int, settings: Settings) -> Pair:
    """Down and up as linear layers, with the initialisation asked for."""
    how = settings["init_weights"]
    if how not in INITIALISATIONS:
        raise ValueError(f"Unknown init_weights '{how}'; one of: {', '.join(INITIALISATIONS)}")
    down, up = nn.Linear(width, narrow), nn.Linear(narrow, width)
    INITIALISATIONS[how](down, up)
    return down, up


@modules.register("bottleneck")
def bottleneck(parts: AdapterParts, settings: Settings, trunk: TrunkModel) -> None:
    """A bottleneck at each of settings["sites"] of each layer that is kept."""
    place_bottlenecks(parts, settings, trunk, linear_pair)


def place_bottlenecks(
    parts: AdapterParts, settings: Settings, trunk: TrunkModel, pair: Callable[[int, int, Settings], Pair]
) -> None:
    """Bottlenecks whose two matrices `pair` makes, from the lowest layer to the highest."""
    width = trunk.shape.hidden
    narrow = narrowed(width, settings, "reduction_factor")
    for layer in kept_layers(settings, trunk.shape.layers):
        for site in settings["sites"]:
            parts.attach(layer, site, Bottleneck(width, pair(width, narrow, settings), settings))


def _scaling(scaling: float | str, width: int) -> float | nn.Parameter:
    """A constant, or what is learned: one factor, or one for each dimension."""
    if isinstance(scaling, float):
        return scaling
    return nn.Parameter(torch.ones(width if scaling == "channel" else 1))


def _bert(down: nn.Linear, up: nn.Linear) -> None:
    small_normal(down)
    small_normal(up)


def _mam_adapter(down: nn.Linear, up: nn.Linear) -> None:
    """Up is zero, so that a fresh adapter changes nothing."""
    nn.init.kaiming_uniform_(down.weight, a=math.sqrt(5))
    for tensor in (down.bias, up.weight, up.bias):
        nn.init.zeros_(tensor)


def _houlsby(down: nn.Linear, up: nn.Linear) -> None:
    for linear in (down, up):
        nn.init.trunc_normal_(linear.weight, std=0.01, a=-0.02, b=0.02)
        nn.init.zeros_(linear.bias)


INITIALISATIONS: Mapping[str, Callable[[nn.Linear, nn.Linear], None]] = {
    "bert": _bert,
    "mam_adapter": _mam_adapter,
    "houlsby": _houlsby,
}
