"""Retrieval with a known partner: row i of one side is the translation of row i of the other.

XTREME's headline takes every English sentence, finds its nearest foreign sentence by cosine, and counts how often it is
the right one: no margin, no centring. The other direction, the mean of both and the margin variants are reported beside
it under names of their own. The order of the files is kept, so the right answer of line i is i; XTREME sorts the
English side, which changes neither neighbours nor score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adapter_stilts.errors import StiltsError
from adapter_stilts.retrieval.compared import Numbers, Vectors
from adapter_stilts.retrieval.gold import Measured, accuracy
from adapter_stilts.retrieval.mining import best_partners
from adapter_stilts.retrieval.pooling import centred
from adapter_stilts.retrieval.protocols import Protocol
from adapter_stilts.retrieval.search import Neighbours, both_ways


@dataclass(frozen=True)
class Tatoeba:
    """The headline first; `predictions` [N] is the number of the sentence found for each of its queries."""

    measures: tuple[Measured, ...]
    predictions: Numbers


def tatoeba(foreign: Vectors, english: Vectors, protocol: Protocol) -> Tatoeba:
    """Score unit vectors of aligned sentences, [N, H] each.

    Metrics: accuracy (the protocol's direction), accuracy-xx-en (the other), accuracy-mean, and with the protocol's
    margin over its k neighbours accuracy-margin, accuracy-margin-xx-en and accuracy-margin-mean. Raises StiltsError
    where the sides have different numbers of rows.
    """
    if len(foreign) != len(english):
        what = f"{len(foreign)} foreign and {len(english)} English vectors"
        raise StiltsError(what, do="give one vector per line of two aligned files")
    queries, others = _searched(foreign, english, protocol)
    plain = (queries.index[:, 0], others.index[:, 0])
    onward = best_partners(queries, others.mean, protocol.margin).target
    margin = (onward, best_partners(others, queries.mean, protocol.margin).target)
    back = "xx-en" if protocol.direction == "en->xx" else "en-xx"
    return Tatoeba((*_measures("accuracy", *plain, back), *_measures("accuracy-margin", *margin, back)), plain[0])


def partners(foreign: Vectors, english: Vectors, protocol: Protocol, margins: Sequence[str]) -> dict[str, Numbers]:
    """The number of the sentence found for each query of the protocol's direction [N], by margin, from one search.

    The margin "absolute" is the plain cosine.
    """
    queries, others = _searched(foreign, english, protocol)
    return {margin: best_partners(queries, others.mean, margin).target for margin in margins}


def _searched(foreign: Vectors, english: Vectors, protocol: Protocol) -> tuple[Neighbours, Neighbours]:
    """The neighbours of the headline's queries, and those of the other direction's."""
    if protocol.centring:
        foreign, english = centred(foreign), centred(english)
    to_foreign, to_english = both_ways(english, foreign, protocol.k)
    return (to_foreign, to_english) if protocol.direction == "en->xx" else (to_english, to_foreign)


def _measures(name: str, onward: Numbers, back: Numbers, direction: str) -> tuple[Measured, Measured, Measured]:
    gold = np.arange(len(onward))
    first, second = accuracy(name, onward == gold), accuracy(f"{name}-{direction}", back == gold)
    mean = Measured(f"{name}-mean", (first.score + second.score) / 2, first.n, first.units + second.units, "ratio")
    return first, second, mean
