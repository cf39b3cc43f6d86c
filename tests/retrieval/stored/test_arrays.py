"""What is found again, what is not, and what happens to a damaged file."""

from dataclasses import replace

import numpy as np
import pytest

from adapter_stilts.retrieval.stored.arrays import VectorKey, keep, kept, text_hash

KEY = VectorKey("trunk", "mnli 9a3b", 1, "mean", "fp32", 512)
TEXTS = ["one", "two"]
VECTORS = np.array([[1, 0], [0, 1]], dtype=np.float32)


@pytest.fixture
def path(tmp_path):
    keep(tmp_path / "a" / "de.npy", KEY, TEXTS, VECTORS)
    return tmp_path / "a" / "de.npy"


def test_finds_what_it_stored(path):
    found = kept(path, KEY, TEXTS)
    assert found is not None
    assert found.dtype == np.float32
    assert np.array_equal(found, VECTORS)
    assert np.array_equal(np.load(path), VECTORS)


CHANGES = [
    {"trunk": "other"},
    {"composition": ""},
    {"layer": 2},
    {"pool": "first"},
    {"precision": "bf16"},
    {"max_length": 128},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_finds_nothing_for_another_setting(path, change, caplog):
    assert kept(path, replace(KEY, **change), TEXTS) is None
    assert not caplog.text


@pytest.mark.parametrize("texts", [["two", "one"], ["onetwo"], ["one", "two", ""], ["one"], ["on", "etwo"]])
def test_finds_nothing_for_other_texts(path, texts):
    assert kept(path, KEY, texts) is None


def test_finds_nothing_where_there_is_nothing(path):
    assert kept(path.with_name("other.npy"), KEY, TEXTS) is None
    path.with_suffix(".json").unlink()
    assert kept(path, KEY, TEXTS) is None


def test_tells_lists_apart_that_join_to_one_text():
    assert text_hash(["ab", "c"]) != text_hash(["a", "bc"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-4]),
        lambda path: path.with_suffix(".json").write_text("{"),
        lambda path: path.with_suffix(".json").write_text("[]"),
    ],
)
def test_uses_no_damaged_file_and_says_so(path, caplog, damage):
    damage(path)
    assert kept(path, KEY, TEXTS) is None
    assert "is damaged: its vectors are computed again" in caplog.text
    keep(path, KEY, TEXTS, VECTORS)
    assert kept(path, KEY, TEXTS) is not None
