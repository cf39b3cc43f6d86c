"""TaskModel: an encoder and one task's head; batches to logits to loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from adapter_stilts.encoder.composition import channels
from adapter_stilts.encoder.heads import Head
from adapter_stilts.encoder.model import AdapterEncoder, Part
from adapter_stilts.encoder.transfer import check_tensors, copied, copy_tensors
from adapter_stilts.errors import ArtefactError, UsageError
from adapter_stilts.formats.base import Format, formats


class LossParts(NamedTuple):
    """total: the loss summed over so many `targets`; penalty: the fusions' regulariser, added once per step and never divided by the targets."""

    total: Tensor
    targets: int
    penalty: Tensor


class TaskModel(nn.Module):
    """An encoder with the head of one task."""

    def __init__(self, encoder: AdapterEncoder, head: Head, format: str) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head.to(next(encoder.base.parameters()).device)
        self.format: Format[Any] = formats[format]
        head.tie(encoder.word_embeddings, encoder.before_decoder)

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Logits in float32, of the shape the head's format has; see `heads.py`. For ranking, unit vectors of whatever is in input_ids."""
        if self.encoder.composition is not None and channels(self.encoder.composition) > 1:
            raise UsageError("one head cannot read parallel channels", where=str(self.encoder.composition), do="activate one channel, or use channel_logits")
        input_ids, attention_mask = batch["input_ids"], batch["attention_mask"]
        hidden = self.encoder.hidden(input_ids.view(-1, input_ids.shape[-1]), attention_mask.view(-1, attention_mask.shape[-1]))
        logits: Tensor = self.head(hidden, batch)
        return logits.float()

    def loss_parts(self, batch: Mapping[str, Tensor]) -> LossParts:
        """The loss of a batch in parts that add up over processes and accumulation steps."""
        total, count = self.head.batch_loss(self, batch)
        return LossParts(total, count, self.encoder.fusion_penalty())

    def train_parts(self, parts: Iterable[str], head: bool = True) -> None:
        """What trains from now on: adapters and fusions by name, and the head or not."""
        self.encoder.train(list(parts))
        self.head.requires_grad_(head)

    def trainable(self) -> list[tuple[str, nn.Parameter]]:
        """Every parameter that trains, once: "adapter/<name>/<tensor>", "fusion/<name>/<tensor>", "head/<tensor>"."""
        head = [(f"head/{name}", parameter) for name, parameter in self.head.named_tensors().items() if parameter.requires_grad]
        return [*self.encoder.trainable(), *head]

    def without_decay(self) -> list[Tensor]:
        """The fusions' value matrices: they start at the identity, and weight decay would pull them to zero."""
        return [value for fusion in self.encoder.fusions.values() for value in fusion.value_matrices()]

    def checkpoint_gradients(self, on: bool) -> None:
        """Compute the layers' activations again in the backward pass instead of keeping them."""
        self.encoder.gradient_checkpointing(on)

    def trained_state(self) -> dict[str, dict[str, Tensor]]:
        """Copies of all that trains, float32 on the CPU: "adapter/<name>", "fusion/<name>", "head", each a set of tensors. One consistent unit."""
        return {unit: {name: copied(parameter) for name, parameter in tensors.items()} for unit, tensors in self._units().items()}

    def load_trained_state(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Put a `trained_state` back; ArtefactError where a part, a name or a shape is missing or unknown, before anything changes."""
        units = self._units()
        if wrong := sorted(set(units) ^ set(state)):
            raise ArtefactError(f"the trained state and the model disagree about '{wrong[0]}'", do="it comes from a run that trained other parts")
        for unit, tensors in units.items():
            check_tensors(unit, tensors, state[unit])
        for unit, tensors in units.items():
            copy_tensors(tensors, state[unit])

    def table(self) -> list[Part]:
        """What the model is made of, the head last."""
        trained = any(parameter.requires_grad for parameter in self.head.parameters())
        return [*self.encoder.table(), Part("head", "head", True, trained, sum(parameter.numel() for parameter in self.head.parameters()))]

    def _units(self) -> dict[str, dict[str, nn.Parameter]]:
        """The parameters that train, by unit and name."""
        head = {name: parameter for name, parameter in self.head.named_tensors().items() if parameter.requires_grad}
        return dict(self.encoder.trained_parts()) | ({"head": head} if head else {})


def channel_logits(encoder: AdapterEncoder, heads: Sequence[Head], batch: Mapping[str, Tensor]) -> list[Tensor]:
    """Logits of every parallel channel of the active composition, each from its own head, in one pass through the trunk."""
    width = channels(encoder.composition) if encoder.composition is not None else 1
    if width != len(heads):
        raise UsageError(f"{width} parallel channels and {len(heads)} heads", where=str(encoder.composition), do="give one head per channel")
    input_ids, attention_mask = batch["input_ids"], batch["attention_mask"]
    hidden = encoder.hidden(input_ids.view(-1, input_ids.shape[-1]), attention_mask.view(-1, attention_mask.shape[-1]))
    return [head(rows, batch).float() for head, rows in zip(heads, hidden.chunk(width), strict=True)]

