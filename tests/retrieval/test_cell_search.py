"""Cells searched by matrix products give what FAISS gives, which walks through the same cells."""

from __future__ import annotations

import faiss
import numpy as np
import pytest

from adapter_stilts.retrieval import cell_search
from adapter_stilts.retrieval.cell_search import InCells, beside
from adapter_stilts.retrieval.indexes import IndexSettings, indexes


@pytest.fixture
def cells(make_units):
    """`cells(rows, lists, probes)`: a trained index, and vectors that are not yet in it."""

    def make(rows: int, lists: int, probes: int):
        base = make_units(rows, rows, 24)
        return indexes["ivf"].train(base, rows, IndexSettings(lists=lists, probes=probes)), base

    return make


@pytest.mark.parametrize(
    ("rows", "lists", "probes", "width"), [(900, 20, 3, 8), (900, 20, 20, 5), (5000, 100, 7, 12), (60, 30, 1, 1)]
)
def test_finds_what_faiss_finds_in_the_same_cells(cells, make_units, rows, lists, probes, width):
    trained, base = cells(rows, lists, probes)
    queries = make_units(7, 211, 24)
    similarity, places = InCells(trained, base)(queries, width)
    assert trained.ntotal == 0
    trained.add(base)
    expected, indices = trained.search(queries, width)
    assert np.array_equal(places, indices)
    assert np.allclose(similarity[places >= 0], expected[indices >= 0], atol=1e-6)
    assert np.all(np.isneginf(similarity[places < 0]))


def test_finds_the_nearest_of_all_where_every_cell_is_searched(cells, make_units):
    trained, base = cells(700, 10, 10)
    queries = make_units(3, 50, 24)
    similarity, places = InCells(trained, base)(queries, 6)
    assert np.array_equal(places, np.argsort(-(queries @ base.T), axis=1, kind="stable")[:, :6])
    assert np.all(np.diff(similarity, axis=1) <= 0)


def test_finds_the_same_however_many_candidates_are_held(cells, make_units, monkeypatch):
    trained, base = cells(900, 30, 9)
    queries = make_units(5, 97, 24)
    ask = InCells(trained, base)
    whole = ask(queries, 10)
    monkeypatch.setattr(cell_search, "FOUND", 9 * 10 * 4)  # four queries at a time
    monkeypatch.setattr(cell_search, "ORDERED", 90)
    assert all(np.array_equal(one, other) for one, other in zip(ask(queries, 10), whole, strict=True))


def test_takes_no_more_memory_for_more_queries_than_it_holds_candidates_of():
    assert beside(100, 8, 10) == 100 * 8 * (80 + 24) + 100 * 8 * 10 * 24 + (64 << 20)
    assert beside(10**9, 125, 8) == beside(10**8, 125, 8)


@pytest.mark.parametrize("lists", [1, 3, 30])
def test_finds_the_same_however_few_vectors_of_a_cell_are_compared_at_once(cells, make_units, monkeypatch, lists):
    trained, base = cells(900, lists, lists)
    queries = make_units(5, 97, 24)
    ask = InCells(trained, base)
    whole, places = ask(queries, 10)
    monkeypatch.setattr(cell_search, "LEAST", 7)
    monkeypatch.setattr(cell_search, "AT_ONCE", 7)
    similarity, again = ask(queries, 10)
    assert np.array_equal(again, places)
    assert np.allclose(similarity, whole, atol=1e-6)


def test_never_copies_a_whole_cell(cells, make_units, monkeypatch):
    trained, base = cells(3000, 1, 1)
    monkeypatch.setattr(cell_search, "AT_ONCE", 1 << 12)
    queries, seen, knn = make_units(5, 2500, 24), [], faiss.knn

    def watched(some, part, *rest, **more):
        seen.append((len(some), len(part)))
        return knn(some, part, *rest, **more)

    monkeypatch.setattr(faiss, "knn", watched)
    InCells(trained, base)(queries, 4)
    assert sum(one * other for one, other in seen) == 2500 * 3000
    assert max(max(pair) for pair in seen) == cell_search.LEAST
