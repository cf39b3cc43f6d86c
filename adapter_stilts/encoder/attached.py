"""What hangs on a trunk: adapters and fusions by name, which composition is active, and what trains."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

from adapter_stilts.encoder.backends.base import AdapterParts, Backend, FusionParts, TrunkShape, draw
from adapter_stilts.encoder.composition import NAME, Composition, Fuse, fusion_name, fusions, names, validate
from adapter_stilts.encoder.kinds import Kind, Setting, kinds, resolve
from adapter_stilts.encoder.transfer import copied, copy_into
from adapter_stilts.encoder.trunk import Trunk
from adapter_stilts.errors import UsageError
from adapter_stilts.registry import unknown_name
from adapter_stilts.seeding import Seeds

if TYPE_CHECKING:
    from transformers import XLMRobertaModel


@dataclass(frozen=True)
class Part:
    """One line of what a model is made of. role: trunk, adapter, fusion or head."""

    part: str
    role: str
    active: bool
    trained: bool
    parameters: int


@dataclass(frozen=True)
class Attached:
    """An adapter with what it was built from."""

    kind: Kind
    settings: Mapping[str, Setting]
    parts: AdapterParts


class AttachedParts(nn.Module):
    """A frozen trunk with adapters and fusions on it; how they run is `AdapterEncoder`'s.

    layers: read hidden states up to this one only; adapters above it are not built. None means all.
    """

    def __init__(self, trunk: Trunk, layers: int | None = None) -> None:
        super().__init__()
        self.trunk = trunk
        self.depth = trunk.depth if layers is None else layers
        check_layer(self.depth, trunk.depth)
        self.base: XLMRobertaModel = trunk.model
        self.adapters: dict[str, Attached] = {}
        self.fusions: dict[str, FusionParts] = {}
        self.composition: Composition | None = None
        self._held = nn.ModuleList()  # adapters and fusions, so that .to() and .train() reach them
        self._trained: frozenset[str] = frozenset()
        self.base.requires_grad_(False)

    def add(self, name: str, kind: str, settings: Mapping[str, object] | None = None, seed: int = 0) -> None:
        """A fresh adapter; its initial weights depend on kind, settings and `seed` alone."""
        known = kinds[kind]
        self._attach(name, known, resolve(known, settings or {}), seed)

    def load(self, name: str, kind: str, settings: Mapping[str, object], tensors: Mapping[str, Tensor]) -> None:
        """An adapter from its tensors; ArtefactError where a name or shape is not what kind, settings and trunk call for."""
        known = kinds[kind]
        self._attach(name, known, resolve(known, settings), seed=0)
        try:
            copy_into(f"adapter '{name}'", self.adapters[name].parts, tensors, self.depth, self.trunk.layers)
        except Exception:
            self.remove(name)
            raise

    def remove(self, name: str) -> None:
        """Take an adapter off again; it may not be part of the active composition."""
        self._known(name)
        if self.composition is not None and name in names(self.composition):
            raise UsageError(f"adapter '{name}' is active", where=str(self.composition), do="activate another composition first")
        self._drop(self.adapters.pop(name).parts)

    def tensors(self, name: str) -> dict[str, Tensor]:
        """An adapter's own tensors, copied, float32, on the CPU, under names without the adapter's in them."""
        return _copies(self._known(name).parts)

    def add_fusion(self, fuse: Fuse, seed: int = 0) -> None:
        """A fresh AdapterFusion for a Fuse of adapters that are there."""
        normal = validate(fuse, self._kinds())
        if not isinstance(normal, Fuse):
            raise UsageError(f"{fuse} is not a fusion", do="give a Fuse of at least two adapters")
        name = fusion_name(normal)
        if name in self.fusions:
            raise UsageError(f"there is already a fusion called '{name}'", do="use it, or build a new encoder")
        places = {place for adapter in names(normal) for place in self.adapters[adapter].kind.places}
        sites = tuple(site for site in ("attention", "output") if site in places)
        backend = _backend(self.adapters[names(normal)[0]].kind)
        parts = draw(Seeds(seed).number("fusion"), lambda: backend.build_fusion(sites, self._shape(), self.depth))
        self.fusions[name] = parts
        self._hold(parts)

    def load_fusion(self, fuse: Fuse, tensors: Mapping[str, Tensor]) -> None:
        """An AdapterFusion from its tensors; verified like an adapter's."""
        self.add_fusion(fuse)
        name = fusion_name(fuse)
        try:
            copy_into(f"fusion '{name}'", self.fusions[name], tensors, self.depth, self.trunk.layers)
        except Exception:
            self._drop(self.fusions.pop(name))
            raise

    def fusion_tensors(self, fuse: Fuse) -> dict[str, Tensor]:
        """A fusion's tensors, copied, float32, on the CPU."""
        return _copies(self._known_fusion(fusion_name(fuse)))

    def activate(self, composition: Composition | None) -> None:
        """Make a composition the one that runs; None runs the bare trunk. A Fuse in it must have been added."""
        if composition is None:
            self.composition = None
            return
        whole = validate(composition, self._kinds())
        for fuse in fusions(whole):
            self._known_fusion(fusion_name(fuse))
        self.composition = whole

    def train(self, mode: bool | Iterable[str] = True) -> Self:
        """With part names ("mnli", "fuse(a, b)"): `train_parts`. With a bool: training or evaluation mode, as in torch."""
        if isinstance(mode, bool):
            return super().train(mode)
        self.train_parts(mode)
        return self

    def train_parts(self, parts: Iterable[str]) -> None:
        """What trains from now on, adapters and fusions by name; all else is frozen, and the mode stays as it is."""
        chosen = frozenset(parts)
        for part in sorted(chosen):
            if part not in self.adapters and part not in self.fusions:
                raise unknown_name("adapter or fusion", part, [*self.adapters, *self.fusions])
        self._trained = chosen
        self.base.requires_grad_(False)
        for name, modules in self._parts():
            modules.requires_grad_(name in chosen)

    def train_mode(self, on: bool) -> None:
        """Dropout on or off, in the trunk as in the adapters."""
        super().train(on)

    def trainable(self) -> list[tuple[str, nn.Parameter]]:
        """Every parameter that trains, once: "adapter/<name>/<tensor>" or "fusion/<name>/<tensor>"."""
        return [(f"{part}/{tensor}", parameter) for part, tensors in self.trained_parts() for tensor, parameter in tensors.items()]

    def trained_parts(self) -> list[tuple[str, dict[str, nn.Parameter]]]:
        """The parts that train, "adapter/<name>" and "fusion/<name>", each with its parameters."""
        chosen = [(name, parts) for name, parts in self._parts() if name in self._trained]
        return [(f"{'adapter' if name in self.adapters else 'fusion'}/{name}", parts.named_tensors()) for name, parts in chosen]

    def table(self) -> list[Part]:
        """What the model is made of: the trunk, then adapters, then fusions, in the order they came."""
        active = set() if self.composition is None else {*names(self.composition), *map(fusion_name, fusions(self.composition))}
        rows = [Part("trunk", "trunk", not any(self.adapters[name].kind.name == "full" for name in active if name in self.adapters), False, _count(self.base))]
        for name, parts in self._parts():
            role = "adapter" if name in self.adapters else "fusion"
            rows.append(Part(name, role, name in active, name in self._trained, _count(parts)))
        return rows

    def _attach(self, name: str, kind: Kind, settings: Mapping[str, Setting], seed: int) -> None:
        if not NAME.fullmatch(name):
            raise UsageError(f"'{name}' cannot name an adapter", do="use a name without spaces, commas, brackets and '='")
        if name in self.adapters:
            raise UsageError(f"there is already an adapter called '{name}'", do="choose another name, or remove it first")
        parts = draw(Seeds(seed).number(f"adapter/{kind.name}"), lambda: _backend(kind).build(kind, settings, self._shape(), self.depth, self.base))
        self.adapters[name] = Attached(kind, settings, parts)
        self._hold(parts)

    def _hold(self, parts: AdapterParts) -> None:
        self._held.append(parts.to(self._device()).requires_grad_(False).train(self.training))

    def _drop(self, parts: AdapterParts) -> None:
        self._held = nn.ModuleList(kept for kept in self._held if kept is not parts)
        self._trained = self._trained.intersection(name for name, _ in self._parts())

    def _parts(self) -> list[tuple[str, AdapterParts]]:
        return [*((name, one.parts) for name, one in self.adapters.items()), *self.fusions.items()]

    def _kinds(self) -> dict[str, Kind]:
        return {name: one.kind for name, one in self.adapters.items()}

    def _known(self, name: str) -> Attached:
        if name not in self.adapters:
            raise unknown_name("adapter", name, self.adapters)
        return self.adapters[name]

    def _known_fusion(self, name: str) -> FusionParts:
        if name not in self.fusions:
            raise UsageError(f"there are no fusion weights for {name}", do="add_fusion or load_fusion first")
        return self.fusions[name]

    def _shape(self) -> TrunkShape:
        config = self.trunk.model.config
        return TrunkShape(self.trunk.layers, self.trunk.hidden, config.num_attention_heads, config.intermediate_size, config.attention_probs_dropout_prob)

    def _device(self) -> torch.device:
        return next(self.base.parameters()).device


def check_layer(layer: int, most: int) -> None:
    """UsageError for a hidden state that is not there."""
    if not 0 <= layer <= most:
        raise UsageError(f"there is no hidden state {layer}", where="retrieval.layer", do=f"choose one from 0 (embeddings) to {most}")


def _backend(kind: Kind) -> Backend:
    """The module that builds a kind; importing it here keeps its library out until a model is made."""
    module: Any = importlib.import_module(f"adapter_stilts.encoder.backends.{kind.backend}")
    backend: Backend = module
    return backend


def _copies(parts: AdapterParts) -> dict[str, Tensor]:
    return {name: copied(parameter) for name, parameter in parts.named_tensors().items()}


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
