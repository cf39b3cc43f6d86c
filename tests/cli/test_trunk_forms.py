"""Every form of trunk through the same commands: train, eval, encode, mine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from trunk_forms import FORMS, TEXTS, write_form

FEW = ("training.max_steps=2", "trunk.precision=fp32", "adapter.settings.reduction_factor=4")
SHORT = tuple(word for setting in FEW for word in ("--set", setting))
LABELS = ("far", "near")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Rows of pairs with two labels, and two sides of sentences."""
    rows = [f"{TEXTS[row % 8]}\t{TEXTS[(row * 3 + 1) % 8]}\t{LABELS[row % 2]}" for row in range(16)]
    for name in ("train", "dev"):
        (tmp_path / f"{name}.tsv").write_text("\n".join(["text\tpair\tlabel", *rows]) + "\n", encoding="utf-8")
    for name in ("a.de", "b.en"):
        lines = [f"{text} {number}" for number in (name, *range(3)) for text in TEXTS]
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("form", FORMS)
def test_runs_through_the_same_commands(form: str, run, files: Path) -> None:
    write_form(form, files / form)
    data = ("--data", "train=train.tsv", "--data", "validation=dev.tsv", "--data", "test=dev.tsv")
    trained = run("train", "pair", *data, "--trunk", form, "-o", "run", *SHORT)
    assert trained.exit_code == 0, trained.stderr
    scored = run("eval", "run", "--tasks", "pair", "--data", "test=dev.tsv", "--json")
    assert scored.exit_code == 0, scored.stderr
    (score,) = (row for row in json.loads(scored.stdout)["results"] if row["metric"] == "accuracy")
    assert score["n"] == 16
    for words in (("--trunk", form), ("--run", "run")):
        encoded = run("encode", "a.de", *words, "--layer", "last", "-o", f"v{words[0]}", "--json")
        assert encoded.exit_code == 0, encoded.stderr
        made = json.loads(encoded.stdout)
        assert (made["rows"], made["dimension"], made["layer"]) == (32, 32, 4 if form == "mmbert" else 2)
        mined = run("mine", "a.de", "b.en", *words, "-o", f"pairs{words[0]}", "-k", "2")
        assert mined.exit_code == 0, mined.stderr
        assert len((files / f"pairs{words[0]}").read_text(encoding="utf-8").splitlines()) >= 8


def test_ends_labses_vectors_with_its_dense_layer(run, files: Path) -> None:
    library = pytest.importorskip("sentence_transformers", reason="the oracle of this test is not installed")
    write_form("labse", files / "labse")
    kept = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"}  # BERT's class would lower the case
    (files / "labse" / "tokenizer_config.json").write_text(json.dumps(kept), encoding="utf-8")
    precision = ("--set", "trunk.precision=fp32")
    encoded = run("encode", "a.de", "--trunk", "labse", "-o", "own", *precision)
    assert encoded.exit_code == 0, encoded.stderr
    assert "layer 2 of 2, pooled by first+dense@" in encoded.stderr
    assert run("encode", "a.de", "--trunk", "labse", "-o", "bare", "--pool", "first", *precision).exit_code == 0
    vectors = {out: np.load(next((files / out).glob("*vectors*.npy"))) for out in ("own", "bare")}
    lines = (files / "a.de").read_text(encoding="utf-8").splitlines()
    theirs = library.SentenceTransformer(str(files / "labse"), device="cpu").encode(lines)
    assert np.allclose(vectors["own"], theirs, atol=1e-5)
    assert not np.allclose(vectors["bare"], theirs, atol=1e-2)
    searched = run("search", "own", lines[3], "--trunk", "labse", "-k", "1", *precision)  # the vectors' own pooling
    assert searched.exit_code == 0, searched.stderr
    assert searched.stdout.splitlines()[-1].split() == ["1.000", "4"]


def test_puts_a_prefix_before_every_sentence(run, files: Path) -> None:
    write_form("e5", files / "e5")
    lines = (files / "a.de").read_text(encoding="utf-8").splitlines()
    (files / "long.de").write_text("".join(f"query: {line}\n" for line in lines), encoding="utf-8")
    prefix = ("--set", "trunk.prefix=query: ")
    asked = run("encode", "a.de", "--trunk", "e5", *prefix, "-o", "asked")
    assert asked.exit_code == 0, asked.stderr
    assert "after 'query: '" in asked.stderr
    for file, out in (("long.de", "written"), ("a.de", "bare")):
        assert run("encode", file, "--trunk", "e5", "-o", out).exit_code == 0
    vectors = {out: np.load(next((files / out).glob("*vectors*.npy"))) for out in ("asked", "written", "bare")}
    assert np.allclose(vectors["asked"], vectors["written"], atol=1e-5)
    assert not np.allclose(vectors["asked"], vectors["bare"], atol=1e-3)
    assert any('"query: "' in file.read_text(encoding="utf-8") for file in (files / "asked").glob("*.json*"))
    other = run("encode", "a.de", "--trunk", "e5", "-o", "asked")
    assert other.exit_code != 0
    assert "asked" in other.stderr


def test_remembers_the_prefix_of_a_run(run, files: Path) -> None:
    write_form("e5", files / "e5")
    data = ("--data", "train=train.tsv", "--data", "validation=dev.tsv")
    prefix = ("--set", "trunk.prefix=query: ")
    assert run("train", "pair", *data, "--trunk", "e5", "-o", "with", *SHORT, *prefix).exit_code == 0
    assert run("train", "pair", *data, "--trunk", "e5", "-o", "without", *SHORT).exit_code == 0
    manifests = [json.loads((files / name / "manifest.json").read_text("utf-8")) for name in ("with", "without")]
    assert manifests[0]["trunk"]["prefix"] == "query: "
    assert "prefix" not in manifests[1]["trunk"]
    assert manifests[0]["identity"] == manifests[1]["identity"]  # training reads no prefix
    for words, out in (("with",), "own"), (("without", *prefix), "asked"), (("without",), "bare"):
        encoded = run("encode", "a.de", "--run", *words, "-o", out)
        assert encoded.exit_code == 0, encoded.stderr
        assert ("after 'query: '" in encoded.stderr) == (out != "bare")
    vectors = {out: np.load(next((files / out).glob("*vectors*.npy"))) for out in ("own", "asked", "bare")}
    assert np.array_equal(vectors["own"], vectors["asked"])
    assert not np.allclose(vectors["own"], vectors["bare"], atol=1e-3)
    for words, count in (("with",), 1), (("without",), 0):
        scored = run("eval", *words, "--tasks", "bitext", "--data", "test=a.de", "--data", "test=b.en", "--json")
        assert scored.stdout.count('"prefix": "query: "') >= count, scored.stderr
        assert ("prefix" in scored.stdout) == bool(count)
