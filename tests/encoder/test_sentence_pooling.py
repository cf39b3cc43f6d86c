"""A sentence encoder's own words for how it makes a vector, as sentence-transformers writes them."""

import json
import re

import pytest
import torch
from safetensors.torch import save_file

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
    assert read_pooling(encoder(pooling), 4) == SentencePooling(ours)


def test_reads_how_long_a_sentence_may_be(encoder):
    assert read_pooling(encoder(flags("mean_tokens"), length=128), 4) == SentencePooling("mean", 128)


@pytest.mark.parametrize(
    ("pooling", "modules", "named"),
    [
        (flags("mean_tokens", "max_tokens"), ("Transformer", "Pooling"), "mean_tokens and max_tokens"),
        (flags("weightedmean_tokens"), ("Transformer", "Pooling"), "weightedmean"),
        (flags(), ("Transformer", "Pooling"), "nothing"),
        (flags("mean_tokens"), ("Transformer", "Pooling", "LSTM"), r"LSTM \(2_LSTM\)"),
        (flags("mean_tokens"), ("Pooling", "Transformer"), "in this order"),
        (flags("mean_tokens"), ("Transformer", "Pooling", "Pooling"), "in this order"),
        (flags("mean_tokens"), ("Transformer", "Pooling", "Normalize", "Dense"), "length 1 before a dense layer"),
    ],
)
def test_says_what_it_cannot_follow(encoder, pooling, modules, named):
    assert re.search(named, read_pooling(encoder(pooling, modules), 4).problem)


def test_is_nothing_for_a_trunk_without_modules(tmp_path):
    assert read_pooling(tmp_path, 4) is None


@pytest.mark.parametrize("content", ["{", "{}", '["x"]'])
def test_refuses_modules_that_are_broken(encoder, content):
    folder = encoder(flags("mean_tokens"))
    (folder / "modules.json").write_text(content)
    with pytest.raises(ArtefactError, match=r"modules\.json"):
        read_pooling(folder, 4)


def dense(folder, bias=True, weight=None, **settings):
    """LaBSE's 2_Dense, four wide."""
    usual = {"in_features": 4, "out_features": 4, "bias": bias}
    usual["activation_function"] = "torch.nn.modules.activation.Tanh"
    (folder / "2_Dense").mkdir(exist_ok=True)
    (folder / "2_Dense" / "config.json").write_text(json.dumps(usual | settings))
    tensors = {"linear.weight": torch.arange(16.0).view(4, 4) / 10 if weight is None else weight}
    save_file(tensors | ({"linear.bias": torch.ones(4)} if bias else {}), folder / "2_Dense" / "model.safetensors")
    return folder


@pytest.mark.parametrize("bias", [True, False])
def test_has_the_dense_layers_after_the_pooling(encoder, bias):
    folder = dense(encoder(flags("cls_token"), ("Transformer", "Pooling", "Dense", "Normalize")), bias)
    pooling = read_pooling(folder, 4)
    assert re.fullmatch(r"first\+dense@[0-9a-f]{8}", pooling.pool)
    vectors = torch.randn(3, 4)
    (layer,) = pooling.dense
    expected = torch.tanh(vectors @ (torch.arange(16.0).view(4, 4) / 10).T + bias)
    assert torch.allclose(layer(vectors), expected)


def test_tells_other_dense_layers_apart(encoder):
    folder = encoder(flags("cls_token"), ("Transformer", "Pooling", "Dense"))
    changes = [{}, {"activation_function": "torch.nn.modules.linear.Identity"}, {"weight": torch.ones(4, 4)}]
    pools = [read_pooling(dense(folder, **change), 4).pool for change in changes]
    assert len(set(pools)) == 3


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"activation_function": "os.system"}, "os.system"),
        ({"activation_function": "torch.nn.modules.activation.Softmax"}, "Softmax"),
        ({"out_features": 2}, "4 dimensions"),
        ({"use_residual": True}, "use_residual"),
        ({"module_input_name": "token_embeddings"}, "module_input_name"),
    ],
)
def test_says_which_dense_layers_it_lacks(encoder, settings, named):
    folder = dense(encoder(flags("cls_token"), ("Transformer", "Pooling", "Dense")), **settings)
    assert re.search(named, read_pooling(folder, 4).problem)


@pytest.mark.parametrize("weight", [torch.ones(4, 3), torch.full((4, 4), float("nan"))])
def test_refuses_dense_layers_that_are_broken(encoder, weight):
    folder = dense(encoder(flags("cls_token"), ("Transformer", "Pooling", "Dense")), weight=weight)
    with pytest.raises(ArtefactError, match=r"linear\.weight"):
        read_pooling(folder, 4)
