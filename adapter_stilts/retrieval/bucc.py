"""Mining hidden translation pairs from two pools, with a threshold tuned on dev and applied to test.

    dev = mine_pools(dev_source, dev_target, dev_pools, protocol)           pairs of ids, best first
    test = mine_pools(test_source, test_target, test_pools, protocol)
    found = bucc(test, test_pools.gold, protocol.threshold, dev=dev, dev_gold=dev_pools.gold)
    found.measures, found.dev_measures, found.threshold, found.pairs

A score at the threshold that is best on the very pairs it scores is an oracle, and is called "f1-oracle" here.

Sentences are compared once per distinct text. What happens to pairs of a text that occurs several times in its pool is the
protocol's: XTREME drops them (such gold pairs can never be found), jiant and we give them every id of the text.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.errors import StiltsError, TaskDataError
from adapter_stilts.formats.pools import Pools
from adapter_stilts.retrieval.distinct import Distinct, distinct, expand, unique
from adapter_stilts.retrieval.indexes.base import IndexSettings, Vectors
from adapter_stilts.retrieval.measured import Measured
from adapter_stilts.retrieval.mining import Pairs, mine
from adapter_stilts.retrieval.neighbours import Neighbours, both_ways
from adapter_stilts.retrieval.pooling import centred
from adapter_stilts.retrieval.protocols import Duplicates, Protocol, ThresholdRule
from adapter_stilts.retrieval.thresholds import best_f1, require_gold

IdPair: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class Mined:
    """Candidate pairs of ids, best first, and their scores [P]."""

    ids: tuple[IdPair, ...]
    score: NDArray[np.float64]

    def above(self, threshold: float) -> tuple[IdPair, ...]:
        """The pairs that score at least `threshold`."""
        return tuple(pair for pair, kept in zip(self.ids, (self.score.astype(np.float64) >= threshold).tolist(), strict=True) if kept)


@dataclass(frozen=True)
class Threshold:
    """Where to cut, and the F1 there on the pairs it was chosen on."""

    threshold: float
    f1: float


@dataclass(frozen=True)
class Bucc:
    """Test at the threshold from dev, with its oracle beside it; dev, which is an oracle on itself; the threshold and the pairs it keeps."""

    measures: tuple[Measured, ...]
    dev_measures: tuple[Measured, ...]
    threshold: float
    pairs: tuple[IdPair, ...]


def mine_pools(source: Vectors, target: Vectors, pools: Pools, protocol: Protocol, *, index: str = "exact", settings: IndexSettings | None = None) -> Mined:
    """Candidate pairs of two pools from the unit vectors of their sentences, [N, H] and [M, H].

    Raises StiltsError where there is not one vector per sentence.
    """
    if (len(source), len(target)) != (len(pools.source), len(pools.target)):
        what = f"{len(source)} and {len(target)} vectors for pools of {len(pools.source)} and {len(pools.target)} sentences"
        raise StiltsError(what, do="give one vector per sentence")
    return pairs_of(searched(source, target, pools, protocol, index=index, settings=settings), pools, protocol)


@dataclass(frozen=True)
class Searched:
    """The distinct sentences of two pools and the neighbours of each; any margin can be made of them."""

    left: Distinct
    right: Distinct
    forward: Neighbours
    backward: Neighbours


def searched(source: Vectors, target: Vectors, pools: Pools, protocol: Protocol, *, index: str = "exact", settings: IndexSettings | None = None) -> Searched:
    """Both searches; of centred sides the mean is that of their distinct sentences."""
    left, right = distinct(pools.source), distinct(pools.target)
    one, other = source[left.rows], target[right.rows]
    if protocol.centring:
        one, other = centred(one), centred(other)
    return Searched(left, right, *both_ways(one, other, protocol.k, index=index, settings=settings))


def pairs_of(found: Searched, pools: Pools, protocol: Protocol) -> Mined:
    """Candidate pairs by the protocol's margin."""
    pairs = mine(found.forward, found.backward, margin=protocol.margin, retrieval=protocol.retrieval)
    if protocol.least is not None:
        pairs = pairs.over(protocol.least)
    return _with_ids(pairs, found.left, found.right, pools, protocol.duplicates)


