"""Where adapters that change projections sit: the settings that say so, and how their modules are placed.

    attn_matrices      of q, k, v and o, attention's output; selfattn_lora=False leaves all of them out
    intermediate_lora  the first projection of the feed-forward block
    output_lora        its second
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from adapter_stilts.encoder.modules.base import PROJECTIONS, AdapterParts, Change, Settings, kept_layers
from adapter_stilts.encoder.trunk.base import TrunkModel

T = TypeVar("T")

ATTENTION = {"query": "q", "key": "k", "value": "v", "attention_dense": "o"}
WORDS = {**ATTENTION, "intermediate": "intermediate", "output_dense": "output"}  # site -> its word in settings


def place(
    parts: AdapterParts, settings: Settings, trunk: TrunkModel, make: Callable[[int, str], Change]
) -> None:
    """A module at every site asked for, in each layer that is kept and held; `make` takes the layer and the site."""
    sites = sites_asked(settings)
    for layer in kept_layers(settings, trunk.shape.layers):
        for site in sites if layer < parts.depth else ():
            parts.attach(layer, site, make(layer, site))


def sites_asked(settings: Settings) -> list[str]:
    """The projections that settings name, in the order of a layer; ValueError where there is none."""
    unknown = set(settings["attn_matrices"]) - set(ATTENTION.values())
    if unknown:
        raise ValueError(f"attn_matrices holds '{sorted(unknown)[0]}', which is not one of: q, k, v, o")
    asked = {site: settings["selfattn_lora"] and word in settings["attn_matrices"] for site, word in ATTENTION.items()}
    asked |= {"intermediate": settings["intermediate_lora"], "output_dense": settings["output_lora"]}
    sites = [site for site in PROJECTIONS if asked[site]]
    if not sites:
        raise ValueError("attn_matrices, intermediate_lora and output_lora leave no projection to change")
    return sites


def initialisation(values: Mapping[str, T], settings: Settings) -> T:
    """What settings["init_weights"] names; ValueError for a name that is not there."""
    how = settings["init_weights"]
    if how not in values:
        raise ValueError(f"Unknown init_weights '{how}'; one of: {', '.join(values)}")
    return values[how]
