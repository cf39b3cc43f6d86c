"""Defaults by the number of vectors, the same cells for the same seed, and places that are always filled."""

import numpy as np
import pytest

from adapter_stilts.errors import UsageError
from adapter_stilts.retrieval.indexes import IndexSettings, default_lists, default_probes, indexes, sample_size
from adapter_stilts.retrieval.search import nearest


@pytest.mark.parametrize(("number", "lists"), [(1, 1), (100, 2), (10_000, 256), (1_000_000, 4000)])
def test_takes_four_root_n_cells_where_there_are_enough_vectors(number, lists):
    assert default_lists(number) == lists


@pytest.mark.parametrize(("lists", "probes"), [(1, 1), (8, 8), (20, 8), (256, 8), (4000, 125)])
def test_searches_one_cell_in_32_and_at_least_eight(lists, probes):
    assert default_probes(lists) == probes


@pytest.mark.parametrize(
    ("rows", "lists", "size"), [(50, None, 40), (1_000_000, None, 160_000), (1_000_000, 100, 4000), (60, 50, 60)]
)
def test_is_trained_on_forty_vectors_a_cell(rows, lists, size):
    assert sample_size(rows, IndexSettings(lists=lists)) == size


def test_finds_the_same_for_the_same_seed(make_units):
    queries, base = make_units(1, 30), make_units(2, 500)
    settings = IndexSettings(lists=20, probes=2, seed=7)
    one, other = (nearest(queries, base, 3, index="ivf", settings=settings) for _ in range(2))
    assert np.array_equal(one.index, other.index)


@pytest.mark.parametrize("name", ["ivf", "ivf-sq", "ivf-pq"])
def test_fills_every_place_though_a_cell_holds_fewer(make_units, name):
    queries, base = make_units(1, 30), make_units(2, 200)
    found = nearest(queries, base, 20, index=name, settings=IndexSettings(lists=50, probes=1))
    assert found.index.min() >= 0
    assert all(len(set(row)) == 20 for row in found.index.tolist())


@pytest.mark.parametrize("name", ["ivf", "ivf-sq", "ivf-pq"])
def test_says_nothing_on_stderr_about_few_training_vectors(make_units, capfd, name):
    indexes[name].train(make_units(2, 100), 100, IndexSettings(lists=30))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["ivf", "ivf-sq", "ivf-pq"])
@pytest.mark.parametrize("settings", [IndexSettings(lists=20), IndexSettings(lists=4, probes=5)])
def test_refuses_more_cells_than_vectors_or_probes_than_cells(make_units, name, settings):
    with pytest.raises(UsageError, match="lists and"):
        indexes[name].train(make_units(1, 10), 10, settings)
