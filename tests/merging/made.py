"""Adapters with random weights over a trunk of two layers, and what their modules add: the reference for merging."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapter_stilts.encoder.kinds import kinds, resolve
from adapter_stilts.encoder.modules.base import PROJECTIONS, STREAM, AdapterParts, build
from adapter_stilts.encoder.modules.dora import DoRA
from adapter_stilts.encoder.transfer import copies, copy_into
from adapter_stilts.merging.merge import Merged
from adapter_stilts.merging.places import Adapter

SITES = (*PROJECTIONS, *STREAM)


class Made:
    """Makes adapters for one trunk, and asks them what they add."""

    def __init__(self, trunk: Any) -> None:
        self.model, self.sizes = trunk.model, trunk.model.shape.projections

    def adapter(self, kind: str, seed: int, **settings: object) -> Adapter:
        """Every tensor of it is drawn, those that start at 0 or 1 too."""
        resolved = resolve(kinds[kind], settings)
        parts, draw = build(kinds[kind], resolved, self.model), torch.Generator().manual_seed(seed)
        tensors = {
            name: tensor + 0.3 * torch.randn(tensor.shape, generator=draw) for name, tensor in copies(parts).items()
        }
        return Adapter(f"run-{seed}", kind, resolved, tensors)

    def parts(self, made: Adapter | Merged, kind: str = "") -> AdapterParts:
        kind = made.kind if isinstance(made, Adapter) else kind
        parts = build(kinds[kind], resolve(kinds[kind], made.settings), self.model)
        copy_into("the adapter", parts, made.tensors)
        for module in parts.modules():
            if isinstance(module, DoRA):
                module.frozen = partial(_double, module.frozen)
        return parts.double().eval()

    def adds(self, parts: AdapterParts) -> dict[tuple[int, str], Tensor]:
        """What it adds to the same random states at each place."""
        draw, added = torch.Generator().manual_seed(5), {}
        norm = nn.LayerNorm(self.model.shape.hidden, elementwise_affine=False)
        for layer in range(self.model.shape.layers):
            for site in SITES:
                inputs, outputs = self.sizes.get(site, (self.model.shape.hidden,) * 2)
                source, hidden = (torch.randn(2, 3, wide, generator=draw).double() for wide in (inputs, outputs))
                at = norm if site in STREAM else partial(self._product, layer, site)
                if (change := parts.site(layer, site)) is not None:
                    with torch.no_grad():
                        added[layer, site] = change.change(hidden, source, at)
        return added

    def _product(self, layer: int, site: str, inputs: Tensor) -> Tensor:
        return functional.linear(inputs, self.model.projection(layer, site).double())

    def sum(self, adapters: list[Adapter], weights: list[float]) -> dict[tuple[int, str], Tensor]:
        """The weighted sum of what adapters add."""
        every = [self.adds(self.parts(adapter)) for adapter in adapters]
        places = dict.fromkeys(place for added in every for place in added)
        return {
            place: sum(weight * added[place] for weight, added in zip(weights, every, strict=True) if place in added)
            for place in places
        }


def _double(weight: Callable[[], Tensor]) -> Tensor:
    return weight().double()


def apart(found: dict[Any, Tensor], wanted: dict[Any, Tensor]) -> float:
    """The largest relative distance over places."""
    assert set(wanted) <= set(found)
    nothing = [found[place].abs().max() for place in set(found) - set(wanted)]
    assert not nothing or max(nothing) < 1e-6
    return max(float((found[place] - wanted[place]).norm() / wanted[place].norm().clamp(min=1e-9)) for place in wanted)


def same(found: Adapter | Merged, wanted: Adapter | Merged) -> bool:
    """Bit for bit."""
    return list(found.tensors) == list(wanted.tensors) and all(
        torch.equal(found.tensors[name], wanted.tensors[name]) for name in wanted.tensors
    )
