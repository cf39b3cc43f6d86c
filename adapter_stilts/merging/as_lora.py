"""Kinds whose change of a projection is a matrix but whose tensors have no sum, written as lora: exactly.

    vera  (b * B) (d * A), with the random A and B that its seed draws
    dora  m (W + s B A) / |W + s B A| - W, which is of full rank: `--rank` takes the nearest of a lower one
"""

from __future__ import annotations

from functools import partial
from typing import Final

import torch
from torch import Tensor

from adapter_stilts.encoder.kinds import kinds, resolve
from adapter_stilts.encoder.model import fresh_adapter
from adapter_stilts.encoder.modules.base import PROJECTIONS
from adapter_stilts.encoder.modules.dora import DoRA
from adapter_stilts.encoder.modules.vera import VeRA
from adapter_stilts.encoder.transfer import check_fit, copy_into, unfilled
from adapter_stilts.encoder.trunk.base import TrunkModel
from adapter_stilts.merging.places import Adapter

WRITTEN_AS_LORA: Final = ("dora", "vera")
LORA: Final = "lora"


@torch.no_grad()
def as_lora(adapter: Adapter, trunk: TrunkModel) -> Adapter:
    """The same change in lora's two matrices, scaled by 1.

    trunk  its shape; of dora its weights, too, in fp32

    Raises ArtefactError for tensors that are not those of its kind and settings.
    """
    make = partial(fresh_adapter, trunk, kinds[adapter.kind], adapter.settings, 0)
    check_fit(what := f"the adapter of {adapter.name}", unfilled(what, make), adapter.tensors)
    copy_into(what, parts := make(), adapter.tensors)
    tensors: dict[str, Tensor] = {}
    ranks: list[int] = []
    for layer in range(parts.depth):
        for site, place in PROJECTIONS.items():
            if isinstance(module := parts.site(layer, site), VeRA | DoRA):
                named = dict(zip(("lora_A", "lora_B"), module.factors(), strict=True))
                tensors |= {f"encoder.layer.{layer}.{place}.loras.{leaf}": each for leaf, each in named.items()}
                ranks.append(len(named["lora_A"]))
    names = set(kinds[LORA].settings) & set(adapter.settings) - {"init_weights"}
    kept = {name: adapter.settings[name] for name in names}
    settings = resolve(kinds[LORA], {**kept, "r": max(ranks), "alpha": max(ranks)})
    return Adapter(adapter.name, LORA, settings, tensors)
