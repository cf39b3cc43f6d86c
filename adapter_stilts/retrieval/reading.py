"""How sentences are read: what was asked for in the place of a protocol's settings, and the settings that then hold.

wanted = Overrides.from_config(config)               # layers (2, 4), pool "max"; the rest as the protocol says
rules = wanted.over(protocol("own", "bucc2018"))     # the protocol with pool "max"
Reading(wanted.layers_at(24, rules), rules.pool)     # what `embed` and vectors on disk depend on
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.composition import Composition
from adapter_stilts.encoder.trunk.sentence_pooling import SentencePooling
from adapter_stilts.errors import ArtefactError, UsageError, refuse
from adapter_stilts.registry import Registry
from adapter_stilts.retrieval.margin import margins
from adapter_stilts.retrieval.mining import retrievals
from adapter_stilts.retrieval.pooling import check_pooling
from adapter_stilts.retrieval.protocols import LAST, MAX_LENGTH, OWN, Protocol


@dataclass(frozen=True)
class LanguageStack:
    """What a language is read with: a composition, None where none is active, and the language adapter in it or {}."""

    composition: Composition | None
    adapter: Mapping[str, str] = field(compare=False)


@dataclass(frozen=True)
class Reading:
    """How sentences become vectors, everything decided.

    layers        hidden states that are read; 0 is the embeddings
    max_length    tokens of a sentence; longer ones are cut
    token_budget  tokens read at once
    precision     that the trunk is in
    composition   what is active on the trunk, with the hashes of its adapters; "" for the bare trunk
    stacks        language -> what reads its sentences (MAD-X); {}: the active composition reads them all
    """

    layers: tuple[int, ...]
    pool: str = "mean"
    max_length: int = MAX_LENGTH
    token_budget: int = 2048
    precision: str = "fp32"
    composition: str = ""
    stacks: Mapping[str, LanguageStack] = field(default_factory=dict)


@dataclass(frozen=True)
class Overrides:
    """What is read or compared otherwise than the protocol says; None leaves it so. layers: "all" is every one.

    prefix   of `trunk`: what stands before every sentence
    """

    layers: tuple[int, ...] | Literal["all", "last"] | None = None
    pool: str | None = None
    k: int | None = None
    margin: str | None = None
    retrieval: str | None = None
    centring: bool | None = None
    prefix: str = ""

    @classmethod
    def from_config(cls, config: RunConfig) -> Overrides:
        """The section `retrieval` of a configuration."""
        section = config.retrieval
        layers = (section.layer,) if isinstance(section.layer, int) else section.layer
        return cls(layers, section.pool, section.k, section.margin, centring=section.centre, prefix=config.trunk.prefix)

    def over(self, rules: Protocol) -> Protocol:
        """The protocol with these settings; raises UnknownName for a pooling, margin or retrieval mode that is none."""
        own = {name: value for name, value in vars(self).items() if name not in ("layers", "prefix")}
        given = {name: value for name, value in own.items() if value is not None}
        if "pool" in given:
            check_pooling(given["pool"])
        registries: dict[str, Registry[Any]] = {"margin": margins, "retrieval": retrievals}
        for name, registry in registries.items():
            if name in given:
                registry.check(given[name])
        return replace(rules, **given)

    def one_layer(self) -> int | Literal["last"] | None:
        """The layer that vectors on disk are read at; UsageError where several were asked for."""
        if self.layers is None or self.layers == "last":
            return self.layers
        if self.layers == "all" or len(self.layers) != 1:
            what = f"retrieval.layer {self.layers}: vectors are read at one layer"
            raise UsageError(what, do="name one, for example --layer 14")
        return self.layers[0]

    def layers_at(self, depth: int, rules: Protocol) -> tuple[int, ...]:
        """The layers of a trunk of so many that are read, each once; UsageError for one that is not there."""
        if self.layers == "all":
            return tuple(range(depth + 1))
        if self.layers == "last":
            return (depth,)
        layers = self.layers if self.layers is not None else (rules.layer.at_depth(depth),)
        check_layers(layers, depth)
        return tuple(dict.fromkeys(layers))


def as_trunk(rules: Protocol, pooling: SentencePooling | None, wanted: Overrides) -> Protocol:
    """Rules for a trunk: `own` reads a sentence encoder as it says of itself, from its last layer. A published protocol
    reads every trunk alike.

    Raises ArtefactError for an encoder whose vectors cannot be made here, unless layer and pooling are asked for.
    """
    if pooling is None or rules.name != OWN:
        return rules
    if pooling.problem:
        what = f"the trunk is a sentence encoder whose vectors cannot be made here: {pooling.problem}"
        do = "read its layers by themselves, for example with --layer 12 --pool mean"
        if wanted.layers is None or wanted.pool is None:
            raise ArtefactError(what, do=do)
        return rules
    length = min(rules.max_length, pooling.max_length or rules.max_length)
    return replace(rules, layer=LAST, pool=pooling.pool, max_length=length)


def told(reading: Reading, depth: int, name: str, wanted: Overrides, pooling: SentencePooling | None) -> str:
    """How sentences are read and who says so, for a person; name: of the protocol."""
    layers, own = reading.layers, pooling is not None and not pooling.problem
    numbers = f"every layer from {layers[0]} to {layers[-1]}" if len(layers) > 1 else f"layer {layers[0]}"
    usual = "the trunk's own pooling configuration says" if own and name == OWN else f"the protocol '{name}' says"
    asked = [word for word, value in (("layer", wanted.layers), ("pooling", wanted.pool)) if value is not None]
    why = f"{' and '.join(asked)} as asked" + (f", the rest as {usual}" if len(asked) < 2 else "")
    text = f"read at {numbers} of {depth}, pooled by {reading.pool} ({why if asked else f'as {usual}'})"
    text += f", each after {wanted.prefix!r}" if wanted.prefix else ""
    if pooling is not None and own and name != OWN:
        text += f"; the trunk's own configuration says its last layer, {pooling.pool}"
    return text


def check_layers(layers: Sequence[int], depth: int) -> None:
    """UsageError for a layer that a trunk of so many does not have, and for none."""
    outside = [layer for layer in layers if not 0 <= layer <= depth]
    what = f"layer {outside[0] if outside else 'none'} of a trunk of {depth} layers"
    refuse(bool(outside) or not layers, what, f"use 0 (the embeddings) to {depth}")
