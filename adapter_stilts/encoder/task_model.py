"""TaskModel: an encoder and one task's head; batches to logits to loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from adapter_stilts.encoder.heads import Head
from adapter_stilts.encoder.model import AdapterEncoder, Part
from adapter_stilts.formats.base import Format, formats


class LossParts(NamedTuple):
    """A loss in parts.

    total    summed over so many `targets`
    penalty  the fusions' regulariser, added once per step and never divided by the targets
    """

    total: Tensor
    targets: int
    penalty: Tensor


class TaskModel(nn.Module):
    """An encoder with the head of one task."""

    def __init__(self, encoder: AdapterEncoder, head: Head, format: str) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head.to(encoder.device)
        self.format: Format[Any] = formats[format]
        head.tie(encoder.word_embeddings, encoder.before_decoder)

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Logits in float32, of the head's shape (`heads.py`); for ranking, unit vectors of what is in input_ids."""
        input_ids, attention_mask = batch["input_ids"], batch["attention_mask"]
        hidden = self.encoder.hidden(
            input_ids.view(-1, input_ids.shape[-1]), attention_mask.view(-1, attention_mask.shape[-1])
        )
        logits: Tensor = self.head(hidden, batch)
        return logits.float()

    def loss_parts(self, batch: Mapping[str, Tensor]) -> LossParts:
        """The loss of a batch in parts that add up over processes and accumulation steps."""
        total, count = self.head.batch_loss(self, batch)
        return LossParts(total, count, self.encoder.fusion_penalty())

    def train_parts(self, parts: Iterable[str], head: bool = True) -> None:
        """What trains from now on: adapters and fusions by name, and the head or not."""
        self.encoder.train_parts(parts)
        self.head.requires_grad_(head)

    def trainable(self) -> list[tuple[str, nn.Parameter]]:
        """Every parameter that trains, once: "adapter/<name>/<tensor>", "fusion/<name>/<tensor>", "head/<tensor>"."""
        head = [
            (f"head/{name}", parameter)
            for name, parameter in self.head.named_tensors().items()
            if parameter.requires_grad
        ]
        return [*self.encoder.trainable(), *head]

    def without_decay(self) -> list[Tensor]:
        """The fusions' value matrices: they start at the identity, and weight decay would pull them to zero."""
        return [value for fusion in self.encoder.fusions.values() for value in fusion.value_matrices()]

    def checkpoint_gradients(self, on: bool) -> None:
        """Compute the layers' activations again in the backward pass instead of keeping them."""
        self.encoder.gradient_checkpointing(on)

    def table(self) -> list[Part]:
        """What the model is made of, the head last."""
        trained = any(parameter.requires_grad for parameter in self.head.parameters())
        return [
            *self.encoder.table(),
            Part("head", "head", True, trained, sum(parameter.numel() for parameter in self.head.parameters())),
        ]
