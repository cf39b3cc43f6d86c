"""Mined pairs of ids against gold pairs: F1, precision and recall."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeAlias

import numpy as np

from adapter_stilts.errors import TaskDataError
from adapter_stilts.metrics.base import Array, Options, Score, metrics, scored

Pair: TypeAlias = tuple[str, str]


def score_pairs(
    gold: Collection[tuple[str, str]], mined: Collection[tuple[str, str]], options: Options | None = None
) -> Score:
    """F1, precision and recall of mined pairs of ids; n is the number of gold pairs."""
    if not gold:
        raise TaskDataError("no gold pair to score against", do="give a gold file with at least one pair")
    units = pair_units(gold, mined)
    return scored(
        "f1", [(name, units, name) for name in ("f1", "precision", "recall")], len(set(gold)), options or Options()
    )


@metrics.register("mining", formats=("pools",), form="pairs", protocol="xtreme", averaged=("f1",))
def _mining(gold: Any, predicted: Any, options: Options) -> Score:
    return score_pairs(gold, predicted, options)


def pair_units(gold: Collection[Pair], mined: Collection[Pair]) -> Array:
    """[N, 3]: correct, mined and gold pairs of every source sentence that has any, in order of its id."""
    gold, mined = set(gold), set(mined)
    sources = sorted({source for source, _ in gold | mined})
    place = {source: number for number, source in enumerate(sources)}
    units = np.zeros((len(sources), 3))
    for column, pairs in enumerate((gold & mined, mined, gold)):
        np.add.at(units[:, column], np.array([place[source] for source, _ in pairs], dtype=np.int64), 1)
    return units
