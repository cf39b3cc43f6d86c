"""What each optimiser step learns from, and every random number of training, as functions of the seed and the position.

    course.turn(place)             the task, its batches, and how many tokens they hold
    course.advance(place, turn)    moves the place behind them

Nothing is drawn from a stream that runs on: the order of an epoch follows from (seed, epoch), a batch's masks from
(seed, epoch, batch) and a step's dropout from (seed, step, process). A resumed run therefore needs its position and
nothing else, and an evaluation between two steps cannot shift what comes after it.

One step learns one task, however many batches accumulate in it, since losses of different tasks have different units.
In a mixture the steps of an epoch are those that one epoch of every task would take on its own (jiant's rule, with
batches of a token budget in the place of so many rows): an epoch of three tasks of 40, 25 and 35 steps has 100, and the
sampler decides which they are. Each task goes through its own rows in its own epochs, wherever the others are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import torch

from adapter_stilts.data.batches import TASK, at_least, row_batches, token_budget_batches
from adapter_stilts.errors import TaskDataError
from adapter_stilts.seeding import Seeds
from adapter_stilts.training.checkpoint import Place, State
from adapter_stilts.training.plan import Batch, Mixture, TrainingData, TrainingPlan
from adapter_stilts.training.sampler import draw


@dataclass(frozen=True)
class Turn:
    """What one optimiser step learns from; `task` is "" where there is only one. tokens: without padding."""

    task: str
    batches: list[Batch]
    tokens: int


class Order:
    """The batches of each epoch, shared by processes: of `budget` padded tokens or of so many `rows`."""

    def __init__(
        self,
        lengths: Sequence[int],
        budget: int,
        accumulation: int,
        seed: int,
        smallest: int = 1,
        rows: int | None = None,
    ) -> None:
        if not lengths:
            raise TaskDataError("there are no training examples", do="check the task's train split and its filters")
        self._lengths, self._budget, self._accumulation = lengths, budget, accumulation
        self._smallest, self._rows, self._seeds = smallest, rows, Seeds(seed)
        self.batches = lru_cache(maxsize=1)(self._draw)  # of an epoch: the row numbers of each

    def group(self, epoch: int, batch: int) -> list[list[int]]:
        """The batches of one optimiser step, from number `batch` on; fewer at the end of an epoch."""
        return self.batches(epoch)[batch : batch + self._accumulation]

    def steps(self, epochs: int) -> int:
        """Optimiser steps of the first `epochs` epochs."""
        return sum(self.steps_of(epoch) for epoch in range(epochs))

    def steps_of(self, epoch: int) -> int:
        """Optimiser steps of one epoch."""
        return -(-len(self._draw(epoch)) // self._accumulation)

    def masks(self, epoch: int, batch: int) -> torch.Generator:
        """The generator that prepares a batch: the same on every process."""
        return self._seeds.torch(f"prepare/{epoch}/{batch}")

    def _draw(self, epoch: int) -> list[list[int]]:
        generator = self._seeds.torch(f"order/{epoch}")
        if self._rows is not None:
            batches, budget = row_batches(self._lengths, self._rows, generator), self._rows * max(self._lengths)
        else:
            batches, budget = token_budget_batches(self._lengths, self._budget, generator), self._budget
        return batches if self._smallest == 1 else at_least(batches, self._lengths, budget, self._smallest)


class One(Order):
    """The course of one task: its batches, epoch after epoch."""

    def __init__(self, data: TrainingData, plan: TrainingPlan, processes: int) -> None:
        self._data = data
        smallest = 1 if data.smallest == 1 else max(data.smallest, processes)  # rows that meet: each process needs some
        rows = None if plan.batch_rows is None else plan.batch_rows * processes
        super().__init__(data.lengths, plan.token_budget * processes, plan.accumulation, plan.seed, smallest, rows)

    def turn(self, place: Place) -> Turn:
        group = self.group(place.epoch, place.batch)
        batches = [self._batch(rows, place.epoch, place.batch + number) for number, rows in enumerate(group)]
        return Turn("", batches, sum(self._lengths[row] for rows in group for row in rows))

    def advance(self, place: Place, turn: Turn) -> None:
        _move(place, len(turn.batches), len(self.batches(place.epoch)))

    def _batch(self, rows: list[int], epoch: int, number: int) -> Batch:
        batch = self._data.collate(rows)
        return batch if self._data.prepare is None else self._data.prepare(batch, self.masks(epoch, number))


class Several:
    """The course of a mixture: steps of several tasks, drawn by their shares; a batch says the number of its task."""

    def __init__(self, mixture: Mixture, plan: TrainingPlan, processes: int) -> None:
        self._shares, self._seed = mixture.shares, plan.seed
        self._tasks = {
            task: One(data, plan.model_copy(update={"seed": Seeds(plan.seed).number(f"mixture/{task}")}), processes)
            for task, data in mixture.data.items()
        }
        self._length = lru_cache(maxsize=1)(lambda epoch: sum(task.steps_of(epoch) for task in self._tasks.values()))

    def steps(self, epochs: int) -> int:
        return sum(task.steps(epochs) for task in self._tasks.values())

    def turn(self, place: State) -> Turn:
        place.tasks = place.tasks or {task: Place() for task in self._tasks}
        task = draw(self._shares, self._seed, place.step)
        number, turn = list(self._tasks).index(task), self._tasks[task].turn(place.tasks[task])
        batches = [{**batch, TASK: torch.full((len(batch["input_ids"]),), number)} for batch in turn.batches]
        return Turn(task, batches, turn.tokens)

    def advance(self, place: State, turn: Turn) -> None:
        self._tasks[turn.task].advance(place.tasks[turn.task], turn)
        _move(place, 1, self._length(place.epoch))


Course: TypeAlias = One | Several


def course(data: TrainingData | Mixture, plan: TrainingPlan, processes: int) -> Course:
    """The course of a training by so many processes."""
    return Several(data, plan, processes) if isinstance(data, Mixture) else One(data, plan, processes)


def seed_step(seed: int, step: int, rank: int) -> None:
    """Set torch's global generators for one step: dropout differs by step and by process."""
    torch.manual_seed(Seeds(seed).number(f"dropout/{step}/{rank}"))


def seed_evaluation(seed: int, step: int) -> None:
    torch.manual_seed(Seeds(seed).number(f"evaluation/{step}"))


def _move(place: Place, batches: int, in_epoch: int) -> None:
    """A step on, and so many batches, of which the epoch has `in_epoch`."""
    place.step += 1
    place.batch += batches
    if place.batch >= in_epoch:
        place.epoch, place.batch = place.epoch + 1, 0
