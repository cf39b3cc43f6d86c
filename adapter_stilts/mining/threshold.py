"""From candidates to the pairs that are kept: the threshold and where it comes from, and the scores it gets against
gold.

    given             the user's number; scores on gold are then held out, as far as the number was chosen elsewhere
    dev               the best F1 (or the precision asked for) on other files, applied here
    gold              the best F1 (or the precision) on this gold; what it would do elsewhere is told by halves: each
                      half of the source rows is cut at the threshold that the other half chose
    none              every candidate is kept, and it is said how a threshold may be found
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from adapter_stilts.errors import UsageError
from adapter_stilts.retrieval.gold import Gold, Measured, Tune, curve, halves, held_out, histogram, valley
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.retrieval.protocols import Protocol
from adapter_stilts.statistics.intervals import score_interval
from adapter_stilts.statistics.result import Result


@dataclass(frozen=True)
class Kept:
    """What a threshold keeps, and what is known of it.

    threshold  None: everything is kept
    source     "given", "dev", "gold" or "none"
    notes      what a person should know
    """

    threshold: float | None
    source: str
    results: tuple[Result, ...] = ()
    curve: tuple[dict[str, float], ...] = ()
    histogram: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def decide(
    pairs: Pairs, gold: Gold | None, tune: Tune, rules: Protocol, threshold: float | None, source: str, *, seed: int
) -> Kept:
    """Choose the threshold unless there is one, and score it where gold is given.

    pairs   every candidate, best first, as rows
    source  where `threshold` comes from
    """
    if gold is None:
        return Kept(threshold, source if threshold is not None else "none", histogram=histogram(pairs.score))
    oracle, right = gold.best(pairs, rules.threshold), gold.right(pairs)
    notes, measures = list[str](), list[tuple[Measured, str]]()
    if threshold is None:
        threshold, source = tune(right, pairs.score, len(gold)).threshold, "gold"
        try:
            kept = held_out(pairs, gold, tune, halves(gold.sources, seed))
            why = f"{len(gold)} gold pairs cannot be halved"
        except UsageError as error:
            kept, why = None, f"on one half of the gold, {error.what}"
        if kept is None:
            notes.append(f"no held-out score: {why}")
        else:
            measures += [(measure, "the other half of the gold") for measure in gold.measures(kept)]
        if threshold != oracle.threshold:
            at = gold.measures(pairs.above(threshold), "-at-threshold")
            measures += [(measure, "this gold") for measure in at]
    else:
        measures += [(measure, source) for measure in gold.measures(pairs.above(threshold))]
    best = gold.measures(pairs.above(oracle.threshold), "-oracle")
    measures += [(measure, "this gold (oracle)") for measure in best]
    results = [_result(measure, chosen, rules.name) for measure, chosen in measures]
    results[0] = replace(results[0], headline=True)
    cuts = curve(right, pairs.score, len(gold))
    return Kept(threshold, source, tuple(results), tuple(cuts), histogram(pairs.score, right), tuple(notes))


def advice(bars: Mapping[str, Any]) -> Iterator[str]:
    """How a person who knows no pairs of these files finds a threshold; bars: the histogram of the candidates."""
    yield (
        "at which score pairs stop being translations depends on the texts: read down the file until every other pair "
        "is wrong, and give that score with --threshold; or give two small files of the same kind, all of whose pairs "
        "are known, with --dev SRC TGT GOLD"
    )
    if between := valley(bars):
        low, high = between
        yield (
            f"the scores make two groups, with the fewest pairs from {low:.4f} to {high:.4f}: read there first "
            "(the histogram alone tells this)"
        )


def _result(measure: Measured, chosen: str, protocol: str) -> Result:
    units = measure.units[(measure.units[:, 1:] > 0).any(axis=1)]  # of source rows that have any pair
    interval = score_interval(units, measure.statistic) if len(units) else None
    return Result(
        *("mine", protocol, "", measure.metric, measure.score, measure.n),
        interval=interval,
        split="",
        headline=False,
        settings={"threshold_chosen_on": chosen},
    )
