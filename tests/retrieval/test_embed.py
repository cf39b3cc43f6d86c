"""Vectors are checked against the library's own model, one sentence at a time, pooled by hand."""

from functools import cache

import numpy as np
import pytest
import torch
from transformers import XLMRobertaModel

from adapter_stilts.encoder.composition import parse
from adapter_stilts.retrieval.embed import embed
from adapter_stilts.retrieval.reading import Reading

POOLS = {
    "mean": lambda states: states.mean(0),
    "mean_words": lambda states: states[1:-1].mean(0),
    "first": lambda states: states[0],
    "max": lambda states: states.max(0).values,
}


@cache
def librarys_model(folder):
    return XLMRobertaModel.from_pretrained(folder, add_pooling_layer=False).eval()


@torch.no_grad()
def one_at_a_time(trunk, sentence, layer, pool):
    ids = trunk.tokenizer(sentence, truncation=True, max_length=trunk.config.max_length, return_tensors="pt")
    states = librarys_model(trunk.name)(**ids, output_hidden_states=True).hidden_states[layer][0]
    vector = POOLS[pool](states).numpy()
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("pool", list(POOLS))
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_gives_what_the_librarys_model_gives_sentence_by_sentence(encoder, sentences, layer, pool):
    vectors = embed(encoder, sentences, Reading((layer,), pool=pool, token_budget=60))[layer]
    expected = np.stack([one_at_a_time(encoder.trunk, sentence, layer, pool) for sentence in sentences])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_does_not_depend_on_the_batch(encoder, sentences):
    alone, together = (embed(encoder, sentences, Reading((2,), token_budget=budget))[2] for budget in (1, 10_000))
    np.testing.assert_allclose(alone, together, atol=1e-6)


def test_keeps_the_order_of_the_sentences(encoder, sentences):
    forward, backward = embed(encoder, sentences, Reading((1,)))[1], embed(encoder, sentences[::-1], Reading((1,)))[1]
    np.testing.assert_allclose(forward, backward[::-1], atol=1e-6)


def test_reads_several_layers_in_one_pass(encoder, sentences, monkeypatch):
    calls = []
    states = encoder.states
    monkeypatch.setattr(encoder, "states", lambda *args, **kwargs: calls.append(1) or states(*args, **kwargs))
    by_layer = embed(encoder, sentences, Reading((2, 0), token_budget=10_000))
    assert (sorted(by_layer), len(calls)) == ([0, 2], 1)
    for layer, vectors in by_layer.items():
        np.testing.assert_allclose(vectors, embed(encoder, sentences, Reading((layer,)))[layer], atol=1e-6)


def test_encodes_equal_sentences_once(encoder, sentences, monkeypatch):
    rows = []
    hidden = encoder.hidden
    monkeypatch.setattr(
        encoder, "hidden", lambda ids, *rest, **named: rows.append(len(ids)) or hidden(ids, *rest, **named)
    )
    vectors = embed(encoder, [sentences[0], sentences[1], sentences[0]], Reading((1,)))[1]
    assert sum(rows) == 2
    assert np.array_equal(vectors[0], vectors[2])


def test_gives_unit_vectors(encoder, sentences):
    assert np.linalg.norm(embed(encoder, sentences, Reading((2,)))[2], axis=1) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("pool", list(POOLS))
def test_gives_an_empty_sentence_the_vector_of_its_two_marks(encoder, pool):
    (vector,) = embed(encoder, [""], Reading((2,), pool=pool))[2]
    expected = one_at_a_time(encoder.trunk, "", 2, "mean" if pool == "mean_words" else pool)
    np.testing.assert_allclose(vector, expected, atol=1e-5)


def test_cuts_a_sentence_that_is_too_long(encoder, sentences):
    (vector,) = embed(encoder, [" ".join(sentences)], Reading((2,)))[2]
    np.testing.assert_allclose(vector, one_at_a_time(encoder.trunk, " ".join(sentences), 2, "mean"), atol=1e-5)


def test_reads_the_active_composition_and_leaves_the_mode_alone(encoder, sentences):
    bare = embed(encoder, sentences, Reading((2,)))[2]
    encoder.add("a", "seq_bn", seed=1)
    for tensor in encoder.adapters["a"].parameters():
        tensor.data = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(1))
    encoder.activate(parse("a"))
    modes = [module.training for module in encoder.train().modules()]
    assert np.abs(embed(encoder, sentences, Reading((2,)))[2] - bare).max() > 1e-3
    assert [module.training for module in encoder.modules()] == modes
