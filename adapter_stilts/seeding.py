"""One seed in, independent named generators out.

    seeds = Seeds(13)
    order = seeds.torch("order")       # the same stream every time, whatever else drew numbers
    masks = seeds.numpy("mlm masks")   # independent of "order"
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:  # what only plans a run does not wait for it
    import torch

T = TypeVar("T")


@dataclass(frozen=True)
class Seeds:
    """Generators derived from one seed by name, so that adding a consumer never shifts another."""

    seed: int

    def number(self, name: str) -> int:
        """A 63-bit seed for `name`."""
        digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def python(self, name: str) -> random.Random:
        return random.Random(self.number(name))

    def numpy(self, name: str) -> np.random.Generator:
        return np.random.default_rng(self.number(name))

    def torch(self, name: str) -> torch.Generator:
        import torch

        return torch.Generator().manual_seed(self.number(name))


def draw(seed: int, make: Callable[[], T]) -> T:
    """Make something whose initial values depend on `seed` alone; the global generators are left as they were."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return make()
