"""Vectors that may not fit in memory: anything with `rows` and `dimension` that gives float32 unit vectors in blocks.

source = open_vectors(path)       a folder or file on disk (`stored/vectors.py`)
target = Held(array)              an array
Chosen(source, rows)              some of its rows, in another order
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from adapter_stilts.retrieval.compared import Numbers, Scores, Vectors
from adapter_stilts.retrieval.pooling import less

PIECE = 1 << 14  # rows read at once


class Blocks(Protocol):
    """[rows, dimension] float32 vectors of length 1."""

    rows: int
    dimension: int

    def block(self, start: int, stop: int) -> Vectors:
        """Rows from `start` up to `stop`, [stop - start, dimension]."""


class Held:
    """An array of unit vectors in memory, or a memory map of one."""

    def __init__(self, array: Vectors) -> None:
        self._array, (self.rows, self.dimension) = array, array.shape

    def block(self, start: int, stop: int) -> Vectors:
        return np.ascontiguousarray(self._array[start:stop], dtype=np.float32)


class Chosen:
    """Rows of other vectors by number, [U]; they are read page by page, so that far jumps read nothing between."""

    def __init__(self, whole: Blocks, numbers: Numbers) -> None:
        self.whole, self.numbers = whole, numbers
        self.rows, self.dimension = len(numbers), whole.dimension

    def block(self, start: int, stop: int) -> Vectors:
        numbers = self.numbers[start:stop]
        out = np.empty((len(numbers), self.dimension), dtype=np.float32)
        order = np.argsort(numbers, kind="stable")
        cuts = np.flatnonzero(np.diff(numbers[order] // PIECE)) + 1
        for places in np.split(order, cuts) if len(order) else ():
            first = int(numbers[places[0]])
            out[places] = self.whole.block(first, int(numbers[places[-1]]) + 1)[numbers[places] - first]
        return out


class Centred:
    """Vectors less their mean [H], at length 1 again; see `pooling.centred`."""

    def __init__(self, whole: Blocks, mean: Scores) -> None:
        self.whole, self.mean, self.rows, self.dimension = whole, mean, whole.rows, whole.dimension

    @classmethod
    def of(cls, whole: Blocks) -> Centred:
        total = np.zeros(whole.dimension)
        for span in ranges(whole.rows, PIECE):
            total += whole.block(*span).sum(axis=0, dtype=np.float64)
        return cls(whole, total / whole.rows)

    def block(self, start: int, stop: int) -> Vectors:
        """Raises StiltsError where a vector is the mean itself, as when all are the same."""
        return less(self.whole.block(start, stop), self.mean)


def gathered(blocks: Blocks, start: int, stop: int) -> Vectors:
    """A long block as one array, read piece by piece: no second copy of it is ever held."""
    if isinstance(blocks, Held):
        return blocks.block(start, stop)
    out = np.empty((stop - start, blocks.dimension), dtype=np.float32)
    for first, last in ranges(stop, PIECE, start):
        out[first - start : last - start] = blocks.block(first, last)
    return out


def ranges(stop: int, size: int, start: int = 0) -> Iterator[tuple[int, int]]:
    """First rows of pieces, and the rows after their last."""
    for first in range(start, stop, size):
        yield first, min(first + size, stop)
