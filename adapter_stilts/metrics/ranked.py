"""Ranked candidates against gold ids: mAP@20 (LAReQA) and MRR@20 (Mewsli-X), each with one row of units per question.

    precision_units([{"a", "b"}], [["a", "x", "b"]])     [[(1/1 + 2/3) / 2, 1]]
    reciprocal_units([{"b"}], [["a", "b"]])              [[1/2, 1]]

Only the first 20 candidates count. A candidate that stands there again keeps its place and is no second hit. XTREME-R
calls Mewsli-X's measure map@20: with one gold entity a mention the two are the same.

Roy et al. (2020), https://arxiv.org/abs/2004.05484; Ruder et al. (2021), https://arxiv.org/abs/2104.07412
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from adapter_stilts.errors import TaskDataError
from adapter_stilts.metrics.base import DEFAULTS, Array, Options, Score, metrics, scored, units_of

DEEPEST = 20  # candidates that count


def score_ranked(
    metric: str, gold: Mapping[str, Collection[str]], ranked: Mapping[str, Sequence[str]], options: Options = DEFAULTS
) -> Score:
    """Ranked candidates by question or mention; metric: map20, mrr20. A question without any scores 0 and counts."""
    if not gold:
        raise TaskDataError("no question to score", do="give a gold file with at least one question")
    for question, right in gold.items():
        if not right:
            what = "a question without a gold id cannot be scored"
            raise TaskDataError(what, where=f"question '{question}'", do="leave it out, or add its gold ids")
    rows = [ranked.get(question, ()) for question in gold]
    units = (precision_units if metric == "map20" else reciprocal_units)(list(gold.values()), rows)
    unanswered = sum(question not in ranked for question in gold)
    return scored(metric, [(metric, units, "ratio")], len(gold), options, unanswered)


OF_RANKS: dict[str, Any] = {"formats": ("ranking",), "form": "ranked", "protocol": "xtreme-r"}
metrics.register("map20", pooled=True, **OF_RANKS)(partial(score_ranked, "map20"))
metrics.register("mrr20", **OF_RANKS)(partial(score_ranked, "mrr20"))


def precision_units(gold: Sequence[Collection[str]], ranked: Sequence[Sequence[str]]) -> Array:
    """[N, 2]: average precision over the first 20 candidates, divided by at most 20 gold ids, and one counted."""
    return units_of(2, ((_average_precision(set(right), row), 1) for right, row in zip(gold, ranked, strict=True)))


def reciprocal_units(gold: Sequence[Collection[str]], ranked: Sequence[Sequence[str]]) -> Array:
    """[N, 2]: one over the place of the first gold id among the first 20 (0 for none), and one counted."""
    places = (
        next((place for place, candidate in enumerate(row[:DEEPEST], start=1) if candidate in right), None)
        for right, row in zip(gold, ranked, strict=True)
    )
    return units_of(2, ((1 / place if place else 0.0, 1) for place in places))


def _average_precision(gold: set[str], ranked: Sequence[str]) -> float:
    total, hits = 0.0, set[str]()
    for place, candidate in enumerate(ranked[:DEEPEST], start=1):
        if candidate in gold and candidate not in hits:
            hits.add(candidate)
            total += len(hits) / place
    return total / min(len(gold), DEEPEST)
