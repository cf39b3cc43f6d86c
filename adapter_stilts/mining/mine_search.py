"""The search of a mining: which index and why, shards that fit in memory, both directions with their state on disk, recall."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.mining.cluster import Cluster
from adapter_stilts.mining.mine_sides import Side
from adapter_stilts.mining.mine_spread import SearchSpec, each_of
from adapter_stilts.reporting import Advance, Reporter
from adapter_stilts.retrieval.blocks import Blocks, Centred, Chosen
from adapter_stilts.retrieval.choice import choose
from adapter_stilts.retrieval.compared import Numbers
from adapter_stilts.retrieval.indexes.base import IndexSettings, indexes
from adapter_stilts.retrieval.neighbours import recall
from adapter_stilts.retrieval.room import GB, Sizes, default_limit, fit, peak, resident
from adapter_stilts.retrieval.saved import Saved
from adapter_stilts.retrieval.search import Neighbours, Steps, search
from adapter_stilts.retrieval.spread import search_spread

AUTO = "auto"


@dataclass(frozen=True)
class SearchPlan:
    """How a search is done: what `steps` holds at once stays below `limit` bytes."""

    index: str
    why: str
    settings: IndexSettings
    k: int
    steps: Steps
    limit: float
    planned: int

    def facts(self) -> dict[str, Any]:
        limit = self.limit if self.limit != float("inf") else None
        shard = min(self.steps.base_rows, 1 << 62)
        return {"index": self.index, "why": self.why, "shard_rows": shard, "limit_bytes": limit, "planned_peak_bytes": self.planned}


@dataclass(frozen=True)
class Found:
    """Neighbours in both directions, among the rows that are searched; recall of an approximate index, else 1."""

    forward: Neighbours
    backward: Neighbours
    recall: float


def plan(
    source: Side, target: Side, k: int, index: str, settings: IndexSettings, limit_gb: float | None, hands: Cluster | None = None
) -> SearchPlan:
    """Choose index and shards; workers share a machine's memory where no limit is given.

    Raises DoesNotFit naming what would fit, UnknownName for an index that is none."""
    sizes = Sizes(len(source.distinct.rows), len(target.distinct.rows), source.vectors.dimension, k)
    limit, held = limit_gb * GB if limit_gb else default_limit() if hands is None else hands.part_of(default_limit()), resident()
    why = "asked for"
    if index == AUTO:
        chosen = choose(sizes, limit, held)
        index, why = chosen.index, chosen.why
    kind = indexes[index]
    steps = fit(sizes, kind, limit, held, settings)
    return SearchPlan(index, why, settings, k, steps, limit, peak(sizes, kind, steps, held, settings))


def both_directions(
    source: Side, target: Side, chosen: SearchPlan, centring: bool, work: Path, identity: str, report: Reporter, hands: Cluster | None = None
) -> Found:
    """Every searched row's nearest of the other side. The state lies in `work` and is taken up again by the same mining."""
    left, right = (centred(side, centring) for side in (source, target))
    forward = _one_way(left, right, chosen, work, "forward", identity, report, hands)
    backward = _one_way(right, left, chosen, work, "backward", identity, report, hands)
    share = 1.0
    if chosen.index != "exact":
        share = (recall(forward, left, right, steps=chosen.steps) + recall(backward, right, left, steps=chosen.steps)) / 2
        report.say(f"{chosen.index} found {100 * share:.1f} % of the neighbours that exact search finds (sample of 1000 sentences each way)")
    return Found(forward, backward, share)


def of_some(queries: Side, rows: Numbers, base: Side, chosen: SearchPlan, centring: bool, label: str, report: Reporter) -> Neighbours:
    """The nearest of the other side for some rows."""
    whole = centred(queries, centring)
    wanted = Chosen(whole, queries.distinct.of_line[rows])
    with report.progress(label) as progress:
        return search(wanted, centred(base, centring), chosen.k, index=chosen.index, settings=chosen.settings, steps=chosen.steps, progress=_told(progress))


def centred(side: Side, centring: bool) -> Blocks:
    """The vectors that are searched, less their mean where that is asked for and was not done when they were made."""
    return Centred.of(side.searched) if centring and not side.is_centred else side.searched


def _one_way(
    queries: Blocks, base: Blocks, chosen: SearchPlan, work: Path, name: str, identity: str, report: Reporter, hands: Cluster | None
) -> Neighbours:
    of_shards = (min(chosen.steps.base_rows, base.rows), chosen.steps.query_rows, hands.slots if hands else 0)
    saved = Saved(work / f"{name}.npz", fingerprint([identity, name, of_shards]))
    with report.progress(f"searching {name}") as progress:
        how: Any = {"index": chosen.index, "settings": chosen.settings, "steps": chosen.steps, "saved": saved, "progress": _told(progress)}
        if hands is None:
            return search(queries, base, chosen.k, **how)
        spec = SearchSpec(min(chosen.k, base.rows), chosen.index, chosen.settings, chosen.steps, chosen.limit)
        return search_spread(queries, base, chosen.k, hands=hands.slots, each=each_of(hands, queries, base, spec), **how)


def _told(progress: Advance) -> Callable[[int, int], None]:
    return lambda done, total: progress(done, total)


