"""From neighbours in both directions to scored pairs, best first.

    forward, backward = both_ways(source, target, k=4)
    pairs = mine(forward, backward, margin="ratio", retrieval="max")
    pairs.source[0], pairs.target[0], pairs.score[0]        the best pair, as row numbers

Each sentence's best partner is the one with the highest margin among its K neighbours. The similarities are those that the search
returned: nothing is computed again pair by pair. Among equal scores the forward pair and the lower number come first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.registry import Registry
from adapter_stilts.retrieval.margin import margin_scores
from adapter_stilts.retrieval.neighbours import Neighbours

Numbers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """Scored pairs of row numbers, best first."""

    source: Numbers  # [P]
    target: Numbers  # [P]
    score: NDArray[np.float32]  # [P]

    def __len__(self) -> int:
        return len(self.score)

    def above(self, threshold: float) -> Pairs:
        """Those that score at least `threshold`."""
        return self._chosen(self.score.astype(np.float64) >= threshold)

    def over(self, minimum: float) -> Pairs:
        """Those that score more than `minimum`."""
        return self._chosen(self.score.astype(np.float64) > minimum)

    def _chosen(self, which: NDArray[np.bool_] | Numbers) -> Pairs:
        return Pairs(self.source[which], self.target[which], self.score[which])


Mode: TypeAlias = Callable[[Pairs, Pairs], Pairs]  # best targets of all sources, best sources of all targets

retrievals: Registry[Mode] = Registry("retrieval mode")


def mine(forward: Neighbours, backward: Neighbours, *, margin: str = "ratio", retrieval: str = "max") -> Pairs:
    """Candidate pairs of N sources and M targets.

    forward, backward   each source's nearest targets [N, K], each target's nearest sources [M, K]
    margin              "ratio", "distance" or "absolute"
    retrieval           "max": the best of both directions, each sentence at most once; "forward", "backward": the best for every
                        source, or target; "intersection": pairs that are best in both directions

    Raises UnknownName for any other margin or mode.
    """
    mode = retrievals[retrieval]
    onward, back = best_partners(forward, backward.mean, margin), best_partners(backward, forward.mean, margin)
    return mode(onward, Pairs(back.target, back.source, back.score))


def best_partners(found: Neighbours, others: NDArray[np.float32], margin: str) -> Pairs:
    """For every query, in order, the neighbour with the highest margin; `others` is the base sentences' own mean similarity [M]."""
    scores = margin_scores(found.similarity, found.mean[:, None], others[found.index], margin)  # [N, K]
    best = scores.argmax(axis=1)[:, None]
    partner, score = np.take_along_axis(found.index, best, 1)[:, 0], np.take_along_axis(scores, best, 1)[:, 0]
    return Pairs(np.arange(len(partner)), partner, score)


def score_pairs(
    source: NDArray[np.float32], target: NDArray[np.float32], forward: Neighbours, backward: Neighbours, margin: str = "ratio"
) -> NDArray[np.float32]:
    """The margin of given pairs, row i of `source` [P, H] with row i of `target` [P, H], against their neighbourhoods."""
    cosine = np.einsum("ph,ph->p", source, target, dtype=np.float32)
    return margin_scores(cosine, forward.mean, backward.mean, margin)


@retrievals.register("max")
def _max(forward: Pairs, backward: Pairs) -> Pairs:
    """Both lists together, best first, skipping a sentence that already has a partner."""
    both = _best_first(_joined(forward, backward))
    free_source, free_target = bytearray(b"\1") * (int(both.source.max()) + 1), bytearray(b"\1") * (int(both.target.max()) + 1)
    kept = []
    for place, (source, target) in enumerate(zip(both.source.tolist(), both.target.tolist(), strict=True)):
        if free_source[source] and free_target[target]:
            free_source[source] = free_target[target] = 0
            kept.append(place)
    return both._chosen(np.array(kept, dtype=np.int64))


@retrievals.register("forward")
def _forward(forward: Pairs, backward: Pairs) -> Pairs:
    return _best_first(forward)


@retrievals.register("backward")
def _backward(forward: Pairs, backward: Pairs) -> Pairs:
    return _best_first(backward)


@retrievals.register("intersection")
def _intersection(forward: Pairs, backward: Pairs) -> Pairs:
    return _best_first(forward._chosen(backward.source[forward.target] == forward.source))


def _joined(one: Pairs, other: Pairs) -> Pairs:
    return Pairs(np.concatenate([one.source, other.source]), np.concatenate([one.target, other.target]), np.concatenate([one.score, other.score]))


def _best_first(pairs: Pairs) -> Pairs:
    return pairs._chosen(np.argsort(-pairs.score, kind="stable"))
