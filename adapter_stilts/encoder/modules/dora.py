"""DoRA: a low-rank change of the direction of a projection's rows, and a learned length for each of them.

Liu et al. (2024), https://arxiv.org/abs/2402.09353
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapter_stilts.encoder.modules.base import AdapterParts, Norm, Settings, modules
from adapter_stilts.encoder.modules.lora import LoRA
from adapter_stilts.encoder.modules.projections import place
from adapter_stilts.encoder.trunk.base import TrunkModel


class DoRA(LoRA):
    """m * (W + s B A) x / |W + s B A|, with a length m [outputs], as what it adds to W x; Liu et al.

    frozen  gives W [outputs, inputs], the trunk's own. The lengths of the rows in the denominator are constants to the
            gradient (section 4.3).
    """

    def __init__(self, inputs: int, outputs: int, settings: Settings, frozen: Callable[[], Tensor]) -> None:
        super().__init__(inputs, outputs, settings)
        self.frozen = frozen
        weight = frozen().to("meta") if self.lora_A.is_meta else frozen()
        self.magnitude = nn.Parameter(self._lengths(weight).to(self.lora_A.device))  # a fresh one changes nothing

    def factors(self) -> tuple[Tensor, Tensor]:
        """(A, B) whose product is the change of W: of full rank, so one of the two is the identity."""
        weight = self.frozen().float()
        changed = weight + self.scaling * (self.lora_B @ self.lora_A)
        change = (self.magnitude / self._lengths(weight))[:, None] * changed - weight
        outputs, inputs = change.shape
        return (torch.eye(inputs), change) if inputs <= outputs else (change, torch.eye(outputs))

    def change(self, hidden: Tensor, source: Tensor, norm: Norm | None) -> Tensor:
        weight, dropped = self.frozen(), self.dropout(source)
        ratio, plain = self.magnitude / self._lengths(weight), functional.linear(dropped, weight)
        change: Tensor = (ratio - 1) * plain + ratio * self.scaling * (dropped @ self.lora_A.t() @ self.lora_B.t())
        return change.to(hidden.dtype)

    @torch.no_grad()
    def _lengths(self, weight: Tensor) -> Tensor:
        """Of the rows of W + s B A, in float32."""
        device = weight.device.type
        with torch.autocast("cpu" if device == "meta" else device, enabled=False):
            down, up = (matrix.float().to(weight.device) for matrix in (self.lora_A, self.lora_B))
            lengths: Tensor = torch.linalg.norm(weight.float() + self.scaling * (up @ down), dim=1)
            return lengths


@modules.register("dora")
def dora(parts: AdapterParts, settings: Settings, trunk: TrunkModel) -> None:
    """Direction and length of every projection asked for."""

    def make(layer: int, site: str) -> DoRA:
        return DoRA(*trunk.shape.projections[site], settings, partial(trunk.projection, layer, site))

    place(parts, settings, trunk, make)
