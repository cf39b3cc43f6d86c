"""What modules are to the encoder, and what they need to know of a trunk, whatever its family.

An adapter acts on a layer at up to nine sites. Two lie on the residual stream (`attention` and `output`: what the
block computed, before it is added back and normalised), six are projections (`query`, `key`, `value`,
`attention_dense`, `intermediate`, `output_dense`), and a prefix adds keys and values. At each of the first eight an
adapter is a `Change`: given what flows there, what to add. The encoder composes changes (stack, fuse, average); the
trunk's file says where they sit.

    @modules.register("scale")
    def scale(parts, settings, trunk): ...      a builder: puts modules into `parts`, drawing their values in order
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from torch import Tensor, nn

from adapter_stilts.encoder.kinds import Kind, Setting
from adapter_stilts.errors import UsageError
from adapter_stilts.registry import Registry

if TYPE_CHECKING:
    from adapter_stilts.encoder.trunk.base import TrunkModel

Norm: TypeAlias = Callable[[Tensor], Tensor]
Settings: TypeAlias = Mapping[str, Any]
STREAM = {"attention": "attention.output", "output": "output"}
PROJECTIONS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_dense": "attention.output.dense",
    "intermediate": "intermediate.dense",
    "output_dense": "output.dense",
}
PREFIX = "prefix_tuning.prefix_tunings.self_prefix"
INVERTIBLE = "invertible_adapters"


class Change(nn.Module):
    """What one adapter adds at one site."""

    def change(self, hidden: Tensor, source: Tensor, norm: Norm | None) -> Tensor:
        """What to add to `hidden`.

        hidden  [B, T, *]  what the site computed
        source  [B, T, *]  what it was computed from
        norm               on the stream: `hidden` to the layer norm of its sum with the residual; at a projection: what
                           it makes of an input, without its bias
        """
        raise NotImplementedError

    def query(self, hidden: Tensor, source: Tensor, norm: Norm | None) -> Tensor:
        """What AdapterFusion asks with, [B, T, H]."""
        return source


@dataclass(frozen=True)
class Prefix:
    """Keys and values of one layer, each [B or 1, heads, P, H / heads]."""

    keys: Tensor
    values: Tensor


class Prefixes(Protocol):
    """Keys and values by layer, for a batch of so many rows."""

    def __call__(self, batch: int) -> Mapping[int, Prefix]: ...


class Invertible(Protocol):
    """A change of the embeddings that can be undone before the output embedding, [B, T, H] to the same."""

    def __call__(self, hidden: Tensor, *, rev: bool = False) -> Tensor: ...


class AdapterParts(nn.Module):
    """The modules of one adapter in the lowest `depth` layers, by their canonical names.

    Canonical names are those of the adapters library's state dict over an XLM-R, without the adapter's name in them.
    They are the names in a bundle, for every family of trunk.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.depth = depth
        self.trunk: TrunkModel | None = None  # put in place of the frozen one (kind full)
        self._sites: dict[tuple[int, str], Change] = {}

    def put(self, canonical: str, module: nn.Module) -> None:
        """Register a module under a dotted name."""
        self.add_module(canonical.replace(".", "/"), module)

    def at(self, canonical: str) -> nn.Module | None:
        """The module under a dotted name, if there is one."""
        return self._modules.get(canonical.replace(".", "/"))

    def attach(self, layer: int, site: str, module: Change) -> None:
        """Put a module at a site of a layer, unless the layer is above those that are held."""
        if layer < self.depth:
            place = f"{STREAM[site]}.adapters" if site in STREAM else f"{PROJECTIONS[site]}.loras"
            self.put(f"encoder.layer.{layer}.{place}", module)
            self._sites[layer, site] = module

    def detach(self) -> None:
        """Act at no site any more; what is done there is done elsewhere."""
        self._sites.clear()

    def named_tensors(self) -> dict[str, nn.Parameter]:
        """Every parameter once, by canonical name; those of a trunk of its own carry the trunk's names."""
        named = self.named_parameters()
        return {name.removeprefix("trunk.").replace("/", "."): parameter for name, parameter in named}

    def site(self, layer: int, site: str) -> Change | None:
        """What it does at a site of a layer."""
        return self._sites.get((layer, site))

    @property
    def lowest(self) -> int:
        """The lowest layer whose input it leaves as it is; 0 where it acts on the embeddings or is a trunk."""
        if self.trunk is not None or self.at(INVERTIBLE) is not None:
            return 0
        prefix: Any = self.at(PREFIX)
        own = () if prefix is None else prefix.layers
        return min((*own, *(layer for layer, _ in self._sites)), default=self.depth)

    def prefixes(self, batch: int) -> Mapping[int, Prefix]:
        """Its keys and values by layer, for a batch of so many rows."""
        module: Any = self.at(PREFIX)
        given: Mapping[int, Prefix] = {} if module is None else module(batch)
        return given

    def invertible(self) -> Invertible | None:
        """Its change of the embeddings."""
        return self.at(INVERTIBLE)


Builder: TypeAlias = Callable[[AdapterParts, Settings, "TrunkModel"], None]
modules: Registry[Builder] = Registry("module", package="adapter_stilts.encoder.modules")


def build(kind: Kind, settings: Mapping[str, Setting], trunk: TrunkModel) -> AdapterParts:
    """A fresh adapter for the layers the trunk holds, drawn from the global generator.

    Raises UsageError for settings that cannot be built.
    """
    parts = AdapterParts(len(trunk.layers))
    try:
        for part in kind.parts:
            modules[part.module](parts, {**settings, **part.fixed}, trunk)
    except (ValueError, OverflowError) as error:
        what = f"cannot build {kind.name} with these settings: {error}"
        raise UsageError(what, where="adapter.settings", do=f"its defaults are {dict(kind.settings)}") from error
    return parts


def kept_layers(settings: Settings, layers: int) -> list[int]:
    """The layers that `leave_out` leaves; ValueError where it leaves none or names one that is not there."""
    outside = [layer for layer in settings["leave_out"] if not 0 <= layer < layers]
    if outside:
        raise ValueError(f"leave_out names layer {outside[0]}, and layers run from 0 to {layers - 1}")
    kept = [layer for layer in range(layers) if layer not in settings["leave_out"]]
    if not kept:
        raise ValueError("leave_out leaves no layer")
    return kept


def narrowed(width: int, settings: Settings, name: str) -> int:
    """`width` over a reduction factor, rounded down; ValueError where nothing is left."""
    factor = settings[name]
    narrow = int(width // factor) if factor > 0 else 0
    if narrow < 1:
        raise ValueError(f"{name} {factor:g} leaves no bottleneck in {width} dimensions")
    return narrow


def small_normal(linear: nn.Linear) -> None:
    """BERT's initialisation: weights N(0, 0.02), biases zero."""
    nn.init.normal_(linear.weight, std=0.02)
    if linear.bias is not None:
        nn.init.zeros_(linear.bias)
