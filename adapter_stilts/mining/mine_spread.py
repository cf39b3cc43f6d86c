"""The search of a mining spread over a cluster: workers open the vectors by their paths and send back neighbours.

A worker holds one shard of the base and a block of queries, and refuses a shard that would take it over the limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.errors import ArtefactError, DoesNotFit
from adapter_stilts.mining.cluster import Cluster, check_visible
from adapter_stilts.retrieval.blocks import Blocks, Centred, Chosen
from adapter_stilts.retrieval.compared import Numbers
from adapter_stilts.retrieval.indexes.base import IndexSettings, indexes
from adapter_stilts.retrieval.room import GB, Sizes, peak, resident
from adapter_stilts.retrieval.search import Running, Steps
from adapter_stilts.retrieval.spread import Each, Piece, Trained, search_piece
from adapter_stilts.retrieval.vectors import open_vectors


@dataclass(frozen=True)
class SideSpec:
    """Where a side's vectors lie, and what they must be; which rows are searched, and their mean, travel apart."""

    path: Path
    rows: int
    dimension: int
    text: str


@dataclass(frozen=True)
class SearchSpec:
    """How a piece is searched."""

    k: int
    index: str
    settings: IndexSettings
    steps: Steps
    limit: float


def each_of(hands: Cluster, queries: Blocks, base: Blocks, spec: SearchSpec) -> Each:
    """A function that has pieces searched by the cluster."""
    sides = [_parts(hands, side) for side in (queries, base)]

    def each(trained: Trained | None, pieces: Iterable[Piece]) -> Iterator[Running]:
        index = None if trained is None else hands.share(trained)
        return hands.each(found_by_worker, ((*sides[0], *sides[1], spec, index, piece) for piece in pieces))

    return each


def found_by_worker(
    left: SideSpec,
    left_rows: Numbers,
    left_mean: NDArray[np.float64] | None,
    right: SideSpec,
    right_rows: Numbers,
    right_mean: NDArray[np.float64] | None,
    spec: SearchSpec,
    trained: Trained | None,
    piece: Piece,
) -> Running:
    """For a worker: one piece. Raises MissingError for vectors it cannot see, ArtefactError for others in their place, DoesNotFit over the limit."""
    check_visible((left.path, right.path))
    kind, held = indexes[spec.index], resident()
    shard = Steps(piece.base[1] - piece.base[0], spec.steps.query_rows)
    needed = peak(Sizes(piece.queries[1] - piece.queries[0], shard.base_rows, left.dimension, spec.k), kind, shard, held, spec.settings)
    if needed > spec.limit:
        what = f"a worker needs {needed / GB:.2f} GB for a shard of {shard.base_rows} vectors and has {held / GB:.2f} GB already, the limit is"
        raise DoesNotFit(f"{what} {spec.limit / GB:.2f} GB", do="raise --limit-gb")
    sides = [_opened(*side) for side in ((left, left_rows, left_mean), (right, right_rows, right_mean))]
    return search_piece(sides[0], sides[1], spec.k, piece, index=spec.index, settings=spec.settings, steps=spec.steps, trained=trained)


def _parts(hands: Cluster, side: Blocks) -> tuple[Any, Any, Any]:
    """A side of `mine_search.centred` as what travels: where it lies, its rows, its mean."""
    whole, mean = (side.whole, side.mean) if isinstance(side, Centred) else (side, None)
    assert isinstance(whole, Chosen)
    stored: Any = whole.whole
    spec = SideSpec(stored.path.resolve(), stored.rows, stored.dimension, str(stored.made.get("text", "")))
    return spec, hands.share(whole.numbers), mean


def _opened(spec: SideSpec, rows: Numbers, mean: NDArray[np.float64] | None) -> Blocks:
    vectors = open_vectors(spec.path)
    if (vectors.rows, vectors.dimension, str(vectors.made.get("text", ""))) != (spec.rows, spec.dimension, spec.text):
        do = "make the folders of all nodes the same, or put them on a file system that all share"
        raise ArtefactError("a worker of the cluster has other vectors there", where=str(spec.path), do=do)
    chosen = Chosen(vectors, rows)
    return chosen if mean is None else Centred(chosen, mean)
