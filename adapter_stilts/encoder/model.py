"""AdapterEncoder: the trunk with adapters on it; runs up to a layer and no further.

    encoder = AdapterEncoder(trunk)
    encoder.add("mnli", "seq_bn", seed=13)
    encoder.activate(parse("mnli"))
    encoder.train_parts(["mnli"])                  # what trains; the trunk stays frozen
    encoder.hidden(input_ids, attention_mask)      # [B, T, H] float32

Hidden state 0 is the embedding output, hidden state i the output of layer i. Layers above the one asked for never run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from adapter_stilts.encoder.composition import NAME, Composition, Fuse, fusion_name, fusions, names, parse, validate
from adapter_stilts.encoder.kept_rows import KeptRows
from adapter_stilts.encoder.kinds import Kind, Setting, kinds, resolve
from adapter_stilts.encoder.lower_layers import lower_state
from adapter_stilts.encoder.modules.base import AdapterParts, Invertible, build
from adapter_stilts.encoder.modules.fusion import FusionParts
from adapter_stilts.encoder.sites import Active, FusionAttention
from adapter_stilts.encoder.transfer import check_fit, copies, copy_into, unfilled
from adapter_stilts.encoder.trunk.attention import padding
from adapter_stilts.encoder.trunk.base import TrunkModel
from adapter_stilts.encoder.trunk.loading import Trunk
from adapter_stilts.encoder.trunk.quantised import PackedLinear
from adapter_stilts.encoder.trunk.rows import UsedRows
from adapter_stilts.errors import UsageError, refuse
from adapter_stilts.registry import unknown_name
from adapter_stilts.seeding import Seeds, draw

M = TypeVar("M", bound=nn.Module)

FUSION_PENALTY = 0.01  # Pfeiffer et al. (2021), https://arxiv.org/abs/2005.00247


@dataclass(frozen=True)
class Part:
    """One line of what a model is made of. role: trunk, adapter, fusion or head."""

    part: str
    role: str
    active: bool
    trained: bool
    parameters: int


class AdapterEncoder(nn.Module):
    """A frozen trunk, adapters and fusions by name, and the composition that is active.

    Adapters are built for the layers that the trunk holds.

    from_layer  a hidden state that is read off the bare trunk, row by row (`lower_layers.py`), as far as no active
                adapter lies below it; 0: none
    kept        where its values are kept
    """

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk
        self.base = trunk.model
        self.adapters: dict[str, AdapterParts] = {}
        self.fusions: dict[str, FusionParts] = {}
        self.composition: Composition | None = None
        self.from_layer = 0
        self.tokens_at_once: int | None = None
        self.kept: KeptRows | None = None
        self._kinds: dict[str, Kind] = {}
        self._used: dict[str, AdapterParts] = {}  # the adapters of the active composition, in its order
        self._fused: tuple[str, ...] = ()  # its fusions, by name
        self._held = nn.ModuleList()  # adapters and fusions, so that .to() and .train() reach them
        self._trained: frozenset[str] = frozenset()
        self._checkpointing = False
        self._attention: FusionAttention | None = None
        self.base.requires_grad_(False)

    def add(self, name: str, kind: str, settings: Mapping[str, object] | None = None, seed: int = 0) -> None:
        """A fresh adapter; its initial weights depend on kind, settings and `seed` alone."""
        self.adapters[name] = self._taken_in(self._built(name, kinds[kind], settings or {}, seed))
        self._kinds[name] = kinds[kind]

    def load(self, name: str, kind: str, settings: Mapping[str, object], tensors: Mapping[str, Tensor]) -> None:
        """An adapter from its tensors; ArtefactError for a name or shape that kind, settings and trunk do not have."""
        make, place = partial(self._built, name, kinds[kind], settings, 0), (self.trunk.depth, self._layers)
        check_fit(f"adapter '{name}'", unfilled(f"adapter '{name}'", make), tensors, *place)
        parts = make()
        copy_into(f"adapter '{name}'", parts, tensors, *place)
        self.adapters[name], self._kinds[name] = self._taken_in(parts), kinds[kind]

    def remove(self, name: str) -> None:
        """Let go of an adapter and its memory; UsageError for one that is active or fused."""
        if name not in self.adapters:
            raise unknown_name("adapter", name, self.adapters)
        used = name in self._used or any(name in names(parse(fusion)) for fusion in self.fusions)
        refuse(used, f"the adapter '{name}' is in use", "activate another composition first")
        parts = self.adapters.pop(name)
        del self._kinds[name]
        self._trained -= {name}
        self._held = nn.ModuleList(held for held in self._held if held is not parts)

    def tensors(self, name: str) -> dict[str, Tensor]:
        """An adapter's own tensors, copied, float32, on the CPU, under names without the adapter's in them."""
        if name not in self.adapters:
            raise unknown_name("adapter", name, self.adapters)
        return copies(self.adapters[name])

    def add_fusion(self, fuse: Fuse, seed: int = 0) -> None:
        """A fresh AdapterFusion for a Fuse of adapters that are there."""
        name, parts = self._built_fusion(fuse, seed)
        self.fusions[name] = self._taken_in(parts)

    def load_fusion(self, fuse: Fuse, tensors: Mapping[str, Tensor]) -> None:
        """An AdapterFusion from its tensors; verified like an adapter's."""
        name, parts = self._built_fusion(fuse, seed=0)
        copy_into(f"fusion '{name}'", parts, tensors, self.trunk.depth, self._layers)
        self.fusions[name] = self._taken_in(parts)

    def fusion_tensors(self, fuse: Fuse) -> dict[str, Tensor]:
        """A fusion's tensors, copied, float32, on the CPU."""
        return copies(self.fusions[self._known_fusion(fuse)])

    def activate(self, composition: Composition | None) -> None:
        """Make a composition the one that runs; None runs the bare trunk. A Fuse in it must have been added."""
        whole = None if composition is None else validate(composition, self._kinds)
        fused = () if whole is None else tuple(self._known_fusion(fuse) for fuse in fusions(whole))
        used = {} if whole is None else {name: self.adapters[name] for name in names(whole)}
        self.composition, self._used, self._fused = whole, used, fused

    def active_kinds(self) -> dict[str, Kind]:
        """The kind of each adapter of the active composition, in its order."""
        return {name: self._kinds[name] for name in self._used}

    def train_parts(self, parts: Iterable[str]) -> None:
        """What trains from now on, adapters and fusions by name; all else is frozen, and the mode stays as it is."""
        chosen = frozenset(parts)
        for part in sorted(chosen):
            if part not in self.adapters and part not in self.fusions:
                raise unknown_name("adapter or fusion", part, [*self.adapters, *self.fusions])
        self._trained = chosen
        self.base.requires_grad_(False)
        for name, modules in self._parts().items():
            modules.requires_grad_(name in chosen)

    def trainable(self) -> list[tuple[str, nn.Parameter]]:
        """Every parameter that trains, once: "adapter/<name>/<tensor>" or "fusion/<name>/<tensor>"."""
        return [
            (f"{self._role(name)}/{name}/{tensor}", parameter)
            for name, parts in self._parts().items()
            if name in self._trained
            for tensor, parameter in parts.named_tensors().items()
        ]

    def table(self) -> list[Part]:
        """What the model is made of: the trunk, then adapters, then fusions, in the order they came."""
        active = {*self._used, *self._fused}
        whole = any(self._kinds[name].name == "full" for name in self._used)
        rows = [Part("trunk", "trunk", not whole, False, count(self.base))]
        for name, parts in self._parts().items():
            rows.append(Part(name, self._role(name), name in active, name in self._trained, count(parts)))
        return rows

    def gradient_checkpointing(self, on: bool) -> None:
        """Keep only each layer's input in training, and compute the rest again going back: less memory, more time."""
        self._checkpointing = on

    @property
    def untouched(self) -> int:
        """The hidden state up to `from_layer` that no active adapter reaches; 0 where there is none."""
        return min((self.from_layer, *(parts.lowest for parts in self._used.values())))

    def hidden(
        self, input_ids: Tensor, attention_mask: Tensor, layer: int | None = None, *, once: bool = False
    ) -> Tensor:
        """Hidden state `layer` (None: the last) of token ids [B, T]: [B, T, H] float32.

        once  these rows will not come again, as masked ones will not: nothing is kept of them

        Raises UsageError for a layer that is not there or a sentence that is too long.
        """
        last, untouched, start = self._last(input_ids, layer), self.untouched, None
        if 0 < untouched <= last:
            kept = None if once else self.kept
            start = untouched, lower_state(self.trunk, input_ids, attention_mask, untouched, kept)
        return deque(self._states(input_ids, attention_mask, last, start), maxlen=1)[0]

    def states(self, input_ids: Tensor, attention_mask: Tensor, layer: int | None = None) -> tuple[Tensor, ...]:
        """Hidden states 0 to `layer`, as `hidden` has them but for the rounding of `from_layer`."""
        return tuple(self._states(input_ids, attention_mask, self._last(input_ids, layer)))

    def traced(self, input_ids: Tensor, attention_mask: Tensor, layer: int) -> Tensor:
        """`hidden` without a look at the values of its inputs, in the precision of the weights: for a graph of it."""
        active, padded = self._active(attention_mask), (attention_mask == 0)[:, None, None, :]
        state = self.running().embed(input_ids)
        for block in self._invertible():
            state = block(state)
        for index in range(layer):
            state = self.running().run(index, state, padded, active)
        return state

    def hidden_each(
        self, compositions: Sequence[Composition], input_ids: Tensor, attention_mask: Tensor, layer: int | None = None
    ) -> list[Tensor]:
        """`hidden` under each of several compositions; what lies below the lowest of their adapters runs once."""
        before, wanted = self.composition, self._last(input_ids, layer)
        lowest = [self.adapters[name].lowest for each in compositions for name in names(each) if name in self.adapters]
        try:
            self.activate(None)
            shared = min((wanted, *lowest))
            start = (shared, self.hidden(input_ids, attention_mask, shared)) if shared > 0 else None
            states = []
            for composition in compositions:
                self.activate(composition)
                states.append(deque(self._states(input_ids, attention_mask, wanted, start), maxlen=1)[0])
            return states
        finally:
            self.activate(before)

    def before_decoder(self, hidden: Tensor) -> Tensor:
        """[..., H] with the active invertible adapters undone: what the output embedding of masked text reads."""
        for block in reversed(self._invertible()):
            hidden = block(hidden.reshape(1, -1, hidden.shape[-1]), rev=True).view(hidden.shape)
        return hidden

    def word_embeddings(self) -> Tensor:
        """The word embeddings of the trunk that runs, [V, H], in its precision."""
        return self.running().word_embeddings.weight

    def running(self) -> TrunkModel:
        """The trunk that runs: the frozen one, or that of an active adapter of kind full."""
        if self.base.training != self.training:  # another encoder over the same trunk has set its mode
            self.base.train(self.training)
        return next((parts.trunk for parts in self._used.values() if parts.trunk is not None), self.base)

    def fusion_penalty(self) -> Tensor:
        """0.01 * ||I - V||^2, summed over the layers of the active fusions that train; added to the loss, once."""
        trained = [self.fusions[name] for name in self._fused if name in self._trained]
        values = [value for fusion in trained for value in fusion.value_matrices()]
        if not values:
            return torch.zeros((), device=self.device)
        eye = torch.eye(self.trunk.config.hidden_size, device=values[0].device)
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

    @property
    def _layers(self) -> int:
        """Of the whole trunk, however many are held."""
        return self.trunk.config.num_hidden_layers

    def _last(self, input_ids: Tensor, layer: int | None) -> int:
        """The hidden state asked for; UsageError where it cannot be had of these rows."""
        last = self.trunk.depth if layer is None else layer
        if not 0 <= last <= self.trunk.depth:
            do = f"choose one from 0 (embeddings) to {self.trunk.depth}"
            raise UsageError(f"there is no hidden state {last}", where="retrieval.layer", do=do)
        longest = self.trunk.config.max_length
        if input_ids.shape[-1] > longest:
            what = f"{input_ids.shape[-1]} tokens in a row, and {self.trunk.name} reads at most {longest}"
            raise UsageError(what, do="lower max_length")
        return last

    def _states(
        self, input_ids: Tensor, attention_mask: Tensor, last: int, start: tuple[int, Tensor] | None = None
    ) -> Iterator[Tensor]:
        """Hidden states up to the last. start: one that is known already, with its number."""
        model, half = self.running(), self.trunk.precision != "fp32"
        run: Callable[..., Tensor] = model.run
        if self._checkpointing and self.training and torch.is_grad_enabled():
            run = partial(checkpoint, model.run, use_reentrant=False)
        with torch.autocast(input_ids.device.type, dtype=torch.bfloat16) if half else nullcontext():
            active, padded = self._active(attention_mask), padding(attention_mask)
            first, state = start or (0, model.embed(input_ids))
            for block in self._invertible() if start is None else ():
                state = block(state).float()
            yield state
            for index in range(first, last):
                state = run(index, state, padded, active)
                yield state

    def _active(self, attention_mask: Tensor) -> Active | None:
        if self.composition is None:
            return None
        prefix = {name: parts.prefixes(attention_mask.shape[0]) for name, parts in self._used.items()}
        return Active(self.composition, self._used, self.fusions, attention_mask, prefix, self._attention)

    def _invertible(self) -> list[Invertible]:
        blocks = (parts.invertible() for parts in self._used.values())
        return [block for block in blocks if block is not None]

    def _built(self, name: str, kind: Kind, settings: Mapping[str, object], seed: int) -> AdapterParts:
        resolved = resolve(kind, settings)
        if not NAME.fullmatch(name):
            what = f"'{name}' cannot name an adapter"
            raise UsageError(what, do="use a name without spaces, commas, brackets and '='")
        refuse(name in self.adapters, f"there is already an adapter called '{name}'", "choose another name")
        return fresh_adapter(self.base, kind, resolved, seed)

    def _built_fusion(self, fuse: Fuse, seed: int) -> tuple[str, FusionParts]:
        normal = validate(fuse, self._kinds)
        if not isinstance(normal, Fuse):
            raise UsageError(f"{fuse} is not a fusion", do="give a Fuse of at least two adapters")
        name = fusion_name(normal)
        refuse(name in self.fusions, f"there is already a fusion called '{name}'", "use it, or build a new encoder")
        fused = [self._kinds[adapter] for adapter in names(normal)]
        sites = tuple(site for site in ("attention", "output") if any(site in kind.places for kind in fused))
        return name, draw(Seeds(seed).number("fusion"), partial(FusionParts, sites, self.base))

    def _taken_in(self, parts: M) -> M:
        self._held.append(parts.to(self.device).requires_grad_(False).train(self.training))
        return parts

    def _parts(self) -> dict[str, AdapterParts]:
        return {**self.adapters, **self.fusions}

    def _role(self, name: str) -> str:
        return "adapter" if name in self.adapters else "fusion"

    def _known_fusion(self, fuse: Fuse) -> str:
        name = fusion_name(fuse)
        refuse(name not in self.fusions, f"there are no fusion weights for {name}", "add_fusion or load_fusion first")
        return name


def fresh_adapter(trunk: TrunkModel, kind: Kind, settings: Mapping[str, Setting], seed: int) -> AdapterParts:
    """What training starts from, for the layers that a trunk holds; its weights need not be there."""
    return draw(Seeds(seed).number(f"adapter/{kind.name}"), partial(build, kind, settings, trunk))


def count(module: nn.Module) -> int:
    """How many parameters it has, rows of embeddings that are not in memory and packed ones among them."""
    held = sum(each.size for each in module.modules() if isinstance(each, UsedRows | PackedLinear))
    return sum(parameter.numel() for parameter in module.parameters()) + held
