"""From candidates to the pairs that are kept: the threshold and where it comes from, and the scores it gets against gold.

    given             the user's number; scores on gold are then held out, as far as the number was chosen elsewhere
    dev               the best F1 (or the precision asked for) on other files, applied here
    gold              the best F1 (or the precision) on this gold; what it would do elsewhere is told by halves: each half of the source
                      rows is cut at the threshold that the other half chose
    none              every candidate is kept

Scores at a threshold that was chosen on the very pairs it scores are oracles, and are called so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from adapter_stilts.errors import UsageError
from adapter_stilts.retrieval.gold import Gold, Tune, held_out
from adapter_stilts.retrieval.measured import Measured
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.retrieval.thresholds import Rule, at_precision, best_f1, curve, halves, histogram, require_gold
from adapter_stilts.statistics.intervals import bootstrap_interval

MOST_UNITS = 200_000  # source rows whose scores are resampled; an interval over more is narrower than the last digit printed


@dataclass(frozen=True)
class Kept:
    """What a threshold keeps, and what is known of it.

    threshold  None: everything is kept
    source     "given", "dev", "gold" or "none"
    notes      what a person should know
    """

    threshold: float | None
    source: str
    results: tuple[dict[str, Any], ...] = ()
    curve: tuple[dict[str, float], ...] = ()
    histogram: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def tuner(precision: float | None, rule: Rule) -> Tune:
    """How a threshold is chosen from pairs whose rightness is known."""
    if precision is None:
        return partial(best_f1, rule=rule)
    return partial(at_precision, precision=precision)


def decide(
    pairs: Pairs, gold: Gold | None, tune: Tune, *, rule: Rule, threshold: float | None, source: str, seed: int, settings: dict[str, Any]
) -> Kept:
    """Choose the threshold unless there is one, and score it where gold is given.

    pairs   every candidate, best first, as rows
    source  where `threshold` comes from
    """
    if gold is None:
        found = histogram(pairs.score)
        return Kept(threshold, source if threshold is not None else "none", histogram=found)
    require_gold(len(gold))
    right = gold.right(pairs)
    oracle = best_f1(right, pairs.score, len(gold), rule)
    notes, measures = [], list[tuple[Measured, str]]()
    if threshold is None:
        threshold, source = tune(right, pairs.score, len(gold)).threshold, "gold"
        kept, note = _halves(pairs, gold, tune, seed)
        measures += [(one, "the other half of the gold") for one in gold.measures(kept)] if kept is not None else []
        if threshold != oracle.threshold:
            measures += [(one, "this gold") for one in gold.measures(pairs.above(threshold), "-at-threshold")]
        notes += [note] if note else []
    else:
        measures += [(one, source) for one in gold.measures(pairs.above(threshold))]
    measures += [(one, "this gold (oracle)") for one in gold.measures(pairs.above(oracle.threshold), "-oracle")]
    rows = tuple(_row(one, chosen, number == 0, seed, settings) for number, (one, chosen) in enumerate(measures))
    return Kept(threshold, source, rows, tuple(curve(right, pairs.score, len(gold))), histogram(pairs.score, right), tuple(notes))


def _halves(pairs: Pairs, gold: Gold, tune: Tune, seed: int) -> tuple[Pairs | None, str]:
    unknown = "no held-out score: "
    try:
        kept = held_out(pairs, gold, tune, halves(gold.sources, seed))
    except UsageError as error:
        return None, f"{unknown}on one half of the gold, {error.what}"
    return kept, "" if kept is not None else f"{unknown}{len(gold)} gold pairs cannot be halved"


def _row(measure: Measured, chosen: str, headline: bool, seed: int, settings: dict[str, Any]) -> dict[str, Any]:
    interval = list(bootstrap_interval(measure.units, measure.statistic, seed=seed)) if 0 < len(measure.units) <= MOST_UNITS else None
    return {
        "task": "mine",
        "protocol": settings["protocol"],
        "language": "",
        "metric": measure.metric,
        "score": measure.score,
        "n": measure.n,
        "interval": interval,
        "headline": headline,
        "settings": {"threshold_chosen_on": chosen},
    }


def told(rows: Sequence[dict[str, Any]]) -> list[list[object]]:
    """Rows for a table."""
    return [[row["metric"], f"{100 * row['score']:.1f}", row["n"], row["settings"]["threshold_chosen_on"]] for row in rows]
