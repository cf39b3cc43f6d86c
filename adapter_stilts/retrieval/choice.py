"""`--index auto`: exact while it is fast enough, else cells of whole vectors, with the reason in a sentence.

The speed of exact search is measured here and now on vectors of the same width; the recall of whatever else is chosen is measured
afterwards against exact search of a sample. The compressed indexes are never chosen, since a shard's vectors are in memory in any case, to be
compared again at full precision; nor is `hnsw`, whose graph costs more to build than the searches of one mining.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import faiss
import numpy as np

from adapter_stilts.retrieval.indexes.base import indexes
from adapter_stilts.retrieval.room import Sizes, fit

SECONDS = 900.0  # that exact search of both directions may take
QUERIES, BASE = 1024, 8192  # of the vectors that speed is measured on


@dataclass(frozen=True)
class Choice:
    """An index and why it was taken."""

    index: str
    why: str


def choose(sizes: Sizes, limit: float, held: int, *, seconds: float = SECONDS, speed: float | None = None) -> Choice:
    """The index for two sides of vectors.

    limit, held   bytes of memory, and what the process has already
    seconds       that exact search may take
    speed         multiplications a second; None: measured

    Raises DoesNotFit where not even the smallest shards do.
    """
    needed = 2.0 * sizes.source * sizes.target * sizes.width / (speed or measured_speed(sizes.width))
    about = f"{sizes.source} x {sizes.target} vectors of {sizes.width}: exact search both ways takes {_about(needed)} here"
    if needed <= seconds:
        return Choice("exact", about)
    steps = fit(sizes, indexes["ivf"], limit, held)
    whole = steps.base_rows >= max(sizes.source, sizes.target)
    how = "all in memory at once" if whole else f"in shards of {steps.base_rows} vectors: a whole side does not fit in {limit / 1e9:.1f} GB"
    return Choice("ivf", f"{about}, over {_span(seconds)}; {indexes['ivf'].summary}, {how}")


def measured_speed(width: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Multiplications a second of FAISS's exact search on this machine, with the threads it has."""
    draw = np.random.default_rng(0)
    queries, base = (draw.standard_normal((rows, width), dtype=np.float32) for rows in (QUERIES, BASE))
    taken = []
    for _ in range(3):
        start = clock()
        faiss.knn(queries, base, 8, metric=faiss.METRIC_INNER_PRODUCT)
        taken.append(clock() - start)
    return float(QUERIES * BASE * width / max(min(taken), 1e-9))


def _about(seconds: float) -> str:
    return f"about {_span(seconds)}" if seconds >= 1 else "less than a second"


def _span(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
