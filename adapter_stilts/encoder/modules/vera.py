"""VeRA: random matrices that all projections share and nothing trains, with two learned vectors at each projection.

Kopiczko et al. (2024), https://arxiv.org/abs/2310.11454
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from adapter_stilts.encoder.modules.base import AdapterParts, Change, Norm, Settings, modules
from adapter_stilts.encoder.modules.projections import place, sites_asked
from adapter_stilts.encoder.trunk.base import TrunkModel

SHARED = "vera_projections"
WIDEST = 4096  # of r, which takes hardly any room in a file and r rows of the widest projection in memory


class Projections(nn.Module):
    """A [r, inputs] and B [outputs, r] for the widest projection, drawn from a seed; no part of what is stored.

    Each is uniform within sqrt(6 / columns), and drawn on the CPU, A first: so does peft.
    """

    down: Tensor
    up: Tensor

    def __init__(self, inputs: int, outputs: int, rank: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator("cpu").manual_seed(seed)
        sizes_alone = torch.get_default_device().type == "meta"
        for name, shape in (("down", (rank, inputs)), ("up", (outputs, rank))):
            bound = math.sqrt(3.0) * (math.sqrt(2.0) / math.sqrt(shape[1]))
            drawn = torch.empty(shape, device="meta" if sizes_alone else "cpu")
            drawn = drawn if sizes_alone else drawn.uniform_(-bound, bound, generator=generator)
            self.register_buffer(name, drawn, persistent=False)


class VeRA(Change):
    """y + b * (B (d * (A x))) with d [r] and b [outputs], and the part of A and B that fits; Kopiczko et al."""

    def __init__(self, inputs: int, outputs: int, settings: Settings, shared: Projections) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        self.dropout = nn.Dropout(settings["dropout"])
        self.vera_lambda_d = nn.Parameter(torch.full((settings["r"],), settings["d_initial"]))
        self.vera_lambda_b = nn.Parameter(torch.zeros(outputs))  # a fresh one changes nothing
        self.shared: Projections
        self.__dict__["shared"] = shared  # it is the adapter's, not this layer's

    def factors(self) -> tuple[Tensor, Tensor]:
        """(A [r, inputs], B [outputs, r]) whose product is the change of the projection's weights."""
        down, up = self._projections()
        return self.vera_lambda_d[:, None] * down, self.vera_lambda_b[:, None] * up

    def change(self, hidden: Tensor, source: Tensor, norm: Norm | None) -> Tensor:
        down, up = self._projections()
        dropped: Tensor = self.dropout(source)
        change = self.vera_lambda_b * ((self.vera_lambda_d * (dropped @ down.t())) @ up.t())
        return change.to(hidden.dtype)

    def _projections(self) -> tuple[Tensor, Tensor]:
        return self.shared.down[:, : self.inputs], self.shared.up[: self.outputs]


@modules.register("vera")
def vera(parts: AdapterParts, settings: Settings, trunk: TrunkModel) -> None:
    """Two vectors at every projection asked for, and the matrices they share."""
    shapes = [trunk.shape.projections[site] for site in sites_asked(settings)]
    inputs, outputs = (max(sizes) for sizes in zip(*shapes, strict=True))
    if settings["r"] > (most := max(WIDEST, inputs, outputs)):
        raise ValueError(f"r {settings['r']} would make random matrices of more than {most} rows")
    shared = Projections(inputs, outputs, settings["r"], settings["projection_seed"])
    place(parts, settings, trunk, lambda layer, site: VeRA(*trunk.shape.projections[site], settings, shared))
    parts.put(SHARED, shared)