def bucc(
    test: Mined,
    gold: Collection[IdPair],
    rule: ThresholdRule = "between",
    *,
    dev: Mined | None = None,
    dev_gold: Collection[IdPair] = (),
    threshold: float | None = None,
) -> Bucc:
    """Tune the threshold on dev unless one is given, and score test with it.

    Metrics of test: f1 (the headline), precision, recall, and f1-oracle, precision-oracle, recall-oracle at test's own best threshold;
    of dev: those oracles alone, since its threshold was chosen on it.
    Raises TaskDataError where there is neither dev nor a threshold.
    """
    if threshold is None and dev is None:
        raise TaskDataError("no dev pools to tune the threshold on", do="give the dev (sample) files of this language, or a threshold of your own")
    if threshold is None and dev is not None:
        threshold = best_threshold(dev, dev_gold, rule).threshold
    assert threshold is not None
    measures = (*score_mining(test, gold, threshold), *score_oracle(test, gold, rule))
    return Bucc(measures, score_oracle(dev, dev_gold, rule) if dev is not None else (), threshold, test.above(threshold))


def best_threshold(mined: Mined, gold: Collection[IdPair], rule: ThresholdRule = "between") -> Threshold:
    """The threshold with the best F1 on these pairs; `rule` as in `thresholds.best_f1`.

    Raises TaskDataError without gold pairs.
    """
    require_gold(len(gold))
    wanted = set(gold)
    cut = best_f1(np.fromiter((pair in wanted for pair in mined.ids), np.bool_, len(mined.ids)), mined.score, len(wanted), rule)
    return Threshold(cut.threshold, cut.f1)


def score_mining(mined: Mined, gold: Collection[IdPair], threshold: float) -> tuple[Measured, Measured, Measured]:
    """f1, precision and recall of the pairs at or above a threshold that was chosen elsewhere; n is the number of gold pairs."""
    require_gold(len(gold))
    return _measures(mined.above(threshold), gold, "")


def score_oracle(mined: Mined, gold: Collection[IdPair], rule: ThresholdRule = "between") -> tuple[Measured, Measured, Measured]:
    """The same at the threshold that is best on these very pairs, named f1-oracle, precision-oracle and recall-oracle."""
    return _measures(mined.above(best_threshold(mined, gold, rule).threshold), gold, "-oracle")


def _with_ids(pairs: Pairs, left: Distinct, right: Distinct, pools: Pools, duplicates: Duplicates) -> Mined:
    lines = (unique if duplicates == "unique" else expand)(pairs, left, right)
    sources, targets = map(pools.source_ids.__getitem__, lines.source.tolist()), map(pools.target_ids.__getitem__, lines.target.tolist())
    return Mined(tuple(zip(sources, targets, strict=True)), lines.score)


def _measures(kept: Collection[IdPair], gold: Collection[IdPair], suffix: str) -> tuple[Measured, Measured, Measured]:
    units, keys = _units(set(kept), set(gold))
    correct, mined, wanted = units.sum(axis=0)
    scores = {"f1": 2 * correct / (mined + wanted), "precision": correct / mined if mined else 0.0, "recall": correct / wanted}
    f1, precision, recall = (Measured(f"{name}{suffix}", float(score), len(set(gold)), units, name, keys) for name, score in scores.items())
    return f1, precision, recall


def _units(mined: set[IdPair], gold: set[IdPair]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """[N, 3] correct, mined and gold pairs of every source sentence that has any, and those sentences' ids."""
    keys = tuple(sorted({source for source, _ in mined | gold}))
    place = {source: number for number, source in enumerate(keys)}
    units = np.zeros((len(keys), 3))
    for column, pairs in enumerate((mined & gold, mined, gold)):
        np.add.at(units[:, column], np.array([place[source] for source, _ in pairs], dtype=np.int64), 1)
    return units, keys

