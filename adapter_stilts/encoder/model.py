"""AdapterEncoder: the trunk with adapters on it; runs up to a layer and no further.

    encoder = AdapterEncoder(trunk)
    encoder.add("mnli", "seq_bn", seed=13)
    encoder.activate(parse("mnli"))
    encoder.train_parts(["mnli"])                  # the trunk stays frozen: what trains is set here, parameter by parameter
    encoder.hidden(input_ids, attention_mask)      # [B, T, H] float32

Hidden state 0 is the embedding output, hidden state i the output of layer i. Layers above the one asked for never run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Literal, cast, overload

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from adapter_stilts.encoder.attached import Attached, AttachedParts, Part, check_layer
from adapter_stilts.encoder.composition import fusion_name, fusions, names, split_channels
from adapter_stilts.encoder.kept_rows import KeptRows
from adapter_stilts.encoder.layers import embed, padding, run_layer
from adapter_stilts.encoder.sites import Active, FusionAttention
from adapter_stilts.encoder.trunk import Trunk
from adapter_stilts.errors import UsageError

if TYPE_CHECKING:
    from transformers import XLMRobertaModel
    from transformers.models.xlm_roberta.modeling_xlm_roberta import XLMRobertaLayer

__all__ = ["AdapterEncoder", "Attached", "Part"]

FUSION_PENALTY = 0.01  # Pfeiffer et al. (2021), https://arxiv.org/abs/2005.00247


class AdapterEncoder(AttachedParts):
    """A frozen trunk, adapters and fusions by name, and the composition that is active.

    layers: read hidden states up to this one only; adapters above it are not built. None means all.
    """

    def __init__(self, trunk: Trunk, layers: int | None = None) -> None:
        super().__init__(trunk, layers)
        self._checkpointing = False
        self._attention: FusionAttention | None = None

    def gradient_checkpointing(self, on: bool) -> None:
        """Keep only each layer's input during training, and compute the rest again in the backward pass: less memory, more time."""
        self._checkpointing = on

    @overload
    def hidden(
        self, input_ids: Tensor, attention_mask: Tensor, layer: int | None = None, *, below: Tensor | None = None, start: int = 0
    ) -> Tensor: ...
    @overload
    def hidden(
        self, input_ids: Tensor, attention_mask: Tensor, layer: int | None = None, *, below: Tensor | None = None, start: int = 0, collect: Literal[True]
    ) -> tuple[Tensor, ...]: ...
    @overload
    def hidden(
        self, input_ids: Tensor, attention_mask: Tensor, layer: int | None = None, *, below: Tensor | None = None, start: int = 0, collect: bool
    ) -> Tensor | tuple[Tensor, ...]: ...
    def hidden(
        self, input_ids: Tensor, attention_mask: Tensor, layer: int | None = None, *, below: Tensor | None = None, start: int = 0, collect: bool = False
    ) -> Tensor | tuple[Tensor, ...]:
        """Hidden state `layer` (None: the last) for token ids [B, T]: [B, T, H] float32; [A*B, T, H], channel after channel, with A of them.

        collect  return the states start..layer instead, one per layer
        below    state `start`, [B, T, H], computed before without adapters; the layers up to it are then not run again

        Raises UsageError for a layer that is not there, a sentence that is too long, or a `start` above `lowest_layer()`.
        """
        last = self.depth if layer is None else layer
        check_layer(last, self.depth)
        self._check_input(input_ids, start)
        with self._autocast(input_ids.device):
            model, active = self._running(), self._active(attention_mask)
            state = embed(model.embeddings, input_ids) if below is None else below
            blocked = padding(attention_mask)
            if active is not None:
                state, blocked = self._split(active, state, blocked, changed=below is None)
            states = [state]
            for index in range(start, last):
                state = self._run_layer(cast("XLMRobertaLayer", model.encoder.layer[index]), index, state, blocked, active)
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
        table = self._running().embeddings.word_embeddings
        if isinstance(table, KeptRows):
            raise UsageError("masked text needs all rows of the word embeddings", do="load the trunk without `rows`")
        weight: Tensor = table.weight
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

    def _run_layer(self, layer: XLMRobertaLayer, index: int, state: Tensor, blocked: Tensor | None, active: Active | None) -> Tensor:
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

    def _running(self) -> XLMRobertaModel:
        if self.base.training != self.training:  # another encoder over the same trunk has set its mode
            self.base.train(self.training)
        for name in names(self.composition) if self.composition is not None else ():
            if (own := self.adapters[name].parts.trunk()) is not None:
                return own
        return self.base

    def _autocast(self, device: torch.device) -> AbstractContextManager[object]:
        return nullcontext() if self.trunk.precision == "fp32" else torch.autocast(device.type, dtype=torch.bfloat16)

    def _check_input(self, input_ids: Tensor, start: int) -> None:
        if input_ids.shape[-1] > self.trunk.max_length:
            raise UsageError(f"{input_ids.shape[-1]} tokens in a row, and {self.trunk.name} reads at most {self.trunk.max_length}", do="lower max_length")
        if start > 0 and start > self.lowest_layer():
            raise UsageError(f"state {start} depends on the adapters, which act from layer {self.lowest_layer()}", do="start lower")
