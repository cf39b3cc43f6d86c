"""The same search in pieces that others work on: a shard of the base and a span of the queries each.

    found = search_spread(queries, base, 4, hands=8, each=each)

`each` hands pieces out and gives back what `search_piece` found for them, in their order; who does the work is not known here. What is
found is what `search` finds: pieces are cut at the same places, and an approximate index is trained once, here, and sent along.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import faiss
import numpy as np
from numpy.typing import NDArray

from adapter_stilts.retrieval.blocks import Blocks, gathered
from adapter_stilts.retrieval.indexes.base import IndexSettings, indexes
from adapter_stilts.retrieval.saved import Saved
from adapter_stilts.retrieval.search import (
    Neighbours,
    Progress,
    Running,
    Steps,
    asked_for,
    asker,
    completed,
    possible,
    ranges,
    trained_for,
)

Trained: TypeAlias = NDArray[np.uint8]

PIECES_A_HAND = 2  # at least, so that a slow one does not keep all waiting


@dataclass(frozen=True)
class Piece:
    """Rows of the base that make a shard, and rows of the queries."""

    base: tuple[int, int]
    queries: tuple[int, int]


Each: TypeAlias = Callable[[Trained | None, Iterable[Piece]], Iterator[Running]]


def search_spread(
    queries: Blocks,
    base: Blocks,
    k: int,
    *,
    hands: int,
    each: Each,
    index: str = "exact",
    settings: IndexSettings | None = None,
    steps: Steps | None = None,
    saved: Saved | None = None,
    progress: Progress | None = None,
) -> Neighbours:
    """As `search`. After a kill it goes on at the first piece that is not saved."""
    k, kind, steps, settings = possible(queries, base, k), indexes[index], steps or Steps(), settings or IndexSettings()
    found, pieces = Running.empty(queries.rows, base.rows, k, kind), pieces_of(queries.rows, base.rows, steps, hands)
    done = saved.load(found.arrays) if saved else 0
    if done < len(pieces):
        trained = trained_for(base, kind, settings)
        left = pieces[done:]
        for piece, new in zip(left, each(None if trained is None else faiss.serialize_index(trained), left), strict=True):
            found.take(slice(*piece.queries), new, piece.base[0])
            done += 1
            if progress is not None:
                progress(done, len(pieces))
            if saved:
                saved.offer(done, found.arrays)
        if saved:
            saved.save(done, found.arrays)
    return completed(found.best(k), queries, base, steps)


def pieces_of(queries: int, base: int, steps: Steps, hands: int) -> list[Piece]:
    """Shard after shard, each with the queries in spans of whole blocks, so many that every hand has work."""
    shards = steps.shards(base)
    blocks = math.ceil(queries / steps.query_rows)
    spans = min(blocks, math.ceil(PIECES_A_HAND * hands / len(shards)))
    size = math.ceil(blocks / spans) * steps.query_rows
    return [Piece(shard, span) for shard in shards for span in ranges(queries, size)]


def search_piece(
    queries: Blocks, base: Blocks, k: int, piece: Piece, *, index: str, settings: IndexSettings, steps: Steps, trained: Trained | None
) -> Running:
    """What one piece gives; its rows of the base count from the shard's first."""
    kind, k = indexes[index], min(k, base.rows)
    shard = gathered(base, *piece.base)
    first, last = piece.queries
    found = Running.empty(last - first, base.rows, k, kind)
    ask = asker(kind, None if trained is None else faiss.deserialize_index(np.array(trained)), shard)
    for start, stop in ranges(last - first, steps.query_rows):
        found.take(slice(start, stop), asked_for(ask, shard, queries.block(first + start, first + stop), kind, k), 0)
    return found
