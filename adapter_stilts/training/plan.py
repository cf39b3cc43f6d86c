"""What the training loop is given and what it gives back, as plain values.

`TrainingData` is rows by number: how long each is, and how several become one batch of tensors; a `Mixture` is several
of them. The loop knows nothing else of a task. `Trainable` is all it asks of a model: a summed loss with its count, so
that any split of a batch over accumulation steps and processes adds up to the same mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import torch
from torch import Tensor, nn

Batch: TypeAlias = dict[str, Tensor]
Prepare: TypeAlias = Callable[[Batch, torch.Generator], Batch]
Validation: TypeAlias = float | Mapping[str, float]  # one score, or one a task, of which the plain mean counts


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast to train; names, values and checks are those of the configuration's section `training`."""

    max_steps: int | None  # optimiser steps; where given, epochs are repeated or cut to reach it
    minutes: float | None  # wall-clock bound; the learning rate reaches zero there
    epochs: int
    learning_rate: float
    weight_decay: float
    warmup: float  # fraction of all steps
    clip: float  # global gradient norm; 0 leaves gradients as they are
    token_budget: int  # padded tokens of one forward pass on one process
    batch_rows: int | None  # rows of one forward pass on one process, in the place of the token budget
    accumulation: int  # forward passes an optimiser step
    checkpoint_steps: int
    evaluate_steps: int | None  # None: after every epoch
    log_steps: int
    patience: int  # evaluations without a gain before stopping; 0 never stops early
    seed: int
    precision: str  # fp32, bf16 or fp16
    gradient_checkpointing: bool
    fusion_penalty: float  # times the penalty the model names; 0 leaves it out
    betas: tuple[float, float]  # of AdamW, as is epsilon
    epsilon: float


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
    stopped_by: str  # "steps", "epochs", "minutes" or "patience"
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
