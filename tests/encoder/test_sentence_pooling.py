"""A sentence encoder's own words for how it makes a vector, as sentence-transformers writes them."""

import json
import re

import pytest

from adapter_stilts.encoder.trunk.sentence_pooling import SentencePooling, read_pooling
from adapter_stilts.errors import ArtefactError

TYPE = "sentence_transformers.models."


@pytest.fixture
def encoder(tmp_path):
    """Write a folder's modules, and the settings of its pooling."""

    def make(pooling, modules=("Transformer", "Pooling", "Normalize"), length=None):
        listed = [{"idx": i, "path": f"{i}_{m}" if i else "", "type": TYPE + m} for i, m in enumerate(modules)]
        (tmp_path / "modules.json").write_text(json.dumps(listed))
        (tmp_path / "1_Pooling").mkdir(exist_ok=True)
        (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
        if length:
            (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": length}))
        return tmp_path

    return make


def flags(*names):
    every = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
    return {"word_embedding_dimension": 384, **{f"pooling_mode_{name}": name in names for name in every}}


@pytest.mark.parametrize(
    ("pooling", "ours"),
    [
        (flags("mean_tokens"), "mean"),
        (flags("cls_token"), "first"),
        (flags("max_tokens"), "max"),
        (flags("mean_sqrt_len_tokens"), "mean"),
        ({"embedding_dimension": 384, "pooling_mode": "cls"}, "first"),
        ({"pooling_mode": ["mean"]}, "mean"),
    ],
)
def test_reads_the_pooling_in_our_words(encoder, pooling, ours):
    assert read_pooling(encoder(pooling)) == SentencePooling(ours)


def test_reads_how_long_a_sentence_may_be(encoder):
    assert read_pooling(encoder(flags("mean_tokens"), length=128)) == SentencePooling("mean", 128)


@pytest.mark.parametrize(
    ("pooling", "modules", "named"),
    [
        (flags("mean_tokens", "max_tokens"), ("Transformer", "Pooling"), "mean_tokens and max_tokens"),
        (flags("weightedmean_tokens"), ("Transformer", "Pooling"), "weightedmean"),
        (flags(), ("Transformer", "Pooling"), "nothing"),
        (flags("mean_tokens"), ("Transformer", "Pooling", "Dense"), r"Dense \(2_Dense\)"),
    ],
)
def test_says_what_it_cannot_follow(encoder, pooling, modules, named):
    assert re.search(named, read_pooling(encoder(pooling, modules)).problem)


def test_is_nothing_for_a_trunk_without_modules(tmp_path):
    assert read_pooling(tmp_path) is None


@pytest.mark.parametrize("content", ["{", "{}", '["x"]'])
def test_refuses_modules_that_are_broken(encoder, content):
    folder = encoder(flags("mean_tokens"))
    (folder / "modules.json").write_text(content)
    with pytest.raises(ArtefactError, match=r"modules\.json"):
        read_pooling(folder)
