"""A search in shards, on disk, killed and resumed, compressed or not: against a full matrix in double precision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_stilts.errors import ArtefactError, DoesNotFit, StiltsError, UsageError
from adapter_stilts.retrieval.blocks import Chosen, Held, gathered
from adapter_stilts.retrieval.compared import similarities
from adapter_stilts.retrieval.indexes import IndexSettings, indexes
from adapter_stilts.retrieval.saved import Saved
from adapter_stilts.retrieval.search import Steps, Way, nearest, recall, search

APPROXIMATE = ["hnsw", "ivf", "ivf-pq", "ivf-sq"]


def brute_force(queries, base, k):
    """Cosines in double precision, rounded once; the lower row first among equals."""
    cosines = (queries.astype(np.float64)[:, None, :] * base.astype(np.float64)[None]).sum(-1).astype(np.float32)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(cosines, order, 1), order


def same(one, other):
    assert np.array_equal(one.index, other.index)
    assert np.array_equal(one.similarity, other.similarity)


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 30),
    m=st.integers(1, 70),
    k=st.integers(1, 6),
    rows=st.integers(1, 80),
    block=st.integers(1, 40),
)
def test_finds_the_same_bits_whatever_the_shards(make_units, seed, n, m, k, rows, block):
    queries, base = make_units(seed, n), make_units(seed + 1, m)
    base[m // 2 :] = base[: m - m // 2]  # repeated vectors, across shards
    found = search(Held(queries), Held(base), k, Way(steps=Steps(rows, block)))
    similarity, index = brute_force(queries, base, min(k, m))
    assert np.array_equal(found.index, index)
    assert np.array_equal(found.similarity, similarity)


def test_tells_vectors_apart_that_differ_in_the_last_bit(make_units):
    query = make_units(1, 1, 300)
    base = np.repeat(query, 200, axis=0)
    base[np.arange(200), np.arange(200)] += np.float32(1e-7) * np.random.default_rng(1).choice([-1, 0, 1], 200).astype(
        np.float32
    )
    found = search(Held(query), Held(base), 4, Way(steps=Steps(64)))
    similarity, index = brute_force(query, base, 4)
    assert np.array_equal(found.index, index)
    assert np.array_equal(found.similarity, similarity)


@pytest.mark.parametrize("name", ["exact", "ivf", "ivf-sq", "ivf-pq"])
def test_finds_the_same_from_large_shards_with_every_index(make_units, name):
    queries, base = make_units(1, 64, 16), make_units(2, 9000, 16)
    chosen = IndexSettings(lists=32, probes=4)
    whole = search(Held(queries), Held(base), 4, Way(name, chosen))
    for rows in (4096, 8500):
        same(whole, search(Held(queries), Held(base), 4, Way(name, chosen, Steps(rows))))


@pytest.mark.parametrize("name", APPROXIMATE)
@settings(max_examples=8)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 30), m=st.integers(1, 900), k=st.integers(1, 5))
def test_never_finds_anything_nearer_than_exact_does(make_units, name, seed, n, m, k):
    queries, base = make_units(seed, n, 16), make_units(seed + 1, m, 16)
    found, exact = nearest(queries, base, k, index=name), nearest(queries, base, k)
    assert (found.similarity <= exact.similarity).all()
    assert np.array_equal(found.similarity, similarities(queries, base, found.index))
    assert (np.diff(found.similarity, axis=1) <= 0).all()
    assert all(len(set(row)) == len(row) for row in found.index.tolist())


@pytest.mark.parametrize("name", APPROXIMATE)
def test_finds_most_of_what_exact_finds(make_units, name):
    base = make_units(2, 4000, 32)
    queries = base[:200] + 0.1 * make_units(3, 200, 32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    found = nearest(queries, base, 1, index=name)
    assert recall(found, Held(queries), Held(base)) > 0.9
    assert (found.index[:, 0] == np.arange(200)).mean() > 0.9


@pytest.mark.parametrize("name", ["exact", "ivf-pq"])
def test_goes_on_where_it_was_saved(make_units, tmp_path, name):
    queries, base = make_units(1, 50, 16), make_units(2, 300, 16)
    chosen = Way(name, IndexSettings(lists=4, probes=2), Steps(100, 20))
    whole = search(Held(queries), Held(base), 3, chosen)
    for stop in range(1, 9):
        told = []

        def kill(done, total, stop=stop, told=told):
            told.append((done, total))
            if len(told) == stop:
                raise KeyboardInterrupt

        path = tmp_path / f"{stop}.npz"
        with pytest.raises(KeyboardInterrupt):
            search(Held(queries), Held(base), 3, chosen, saved=Saved(path, "it", seconds=0), progress=kill)
        again = []
        same(
            whole,
            search(
                Held(queries),
                Held(base),
                3,
                chosen,
                saved=Saved(path, "it"),
                progress=lambda done, total, again=again: again.append(done),
            ),
        )
        assert again == list(range(stop, 10))  # a step is saved after it is told, so one is done again
        assert told[-1] == (stop, 9)


def test_does_nothing_again_when_it_is_done(make_units, tmp_path):
    queries, base = make_units(1, 20), make_units(2, 30)
    first = search(Held(queries), Held(base), 3, saved=Saved(tmp_path / "s.npz", "it"))
    told = []
    same(
        first,
        search(
            Held(queries),
            Held(base),
            3,
            saved=Saved(tmp_path / "s.npz", "it"),
            progress=lambda *step: told.append(step),
        ),
    )
    assert told == []


def test_takes_no_state_of_other_work(make_units, tmp_path):
    queries, base = make_units(1, 20), make_units(2, 30)
    search(Held(queries), Held(base[::-1].copy()), 3, saved=Saved(tmp_path / "s.npz", "other"))
    same(
        search(Held(queries), Held(base), 3),
        search(Held(queries), Held(base), 3, saved=Saved(tmp_path / "s.npz", "it")),
    )


def test_refuses_a_damaged_state(make_units, tmp_path):
    queries, base = make_units(1, 20), make_units(2, 30)
    path = tmp_path / "s.npz"
    found = search(Held(queries), Held(base), 3, saved=Saved(path, "it"))
    content = bytearray(path.read_bytes())
    content[content.index(found.index.tobytes()) + 5] ^= 255
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"saved state of unfinished work is damaged(.|\n)*remove the file"):
        search(Held(queries), Held(base), 3, saved=Saved(path, "it"))


def test_keeps_the_state_before_when_the_disk_is_full(make_units, tmp_path, monkeypatch):
    path, kept = tmp_path / "s.npz", np.arange(4)
    saved = Saved(path, "it")
    saved.save(2, {"kept": kept})

    def fail(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(DoesNotFit, match="disk is full"):
        saved.save(3, {"kept": kept + 1})
    found = np.zeros(4, dtype=np.int64)
    assert Saved(path, "it").load({"kept": found}) == 2
    assert found.tolist() == [0, 1, 2, 3]


def test_saves_only_as_often_as_it_is_told(tmp_path):
    now = [0.0]
    saved = Saved(tmp_path / "s.npz", "it", seconds=30, clock=lambda: now[0])
    saved.load({})
    for now[0] in (10.0, 29.0):
        saved.offer(1, {})
    assert not saved.path.exists()
    now[0] = 31.0
    saved.offer(2, {})
    assert saved.load({}) == 2


def test_reads_chosen_rows_in_any_order(make_units, monkeypatch):
    base = make_units(1, 100)
    numbers = np.random.default_rng(2).integers(0, 100, 60)
    monkeypatch.setattr("adapter_stilts.retrieval.blocks.PIECE", 7)
    chosen = Chosen(Held(base), numbers)
    assert np.array_equal(chosen.block(5, 50), base[numbers[5:50]])
    assert np.array_equal(gathered(chosen, 3, 40), base[numbers[3:40]])
    assert chosen.block(4, 4).shape == (0, 24)


def test_refuses_sides_that_cannot_be_compared(make_units):
    with pytest.raises(StiltsError, match=r"shapes \[3, 24\] and \[2, 16\]"):
        search(Held(make_units(1, 3)), Held(make_units(1, 2, 16)), 1)
    with pytest.raises(UsageError, match="0 neighbours"):
        search(Held(make_units(1, 3)), Held(make_units(1, 2)), 0)


def test_lists_the_indexes():
    assert list(indexes) == ["exact", "hnsw", "ivf", "ivf-pq", "ivf-sq"]
