"""How does the cost of mining grow with the text, exact and approximate, and what does the approximation miss?

    python benchmarks/mining_growth.py --rows 10000,30000,100000,300000,1000000 --indexes exact,ivf,ivf-sq,ivf-pq
    --width 256 --folder /tmp/mining

Measured per size and index, on planted pairs on disk: seconds of both searches and of making pairs, recall against
exact search of a sample, F1 of the planted pairs (oracle threshold), peak memory of this process so far. An index that
took more than --most seconds at the size before, or does not fit, is left out, and the record says so. With --queries
some are searched for, and seconds are those of all. Strangers have directions at random, where cells help least.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
from mining_data import planted
from record import gigabytes, options, record

from adapter_stilts.errors import DoesNotFit
from adapter_stilts.retrieval.blocks import Blocks, Chosen
from adapter_stilts.retrieval.gold import Gold
from adapter_stilts.retrieval.indexes import IndexSettings, indexes
from adapter_stilts.retrieval.mining import mine
from adapter_stilts.retrieval.plan import Sizes, fit, resident
from adapter_stilts.retrieval.search import Way, recall, search
from adapter_stilts.retrieval.stored.vectors import open_vectors


def main() -> None:
    sizes, indexes = "10000,30000,100000,300000,1000000", "exact,ivf,ivf-sq,ivf-pq,hnsw"
    limits = {"limit_gb": 8.0, "most": 3600.0, "folder": Path("/tmp/mining-growth")}
    asked = options(__doc__, rows=sizes, indexes=indexes, width=256, k=4, probes=int, queries=int, **limits)
    asked.folder.mkdir(parents=True, exist_ok=True)
    slow: set[str] = set()
    for rows in map(int, asked.rows.split(",")):
        paths = planted(asked.folder, rows, asked.width)
        for name in asked.indexes.split(","):
            fields: dict[str, object] = {"left_out": f"the size before took over {asked.most} s"}
            try:
                if name not in slow:
                    fields, seconds = measured(name, rows, paths, asked)
                    slow |= {name} if seconds > asked.most else set()
            except DoesNotFit as error:
                fields = {"left_out": error.what}
            settings = {"width": asked.width, "k": asked.k, "probes": asked.probes}
            record("mining_growth", {"rows": rows, "index": name, **settings, **fields})


def measured(name: str, rows: int, paths: Any, asked: argparse.Namespace) -> tuple[dict[str, object], float]:
    """What is recorded, and the seconds."""
    source, target = open_vectors(paths[0]), open_vectors(paths[1])
    settings = IndexSettings(probes=asked.probes if name.startswith("ivf") else None)
    steps = fit(Sizes(rows, rows, asked.width, asked.k), indexes[name], asked.limit_gb * 1e9, resident(), settings)
    way = Way(name, settings, steps)
    shard = {"shard_rows": min(steps.base_rows, rows)}
    if asked.queries:
        ways = ((source, target), (target, source))
        seconds = sum(of_all(queries, base, asked.queries, asked.k, way) for queries, base in ways)
        known = {"recall": 1.0} if name == "exact" else {}
        return {"search_seconds": seconds, "queries": asked.queries, **known, **shard}, seconds
    start = time.perf_counter()
    forward, backward = search(source, target, asked.k, way), search(target, source, asked.k, way)
    searched = time.perf_counter()
    pairs = mine(forward, backward)
    done = time.perf_counter()
    f1 = Gold.of(paths[2], paths[3], rows, rows).best(pairs).f1
    share = 1.0 if name == "exact" else recall(forward, source, target, steps=steps)
    peak = gigabytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    times = {"search_seconds": searched - start, "pairs_seconds": done - searched}
    return {**times, "recall": share, "f1_oracle": f1, "peak_gb": peak, **shard}, done - start


def of_all(queries: Blocks, base: Blocks, count: int, k: int, way: Way) -> float:
    """Seconds of all queries from those of some: each costs the same, and what is done once (cells) counts once."""
    some = np.linspace(0, queries.rows - 1, count).astype(np.int64)
    taken = []
    for chosen in (some[:1], some):
        start = time.perf_counter()
        search(Chosen(queries, chosen), base, k, way)
        taken.append(time.perf_counter() - start)
    return taken[0] + (taken[1] - taken[0]) * queries.rows / len(some)


if __name__ == "__main__":
    main()
