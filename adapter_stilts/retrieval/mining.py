"""From neighbours in both directions to scored pairs, best first.

    forward, backward = both_ways(source, target, k=4)
    pairs = mine(forward, backward, margin="ratio", retrieval="max")
    pairs.source[0], pairs.target[0], pairs.score[0]        the best pair, as row numbers

Each sentence's best partner is the one with the highest margin among its K neighbours. The similarities are those that
the search returned: nothing is computed again pair by pair. Among equal scores the forward pair and the lower number
come first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from adapter_stilts.registry import Registry
from adapter_stilts.retrieval.compared import Flags, Numbers, Scores, Vectors
from adapter_stilts.retrieval.margin import margin_scores
from adapter_stilts.retrieval.search import Neighbours

AT_ONCE = 1 << 18  # sentences whose neighbours are scored together
ROUNDS = 64  # of greedy matching; each leaves a fraction of the pairs, except for chains made to defeat it


@dataclass(frozen=True)
class Pairs:
    """Scored pairs of row numbers, best first."""

    source: Numbers  # [P]
    target: Numbers  # [P]
    score: Scores  # [P]
    cosine: Vectors | None = None  # [P] float32, where the search told it

    def __len__(self) -> int:
        return len(self.score)

    def above(self, threshold: float) -> Pairs:
        """Those that score at least `threshold`."""
        return self.chosen(self.score.astype(np.float64) >= threshold)

    def chosen(self, which: Flags | Numbers | slice) -> Pairs:
        cosine = None if self.cosine is None else self.cosine[which]
        return Pairs(self.source[which], self.target[which], self.score[which], cosine)


Mode: TypeAlias = Callable[[Pairs, Pairs], Pairs]  # best targets of all sources, best sources of all targets

retrievals: Registry[Mode] = Registry("retrieval mode")


def mine(forward: Neighbours, backward: Neighbours, *, margin: str = "ratio", retrieval: str = "max") -> Pairs:
    """Candidate pairs of N sources and M targets.

    forward, backward   each source's nearest targets [N, K], each target's nearest sources [M, K]
    margin              "ratio", "distance", "absolute" or "csls"
    retrieval           "max": the best of both directions, each sentence at most once; "forward", "backward": the best
                        for every source, or target; "intersection": pairs that are best in both directions

    Raises UnknownName for any other margin or mode.
    """
    mode = retrievals[retrieval]
    onward, back = best_partners(forward, backward.mean, margin), best_partners(backward, forward.mean, margin)
    return mode(onward, Pairs(back.target, back.source, back.score, back.cosine))


def best_partners(near: Neighbours, others: Scores, margin: str) -> Pairs:
    """For every query, in order, the neighbour with the highest margin; `others`: the base's mean similarity [M]."""
    own, partner = near.mean, np.empty(len(near.index), dtype=np.int64)
    score, cosine = np.empty(len(partner)), np.empty(len(partner), dtype=np.float32)
    for start in range(0, len(partner), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        scores = margin_scores(near.similarity[rows], own[rows, None], others[near.index[rows]], margin)  # [n, K]
        best = scores.argmax(axis=1)[:, None]
        partner[rows] = np.take_along_axis(near.index[rows], best, 1)[:, 0]
        score[rows] = np.take_along_axis(scores, best, 1)[:, 0]
        cosine[rows] = np.take_along_axis(near.similarity[rows], best, 1)[:, 0]
    return Pairs(np.arange(len(partner)), partner, score, cosine)


def one_to_one(source: Numbers, target: Numbers) -> Numbers:
    """The places, in order, of pairs that a greedy walk keeps: each pair whose sentences no earlier pair has taken.

    In rounds: a pair that is the first still there for both its sentences is kept by the walk whatever comes later, and
    everything else of those sentences goes.
    """
    kept, left = [np.empty(0, dtype=np.int64)], np.arange(len(source))
    first_source, first_target = (np.empty(int(side.max(initial=-1)) + 1, dtype=np.int64) for side in (source, target))
    free_source, free_target = np.ones(len(first_source), dtype=np.bool_), np.ones(len(first_target), dtype=np.bool_)
    for _ in range(ROUNDS):
        if not len(left):
            break
        sources, targets = source[left], target[left]
        first_source[sources[::-1]] = first_target[targets[::-1]] = left[::-1]  # of several, the last one written stays
        wins = left[(first_source[sources] == left) & (first_target[targets] == left)]
        free_source[source[wins]], free_target[target[wins]] = False, False
        kept.append(wins)
        left = left[free_source[sources] & free_target[targets]]
    for place in left:  # the walk itself, for what the rounds have not settled
        if free_source[source[place]] and free_target[target[place]]:
            free_source[source[place]] = free_target[target[place]] = False
            kept.append(np.array([place]))
    return np.sort(np.concatenate(kept))


@retrievals.register("max")
def _max(forward: Pairs, backward: Pairs) -> Pairs:
    """Both lists together, best first, skipping a sentence that already has a partner."""
    columns = [[pairs.source, pairs.target, pairs.score, pairs.cosine] for pairs in (forward, backward)]
    both = _best_first(Pairs(*map(np.concatenate, zip(*columns, strict=True))))
    return both.chosen(one_to_one(both.source, both.target))


@retrievals.register("forward")
def _forward(forward: Pairs, backward: Pairs) -> Pairs:
    return _best_first(forward)


@retrievals.register("backward")
def _backward(forward: Pairs, backward: Pairs) -> Pairs:
    return _best_first(backward)


@retrievals.register("intersection")
def _intersection(forward: Pairs, backward: Pairs) -> Pairs:
    return _best_first(forward.chosen(backward.source[forward.target] == forward.source))


def _best_first(pairs: Pairs) -> Pairs:
    return pairs.chosen(np.argsort(-pairs.score, kind="stable"))
