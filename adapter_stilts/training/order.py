"""The order of batches, and every random number of training, as functions of the seed and the position.

Nothing is drawn from a stream that runs on: the order of an epoch follows from (seed, epoch), a batch's masks from
(seed, epoch, batch) and a step's dropout from (seed, step, process). A resumed run therefore needs its position and
nothing else, and an evaluation between two steps cannot shift what comes after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch

from adapter_stilts.data.batches import at_least, row_batches, token_budget_batches
from adapter_stilts.errors import TaskDataError
from adapter_stilts.seeding import Seeds


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
        self._lengths = lengths
        self._budget = budget
        self._accumulation = accumulation
        self._smallest = smallest
        self._rows = rows
        self._seeds = Seeds(seed)
        self._epoch = lru_cache(maxsize=1)(self._draw)

    def batches(self, epoch: int) -> list[list[int]]:
        """Row numbers of every batch of an epoch."""
        return self._epoch(epoch)

    def group(self, epoch: int, batch: int) -> list[list[int]]:
        """The batches of one optimiser step, from number `batch` on; fewer at the end of an epoch."""
        return self.batches(epoch)[batch : batch + self._accumulation]

    def steps(self, epochs: int) -> int:
        """Optimiser steps of the first `epochs` epochs."""
        return sum(self.steps_of(epoch) for epoch in range(epochs))

    def steps_of(self, epoch: int) -> int:
        """Optimiser steps of one epoch."""
        return -(-len(self._draw(epoch)) // self._accumulation)

    def tokens(self, group: list[list[int]]) -> int:
        """Tokens of these batches, without padding."""
        return sum(self._lengths[row] for rows in group for row in rows)

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


def smallest_batch(rows: int, processes: int) -> int:
    """Rows a global batch must have where one needs `rows`: 1 where rows do not meet, else one for each process too."""
    return 1 if rows == 1 else max(rows, processes)


def seed_step(seed: int, step: int, rank: int) -> None:
    """Set torch's global generators for one step: dropout differs by step and by process."""
    torch.manual_seed(Seeds(seed).number(f"dropout/{step}/{rank}"))


def seed_evaluation(seed: int, step: int) -> None:
    torch.manual_seed(Seeds(seed).number(f"evaluation/{step}"))
