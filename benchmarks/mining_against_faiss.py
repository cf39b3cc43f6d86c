"""What does mining cost beside the two FAISS searches it cannot do without?

    python benchmarks/mining_against_faiss.py --rows 50000 --width 768 --repeats 5

Measured: seconds from vectors in memory to pairs (both searches, cosines compared again, margins, greedy matching),
against two bare `IndexFlatIP.search` for as many neighbours, built and searched the same way. The two alternate, after
one round that does not count; medians and the ratio of each round are reported. Not measured: reading files, encoding.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import faiss
import numpy as np
from numpy.typing import NDArray
from record import options, record

from adapter_stilts.retrieval.mining import mine
from adapter_stilts.retrieval.search import both_ways

Vectors = NDArray[np.float32]


def main() -> None:
    asked = options(__doc__, rows=50_000, width=768, k=4, repeats=5, seed=13)
    draw = np.random.default_rng(asked.seed)
    source, target = (units(draw, asked.rows, asked.width) for _ in range(2))
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
    found = {name: statistics.median(seconds) for name, seconds in taken.items()}
    print(
        f"{asked.rows} x {asked.rows} x {asked.width}: bare {found['bare']:.2f} s, mining {found['mining']:.2f} "
        f"s, ratio {statistics.median(ratios):.3f}"
    )
    record(
        "mining_against_faiss",
        {**vars(asked), "seconds": taken, "medians": found, "ratio": statistics.median(ratios), "ratios": ratios},
    )


def bare(queries: Vectors, base: Vectors, k: int) -> None:
    index = faiss.IndexFlatIP(base.shape[1])
    index.add(base)
    index.search(queries, k)


def units(draw: np.random.Generator, rows: int, width: int) -> Vectors:
    return unit(draw.standard_normal((rows, width), dtype=np.float32) + 0.5)


def unit(vectors: Vectors) -> Vectors:
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


if __name__ == "__main__":
    main()
