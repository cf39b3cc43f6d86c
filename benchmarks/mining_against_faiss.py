"""What does mining cost beside the two FAISS searches it cannot do without?

    python benchmarks/mining_against_faiss.py --rows 50000 --width 768 --repeats 5

Measured: seconds from vectors in memory to pairs (both searches, cosines compared again, margins, greedy matching),
against two bare `IndexFlatIP.search` for as many neighbours. The two alternate, after one round that does not count.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import faiss
import numpy as np
from record import options, record

from adapter_stilts.retrieval.compared import Vectors
from adapter_stilts.retrieval.mining import mine
from adapter_stilts.retrieval.pooling import unit
from adapter_stilts.retrieval.search import both_ways


def main() -> None:
    asked = options(__doc__, rows=50_000, width=768, k=4, repeats=5, seed=13)
    draw = np.random.default_rng(asked.seed)
    shape = (asked.rows, asked.width)
    source, target = (unit(draw.standard_normal(shape, dtype=np.float32) + np.float32(0.5)) for _ in range(2))
    target[: asked.rows // 2] = unit(source[: asked.rows // 2] + 0.02 * target[: asked.rows // 2])
    work: dict[str, Callable[[], object]] = {
        "bare": lambda: (bare(source, target, asked.k), bare(target, source, asked.k)),
        "mining": lambda: mine(*both_ways(source, target, asked.k)),
    }
    taken: dict[str, list[float]] = {name: [] for name in work}
    for repeat in range(asked.repeats + 1):
        for name, run in work.items():
            start = time.perf_counter()
            run()
            if repeat:
                taken[name].append(time.perf_counter() - start)
    ratios = [one / other for one, other in zip(taken["mining"], taken["bare"], strict=True)]
    medians, ratio = {name: statistics.median(seconds) for name, seconds in taken.items()}, statistics.median(ratios)
    fields = {"seconds": taken, "medians": medians, "ratio": ratio, "ratios": ratios}
    record("mining_against_faiss", {**vars(asked), **fields})


def bare(queries: Vectors, base: Vectors, k: int) -> None:
    index = faiss.IndexFlatIP(base.shape[1])
    index.add(base)
    index.search(queries, k)


if __name__ == "__main__":
    main()
