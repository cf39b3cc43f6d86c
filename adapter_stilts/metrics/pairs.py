"""Mined pairs against gold pairs: F1, precision and recall."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.errors import TaskDataError
from adapter_stilts.metrics.base import DEFAULTS, Array, Options, Score, metrics, scored

MEASURES = ("f1", "precision", "recall")


@metrics.register("mining", formats=("pools",), form="pairs", protocol="xtreme", averaged=("f1",))
def score_pairs(
    gold: Collection[tuple[str, str]], mined: Collection[tuple[str, str]], options: Options = DEFAULTS
) -> Score:
    """F1, precision and recall of mined pairs of ids; n is the number of gold pairs."""
    if not gold:
        raise TaskDataError("no gold pair to score against", do="give a gold file with at least one pair")
    units = pair_units(gold, mined)
    return scored("f1", [(name, units, name) for name in MEASURES], len(set(gold)), options)


def pair_units(gold: Collection[tuple[str, str]], mined: Collection[tuple[str, str]]) -> Array:
    """[N, 3]: correct, mined and gold pairs of every source sentence that has any, in order of its id."""
    gold, mined = set(gold), set(mined)
    sources = sorted({source for source, _ in gold | mined})
    place = {source: number for number, source in enumerate(sources)}
    counted = (np.array([place[source] for source, _ in pairs], np.int64) for pairs in (gold & mined, mined, gold))
    return counts_by_source(*counted, sources=len(sources))


def counts_by_source(
    correct: NDArray[np.int64], mined: NDArray[np.int64], gold: NDArray[np.int64], *, sources: int
) -> Array:
    """[sources, 3]: how many correct, mined and gold pairs every source sentence has, of the source row of each."""
    columns = [np.bincount(rows, minlength=sources) for rows in (correct, mined, gold)]
    return np.stack(columns, axis=1, dtype=np.float64)
