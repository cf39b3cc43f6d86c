"""What each optimiser step learns from: the batches of one task, or of a task drawn from several.

    course.turn(place)             the task, its batches, and how many tokens they hold
    course.advance(place, turn)    moves the place behind them

One step learns one task, however many batches accumulate in it, since losses of different tasks have different units.
In a mixture the steps of an epoch are those that one epoch of every task would take on its own (jiant's rule, with
batches of a token budget in the place of so many rows): an epoch of three tasks of 40, 25 and 35 steps has 100, and the
sampler decides which they are. Each task goes through its own rows in its own epochs, wherever the others are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

import torch

from adapter_stilts.data.batches import TASK
from adapter_stilts.seeding import Seeds
from adapter_stilts.training.checkpoint import Place, State
from adapter_stilts.training.order import Order, smallest_batch
from adapter_stilts.training.plan import Batch, Mixture, TrainingData, TrainingPlan
from adapter_stilts.training.sampler import draw


@dataclass(frozen=True)
class Turn:
    """What one optimiser step learns from; `task` is "" where there is only one. tokens: without padding."""

    task: str
    batches: list[Batch]
    tokens: int


class Course(Protocol):
    """The turns of a training, as functions of the place."""

    def steps(self, epochs: int) -> int:
        """Optimiser steps of the first `epochs` epochs."""

    def turn(self, place: State) -> Turn:
        """What the step at this place learns from."""

    def advance(self, place: State, turn: Turn) -> None:
        """Move the place behind a turn."""


def course(data: TrainingData | Mixture, plan: TrainingPlan, processes: int) -> Course:
    """The course of a training by so many processes."""
    return Several(data, plan, processes) if isinstance(data, Mixture) else One(data, plan, processes)


class One:
    """The batches of one task, epoch after epoch."""

    def __init__(self, data: TrainingData, plan: TrainingPlan, processes: int) -> None:
        self._data = data
        smallest = smallest_batch(data.smallest, processes)
        rows = None if plan.batch_rows is None else plan.batch_rows * processes
        self._order = Order(data.lengths, plan.token_budget * processes, plan.accumulation, plan.seed, smallest, rows)

    def steps(self, epochs: int) -> int:
        return self._order.steps(epochs)

    def steps_of(self, epoch: int) -> int:
        """Optimiser steps of one epoch."""
        return self._order.steps_of(epoch)

    def turn(self, place: Place) -> Turn:
        group = self._order.group(place.epoch, place.batch)
        return Turn(
            "",
            [self._batch(rows, place.epoch, place.batch + number) for number, rows in enumerate(group)],
            self._order.tokens(group),
        )

    def advance(self, place: Place, turn: Turn) -> None:
        place.step += 1
        place.batch += len(turn.batches)
        if place.batch >= len(self._order.batches(place.epoch)):
            place.epoch, place.batch = place.epoch + 1, 0

    def _batch(self, rows: list[int], epoch: int, number: int) -> Batch:
        batch = self._data.collate(rows)
        return batch if self._data.prepare is None else self._data.prepare(batch, self._order.masks(epoch, number))


class Several:
    """Steps of several tasks, drawn by their shares; every batch says the number of its task."""

    def __init__(self, mixture: Mixture, plan: TrainingPlan, processes: int) -> None:
        self._shares, self._seed = mixture.shares, plan.seed
        self._tasks: Mapping[str, One] = {
            task: One(data, replace(plan, seed=Seeds(plan.seed).number(f"mixture/{task}")), processes)
            for task, data in mixture.data.items()
        }
        self._length = lru_cache(maxsize=1)(self._steps_of)

    def steps(self, epochs: int) -> int:
        return sum(task.steps(epochs) for task in self._tasks.values())

    def turn(self, place: State) -> Turn:
        place.tasks = place.tasks or {task: Place() for task in self._tasks}
        task = draw(self._shares, self._seed, place.step)
        number = list(self._tasks).index(task)
        found = self._tasks[task].turn(place.tasks[task])
        return Turn(
            task, [{**batch, TASK: torch.full((_rows(batch),), number)} for batch in found.batches], found.tokens
        )

    def advance(self, place: State, turn: Turn) -> None:
        self._tasks[turn.task].advance(place.tasks[turn.task], turn)
        place.step += 1
        place.batch += 1
        if place.batch >= self._length(place.epoch):
            place.epoch, place.batch = place.epoch + 1, 0

    def _steps_of(self, epoch: int) -> int:
        """The steps of one epoch: of each task's epoch of that number, added up."""
        return sum(task.steps_of(epoch) for task in self._tasks.values())


def _rows(batch: Batch) -> int:
    return len(next(iter(batch.values())))
