"""What is found again, what is not, and what happens to a damaged file."""

from dataclasses import replace

import numpy as np
import pytest

from adapter_stilts.retrieval.cache import VectorCache, VectorKey, embed_cached, text_hash

KEY = VectorKey("trunk", "mnli 9a3b", 1, "mean", "fp32", 512)
TEXTS = ["one", "two"]
VECTORS = np.array([[1, 0], [0, 1]], dtype=np.float32)


def test_finds_what_it_stored(tmp_path):
    cache = VectorCache(tmp_path / "vectors")
    cache.put(KEY, TEXTS, VECTORS)
    found = cache.get(KEY, TEXTS)
    assert found is not None
    assert found.dtype == np.float32
    assert np.array_equal(found, VECTORS)


CHANGES = [{"trunk": "other"}, {"composition": ""}, {"layer": 2}, {"pool": "first"}, {"precision": "bf16"}, {"max_length": 128}]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_finds_nothing_for_another_setting(tmp_path, change):
    VectorCache(tmp_path).put(KEY, TEXTS, VECTORS)
    assert VectorCache(tmp_path).get(replace(KEY, **change), TEXTS) is None


@pytest.mark.parametrize("texts", [["two", "one"], ["onetwo"], ["one", "two", ""], ["one"], ["on", "etwo"]])
def test_finds_nothing_for_other_texts(tmp_path, texts):
    VectorCache(tmp_path).put(KEY, TEXTS, VECTORS)
    assert VectorCache(tmp_path).get(KEY, texts) is None


def test_tells_lists_apart_that_join_to_one_text():
    assert text_hash(["ab", "c"]) != text_hash(["a", "bc"])


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(path.read_bytes()[:-4]), lambda path: path.with_suffix(".json").write_text("{")])
def test_computes_a_damaged_file_again_and_says_so(tmp_path, encoder, sentences, caplog, damage):
    cache = VectorCache(tmp_path)
    made = embed_cached(cache, KEY, encoder, sentences, layers=[1])
    (path,) = tmp_path.glob("*.npy")
    damage(path)
    again = embed_cached(cache, KEY, encoder, sentences, layers=[1])
    assert np.array_equal(made[1], again[1])
    assert "is damaged: its vectors are computed again" in caplog.text
    assert cache.get(replace(KEY, layer=1), sentences) is not None


def test_computes_only_the_layers_that_are_missing(tmp_path, encoder, sentences, monkeypatch):
    cache = VectorCache(tmp_path)
    embed_cached(cache, KEY, encoder, sentences, layers=[1])
    asked = []
    from adapter_stilts.retrieval import cache as module

    make = module.embed_layers
    monkeypatch.setattr(module, "embed_layers", lambda *args, layers, **rest: asked.append(list(layers)) or make(*args, layers=layers, **rest))
    assert sorted(embed_cached(cache, KEY, encoder, sentences, layers=[0, 1, 2])) == [0, 1, 2]
    embed_cached(cache, KEY, encoder, sentences, layers=[2, 0])
    assert asked == [[0, 2]]


def test_stores_nothing_without_a_folder(encoder, sentences):
    assert sorted(embed_cached(None, KEY, encoder, sentences, layers=[2])) == [2]
