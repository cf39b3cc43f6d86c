"""Runs as ONNX graphs: the same vectors and logits in onnxruntime, whatever the batch and its padding."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from trunk_forms import write_form

from adapter_stilts.convert.base import Source
from adapter_stilts.convert.sentence_transformers import read_as
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.retrieval.embed import embed
from adapter_stilts.runs.build import finished_models
from adapter_stilts.runs.subject import named_trunk
from adapter_stilts.sharing.bundle import load_bundle

for name in ("onnx", "onnxscript", "onnxruntime"):
    library = pytest.importorskip(name, reason="needs pip install 'adapter-stilts[onnx]'")

MAM = {"reduction_factor": 4, "prefix_length": 3, "bottleneck_size": 8}
TEXTS = ["The cat sleeps.", "Wer kaufte die roten Äpfel in Paris?", "x"]
TEXTS += ["Anna bought two red apples in Paris on Monday, didn't she? " * 9]


def graph(folder: Path, texts: list[str]) -> np.ndarray:
    """As the folder's README runs it: with tokenizers and onnxruntime alone."""
    import tokenizers

    about = json.loads((folder / "graph.json").read_text())
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(about["max_length"])
    tokenizer.enable_padding(pad_id=1)
    batch = tokenizer.encode_batch([about.get("prefix", "") + text for text in texts])
    given = {"input_ids": np.array([row.ids for row in batch])}
    given["attention_mask"] = np.array([row.attention_mask for row in batch])
    return library.InferenceSession(str(folder / "model.onnx")).run(None, given)[0]


def vectors_of(run: Path, **reading: object) -> np.ndarray:
    bundle = load_bundle(run)
    read = read_as(Source(bundle, named_trunk(bundle), reading=reading))
    return embed(read.reader.encoder, TEXTS, read.reading)[read.layer]


@pytest.mark.parametrize(
    ("kind", "settings", "reading"),
    [
        ("seq_bn_inv", {"reduction_factor": 4}, {"layer": 1}),
        (
            "mam",
            {"reduction_factor": 4, "prefix_length": 3, "bottleneck_size": 8},
            {"layer": "last", "pool": "mean_words"},
        ),
        ("dora", {"r": 4}, {"pool": "max"}),
    ],
)
def test_makes_the_vectors_of_encode(kind, settings, reading, made, converted):
    run = made("nli", kind, settings, trunk__prefix="query: ")
    folder = converted(run, "onnx", **reading)
    expected = vectors_of(run, **reading)
    np.testing.assert_allclose(graph(folder, TEXTS), expected, rtol=0, atol=1e-4)
    for number in (0, 3):  # alone, the shortest and the longest
        np.testing.assert_allclose(graph(folder, [TEXTS[number]])[0], expected[number], rtol=0, atol=1e-4)


def test_gives_the_logits_of_a_fusion(made, converted, tiny_folder, texts):
    parents = [str(made(task, "double_seq_bn", {"reduction_factor": 4}, out=task)) for task in ("paraphrase", "ner")]
    run = made("nli", "", how="fuse", after=tuple(parents), fusion__target_adapter=False)
    folder = converted(run, "onnx")
    model = finished_models(load_trunk(str(tiny_folder), precision="fp32"), load_bundle(run))["head"]
    given = {name: tensor.numpy() for name, tensor in texts.items()}
    logits = library.InferenceSession(str(folder / "model.onnx")).run(["logits"], given)[0]
    with torch.no_grad():
        np.testing.assert_allclose(logits, model(texts).numpy(), rtol=0, atol=1e-4)
    assert json.loads((folder / "graph.json").read_text())["labels"] == ["contradiction", "entailment", "neutral"]


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        ("ner", "dora"),
        pytest.param("qa", "ia3", marks=pytest.mark.slow),
        pytest.param("choice", "vera", marks=pytest.mark.slow),
    ],
)
def test_gives_the_logits_of_every_head(task, kind, made, converted, tiny_folder, texts):
    run = made(task, kind)
    folder = converted(run, "onnx")
    model = finished_models(load_trunk(str(tiny_folder), precision="fp32"), load_bundle(run))["head"]
    logits = library.InferenceSession(str(folder / "model.onnx")).run(
        None, {name: tensor.numpy() for name, tensor in texts.items()}
    )[0]
    batch = texts if task != "choice" else {name: tensor[None] for name, tensor in texts.items()}
    with torch.no_grad():
        expected = model(batch).numpy()
    inside = texts["attention_mask"].bool().numpy() if expected.ndim == 3 else slice(None)
    np.testing.assert_allclose(logits.reshape(expected.shape)[inside], expected[inside], rtol=0, atol=1e-4)


@pytest.mark.parametrize("form", [pytest.param("mbert", marks=pytest.mark.slow), "mmbert"])
def test_reads_every_family_beyond_its_window(form, made, converted, tmp_path):
    trunk = write_form(form, tmp_path / form)
    run = made("nli", "seq_bn", {"reduction_factor": 4}, trunk__name=str(trunk))
    folder = converted(run, "onnx", layer="last")
    read = read_as(Source(load_bundle(run), named_trunk(load_bundle(run)), reading={"layer": "last"}))
    encoder, longest = read.reader.encoder, read.trunk.config.max_length
    for length in (5, min(longest, 60)):
        ids = torch.randint(8, read.trunk.config.vocab_size, (2, length), generator=torch.Generator().manual_seed(1))
        mask = torch.ones_like(ids)
        given = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
        made_here = library.InferenceSession(str(folder / "model.onnx")).run(None, given)[0]
        expected = torch.nn.functional.normalize(encoder.hidden(ids, mask).mean(1), dim=-1)
        np.testing.assert_allclose(made_here, expected.detach().numpy(), rtol=0, atol=1e-4)
