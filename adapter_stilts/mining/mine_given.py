"""`mine --score-only`: given pairs, each scored by margin against the neighbourhoods of its two sentences, best first."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from adapter_stilts.mining.mine_pairs import read_given
from adapter_stilts.mining.mine_search import SearchPlan, centred, of_some
from adapter_stilts.mining.mine_sides import Side
from adapter_stilts.reporting import Reporter
from adapter_stilts.retrieval.blocks import PIECE, Blocks, Chosen
from adapter_stilts.retrieval.compared import Numbers, Vectors, pair_similarities
from adapter_stilts.retrieval.margin import Scores, margin_scores
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.retrieval.protocols import Protocol


def score_given(path: Path, source: Side, target: Side, rules: Protocol, chosen: SearchPlan, report: Reporter) -> tuple[Pairs, SearchPlan]:
    """The pairs of a file with their scores; equal scores stay in the order of the file.

    Only sentences that are in some pair are searched for, among all of the other side.
    """
    one, other = read_given(path, source, target)
    forward = _means(source, one, target, chosen, rules.centring, "searching forward", report)
    backward = _means(target, other, source, chosen, rules.centring, "searching backward", report)
    left, right = (centred(side, rules.centring) for side in (source, target))
    cosine = _cosines(left, source.distinct.of_line[one], right, target.distinct.of_line[other])
    scores = margin_scores(cosine, forward, backward, rules.margin)
    order = np.argsort(-scores, kind="stable")
    return Pairs(one[order], other[order], scores[order]), chosen


def _means(queries: Side, rows: Numbers, base: Side, chosen: SearchPlan, centring: bool, label: str, report: Reporter) -> Scores:
    """The mean cosine of each row's neighbourhood, searched once per row."""
    wanted, place = np.unique(rows, return_inverse=True)
    return of_some(queries, wanted, base, chosen, centring, label, report).mean[place]


def _cosines(left: Blocks, one: Numbers, right: Blocks, other: Numbers) -> Vectors:
    parts = [slice(start, min(start + PIECE, len(one))) for start in range(0, len(one), PIECE)]
    left, right = Chosen(left, one), Chosen(right, other)
    return np.concatenate([pair_similarities(left.block(part.start, part.stop), right.block(part.start, part.stop)) for part in parts])
