"""AdapterEncoder: the trunk with adapters on it; runs up to a layer and no further.

    encoder = AdapterEncoder(trunk)
    encoder.add("mnli", "seq_bn", seed=13)
    encoder.activate(parse("mnli"))
    encoder.train(["mnli"])                        # the trunk stays frozen: what trains is set here, parameter by parameter
    encoder.hidden(input_ids, attention_mask)      # [B, T, H] float32

Hidden state 0 is the embedding output, hidden state i the output of layer i. Layers above the one asked for never run.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, Self, overload

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from adapter_stilts.encoder.backends.base import AdapterParts, Backend, FusionParts, TrunkShape, draw
from adapter_stilts.encoder.composition import NAME, Composition, Fuse, fusion_name, fusions, names, split_channels, validate
from adapter_stilts.encoder.kinds import Kind, Setting, kinds, resolve
from adapter_stilts.encoder.layers import embed, padding, run_layer
from adapter_stilts.encoder.sites import Active, FusionAttention
from adapter_stilts.encoder.transfer import copied, copy_into
from adapter_stilts.encoder.trunk import Trunk
from adapter_stilts.errors import UsageError
from adapter_stilts.registry import unknown_name
from adapter_stilts.seeding import Seeds

FUSION_PENALTY = 0.01  # Pfeiffer et al. (2021), https://arxiv.org/abs/2005.00247


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


class AdapterEncoder(nn.Module):
    """A frozen trunk, adapters and fusions by name, and the composition that is active.

    layers: read hidden states up to this one only; adapters above it are not built. None means all.
    """

    def __init__(self, trunk: Trunk, layers: int | None = None) -> None:
        super().__init__()
        self.trunk = trunk
        self.depth = trunk.layers if layers is None else layers
        self._check_layer(self.depth, trunk.layers)
        self.base: nn.Module = trunk.model
        self.adapters: dict[str, Attached] = {}
        self.fusions: dict[str, FusionParts] = {}
        self.composition: Composition | None = None
        self._modules_of_parts = nn.ModuleList()  # adapters and fusions, so that .to() and .train() reach them
        self._trained: frozenset[str] = frozenset()
        self._checkpointing = False
        self._attention: FusionAttention | None = None
        self.base.requires_grad_(False)

    # ---- adapters and fusions

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
        assert isinstance(parts, FusionParts)
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

    # ---- what runs and what trains

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
        """With part names: what trains from now on, and nothing else does. With a bool: training or evaluation mode, as in torch.

        Parts are adapters' names and fusions' names ("fuse(a, b)"); an empty list freezes everything. The mode is not touched by it.
        """
        if isinstance(mode, bool):
            return super().train(mode)
        chosen = frozenset(mode)
        for part in sorted(chosen):
            if part not in self.adapters and part not in self.fusions:
                raise unknown_name("adapter or fusion", part, [*self.adapters, *self.fusions])
        self._trained = chosen
        self.base.requires_grad_(False)
        for name, parts in self._parts():
            parts.requires_grad_(name in chosen)
        return self

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

    def gradient_checkpointing(self, on: bool) -> None:
        """Keep only each layer's input during training, and compute the rest again in the backward pass: less memory, more time."""
        self._checkpointing = on

    # ---- running

    @overload
    def hidden(
        self, input_ids: Tensor, attention_mask: Tensor, layer: int | None = None, collect: Literal[False] = False, *, below: Tensor | None = None, start: int = 0
    ) -> Tensor: ...
    @overload
    def hidden(
        self, input_ids: Tensor, attention_mask: Tensor, layer: int | None = None, *, collect: Literal[True], below: Tensor | None = None, start: int = 0
    ) -> tuple[Tensor, ...]: ...
    def hidden(
        self, input_ids: Tensor, attention_mask: Tensor, layer: int | None = None, collect: bool = False, *, below: Tensor | None = None, start: int = 0
    ) -> Tensor | tuple[Tensor, ...]:
        """Hidden state `layer` (None: the last) for token ids [B, T]: [B, T, H] float32; with A parallel channels [A*B, T, H], channel after channel.

        collect  return the states start..layer instead, one per layer
        below    state `start`, [B, T, H], computed before without adapters; the layers up to it are then not run again

        Raises UsageError for a layer that is not there, a sentence that is too long, or a `start` above `lowest_layer()`.
        """
        last = self.depth if layer is None else layer
        self._check_layer(last, self.depth)
        self._check_input(input_ids, start)
        with self._autocast(input_ids.device):
            model, active = self._running(), self._active(attention_mask)
            state = embed(model.embeddings, input_ids) if below is None else below
            blocked = padding(attention_mask)
            if active is not None:
                state, blocked = self._split(active, state, blocked, changed=below is None)
            states = [state]
            for index in range(start, last):
                state = self._run_layer(model.encoder.layer[index], index, state, blocked, active)
                states.append(state if collect else states.pop(0))
        return tuple(states) if collect else state

    def lowest_layer(self) -> int:
        """How many of the lowest layers run as in the bare trunk, whatever the adapters: state `lowest_layer()` may be kept and reused."""
        if self.composition is None:
            return self.depth
        used = [self.adapters[name] for name in names(self.composition)]
        if any({"embedding", "trunk"} & one.kind.places for one in used):
            return 0
        return min((min(one.parts.layers(), default=self.depth) for one in used), default=self.depth)

    def before_decoder(self, hidden: Tensor) -> Tensor:
        """[..., H] with the active invertible adapters undone: what the output embedding of masked language modelling reads."""
        for name in reversed(names(self.composition) if self.composition is not None else ()):
            if (block := self.adapters[name].parts.invertible()) is not None:
                hidden = block(hidden.reshape(1, -1, hidden.shape[-1]), rev=True).view(hidden.shape)
        return hidden

    def word_embeddings(self) -> Tensor:
        """The word embeddings of the trunk that runs, [V, H], in its precision."""
        weight: Tensor = self._running().embeddings.word_embeddings.weight
        return weight

    def fusion_penalty(self) -> Tensor:
        """0.01 * ||I - V||^2, summed over the layers of the active fusions that train; 0 where none does. Added to the loss, once."""
        active = [] if self.composition is None else [fusion_name(fuse) for fuse in fusions(self.composition)]
        values = [value for name in active if name in self._trained for value in self.fusions[name].value_matrices()]
        if not values:
            return torch.zeros((), device=self._device())
        eye = torch.eye(self.trunk.hidden, device=values[0].device)
        return FUSION_PENALTY * torch.stack([(eye - value).square().sum() for value in values]).sum()

    @contextmanager
    def capture_attention(self) -> Iterator[FusionAttention]:
        """Collect what the fusions attend to in every `hidden` inside the block; `store.mean("fuse(a, b)")` is [L, A]."""
        self._attention = FusionAttention()
        try:
            yield self._attention
        finally:
            self._attention = None

    def table(self) -> list[Part]:
        """What the model is made of: the trunk, then adapters, then fusions, in the order they came."""
        active = set() if self.composition is None else {*names(self.composition), *map(fusion_name, fusions(self.composition))}
        rows = [Part("trunk", "trunk", not any(self.adapters[name].kind.name == "full" for name in active if name in self.adapters), False, _count(self.base))]
        for name, parts in self._parts():
            role = "adapter" if name in self.adapters else "fusion"
            rows.append(Part(name, role, name in active, name in self._trained, _count(parts)))
        return rows

    # ---- helpers

    def _run_layer(self, layer: nn.Module, index: int, state: Tensor, blocked: Tensor | None, active: Active | None) -> Tensor:
        if self._checkpointing and self.training and torch.is_grad_enabled():
            again: Tensor = checkpoint(run_layer, layer, index, state, blocked, active, use_reentrant=False)
            return again
        return run_layer(layer, index, state, blocked, active)

    def _split(self, active: Active, state: Tensor, blocked: Tensor | None, changed: bool) -> tuple[Tensor, Tensor | None]:
        """State 0 of every channel, after its invertible adapters if they are to act (`changed`), and the padding that fits."""
        rows = []
        for channel in active.channels:
            row = state
            for name in names(channel) if changed else ():
                if (block := self.adapters[name].parts.invertible()) is not None:
                    row = block(row).float()
            rows.append(row)
        return torch.cat(rows), None if blocked is None else blocked.repeat(len(rows), 1, 1, 1)

    def _active(self, attention_mask: Tensor) -> Active | None:
        if self.composition is None:
            return None
        used = {name: self.adapters[name].parts for name in names(self.composition)}
        prefix = {name: parts.prefixes(attention_mask.shape[0]) for name, parts in used.items()}
        return Active(split_channels(self.composition), used, self.fusions, attention_mask, prefix, self._attention)

    def _running(self) -> nn.Module:
        for name in names(self.composition) if self.composition is not None else ():
            if (own := self.adapters[name].parts.trunk()) is not None:
                return own
        return self.base

    def _autocast(self, device: torch.device) -> AbstractContextManager[object]:
        return nullcontext() if self.trunk.precision == "fp32" else torch.autocast(device.type, dtype=torch.bfloat16)

    def _attach(self, name: str, kind: Kind, settings: Mapping[str, Setting], seed: int) -> None:
        if not NAME.fullmatch(name):
            raise UsageError(f"'{name}' cannot name an adapter", do="use a name without spaces, commas, brackets and '='")
        if name in self.adapters:
            raise UsageError(f"there is already an adapter called '{name}'", do="choose another name, or remove it first")
        parts = draw(Seeds(seed).number(f"adapter/{kind.name}"), lambda: _backend(kind).build(kind, settings, self._shape(), self.depth, self.base))
        assert isinstance(parts, AdapterParts)
        self.adapters[name] = Attached(kind, settings, parts)
        self._hold(parts)

    def _hold(self, parts: AdapterParts) -> None:
        self._modules_of_parts.append(parts.to(self._device()).requires_grad_(False).train(self.training))

    def _drop(self, parts: AdapterParts) -> None:
        self._modules_of_parts = nn.ModuleList(kept for kept in self._modules_of_parts if kept is not parts)
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

    def _check_input(self, input_ids: Tensor, start: int) -> None:
        if input_ids.shape[-1] > self.trunk.max_length:
            raise UsageError(f"{input_ids.shape[-1]} tokens in a row, and {self.trunk.name} reads at most {self.trunk.max_length}", do="lower max_length")
        if start > 0 and start > self.lowest_layer():
            raise UsageError(f"state {start} depends on the adapters, which act from layer {self.lowest_layer()}", do="start lower")

    @staticmethod
    def _check_layer(layer: int, most: int) -> None:
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
