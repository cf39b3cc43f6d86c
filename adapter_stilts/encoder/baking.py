"""A composition of low-rank changes and scales as plain weights: the trunk with its adapters in it.

What such adapters make of a projection is a projection again. So the active composition is run on the identity matrix
and, for the bias, on nothing: every kind and composition is baked by the arithmetic it runs with.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from adapter_stilts.encoder.kinds import Kind
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.sites import Active
from adapter_stilts.errors import UsageError

LINEAR = frozenset({"linear"})


def unbakeable(kinds: Mapping[str, Kind], beside: frozenset[str] = frozenset()) -> str:
    """Why adapters {name: kind} cannot be baked into weights, as a sentence; "" where they can.

    beside  places of a layer whose adapters are left to the caller
    """
    for name, kind in kinds.items():
        if not kind.places <= LINEAR | {"trunk"} | beside:
            return f"'{name}' is of kind {kind.name}, which is no change of the trunk's weights"
    return ""


@torch.no_grad()
def baked_weights(encoder: AdapterEncoder, beside: frozenset[str] = frozenset()) -> dict[str, Tensor]:
    """Every weight of the layers held, float32, by the trunk's names, with the active composition in them.

    Raises UsageError for a kind that changes no weights, and for a trunk that is not held in fp32.
    """
    if reason := unbakeable(encoder.active_kinds(), beside):
        raise UsageError(reason, do="bake adapters of the kinds lora, rslora, dora, vera, ia3 and ia3_ff")
    if encoder.trunk.precision != "fp32":
        what = f"the trunk is held in {encoder.trunk.precision}, and weights are baked in float32"
        raise UsageError(what, where="trunk.precision", do="load it in fp32")
    trunk = encoder.running()
    weights = {name: tensor.detach().clone() for name, tensor in trunk.tensors().items()}
    if encoder.composition is None:
        return weights
    tokens = torch.ones(1, 1, device=encoder.device)
    active = Active(encoder.composition, encoder.adapters, encoder.fusions, tokens, {})
    named = {module: name for name, module in trunk.named_modules()}
    for layer, held in enumerate(trunk.layers):
        for site, (place, third) in trunk.projections.items():
            module = held.get_submodule(place)
            name = named[module]
            own = [weights[f"{name}.{leaf}"] for leaf in ("weight", "bias") if f"{name}.{leaf}" in weights]
            parts = own if third is None else [tensor.chunk(3)[third] for tensor in own]  # views
            _bake(active, layer, site, *parts)
    return weights


def _bake(active: Active, layer: int, site: str, weight: Tensor, bias: Tensor | None = None) -> None:
    """Change a projection's weight [outputs, inputs] and bias [outputs] in place."""
    identity = torch.eye(weight.shape[1], device=weight.device)
    product = partial(functional.linear, weight=weight.clone())
    weight.copy_(active.at(layer, site, weight.T.clone()[None], identity[None], product)[0].T)
    if bias is not None:
        nothing = torch.zeros(1, 1, weight.shape[1], device=weight.device)
        bias.copy_(active.at(layer, site, bias.clone()[None, None], nothing, product)[0, 0])
