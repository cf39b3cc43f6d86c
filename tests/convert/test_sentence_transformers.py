"""Runs as sentence-transformers' folders: the same vectors as `encode`, in that library."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from adapter_stilts.convert.base import Source
from adapter_stilts.convert.sentence_transformers import read_as
from adapter_stilts.errors import UsageError
from adapter_stilts.retrieval.embed import embed
from adapter_stilts.retrieval.pooling import less
from adapter_stilts.runs.subject import named_trunk
from adapter_stilts.sharing.bundle import load_bundle

library = pytest.importorskip(
    "sentence_transformers", reason="needs pip install 'adapter-stilts[sentence-transformers]'"
)

TEXTS = ["The cat sleeps.", "Wer kaufte die roten Äpfel in Paris?", "小さな猫は古い机の下で眠る。", "ＡＢＣ ½"]
TEXTS += ["Anna bought two red apples in Paris on Monday, didn't she? " * 9, "x"]
BOTH = {"kind": "seq_bn", "how": "stack"}


def ours(run: Path, **reading: object) -> np.ndarray:
    """What `encode` makes in float32."""
    bundle = load_bundle(run)
    read = read_as(Source(bundle, named_trunk(bundle), reading=reading))
    return embed(read.reader.encoder, TEXTS, read.reading)[read.layer]


def same(folder: Path, expected: np.ndarray, trust: bool = False) -> None:
    """In any order and any batch."""
    model = library.SentenceTransformer(str(folder), device="cpu", local_files_only=True, trust_remote_code=trust)
    vectors = model.encode(TEXTS, batch_size=3, show_progress_bar=False)
    np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "settings", "reading", "model_type"),
    [
        ("lora", {"r": 4, "output_lora": True}, {"layer": 1}, "xlm-roberta"),
        ("dora", {"r": 4}, {"layer": "last", "pool": "first"}, "xlm-roberta"),
        ("vera", {"r": 4, "leave_out": [0]}, {"pool": "max"}, "xlm-roberta"),
        ("ia3", {}, {"layer": 2}, "xlm-roberta"),
        ("par_bn", {"reduction_factor": 4, "scaling": "channel"}, {"layer": 2}, "xlm-roberta"),
        ("seq_bn", {"reduction_factor": 4}, {"layer": 2}, "xmod"),
        ("seq_bn", {"reduction_factor": 5.0, "non_linearity": "gelu", "scaling": "learned"}, {}, "xmod"),
        ("full", {}, {"layer": 2}, "xlm-roberta"),
        ("seq_bn", {"reduction_factor": 4}, {"layer": 0}, "xlm-roberta"),
    ],
)
def test_needs_nothing_of_ours(kind, settings, reading, model_type, made, converted):
    run = made("nli", kind, settings)
    folder = converted(run, "sentence-transformers", **reading)
    assert json.loads((folder / "config.json").read_text())["model_type"] == model_type
    assert "adapter_stilts" not in (folder / "modules.json").read_text()
    assert json.loads((folder / "tokenizer_config.json").read_text())["tokenizer_class"] == "PreTrainedTokenizerFast"
    expected = ours(run, **reading)
    same(folder, expected)


def test_takes_a_stack_of_kinds_that_fit_together(made, converted):
    lora = made("paraphrase", "lora", {"r": 2}, out="lora")
    beside = made("nli", "par_bn", {"reduction_factor": 8}, how="stack", after=(str(lora),), out="beside")
    run = made("nli", "seq_bn", {"reduction_factor": 8}, how="stack", after=(str(beside),), out="over")
    folder = converted(run, "sentence-transformers", layer=2)
    assert json.loads((folder / "config.json").read_text())["model_type"] == "xmod"
    same(folder, ours(run, layer=2))


@pytest.mark.parametrize("reading", [{"layer": 1}, {"pool": "mean_words"}])
def test_names_a_module_of_ours_where_no_model_of_theirs_fits(reading, made, converted):
    first = made("paraphrase", "seq_bn", {"reduction_factor": 8}, out="first")
    run = made("nli", "seq_bn", {"reduction_factor": 8}, how="stack", after=(str(first),), out="second")
    folder = converted(run, "sentence-transformers", **reading)
    assert "adapter_stilts.convert.libraries.sentence_module.Encoder" in (folder / "modules.json").read_text()
    with pytest.raises(ValueError, match="trust_remote_code"):
        same(folder, ours(run, **reading))
    same(folder, ours(run, **reading), trust=True)


def test_has_the_prefix_and_subtracts_the_mean_of_a_file(made, converted, tmp_path):
    run = made("nli", "seq_bn", {"reduction_factor": 8}, trunk__prefix="query: ")
    (tmp_path / "some.txt").write_text("\n".join(TEXTS) + "\n\n", encoding="utf-8")
    folder = converted(run, "sentence-transformers", layer=2, centre=tmp_path / "some.txt")
    vectors = ours(run, layer=2)
    same(folder, less(vectors, vectors.mean(axis=0, dtype=np.float64)))
    assert json.loads((folder / "config_sentence_transformers.json").read_text())["prompts"] == {"prefix": "query: "}


def test_does_not_take_one_adapter_of_several(made, converted):
    with pytest.raises(UsageError, match="leave --adapter out"):
        converted(made("nli", "lora"), "sentence-transformers", adapter="nli")
