"""AdapterEncoder: the trunk with adapters on it; runs up to a layer and no further.

    encoder = AdapterEncoder(trunk)
    encoder.add("mnli", "seq_bn", seed=13)
    encoder.activate(parse("mnli"))
    encoder.train_parts(["mnli"])                  # what trains; the trunk stays frozen
    encoder.hidden(input_ids, attention_mask)      # [B, T, H] float32

Hidden state 0 is the embedding output, hidden state i the output of layer i. Layers above the one asked for never run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, overload

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from adapter_stilts.encoder.backends.base import AdapterParts, FusionParts, backend, draw
from adapter_stilts.encoder.composition import NAME, Composition, Fuse, fusion_name, fusions, names, validate
from adapter_stilts.encoder.kinds import Kind, Setting, kinds, resolve
from adapter_stilts.encoder.layers import embed, padding, run_layer
from adapter_stilts.encoder.sites import Active, FusionAttention
from adapter_stilts.encoder.transfer import copied, copy_into
from adapter_stilts.encoder.trunk import Trunk
from adapter_stilts.errors import UsageError
from adapter_stilts.registry import unknown_name
from adapter_stilts.seeding import Seeds

if TYPE_CHECKING:
    from transformers import XLMRobertaModel
    from transformers.models.xlm_roberta.modeling_xlm_roberta import XLMRobertaLayer

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

    Adapters are built for the layers that the trunk holds.
    """

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk
        self.base: XLMRobertaModel = trunk.model
        self.adapters: dict[str, Attached] = {}
        self.fusions: dict[str, FusionParts] = {}
        self.composition: Composition | None = None
        self._held = nn.ModuleList()  # adapters and fusions, so that .to() and .train() reach them
        self._trained: frozenset[str] = frozenset()
        self._checkpointing = False
        self._attention: FusionAttention | None = None
        self.base.requires_grad_(False)

    def add(self, name: str, kind: str, settings: Mapping[str, object] | None = None, seed: int = 0) -> None:
        """A fresh adapter; its initial weights depend on kind, settings and `seed` alone."""
        self.adapters[name] = self._built(name, kind, settings or {}, seed)
        self._hold(self.adapters[name].parts)

    def load(self, name: str, kind: str, settings: Mapping[str, object], tensors: Mapping[str, Tensor]) -> None:
        """An adapter from its tensors; ArtefactError for a name or shape that kind, settings and trunk do not have."""
        adapter = self._built(name, kind, settings, seed=0)
        copy_into(f"adapter '{name}'", adapter.parts, tensors, self.trunk.depth, self.trunk.layers)
        self.adapters[name] = adapter
        self._hold(adapter.parts)

    def tensors(self, name: str) -> dict[str, Tensor]:
        """An adapter's own tensors, copied, float32, on the CPU, under names without the adapter's in them."""
        if name not in self.adapters:
            raise unknown_name("adapter", name, self.adapters)
        return _copies(self.adapters[name].parts)

    def add_fusion(self, fuse: Fuse, seed: int = 0) -> None:
        """A fresh AdapterFusion for a Fuse of adapters that are there."""
        name, parts = self._built_fusion(fuse, seed)
        self.fusions[name] = parts
        self._hold(parts)

    def load_fusion(self, fuse: Fuse, tensors: Mapping[str, Tensor]) -> None:
        """An AdapterFusion from its tensors; verified like an adapter's."""
        name, parts = self._built_fusion(fuse, seed=0)
        copy_into(f"fusion '{name}'", parts, tensors, self.trunk.depth, self.trunk.layers)
        self.fusions[name] = parts
        self._hold(parts)

    def fusion_tensors(self, fuse: Fuse) -> dict[str, Tensor]:
        """A fusion's tensors, copied, float32, on the CPU."""
        return _copies(self._known_fusion(fuse))

    def activate(self, composition: Composition | None) -> None:
        """Make a composition the one that runs; None runs the bare trunk. A Fuse in it must have been added."""
        whole = None if composition is None else validate(composition, self._kinds())
        for fuse in fusions(whole) if whole is not None else ():
            self._known_fusion(fuse)
        self.composition = whole

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

    def trainable(self) -> list[tuple[str, nn.Parameter]]:
        """Every parameter that trains, once: "adapter/<name>/<tensor>" or "fusion/<name>/<tensor>"."""
        return [
            (f"{self._role(name)}/{name}/{tensor}", parameter)
            for name, parts in self._parts()
            if name in self._trained
            for tensor, parameter in parts.named_tensors().items()
        ]

    def table(self) -> list[Part]:
        """What the model is made of: the trunk, then adapters, then fusions, in the order they came."""
        used = self._used()
        active = {name for name, _ in used} | {fusion_name(fuse) for fuse in self._active_fusions()}
        bare = all(adapter.kind.name != "full" for _, adapter in used)
        rows = [Part("trunk", "trunk", bare, False, _count(self.base))]
        for name, parts in self._parts():
            rows.append(Part(name, self._role(name), name in active, name in self._trained, _count(parts)))
        return rows

    def gradient_checkpointing(self, on: bool) -> None:
        """Keep only each layer's input in training, and compute the rest again going back: less memory, more time."""
        self._checkpointing = on

    @overload
    def hidden(self, input_ids: Tensor, attention_mask: Tensor, layer: int | None = None) -> Tensor: ...
    @overload
    def hidden(
        self, input_ids: Tensor, attention_mask: Tensor, layer: int | None = None, *, collect: Literal[True]
    ) -> tuple[Tensor, ...]: ...
    def hidden(
        self, input_ids: Tensor, attention_mask: Tensor, layer: int | None = None, *, collect: bool = False
    ) -> Tensor | tuple[Tensor, ...]:
        """Hidden state `layer` (None: the last) of token ids [B, T]: [B, T, H] float32; with `collect` states 0..layer.

        Raises UsageError for a layer that is not there or a sentence that is too long.
        """
        last = self.trunk.depth if layer is None else layer
        _check_layer(last, self.trunk.depth)
        if input_ids.shape[-1] > self.trunk.max_length:
            what = f"{input_ids.shape[-1]} tokens in a row, and {self.trunk.name} reads at most {self.trunk.max_length}"
            raise UsageError(what, do="lower max_length")
        with self._autocast(input_ids.device):
            model, active, blocked = self._running(), self._active(attention_mask), padding(attention_mask)
            state = self._changed(embed(model.embeddings, input_ids))
            states = [state]
            for index in range(last):
                state = self._run_layer(
                    cast("XLMRobertaLayer", model.encoder.layer[index]), index, state, blocked, active
                )
                states.append(state if collect else states.pop(0))
        return tuple(states) if collect else state

    def before_decoder(self, hidden: Tensor) -> Tensor:
        """[..., H] with the active invertible adapters undone: what the output embedding of masked text reads."""
        for _, adapter in reversed(self._used()):
            if (block := adapter.parts.invertible()) is not None:
                hidden = block(hidden.reshape(1, -1, hidden.shape[-1]), rev=True).view(hidden.shape)
        return hidden

    def word_embeddings(self) -> Tensor:
        """The word embeddings of the trunk that runs, [V, H], in its precision."""
        weight: Tensor = self._running().embeddings.word_embeddings.weight
        return weight

    def fusion_penalty(self) -> Tensor:
        """0.01 * ||I - V||^2, summed over the layers of the active fusions that train; added to the loss, once."""
        active = [fusion_name(fuse) for fuse in self._active_fusions()]
        values = [value for name in active if name in self._trained for value in self.fusions[name].value_matrices()]
        if not values:
            return torch.zeros((), device=self.device)
        eye = torch.eye(self.trunk.hidden, device=values[0].device)
        return FUSION_PENALTY * torch.stack([(eye - value).square().sum() for value in values]).sum()

    @contextmanager
    def capture_attention(self) -> Iterator[FusionAttention]:
        """Collect what the fusions attend to in every `hidden` inside the block; its `mean("fuse(a, b)")` is [L, A]."""
        self._attention = FusionAttention()
        try:
            yield self._attention
        finally:
            self._attention = None

    @property
    def device(self) -> torch.device:
        return next(self.base.parameters()).device

    def _run_layer(
        self, layer: XLMRobertaLayer, index: int, state: Tensor, blocked: Tensor | None, active: Active | None
    ) -> Tensor:
        if self._checkpointing and self.training and torch.is_grad_enabled():
            again: Tensor = checkpoint(run_layer, layer, index, state, blocked, active, use_reentrant=False)
            return again
        return run_layer(layer, index, state, blocked, active)

    def _changed(self, state: Tensor) -> Tensor:
        """State 0 after the active invertible adapters."""
        for _, adapter in self._used():
            if (block := adapter.parts.invertible()) is not None:
                state = block(state).float()
        return state

    def _active(self, attention_mask: Tensor) -> Active | None:
        if self.composition is None:
            return None
        used = {name: adapter.parts for name, adapter in self._used()}
        prefix = {name: parts.prefixes(attention_mask.shape[0]) for name, parts in used.items()}
        return Active(self.composition, used, self.fusions, attention_mask, prefix, self._attention)

    def _running(self) -> XLMRobertaModel:
        if self.base.training != self.training:  # another encoder over the same trunk has set its mode
            self.base.train(self.training)
        return next((own for _, adapter in self._used() if (own := adapter.parts.trunk()) is not None), self.base)

    def _autocast(self, device: torch.device) -> AbstractContextManager[object]:
        return nullcontext() if self.trunk.precision == "fp32" else torch.autocast(device.type, dtype=torch.bfloat16)

    def _built(self, name: str, kind: str, settings: Mapping[str, object], seed: int) -> Attached:
        known = kinds[kind]
        resolved = resolve(known, settings)
        if not NAME.fullmatch(name):
            what = f"'{name}' cannot name an adapter"
            raise UsageError(what, do="use a name without spaces, commas, brackets and '='")
        if name in self.adapters:
            raise UsageError(f"there is already an adapter called '{name}'", do="choose another name")
        parts = draw(
            Seeds(seed).number(f"adapter/{known.name}"),
            lambda: backend(known).build(known, resolved, self.trunk.config, self.trunk.depth, self.base),
        )
        return Attached(known, resolved, parts)

    def _built_fusion(self, fuse: Fuse, seed: int) -> tuple[str, FusionParts]:
        normal = validate(fuse, self._kinds())
        if not isinstance(normal, Fuse):
            raise UsageError(f"{fuse} is not a fusion", do="give a Fuse of at least two adapters")
        name = fusion_name(normal)
        if name in self.fusions:
            raise UsageError(f"there is already a fusion called '{name}'", do="use it, or build a new encoder")
        fused = [self.adapters[adapter].kind for adapter in names(normal)]
        sites = tuple(site for site in ("attention", "output") if any(site in kind.places for kind in fused))
        build = backend(fused[0]).build_fusion
        return name, draw(Seeds(seed).number("fusion"), lambda: build(sites, self.trunk.config, self.trunk.depth))

    def _hold(self, parts: AdapterParts) -> None:
        self._held.append(parts.to(self.device).requires_grad_(False).train(self.training))

    def _parts(self) -> list[tuple[str, AdapterParts]]:
        return [*((name, adapter.parts) for name, adapter in self.adapters.items()), *self.fusions.items()]

    def _role(self, name: str) -> str:
        return "adapter" if name in self.adapters else "fusion"

    def _used(self) -> list[tuple[str, Attached]]:
        """The adapters of the active composition, in its order."""
        return [] if self.composition is None else [(name, self.adapters[name]) for name in names(self.composition)]

    def _active_fusions(self) -> tuple[Fuse, ...]:
        return () if self.composition is None else fusions(self.composition)

    def _kinds(self) -> dict[str, Kind]:
        return {name: adapter.kind for name, adapter in self.adapters.items()}

    def _known_fusion(self, fuse: Fuse) -> FusionParts:
        name = fusion_name(fuse)
        if name not in self.fusions:
            raise UsageError(f"there are no fusion weights for {name}", do="add_fusion or load_fusion first")
        return self.fusions[name]


def _check_layer(layer: int, most: int) -> None:
    """UsageError for a hidden state that is not there."""
    if not 0 <= layer <= most:
        what = f"there is no hidden state {layer}"
        raise UsageError(what, where="retrieval.layer", do=f"choose one from 0 (embeddings) to {most}")


def _copies(parts: AdapterParts) -> dict[str, Tensor]:
    return {name: copied(parameter) for name, parameter in parts.named_tensors().items()}


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
