"""Bitext mining from neighbours to pairs of lines, whoever read the two sides; and BUCC's pools as one way to read
them.

    pairs = mine_pools(source, target, pools, protocol)      pairs of rows, best first
    gold = gold_of(pools)                                    scored and cut by `gold.py`
    named(pairs.above(threshold), pools)                     as pairs of ids

Sentences are compared once per distinct text; of one that occurs several times XTREME drops the pairs (such gold pairs
can never be found), jiant and we give them every line of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from adapter_stilts.errors import StiltsError
from adapter_stilts.formats.pools import Pools
from adapter_stilts.retrieval.compared import Vectors
from adapter_stilts.retrieval.distinct import Distinct, distinct, duplicates
from adapter_stilts.retrieval.gold import Gold
from adapter_stilts.retrieval.mining import Pairs, mine
from adapter_stilts.retrieval.pooling import centred
from adapter_stilts.retrieval.protocols import Protocol
from adapter_stilts.retrieval.search import Neighbours, both_ways

IdPair: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class Searched:
    """The distinct sentences of two sides and the nearest of each on the other, of which any margin makes pairs."""

    left: Distinct
    right: Distinct
    forward: Neighbours
    backward: Neighbours


@dataclass(frozen=True)
class Candidates:
    """Pairs of distinct sentences, best first; `left_out` counts those that the rules do not let through, by reason."""

    texts: Pairs
    left: Distinct
    right: Distinct
    left_out: Mapping[str, int]

    def lines(self, way: str) -> Pairs:
        """As pairs of lines; `way` says what becomes of a text that occurs several times."""
        return duplicates[way](self.texts, self.left, self.right)


def candidates(searched: Searched, rules: Protocol) -> Candidates:
    """Scored pairs by the protocol's margin, retrieval mode and minimum."""
    pairs = mine(searched.forward, searched.backward, margin=rules.margin, retrieval=rules.retrieval)
    every, left_out = len(pairs), dict[str, int]()
    if rules.least is not None:
        pairs = pairs.chosen(pairs.score > rules.least)
        left_out[f"of a score of {rules.least:g} or less"] = every - len(pairs)
    return Candidates(pairs, searched.left, searched.right, left_out)


def mine_pools(source: Vectors, target: Vectors, pools: Pools, rules: Protocol) -> Pairs:
    """Candidate pairs of two pools from the unit vectors of their sentences, [N, H] and [M, H].

    Raises StiltsError where there is not one vector per sentence.
    """
    return candidates(search_pools(source, target, pools, rules), rules).lines(rules.duplicates)


def search_pools(source: Vectors, target: Vectors, pools: Pools, rules: Protocol) -> Searched:
    """Both searches; of centred sides the mean is that of their distinct sentences."""
    if (len(source), len(target)) != (len(pools.source), len(pools.target)):
        sentences = f"pools of {len(pools.source)} and {len(pools.target)} sentences"
        raise StiltsError(f"{len(source)} and {len(target)} vectors for {sentences}", do="give one vector per sentence")
    left, right = distinct(pools.source), distinct(pools.target)
    sides = [source[left.rows], target[right.rows]]
    if rules.centring:
        sides = [centred(side) for side in sides]
    return Searched(left, right, *both_ways(sides[0], sides[1], rules.k))


def gold_of(pools: Pools) -> Gold:
    """The gold pairs of two pools as rows."""
    places = [{id: row for row, id in enumerate(ids)} for ids in (pools.source_ids, pools.target_ids)]
    rows = [np.array([place[pair[side]] for pair in pools.gold], dtype=np.int64) for side, place in enumerate(places)]
    return Gold.of(rows[0], rows[1], len(pools.source_ids), len(pools.target_ids))


def named(pairs: Pairs, pools: Pools) -> list[IdPair]:
    """Pairs of rows as pairs of ids."""
    sources = (pools.source_ids[row] for row in pairs.source.tolist())
    return list(zip(sources, (pools.target_ids[row] for row in pairs.target.tolist()), strict=True))
