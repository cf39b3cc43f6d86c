"""The searches of a mining: both directions with their state on disk, recall, and neighbourhoods of given pairs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.mining.cluster import Cluster
from adapter_stilts.mining.request import Mining
from adapter_stilts.mining.sides import Side, content_hash
from adapter_stilts.mining.workers import workers_of
from adapter_stilts.reporting import Reporter
from adapter_stilts.retrieval.blocks import PIECE, Blocks, Centred, Chosen, ranges
from adapter_stilts.retrieval.compared import Numbers, pair_similarities
from adapter_stilts.retrieval.indexes import IndexSettings
from adapter_stilts.retrieval.margin import margin_scores
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.retrieval.plan import AUTO, GB, Sizes, default_limit, plan
from adapter_stilts.retrieval.pools import Searched
from adapter_stilts.retrieval.protocols import Protocol
from adapter_stilts.retrieval.saved import Saved
from adapter_stilts.retrieval.search import Neighbours, recall, search


class Search:
    """Two sides, searched by one plan: their distinct rows, less their mean where that is asked for and not done."""

    def __init__(
        self, request: Mining, rules: Protocol, source: Side, target: Side, report: Reporter, cluster: Cluster | None
    ) -> None:
        """Workers share a machine's memory where no limit is given. Raises DoesNotFit naming what would fit."""
        self._auto, self._rules, self._source, self._target = request.index == AUTO, rules, source, target
        self._report, self._cluster = report, cluster
        sizes = Sizes(len(source.distinct.rows), len(target.distinct.rows), source.vectors.dimension, rules.k)
        settings = IndexSettings(request.lists, request.probes, seed=request.seed)
        free = default_limit() if cluster is None else cluster.part_of(default_limit())
        self.plan = plan(sizes, request.index, settings, request.limit_gb * GB if request.limit_gb else free)
        both = [(side.searched, rules.centring and not side.is_centred) for side in (source, target)]
        self._left, self._right = (Centred.of(rows) if centring else rows for rows, centring in both)

    def both_ways(self, work: Path) -> Searched:
        """Every searched row's nearest of the other side. The same mining takes up the state that lies in `work`."""
        way = self.plan.way
        if self._auto:
            self._report.say(f"index {way.index}: {self.plan.why}")
        sides = [(content_hash(side), side.searched_hash) for side in (self._source, self._target)]
        identity = fingerprint((sides, way.index, asdict(way.settings), self.plan.k, self._rules.centring))
        forward = self._one_way(self._left, self._right, work / "forward.npz", identity)
        backward = self._one_way(self._right, self._left, work / "backward.npz", identity)
        return Searched(self._source.distinct, self._target.distinct, forward, backward)

    def recall(self, searched: Searched) -> float:
        """The share of the true neighbours that an approximate index found, of a sample; 1 for exact search."""
        way = self.plan.way
        if way.index == "exact":
            return 1.0
        forward = recall(searched.forward, self._left, self._right, way.steps)
        share = (forward + recall(searched.backward, self._right, self._left, way.steps)) / 2
        sampled = "(sample of 1000 sentences each way)"
        self._report.say(f"{way.index} found {100 * share:.1f} % of the neighbours that exact search finds {sampled}")
        return share

    def given(self, rows: Numbers, other_rows: Numbers) -> Pairs:
        """Pairs of rows, each scored by margin against the neighbourhoods of its two sentences, best first.

        Only sentences that are in some pair are searched for, among all of the other side. Equal scores stay in their
        order.
        """
        lefts, rights = self._source.distinct.of_line[rows], self._target.distinct.of_line[other_rows]
        means = []
        ways = (("forward", self._left, lefts, self._right), ("backward", self._right, rights, self._left))
        for way, queries, numbers, base in ways:  # each sentence is searched for once
            wanted, place = np.unique(numbers, return_inverse=True)
            means.append(self._search(Chosen(queries, wanted), base, f"searching {way}").mean[place])
        left, right = Chosen(self._left, lefts), Chosen(self._right, rights)
        parts = list(ranges(len(lefts), PIECE))
        cosine = np.concatenate([pair_similarities(left.block(*part), right.block(*part)) for part in parts])
        scores = margin_scores(cosine, means[0], means[1], self._rules.margin)
        order = np.argsort(-scores, kind="stable")
        return Pairs(rows[order], other_rows[order], scores[order], cosine[order])

    def _one_way(self, queries: Blocks, base: Blocks, path: Path, identity: str) -> Neighbours:
        steps, workers = self.plan.way.steps, None
        if self._cluster is not None:
            workers = workers_of(self._cluster, queries, base, self.plan)
        of_shards = (min(steps.base_rows, base.rows), steps.query_rows, workers.number if workers else 0)
        saved = Saved(path, fingerprint([identity, path.stem, of_shards]))
        return self._search(queries, base, f"searching {path.stem}", saved=saved, workers=workers)

    def _search(self, queries: Blocks, base: Blocks, label: str, **how: Any) -> Neighbours:
        with self._report.progress(label) as progress:
            return search(queries, base, self.plan.k, self.plan.way, progress=progress, **how)
