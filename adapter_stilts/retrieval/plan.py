"""How a search is done: which index and why, and shards that keep it and the mining after it below a limit of memory.

    chosen = plan(Sizes(source, target, width, k), "auto", IndexSettings(), limit=4e9)
    fit(sizes, indexes["exact"], limit=4e9, held=resident())      Steps, or DoesNotFit saying what would fit

Everything that grows with the data is counted: results of both directions, the vectors of one shard, the index over
them, the k-means sample, the lists that are sorted when pairs are made. `held` is what the process has before it
starts.

`--index auto` is exact while that is fast enough, by the speed measured here and now, else cells of whole vectors. The
compressed indexes are never chosen, since a shard's vectors are in memory in any case, to be compared again; nor is
`hnsw`, whose graph costs more to build than the searches of one mining.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from adapter_stilts.errors import DoesNotFit
from adapter_stilts.reporting import span
from adapter_stilts.retrieval.indexes import Index, IndexSettings, indexes
from adapter_stilts.retrieval.search import ALIGNED, QUERY_ROWS, RESULTS, Steps, Way

AUTO = "auto"
SECONDS = 900.0  # that exact search of both directions may take
QUERIES, BASE = 1024, 8192  # of the vectors that speed is measured on

GB = 1e9
RESULT = 12  # bytes of a neighbour: a similarity and a row number
CANDIDATE = 16  # of a compressed index's candidate: its rank beside
SETTLING = 48  # while the neighbours of a block are ordered: similarities, rows and orders, before and after
MINING = 136  # of a sentence while pairs are made: both lists of best partners, joined, ordered, matched
TILES = 96 << 20  # FAISS's matrix products, the cosines compared again, reading buffers
SPARE = 0.8  # of the memory that is free, where no limit is given


@dataclass(frozen=True)
class Sizes:
    """Sentences of both sides, the width of their vectors, and neighbours."""

    source: int
    target: int
    width: int
    k: int


@dataclass(frozen=True)
class SearchPlan:
    """How neighbours are searched, and why: what is held stays below `limit` bytes; `planned` is the expected peak."""

    way: Way
    why: str
    k: int
    limit: float
    planned: int

    def facts(self) -> dict[str, Any]:
        limit = self.limit if self.limit != float("inf") else None
        searched = {"index": self.way.index, "why": self.why, "shard_rows": self.way.steps.base_rows}
        return {**searched, "limit_bytes": limit, "planned_peak_bytes": self.planned}


def plan(sizes: Sizes, index: str, settings: IndexSettings, limit: float) -> SearchPlan:
    """Choose index and shards. Raises DoesNotFit naming what would fit, UnknownName for an index that is none."""
    held = resident()
    name, why = choose(sizes, limit, held) if index == AUTO else (index, "asked for")
    kind = indexes[name]
    steps = fit(sizes, kind, limit, held, settings)
    planned = peak(sizes, kind, steps, held, settings)
    return SearchPlan(Way(name, settings, steps), why, sizes.k, limit, planned)


def choose(sizes: Sizes, limit: float, held: int, speed: float | None = None) -> tuple[str, str]:
    """The index for two sides of vectors, and why.

    limit, held   bytes of memory, and what the process has already
    speed         multiplications a second; None: measured

    Raises DoesNotFit where not even the smallest shards do.
    """
    needed = 2.0 * sizes.source * sizes.target * sizes.width / (speed or measured_speed(sizes.width))
    sides = f"{sizes.source} x {sizes.target} vectors of {sizes.width}"
    taken = f"about {span(needed)}" if needed >= 1 else "less than a second"
    about = f"{sides}: exact search both ways takes {taken} here"
    if needed <= SECONDS:
        return "exact", about
    steps = fit(sizes, indexes["ivf"], limit, held)
    whole = steps.base_rows >= max(sizes.source, sizes.target)
    parts = f"in shards of {steps.base_rows} vectors: a whole side does not fit in {limit / 1e9:.1f} GB"
    how = "all in memory at once" if whole else parts
    return "ivf", f"{about}, over {span(SECONDS)}; {indexes['ivf'].summary}, {how}"


def measured_speed(width: int) -> float:
    """Multiplications a second of FAISS's exact search on this machine, with the threads it has."""
    draw = np.random.default_rng(0)
    queries, base = (draw.standard_normal((rows, width), dtype=np.float32) for rows in (QUERIES, BASE))
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        faiss.knn(queries, base, 8, metric=faiss.METRIC_INNER_PRODUCT)
        taken.append(time.perf_counter() - start)
    return float(QUERIES * BASE * width / max(min(taken), 1e-9))


