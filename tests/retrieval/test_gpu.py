"""What happens where FAISS sees graphics processors, with its processor standing in for them."""

import faiss
import numpy as np
import pytest

from adapter_stilts.retrieval import gpu
from adapter_stilts.retrieval.indexes import IndexSettings
from adapter_stilts.retrieval.search import Steps, nearest


@pytest.fixture
def moved(monkeypatch):
    """The indexes that were moved to a GPU; there they are copies on the processor."""
    found = []

    def move(index):
        found.append(type(index).__name__)
        return faiss.clone_index(index)

    monkeypatch.setattr(gpu, "gpus", lambda: 1)
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", move, raising=False)
    return found


@pytest.mark.parametrize(("name", "kind"), [("exact", "IndexFlatIP"), ("ivf", "IndexIVFFlat")])
def test_searches_there(make_units, monkeypatch, moved, name, kind):
    queries, base = make_units(1, 20), make_units(2, 400)
    chosen = {"index": name, "settings": IndexSettings(lists=8, probes=3), "steps": Steps(150)}
    there = nearest(queries, base, 4, **chosen)
    assert moved == [kind] * 3
    monkeypatch.setattr(gpu, "gpus", lambda: 0)
    here = nearest(queries, base, 4, **chosen)
    assert np.array_equal(there.index, here.index)
    assert np.array_equal(there.similarity, here.similarity)


def test_settles_long_ties_on_the_processor(make_units, monkeypatch, moved):
    monkeypatch.setattr(gpu, "MOST", 8)
    base = np.repeat(make_units(2, 1), 100, axis=0)
    assert nearest(base[:3], base, 4).index.tolist() == [[0, 1, 2, 3]] * 3


@pytest.mark.parametrize("name", ["hnsw", "ivf-pq", "ivf-sq"])
def test_leaves_other_indexes_on_the_processor(make_units, moved, name):
    nearest(make_units(1, 20), make_units(2, 200), 4, index=name)
    assert moved == []


def test_sees_none_in_the_build_for_processors():
    assert gpu.gpus() == 0 or hasattr(faiss, "StandardGpuResources")
