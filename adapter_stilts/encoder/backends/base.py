"""What the encoder needs of an adapter library, and nothing more.

An adapter acts on a layer at up to seven sites. Two lie on the residual stream (`attention` and `output`: what the
block computed, before it is added back and normalised), four are projections (`query`, `key`, `value`, `intermediate`)
or the last of the block (`output_dense`), and a prefix adds keys and values. At each of the first six an adapter is a
`Change`: given what flows there, what to add. The encoder composes changes (stack, fuse, average); the library only
supplies them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, cast

import torch
from torch import Tensor, nn

from adapter_stilts.encoder.kinds import Kind, Setting
from adapter_stilts.encoder.trunk_config import TrunkConfig

if TYPE_CHECKING:
    from transformers import XLMRobertaModel

M = TypeVar("M", bound=nn.Module)
Norm: TypeAlias = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Prefix:
    """Keys and values of one layer, each [B or 1, heads, P, H / heads]."""

    keys: Tensor
    values: Tensor


class Change:
    """What one adapter adds at one site."""

    def change(self, hidden: Tensor, source: Tensor, norm: Norm | None) -> Tensor:
        """What to add to `hidden`.

        hidden  [B, T, *]  what the site computed
        source  [B, T, *]  what it was computed from; on the stream, the residual
        norm               the layer norm that follows, on the stream
        """
        raise NotImplementedError

    def query(self, hidden: Tensor, source: Tensor, norm: Norm | None) -> Tensor:
        """What AdapterFusion asks with, [B, T, H]."""
        return source


class Invertible(Protocol):
    """A change of the embeddings that can be undone before the output embedding, [B, T, H] to the same."""

    def __call__(self, hidden: Tensor, *, rev: bool = False) -> Tensor: ...


class AdapterParts(nn.Module):
    """The modules of one adapter in all layers, by their canonical names.

    Canonical names are those of the library's own state dict without the adapter's name in them, so that the tensors of
    one adapter may be loaded under another name.
    """

    def put(self, canonical: str, module: nn.Module) -> None:
        """Register a module under a dotted name."""
        self.add_module(canonical.replace(".", "/"), module)

    def at(self, canonical: str) -> nn.Module | None:
        """The module under a dotted name, if there is one."""
        return self._modules.get(canonical.replace(".", "/"))

    def named_tensors(self) -> dict[str, nn.Parameter]:
        """Every parameter once, by canonical name."""
        return {name.replace("/", "."): parameter for name, parameter in self.named_parameters()}

    def site(self, layer: int, site: str) -> Change | None:
        """What it does at a site of a layer."""
        return None

    def prefixes(self, batch: int) -> Mapping[int, Prefix]:
        """Its keys and values by layer, for a batch of so many rows."""
        return {}

    def invertible(self) -> Invertible | None:
        """Its change of the embeddings."""
        return None

    def trunk(self) -> XLMRobertaModel | None:
        """The trunk it puts in place of the frozen one (kind full)."""
        return None


class FusionParts(AdapterParts):
    """AdapterFusion's modules in all layers."""

    def fuse(self, layer: int, site: str, query: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """query [B, T, H], values [B, T, A, H]; returns what to add [B, T, H] and the attention [B, T, A]."""
        raise NotImplementedError

    def value_matrices(self) -> list[Tensor]:
        """The value matrix of each layer, [H, H]: what the regulariser keeps near the identity."""
        raise NotImplementedError


class Backend(Protocol):
    """A library of adapters."""

    def build(
        self, kind: Kind, settings: Mapping[str, Setting], config: TrunkConfig, depth: int, trunk: XLMRobertaModel
    ) -> AdapterParts:
        """A fresh adapter for the lowest `depth` layers, drawn from the global generator.

        Raises UsageError for settings that cannot be built.
        """

    def build_fusion(self, sites: tuple[str, ...], config: TrunkConfig, depth: int) -> FusionParts:
        """A fresh fusion at the given sites of the lowest `depth` layers, drawn from the global generator."""


def backend(kind: Kind) -> Backend:
    """The module that builds a kind; importing it here keeps its library out until a model is made."""
    return cast("Backend", importlib.import_module(f"adapter_stilts.encoder.backends.{kind.backend}"))


def draw(seed: int, make: Callable[[], M]) -> M:
    """Make something whose initial values depend on `seed` alone; the global generators are left as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return make()
