"""Retrieval with a known partner: row i of one side is the translation of row i of the other.

XTREME's headline takes every English sentence, finds its nearest foreign sentence by cosine, and counts how often it is
the right one: no margin, no centring. The other direction, the mean of both and the margin variants are reported beside
it under names of their own. The order of the files is kept, so the right answer of line i is i; XTREME sorts the
English side, which changes neither neighbours nor score.

Under `own` a sentence that says what the right one says is right as well: of two equal lines a search can only find
one. The published protocols count the right line alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from adapter_stilts.errors import StiltsError
from adapter_stilts.retrieval.compared import Flags, Numbers, Vectors
from adapter_stilts.retrieval.gold import Measured, accuracy
from adapter_stilts.retrieval.mining import best_partners
from adapter_stilts.retrieval.pooling import centred
from adapter_stilts.retrieval.protocols import Protocol
from adapter_stilts.retrieval.search import Neighbours, both_ways

Texts: TypeAlias = tuple[Sequence[str], Sequence[str]]  # of both sides, line by line


@dataclass(frozen=True)
class Tatoeba:
    """The headline first; `predictions` [N] is the number of the sentence found for each of its queries."""

    measures: tuple[Measured, ...]
    predictions: Numbers


def tatoeba(foreign: Vectors, english: Vectors, protocol: Protocol, texts: Texts | None = None) -> Tatoeba:
    """Score unit vectors of aligned sentences, [N, H] each. texts: both sides, for a protocol that counts by text.

    Metrics: accuracy (the protocol's direction), accuracy-xx-en (the other), accuracy-mean, and with the protocol's
    margin over its k neighbours accuracy-margin, accuracy-margin-xx-en and accuracy-margin-mean. Raises StiltsError
    where the sides have different numbers of rows.
    """
    if len(foreign) != len(english):
        what = f"{len(foreign)} foreign and {len(english)} English vectors"
        raise StiltsError(what, do="give one vector per line of two aligned files")
    queries, others = _searched(foreign, english, protocol)
    plain = (queries.index[:, 0], others.index[:, 0])
    margin = [
        best_partners(*sides, protocol.margin).target for sides in ((queries, others.mean), (others, queries.mean))
    ]
    onward = texts if protocol.direction == "xx->en" or texts is None else texts[::-1]
    ways = (onward, None if onward is None else onward[::-1])
    back = "xx-en" if protocol.direction == "en->xx" else "en-xx"
    measures: list[Measured] = []
    for name, both in (("accuracy", plain), ("accuracy-margin", margin)):
        rights = [right_answers(found, way, protocol) for found, way in zip(both, ways, strict=True)]
        measures += _measures(name, rights[0], rights[1], back)
    return Tatoeba(tuple(measures), plain[0])


def right_answers(found: Numbers, texts: Texts | None, protocol: Protocol) -> Flags:
    """Which queries found their translation, [N]; texts: those of the queries, and of what they search."""
    if texts is None or not protocol.by_text:
        return np.asarray(found == np.arange(len(found)))
    queries, answers = texts
    known = set(zip(queries, answers, strict=True))
    pairs = zip(queries, found.tolist(), strict=True)
    return np.array([(query, answers[number]) in known for query, number in pairs], dtype=np.bool_)


def repeated(texts: Texts) -> int:
    """How many lines have a sentence, on either side, that an earlier line has."""
    seen: tuple[set[str], set[str]] = (set(), set())
    count = 0
    for pair in zip(*texts, strict=True):
        count += any(text in side for text, side in zip(pair, seen, strict=True))
        for text, side in zip(pair, seen, strict=True):
            side.add(text)
    return count


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


def _measures(name: str, onward: Flags, back: Flags, direction: str) -> tuple[Measured, Measured, Measured]:
    first, second = accuracy(name, onward), accuracy(f"{name}-{direction}", back)
    mean = Measured(f"{name}-mean", (first.score + second.score) / 2, first.n, first.units + second.units, "ratio")
    return first, second, mean