def fit(sizes: Sizes, kind: Index, limit: float, held: int, settings: IndexSettings | None = None) -> Steps:
    """The largest shards that stay below `limit` bytes.

    Raises DoesNotFit where not even the smallest do, naming every part and the limit that would be enough.
    """
    most, each = max(sizes.source, sizes.target), 4 * sizes.width + kind.extra(sizes.width)
    parts = _parts(sizes, kind, settings or IndexSettings(), held)
    fixed = held + parts["results"] + parts["one block of queries"]
    rows = most if limit == float("inf") else min(most, int((limit - fixed) // each))
    smallest = min(most, ALIGNED) if kind.sharded else most
    needed = max(fixed + smallest * each, held + parts["results"] + max(parts["k-means"], parts["making pairs"]))
    if rows < smallest or needed > limit:
        parts[f"{smallest} vectors at once"] = smallest * each
        vectors = f"{sizes.source} x {sizes.target} vectors of {sizes.width}"
        what = f"mining {vectors} needs {needed / GB:.2f} GB, the limit is {limit / GB:.2f} GB"
        where = "memory: " + ", ".join(f"{name} {size / GB:.2f} GB" for name, size in parts.items())
        other = "" if kind.sharded else ", or --index exact or ivf, which can be searched in shards"
        enough = f"{-(-needed // 1e7) / 100:.2f}"  # rounded up
        raise DoesNotFit(what, where=where, do=f"use --limit-gb {enough} or more{other}")
    return Steps(rows if rows == most else max(smallest, rows // ALIGNED * ALIGNED))


def peak(sizes: Sizes, kind: Index, steps: Steps, held: int, settings: IndexSettings | None = None) -> int:
    """Bytes at the highest point, by the same count."""
    parts = _parts(sizes, kind, settings or IndexSettings(), held)
    rows = min(steps.base_rows, max(sizes.source, sizes.target))
    shard = rows * (4 * sizes.width + kind.extra(sizes.width))
    return held + parts["results"] + max(parts["one block of queries"] + shard, parts["k-means"], parts["making pairs"])


def resident() -> int:
    """Bytes of memory this process has now."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # a bound, where the system does not say
        return most if sys.platform == "darwin" else most * 1024


def default_limit() -> float:
    """What this process has and four fifths of what is free; infinity where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().split("\n")
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
        cap = Path("/sys/fs/cgroup/memory.max")
        most = cap.read_text().strip() if cap.exists() else "max"
        used = int(Path("/sys/fs/cgroup/memory.current").read_text()) if most != "max" else 0
    except (OSError, StopIteration, ValueError):
        return float("inf")
    return resident() + SPARE * (free if most == "max" else min(free, max(0, int(most) - used)))


def _parts(sizes: Sizes, kind: Index, settings: IndexSettings, held: int) -> dict[str, int]:
    both, most, asked = sizes.source + sizes.target, max(sizes.source, sizes.target), kind.candidates(sizes.k)
    block = min(QUERY_ROWS, most) * (8 * sizes.width + SETTLING * (asked + sizes.k)) + TILES + RESULTS * RESULT * 2
    block += kind.beside(min(QUERY_ROWS, most), asked, most, settings)
    return {
        "the process so far": held,
        "results": both * sizes.k * RESULT + (most * asked * CANDIDATE if kind.compressed else 0),
        "one block of queries": block,
        "k-means": 8 * sizes.width * kind.sample(most, settings),
        "making pairs": both * MINING,
    }
