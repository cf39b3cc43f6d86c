"""What the training loop is given and what it gives back, as plain values.

`TrainingData` is rows by number: how long each is, and how several become one batch of tensors; a `Mixture` is several
of them. The loop knows nothing else of a task. `Trainable` is all it asks of a model: a summed loss with its count, so
that any split of a batch over accumulation steps and processes adds up to the same mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from adapter_stilts.config.schema import Training
from adapter_stilts.data.batches import collate, mask_tokens
from adapter_stilts.data.feature import Feature, length
from adapter_stilts.formats.base import Format
from adapter_stilts.training.usual import FEWEST_STEPS_BETWEEN, USUAL_EPOCHS, usual_epochs

Batch: TypeAlias = dict[str, Tensor]
Prepare: TypeAlias = Callable[[Batch, torch.Generator], Batch]
Validation: TypeAlias = float | Mapping[str, float]  # one score, or one a task, of which the plain mean counts


class TrainingPlan(Training):
    """The configuration's section `training`, with what it leaves open decided, and what else decides the steps.

    select          keep the step with the best validation score; False keeps the last one
    fusion_penalty  times the penalty the model names; 0 leaves it out
    betas, epsilon  of AdamW; PyTorch's
    """

    learning_rate: float
    epochs: int = USUAL_EPOCHS
    select: bool = True
    fusion_penalty: float = 1.0
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8


@dataclass(frozen=True)
class TrainingData:
    """Rows by number: their lengths in tokens, and the batch that a list of row numbers makes.

    `prepare` changes a batch just before it is used, with a generator that depends on seed, epoch and batch number
    alone (masking draws new masks every epoch, and the same ones after a resume). `smallest` is how many rows a batch
    must have, where its rows are compared with each other; each process gets at least one.
    """

    lengths: Sequence[int]
    collate: Callable[[Sequence[int]], Batch]
    prepare: Prepare | None = None
    smallest: int = 1


@dataclass(frozen=True)
class Mixture:
    """Several tasks learned at once: their rows, and the probability that a step is one of each (sampler.py)."""

    data: Mapping[str, TrainingData]
    shares: Mapping[str, float]


@dataclass(frozen=True)
class Progress:
    """Where training stands after a step; `total` is 0 where only the clock ends it."""

    step: int
    total: int
    epoch: int
    loss: float
    learning_rate: float
    tokens_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class Outcome:
    """How training ended; `best_step` and `best_score` are None without validation."""

    steps: int
    epochs: int
    best_step: int | None
    best_score: float | None
    losses: tuple[tuple[int, float], ...]  # (step, mean loss since the row before), as logged
    seconds: float
    stopped_by: str  # "steps", "epochs", "minutes", "patience" or "kept step"
    tasks: Mapping[str, int] = field(default_factory=dict)  # of a mixture: the steps that each task had


class Trainable(Protocol):
    """A model the loop can train."""

    def trainable(self) -> list[tuple[str, nn.Parameter]]:
        """Every parameter that requires a gradient, once, under the name it has in a checkpoint."""

    def loss_parts(self, batch: Batch) -> tuple[Tensor, Tensor | int, Tensor | float]:
        """(summed loss, how many terms it sums, penalty added once a step)."""

    def without_decay(self) -> Iterable[Tensor]:
        """Trained matrices that weight decay must leave alone (fusion values, which start at the identity)."""

    def checkpoint_gradients(self, on: bool) -> None:
        """Recompute activations in the backward pass instead of keeping them."""

    def train(self, mode: bool = True) -> object:
        """Dropout on or off."""


def long_enough(plan: TrainingPlan, steps: int) -> TrainingPlan:
    """The plan with the epochs that are usual where one has so many steps.

    Epochs of a few steps are not evaluated one by one: five of them without a gain do not tell that nothing is learned.
    """
    seldom = None if steps >= FEWEST_STEPS_BETWEEN else FEWEST_STEPS_BETWEEN
    changes = {"epochs": usual_epochs(steps), "evaluate_steps": plan.evaluate_steps or seldom}
    return plan.model_copy(update=changes)


def feature_data(
    features: Sequence[Feature], format: Format[Any], pad_id: int, prepare: Prepare | None = None
) -> TrainingData:
    """Training data from tokenised features; text features need a `masker` to prepare them."""

    def rows(numbers: Sequence[int]) -> Batch:
        return collate([features[number] for number in numbers], pad_id)

    return TrainingData([length(feature) for feature in features], rows, prepare, format.rows_needed)


def masker(vocabulary: int, mask_id: int, special_ids: Sequence[int], rate: float) -> Prepare:
    """A `prepare` that masks `input_ids` and sets `labels` to what stood there."""
    special = torch.tensor(special_ids)

    def prepare(batch: Batch, generator: torch.Generator) -> Batch:
        ids = batch["input_ids"]
        inputs, labels = mask_tokens(ids, torch.isin(ids, special), vocabulary, mask_id, rate, generator)
        return {**batch, "input_ids": inputs, "labels": labels}

    return prepare
