"""The searches of a mining: both directions with their state on disk, recall, and neighbourhoods of given pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.mining.cluster import Cluster
from adapter_stilts.mining.pair_files import read_given
from adapter_stilts.mining.request import Mining
from adapter_stilts.mining.sides import Side
from adapter_stilts.mining.workers import each_of
from adapter_stilts.reporting import Reporter
from adapter_stilts.retrieval.blocks import PIECE, Blocks, Centred, Chosen
from adapter_stilts.retrieval.compared import pair_similarities
from adapter_stilts.retrieval.indexes import IndexSettings
from adapter_stilts.retrieval.margin import margin_scores
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.retrieval.plan import GB, SearchPlan, Sizes, default_limit, plan
from adapter_stilts.retrieval.pools import Searched
from adapter_stilts.retrieval.protocols import Protocol
from adapter_stilts.retrieval.saved import Saved
from adapter_stilts.retrieval.search import Neighbours, recall, search


class Search:
    """Two sides, searched by one plan: their distinct rows, less their mean where that is asked for and not done."""

    def __init__(self, source: Side, target: Side, rules: Protocol, chosen: SearchPlan, report: Reporter) -> None:
        self._source, self._target, self._rules, self.plan, self._report = source, target, rules, chosen, report
        both = [(side.searched, rules.centring and not side.is_centred) for side in (source, target)]
        self._left, self._right = (Centred.of(rows) if centring else rows for rows, centring in both)

    def both_ways(self, work: Path, identity: str, cluster: Cluster | None) -> Searched:
        """Every searched row's nearest of the other side. The same mining takes up the state that lies in `work`."""
        forward = self._one_way(self._left, self._right, work / "forward.npz", identity, cluster)
        backward = self._one_way(self._right, self._left, work / "backward.npz", identity, cluster)
        return Searched(self._source.distinct, self._target.distinct, forward, backward)

    def recall(self, searched: Searched) -> float:
        """The share of the true neighbours that an approximate index found, of a sample; 1 for exact search."""
        index, steps = self.plan.index, self.plan.steps
        if index == "exact":
            return 1.0
        forward = recall(searched.forward, self._left, self._right, steps)
        share = (forward + recall(searched.backward, self._right, self._left, steps)) / 2
        sampled = "(sample of 1000 sentences each way)"
        self._report.say(f"{index} found {100 * share:.1f} % of the neighbours that exact search finds {sampled}")
        return share

    def given(self, path: Path) -> Pairs:
        """The pairs of a file, each scored by margin against the neighbourhoods of its two sentences, best first.

        Only sentences that are in some pair are searched for, among all of the other side. Equal scores stay in the
        file's order.
        """
        rows, other_rows = read_given(path, self._source, self._target)
        one, other = self._source.distinct.of_line[rows], self._target.distinct.of_line[other_rows]
        means = []
        ways = (("forward", self._left, one, self._right), ("backward", self._right, other, self._left))
        for way, queries, numbers, base in ways:  # each sentence is searched for once
            wanted, place = np.unique(numbers, return_inverse=True)
            means.append(self._search(Chosen(queries, wanted), base, f"searching {way}").mean[place])
        left, right = Chosen(self._left, one), Chosen(self._right, other)
        parts = [(start, min(start + PIECE, len(one))) for start in range(0, len(one), PIECE)]
        cosine = np.concatenate([pair_similarities(left.block(*part), right.block(*part)) for part in parts])
        scores = margin_scores(cosine, means[0], means[1], self._rules.margin)
        order = np.argsort(-scores, kind="stable")
        return Pairs(rows[order], other_rows[order], scores[order])

    def _one_way(self, queries: Blocks, base: Blocks, path: Path, identity: str, cluster: Cluster | None) -> Neighbours:
        chosen, workers = self.plan, cluster.slots if cluster else 0
        of_shards = (min(chosen.steps.base_rows, base.rows), chosen.steps.query_rows, workers)
        saved = Saved(path, fingerprint([identity, path.stem, of_shards]))
        each = each_of(cluster, queries, base, chosen) if cluster else None
        return self._search(queries, base, f"searching {path.stem}", saved=saved, workers=workers, each=each)

    def _search(self, queries: Blocks, base: Blocks, label: str, **how: Any) -> Neighbours:
        chosen = self.plan
        how |= {"index": chosen.index, "settings": chosen.settings, "steps": chosen.steps}
        with self._report.progress(label) as progress:
            return search(queries, base, chosen.k, progress=progress, **how)


def search_plan(request: Mining, rules: Protocol, source: Side, target: Side, cluster: Cluster | None) -> SearchPlan:
    """Index and shards; workers share a machine's memory where no limit is given.

    Raises DoesNotFit naming what would fit.
    """
    sizes = Sizes(len(source.distinct.rows), len(target.distinct.rows), source.vectors.dimension, rules.k)
    settings = IndexSettings(request.lists, request.probes, seed=request.seed)
    free = default_limit() if cluster is None else cluster.part_of(default_limit())
    return plan(sizes, request.index, settings, request.limit_gb * GB if request.limit_gb else free)
