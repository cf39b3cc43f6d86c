"""How does the cost of mining grow with the text, exact and approximate, and what does the approximation miss?

    python benchmarks/mining_growth.py --rows 10000,30000,100000,300000,1000000 --indexes exact,ivf,ivf-sq,ivf-pq
    --width 256 --folder /tmp/mining

Measured per size and index, on planted pairs on disk: seconds of both searches and of making pairs, recall of
neighbours against exact search of a sample, F1 of the planted pairs (oracle threshold), peak memory of this process so
far, whatever held it. An index whose size before took more than --most seconds is not run at the next size, nor one
that does not fit, and the record says so. With --queries only some are searched for, and seconds are those of all.
Strangers have directions at random, where cells help least: real sentences lie closer together, and their neighbours
are found more often. Not measured: encoding.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np
from mining_data import planted
from record import gigabytes, options, record

from adapter_stilts.errors import DoesNotFit
from adapter_stilts.retrieval.blocks import Blocks, Chosen
from adapter_stilts.retrieval.gold import Gold
from adapter_stilts.retrieval.indexes.base import IndexSettings, indexes
from adapter_stilts.retrieval.mining import mine
from adapter_stilts.retrieval.plan import Sizes, fit, resident
from adapter_stilts.retrieval.search import Steps, recall, search
from adapter_stilts.retrieval.stored.vectors import open_vectors
from adapter_stilts.retrieval.thresholds import best_f1


def main() -> None:
    sizes, indexes = "10000,30000,100000,300000,1000000", "exact,ivf,ivf-sq,ivf-pq,hnsw"
    limits = {"limit_gb": 8.0, "most": 3600.0, "folder": Path("/tmp/mining-growth")}
    asked = options(__doc__, rows=sizes, indexes=indexes, width=256, k=4, probes=int, queries=int, **limits)
    asked.folder.mkdir(parents=True, exist_ok=True)
    left_out: set[str] = set()
    for rows in map(int, asked.rows.split(",")):
        paths = planted(asked.folder, rows, asked.width)
        for name in asked.indexes.split(","):
            if name in left_out:
                record(
                    "mining_growth",
                    {"rows": rows, "index": name, "left_out": f"the size before took over {asked.most} s"},
                )
                continue
            try:
                if measured(name, rows, paths, asked) > asked.most:
                    left_out.add(name)
            except DoesNotFit as error:
                record("mining_growth", {"rows": rows, "index": name, "left_out": error.what})


def measured(name: str, rows: int, paths: tuple, asked: argparse.Namespace) -> float:  # type: ignore[type-arg]
    source, target = open_vectors(paths[0]), open_vectors(paths[1])
    settings = IndexSettings(probes=asked.probes if name.startswith("ivf") else None)
    steps = fit(Sizes(rows, rows, asked.width, asked.k), indexes[name], asked.limit_gb * 1e9, resident(), settings)
    if asked.queries:
        return some_measured(name, rows, source, target, asked, settings, steps)
    start = time.perf_counter()
    forward = search(source, target, asked.k, index=name, settings=settings, steps=steps)
    backward = search(target, source, asked.k, index=name, settings=settings, steps=steps)
    searched = time.perf_counter()
    pairs = mine(forward, backward)
    done = time.perf_counter()
    gold = Gold.of(paths[2], paths[3], rows, rows)
    f1 = best_f1(gold.right(pairs), pairs.score, len(gold)).f1
    share = 1.0 if name == "exact" else recall(forward, source, target, steps=steps)
    peak = gigabytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    print(
        f"{name:8} {rows:9} rows: search {searched - start:8.1f} s, pairs {done - searched:6.2f} s, recall {share:.4f}, F1 {f1:.4f}, peak {peak:.2f} GB"
    )
    shard = min(steps.base_rows, rows)
    fields = {
        "search_seconds": searched - start,
        "pairs_seconds": done - searched,
        "recall": share,
        "f1_oracle": f1,
        "peak_gb": peak,
        "shard_rows": shard,
    }
    record(
        "mining_growth",
        {"rows": rows, "width": asked.width, "k": asked.k, "index": name, "probes": asked.probes, **fields},
    )
    return done - start


def some_measured(
    name: str,
    rows: int,
    source: Blocks,
    target: Blocks,
    asked: argparse.Namespace,
    settings: IndexSettings,
    steps: Steps,
) -> float:
    """Seconds of all queries from those of some: each costs the same, and what is done once (cells) is counted once."""
    some = np.linspace(0, rows - 1, asked.queries).astype(np.int64)
    seconds = 0.0
    for queries, base in ((source, target), (target, source)):
        taken = []
        for chosen in (some[:1], some):
            start = time.perf_counter()
            search(Chosen(queries, chosen), base, asked.k, index=name, settings=settings, steps=steps)
            taken.append(time.perf_counter() - start)
        seconds += taken[0] + (taken[1] - taken[0]) * rows / len(some)
    print(f"{name:8} {rows:9} rows: search {seconds:8.1f} s from {asked.queries} queries of each side")
    fields = {
        "search_seconds": seconds,
        "queries": asked.queries,
        **({"recall": 1.0} if name == "exact" else {}),
        "shard_rows": min(steps.base_rows, rows),
    }
    record(
        "mining_growth",
        {"rows": rows, "width": asked.width, "k": asked.k, "index": name, "probes": asked.probes, **fields},
    )
    return seconds


if __name__ == "__main__":
    main()
