"""JointModel: one encoder under several tasks' heads, trained together; a batch says which task it is of.

Each task has a TaskModel of its own for reading and scoring, all of them over the same encoder: `model.tasks["nli"]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from adapter_stilts.data.batches import TASK
from adapter_stilts.encoder.model import AdapterEncoder, Part
from adapter_stilts.encoder.task_model import LossParts, TaskModel
from adapter_stilts.errors import UsageError


class JointModel(nn.Module):
    """Several tasks' models over one encoder, in the order of their numbers in a batch."""

    def __init__(self, tasks: Mapping[str, TaskModel]) -> None:
        super().__init__()
        if not tasks or len({id(model.encoder) for model in tasks.values()}) > 1:
            raise UsageError("the tasks of a joint model share one encoder", do="make their models over the same one")
        self._held = nn.ModuleList(tasks.values())
        self.tasks: Mapping[str, TaskModel] = dict(tasks)

    @property
    def encoder(self) -> AdapterEncoder:
        return next(iter(self.tasks.values())).encoder

    def loss_parts(self, batch: Mapping[str, Tensor]) -> LossParts:
        """The loss of a batch of one task's rows, in parts that add up over processes and accumulation steps."""
        numbers = torch.unique(batch[TASK]).tolist()
        if len(numbers) != 1:
            raise UsageError(f"a batch of {len(numbers)} tasks", do="make each batch of one task's rows")
        model = list(self.tasks.values())[int(numbers[0])]
        return model.loss_parts({name: tensor for name, tensor in batch.items() if name != TASK})

    def train_parts(self, parts: Iterable[str], head: bool = True) -> None:
        """What trains from now on: adapters and fusions by name, and the heads or not."""
        self.encoder.train_parts(parts)
        for model in self.tasks.values():
            model.head.requires_grad_(head)

    def trainable(self) -> list[tuple[str, nn.Parameter]]:
        """Every parameter that trains, once: "adapter/NAME/TENSOR", "fusion/NAME/TENSOR", "head/TASK/TENSOR"."""
        heads = [
            (f"head/{task}/{name}", parameter)
            for task, model in self.tasks.items()
            for name, parameter in model.head.named_tensors().items()
            if parameter.requires_grad
        ]
        return [*self.encoder.trainable(), *heads]

    def without_decay(self) -> list[Tensor]:
        """The fusions' value matrices, as in TaskModel."""
        return next(iter(self.tasks.values())).without_decay()

    def checkpoint_gradients(self, on: bool) -> None:
        """Compute the layers' activations again in the backward pass instead of keeping them."""
        self.encoder.gradient_checkpointing(on)

    def table(self) -> list[Part]:
        """What the model is made of: trunk, adapters, then a head per task under the task's name."""
        heads = [(task, model.table()[-1]) for task, model in self.tasks.items()]
        return [
            *self.encoder.table(),
            *(Part(task, head.role, head.active, head.trained, head.parameters) for task, head in heads),
        ]
