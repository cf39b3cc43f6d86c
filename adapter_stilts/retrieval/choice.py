"""`--index auto`: exact while it is fast enough, else the least compressed index that fits, with the reason in a sentence.

The speed of exact search is measured here and now on vectors of the same width; the recall of whatever else is chosen is measured
afterwards against exact search of a sample. `hnsw` is never chosen: building its graph costs more than the searches of one mining.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import faiss
import numpy as np

from adapter_stilts.errors import DoesNotFit
from adapter_stilts.retrieval.indexes.base import indexes
from adapter_stilts.retrieval.room import Sizes, fit

SECONDS = 900.0  # that exact search of both directions may take
QUERIES, BASE = 1024, 8192  # of the vectors that speed is measured on
LEAST_COMPRESSED_FIRST = ("ivf", "ivf-sq", "ivf-pq")


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
    """
    needed = 2.0 * sizes.source * sizes.target * sizes.width / (speed or measured_speed(sizes.width))
    about = f"{sizes.source} x {sizes.target} vectors of {sizes.width}: exact search both ways takes {_about(needed)} here"
    if needed <= seconds:
        return Choice("exact", about)
    slow = f"{about}, over {_span(seconds)}"
    for name in LEAST_COMPRESSED_FIRST:
        try:
            steps = fit(sizes, indexes[name], limit, held)
        except DoesNotFit:
            continue
        if steps.base_rows >= max(sizes.source, sizes.target):
            return Choice(name, f"{slow}; {indexes[name].summary}, all in memory at once")
    return Choice("ivf-pq", f"{slow}; {indexes['ivf-pq'].summary}, in shards: no index of a whole side fits in {limit / 1e9:.1f} GB")


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
