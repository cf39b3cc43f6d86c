"""A search in pieces finds what a search in one process finds, whoever does the pieces."""

from itertools import pairwise

import numpy as np
import pytest

from adapter_stilts.errors import UsageError
from adapter_stilts.retrieval.blocks import Held
from adapter_stilts.retrieval.indexes import IndexSettings
from adapter_stilts.retrieval.saved import Saved
from adapter_stilts.retrieval.search import Steps, Way, Workers, pieces_of, search, search_piece


@pytest.fixture
def sides(make_units):
    return Held(make_units(1, 300)), Held(make_units(2, 410))


def here(queries, base, k, way, asked=None):
    """`each` in this process."""

    def each(trained, pieces):
        for piece in pieces:
            if asked is not None:
                asked.append(piece)
            yield search_piece(queries, base, k, way, piece, trained)

    return each


@pytest.mark.parametrize("index", ["exact", "ivf", "ivf-sq", "ivf-pq", "hnsw"])
@pytest.mark.parametrize(
    ("base_rows", "query_rows", "hands"), [(1 << 62, 64, 1), (100, 64, 3), (37, 1000, 2), (410, 7, 50)]
)
def test_finds_what_one_process_finds(sides, index, base_rows, query_rows, hands):
    settings = IndexSettings(probes=3 if index.startswith("ivf") else None)
    way = Way(index, settings, Steps(base_rows, query_rows))
    expected = search(*sides, 4, way)
    found = search(*sides, 4, way, workers=Workers(hands, here(*sides, 4, way)))
    assert np.array_equal(found.index, expected.index)
    assert np.array_equal(found.similarity, expected.similarity)


@pytest.mark.parametrize(("queries", "base", "hands"), [(1, 1, 8), (1000, 10, 3), (64, 9000, 2), (6400, 41000, 16)])
def test_gives_every_query_every_shard_once(queries, base, hands):
    steps = Steps(8192, 64)
    pieces = pieces_of(queries, base, steps, hands)
    for shard in {piece.base for piece in pieces}:
        spans = sorted(piece.queries for piece in pieces if piece.base == shard)
        assert spans[0][0] == 0
        assert spans[-1][1] == queries
        assert all(one[1] == other[0] for one, other in pairwise(spans))
        assert all(start % 64 == 0 for start, _ in spans)
    assert len(pieces) >= min(2 * hands, -(-queries // 64))


def test_goes_on_at_the_first_piece_that_is_not_saved(sides, tmp_path):
    steps, asked = Steps(100, 64), []
    way = Way(steps=steps)
    saved = Saved(tmp_path / "state.npz", "this", seconds=0)
    with pytest.raises(KeyboardInterrupt):
        search(*sides, 4, way, workers=Workers(3, _stops_after(here(*sides, 4, way), 7)), saved=saved)
    found = search(*sides, 4, way, workers=Workers(3, here(*sides, 4, way, asked)), saved=saved)
    pieces = pieces_of(300, 410, steps, 3)
    assert asked == pieces[7:]
    assert np.array_equal(found.index, search(*sides, 4).index)


def test_refuses_no_neighbours(sides):
    with pytest.raises(UsageError, match="0 neighbours"):
        search(*sides, 0, workers=Workers(1, here(*sides, 0, Way())))


def _stops_after(each, number):
    def stops(trained, pieces):
        for done, found in enumerate(each(trained, pieces)):
            if done == number:
                raise KeyboardInterrupt
            yield found

    return stops
