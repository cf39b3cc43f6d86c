"""Where to cut a list of scored pairs, and what a cut is worth: F1, precision, recall, curve and histogram, from which
pairs are right.

    right [P]   whether each pair is gold, best pair first        score [P]   falling        wanted   number of gold
                pairs, found or not

A threshold that is best on the very pairs it scores is an oracle. Where gold is given for one text alone, half of its
source lines choose the threshold for the other half, and the other way round: that is what "held out" means here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.registry import Registry
from adapter_stilts.retrieval.compared import Flags
from adapter_stilts.retrieval.margin import Array

Rule: TypeAlias = Callable[[Array], Flags]

threshold_rules: Registry[Rule] = Registry("threshold rule")

POINTS = 50  # of a curve, at most
BINS = 20


@dataclass(frozen=True)
class Cut:
    """Pairs that score at least `threshold` are kept; precision, recall and F1 on the pairs it was chosen on."""

    threshold: float
    kept: int
    precision: float
    recall: float
    f1: float


@threshold_rules.register("any")
def anywhere(score: Array) -> Flags:
    """After any candidate, as XTREME and jiant cut, so that pairs of equal score may come along."""
    return np.ones(len(score), dtype=np.bool_)


@threshold_rules.register("between")
def between(score: Array) -> Flags:
    """Only between different scores, and after the last."""
    return np.append(score[:-1] != score[1:], True)[: len(score)]


def best_f1(right: Flags, score: Array, wanted: int, rule: str = "between") -> Cut:
    """The cut with the best F1: midway between the last pair kept and the next; the first best where several are.

    rule   after which candidates a cut may fall, of `threshold_rules`

    0.0 where no candidate is right, as in the scripts it follows.
    """
    if not right.any():
        return Cut(0.0, 0, 0.0, 0.0, 0.0)
    hits = np.cumsum(right)
    f1 = 2 * hits / (np.arange(1, len(right) + 1) + wanted)
    f1[~threshold_rules[rule](score)] = -1
    return _cut(int(f1.argmax()), right, score, wanted)


def at_precision(right: Flags, score: Array, wanted: int, precision: float) -> Cut:
    """The lowest cut between different scores that keeps at least this precision.

    Raises UsageError where no cut reaches it.
    """
    if not 0 < precision <= 1:
        raise UsageError(f"a target precision of {precision}", do="give a fraction above 0, up to 1, for example 0.95")
    reached = np.cumsum(right) / np.arange(1, len(right) + 1)
    allowed = between(score)
    places = np.flatnonzero(allowed & (reached >= precision))
    if not len(places):
        best = f"{reached[allowed].max():.4f}" if len(reached) else "none: there are no candidates"
        what = f"no threshold reaches a precision of {precision}"
        raise UsageError(what, do=f"ask for less (the best reached is {best}), or give more gold")
    return _cut(int(places[-1]), right, score, wanted)


def curve(right: Flags, score: Array, wanted: int, points: int = POINTS) -> list[dict[str, float]]:
    """Threshold, pairs kept, precision, recall and F1 at up to `points` cuts, spread evenly over the pairs."""
    if not len(score):
        return []
    places = np.flatnonzero(between(score))
    chosen = places[np.unique(np.linspace(0, len(places) - 1, min(points, len(places))).round().astype(np.int64))]
    hits = np.cumsum(right)
    kept, hits_kept = chosen + 1, hits[chosen]
    shares = {"precision": hits_kept / kept, "recall": hits_kept / wanted, "f1": 2 * hits_kept / (kept + wanted)}
    columns = {"threshold": score[chosen], "kept": kept, **shares}
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def histogram(score: Array, right: Flags | None = None, bins: int = BINS) -> dict[str, Any]:
    """Edges [bins + 1], counts [bins], counts of gold pairs where they are known, and how many scores are infinite."""
    finite = np.isfinite(score)
    known = score[finite]
    if not len(known):
        return {"edges": [], "counts": [], "infinite": len(score)}
    counts, edges = np.histogram(known, bins)
    document: dict[str, Any] = {"edges": edges.tolist(), "counts": counts.tolist(), "infinite": int((~finite).sum())}
    if right is not None:
        document["right"] = np.histogram(known[right[finite]], edges)[0].tolist()
    return document


def drawn(bars: dict[str, Any], threshold: float | None, width: int = 40) -> list[str]:
    """A histogram as lines of text, the best scores first, with a line where the threshold cuts."""
    if not bars["counts"]:
        return []
    lines, most = [], max(bars["counts"])
    for number in reversed(range(len(bars["counts"]))):
        low, high, count = bars["edges"][number], bars["edges"][number + 1], bars["counts"][number]
        right = f"  {bars['right'][number]} right" if "right" in bars else ""
        cut = "  < threshold" if threshold is not None and low <= threshold < high else ""
        lines.append(f"{low:8.4f} {'#' * -(-width * count // most):<{width}} {count}{right}{cut}")
    return lines


def halves(rows: int, seed: int) -> Flags:
    """[rows] which half each source line is in; the same for the same seed."""
    return np.asarray(np.random.default_rng(seed).permutation(rows) % 2 == 0)


def require_gold(wanted: int) -> None:
    if not wanted:
        raise TaskDataError("no gold pair to tune or score by", do="give a file of gold pairs, or a threshold")


def _cut(place: int, right: Flags, score: Array, wanted: int) -> Cut:
    here = float(score[place])
    below = float(score[place + 1]) if place + 1 < len(score) else here
    middle = (here + below) / 2
    threshold = middle if below < middle else here  # nothing lies midway to -infinity, or between neighbouring numbers
    hits, kept = int(right[: place + 1].sum()), place + 1
    return Cut(threshold, kept, hits / kept, hits / wanted, 2 * hits / (kept + wanted))
