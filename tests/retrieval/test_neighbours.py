"""Neighbours are checked against a full matrix sorted by NumPy, with the lower number first among equals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.errors import StiltsError, UnknownName, UsageError
from adapter_stilts.retrieval.blocks import Held
from adapter_stilts.retrieval.indexes import IndexSettings
from adapter_stilts.retrieval.search import Steps, both_ways, nearest, recall


def brute_force(queries, base, k):
    cosines = queries.astype(np.float64) @ base.astype(np.float64).T
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(cosines, order, 1), order


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n", "m", "k"), [(30, 50, 4), (1, 7, 3), (25, 3, 4)])
def test_finds_what_a_full_matrix_finds(make_units, seed, n, m, k):
    queries, base = make_units(seed, n), make_units(seed + 100, m)
    found = nearest(queries, base, k)
    similarity, index = brute_force(queries, base, min(k, m))
    assert np.array_equal(found.index, index)
    np.testing.assert_allclose(found.similarity, similarity, atol=1e-6)
    np.testing.assert_allclose(found.mean, similarity.mean(1), atol=1e-6)


@given(seed=st.integers(0, 10_000), n=st.integers(1, 40), m=st.integers(1, 90), k=st.integers(1, 6))
def test_puts_the_lower_number_first_among_equals(make_tied, seed, n, m, k):
    queries, base = make_tied(seed, n), make_tied(seed + 1, m)
    found = nearest(queries, base, k)
    similarity, index = brute_force(queries, base, min(k, m))
    assert np.array_equal(found.index, index)
    assert np.array_equal(found.similarity, similarity)


def test_settles_a_tie_among_all_vectors(make_units):
    same = np.repeat(make_units(1, 1), 300, axis=0)
    assert np.array_equal(nearest(same[:5], same, 3).index, [[0, 1, 2]] * 5)


@pytest.mark.parametrize("make", ["make_units", "make_tied"])
def test_gives_the_same_from_shards_as_from_one_index(request, make):
    make = request.getfixturevalue(make)
    queries, base = make(3, 20), make(4, 64)
    whole, parts = nearest(queries, base, 4), nearest(queries, base, 4, steps=Steps(7))
    assert np.array_equal(whole.index, parts.index)
    np.testing.assert_allclose(whole.similarity, parts.similarity, atol=1e-6)


def test_reads_a_memory_map(make_units, tmp_path):
    base = make_units(2, 60)
    np.save(tmp_path / "base.npy", base)
    mapped = np.load(tmp_path / "base.npy", mmap_mode="r")
    assert np.array_equal(nearest(mapped, mapped, 2).index[:, 0], np.arange(60))


def test_searches_both_ways(make_units):
    source, target = make_units(1, 12), make_units(2, 9)
    forward, backward = both_ways(source, target, 3)
    assert np.array_equal(forward.index, brute_force(source, target, 3)[1])
    assert np.array_equal(backward.index, brute_force(target, source, 3)[1])


def test_refuses_sides_of_different_width(make_units):
    with pytest.raises(StiltsError, match=r"shapes \[3, 24\] and \[3, 16\]"):
        nearest(make_units(1, 3), make_units(1, 3, 16), 1)


def test_refuses_an_empty_side(make_units):
    with pytest.raises(StiltsError, match=r"shapes \[0, 24\]"):
        nearest(make_units(1, 0), make_units(1, 3), 1)


def test_refuses_no_neighbours(make_units):
    with pytest.raises(UsageError, match="0 neighbours"):
        nearest(make_units(1, 3), make_units(1, 3), 0)


def test_suggests_the_nearest_index(make_units):
    with pytest.raises(UnknownName, match="did you mean 'exact'"):
        nearest(make_units(1, 3), make_units(1, 3), 1, index="exactt")


@pytest.mark.parametrize("probes", [1, 4, 16])
def test_never_finds_anything_nearer_than_exact_does(make_units, probes):
    queries, base = make_units(5, 40), make_units(6, 700)
    found = nearest(queries, base, 4, index="ivf", settings=IndexSettings(lists=16, probes=probes))
    exact = nearest(queries, base, 4)
    assert (found.similarity <= exact.similarity + 1e-6).all()
    assert recall(found, Held(queries), Held(base)) == np.mean(
        [len(set(a) & set(b)) / 4 for a, b in zip(found.index.tolist(), exact.index.tolist(), strict=True)]
    )


def test_is_exact_when_every_cell_is_searched(make_units):
    queries, base = make_units(5, 40), make_units(6, 700)
    found = nearest(queries, base, 4, index="ivf", settings=IndexSettings(lists=16, probes=16))
    assert recall(found, Held(queries), Held(base)) == 1.0
