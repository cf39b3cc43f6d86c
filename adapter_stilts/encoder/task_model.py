"""An encoder under the head of one task (TaskModel), or of several trained together (JointModel): batches to loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from adapter_stilts.data.batches import TASK
from adapter_stilts.encoder.heads import Head
from adapter_stilts.encoder.model import AdapterEncoder, Part, count
from adapter_stilts.errors import UsageError
from adapter_stilts.formats.base import Format, formats


class LossParts(NamedTuple):
    """A loss in parts.

    total    summed over so many `targets`
    penalty  the fusions' regulariser, added once per step and never divided by the targets
    """

    total: Tensor
    targets: int
    penalty: Tensor


class _Headed(nn.Module):
    """What an encoder with heads trains and is made of."""

    encoder: AdapterEncoder

    def heads(self) -> dict[str, Head]:
        """Each head under what its parameters' names begin with: "head", or "head/TASK" where there are several."""
        raise NotImplementedError

    def train_parts(self, parts: Iterable[str], head: bool = True) -> None:
        """What trains from now on: adapters and fusions by name, and the heads or not."""
        self.encoder.train_parts(parts)
        for own in self.heads().values():
            own.requires_grad_(head)

    def trainable(self) -> list[tuple[str, nn.Parameter]]:
        """Every parameter that trains, once: "adapter/NAME/TENSOR", "fusion/NAME/TENSOR", then those of the heads."""
        named = [
            (f"{path}/{name}", tensor)
            for path, head in self.heads().items()
            for name, tensor in head.named_tensors().items()
        ]
        return [*self.encoder.trainable(), *((name, tensor) for name, tensor in named if tensor.requires_grad)]

    def without_decay(self) -> list[Tensor]:
        """The fusions' value matrices: they start at the identity, and weight decay would pull them to zero."""
        return [value for fusion in self.encoder.fusions.values() for value in fusion.value_matrices()]

    def checkpoint_gradients(self, on: bool) -> None:
        """Compute the layers' activations again in the backward pass instead of keeping them."""
        self.encoder.gradient_checkpointing(on)

    def table(self) -> list[Part]:
        """What the model is made of: trunk, adapters, then each head, under its task's name where there are several."""
        rows = self.encoder.table()
        for path, head in self.heads().items():
            trained = any(parameter.requires_grad for parameter in head.parameters())
            rows.append(Part(path.removeprefix("head/"), "head", True, trained, count(head)))
        return rows


class TaskModel(_Headed):
    """An encoder with the head of one task."""

    def __init__(self, encoder: AdapterEncoder, head: Head, format: str) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head.to(encoder.device)
        self.format: Format[Any] = formats[format]
        head.tie(encoder.word_embeddings, encoder.before_decoder, encoder.trunk.config.layer_norm_eps)

    def heads(self) -> dict[str, Head]:
        return {"head": self.head}

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Logits in float32, of the head's shape (`heads.py`); for ranking, unit vectors of what is in input_ids."""
        input_ids, attention_mask = (batch[name].flatten(0, -2) for name in ("input_ids", "attention_mask"))
        hidden = self.encoder.hidden(input_ids, attention_mask, once=self.format.masked)
        logits: Tensor = self.head(hidden, batch)
        return logits.float()

    def loss_parts(self, batch: Mapping[str, Tensor]) -> LossParts:
        """The loss of a batch in parts that add up over processes and accumulation steps."""
        return LossParts(*self.head.batch_loss(self, batch), self.encoder.fusion_penalty())


class JointModel(_Headed):
    """Several tasks' models over one encoder, in the order of their numbers in a batch.

    Each is there for reading and scoring: `model.tasks["nli"]`.
    """

    def __init__(self, tasks: Mapping[str, TaskModel]) -> None:
        super().__init__()
        if not tasks or len({id(model.encoder) for model in tasks.values()}) > 1:
            raise UsageError("the tasks of a joint model share one encoder", do="make their models over the same one")
        self._held = nn.ModuleList(tasks.values())
        self.tasks: Mapping[str, TaskModel] = dict(tasks)
        self.encoder = next(iter(tasks.values())).encoder

    def heads(self) -> dict[str, Head]:
        return {f"head/{task}": model.head for task, model in self.tasks.items()}

    def loss_parts(self, batch: Mapping[str, Tensor]) -> LossParts:
        """The loss of a batch of one task's rows, in parts that add up over processes and accumulation steps."""
        numbers = torch.unique(batch[TASK]).tolist()
        if len(numbers) != 1:
            raise UsageError(f"a batch of {len(numbers)} tasks", do="make each batch of one task's rows")
        model = list(self.tasks.values())[int(numbers[0])]
        return model.loss_parts({name: tensor for name, tensor in batch.items() if name != TASK})
