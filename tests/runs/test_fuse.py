"""Fusion over trained runs: frozen adapters, trained fusion layers, and what they listen to."""

from __future__ import annotations

import pytest

import adapter_stilts.runs.train as module
from adapter_stilts.errors import UsageError
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.train import fuse
from adapter_stilts.sharing.bundle import load_bundle


@pytest.fixture
def fused(config, tmp_path, trained):
    """`fused(key=value)` fuses two runs."""
    parents = (trained("paraphrase"), trained("single"))

    def make(report=None, dry_run=False, **settings):
        return fuse(
            parents,
            "nli",
            config(**settings),
            out=None,
            runs=tmp_path / "runs",
            resume=True,
            overwrite=False,
            dry_run=dry_run,
            report=report or Silent(),
        )

    return make


def test_reports_attention_per_source_layer_and_language(fused, heard):
    found = fused(heard)
    (table,) = [table for table in heard.tables if table[0].startswith("attention")]
    assert [row[:4] for row in table[2]] == [
        ("nli", "validation", "en", "paraphrase"),
        ("nli", "validation", "en", "single"),
    ]
    layers = found.attention["fuse(paraphrase, single)"]["nli"]["validation"]["en"]
    assert len(layers) == 2
    assert all(sum(layer) == pytest.approx(1, abs=1e-5) for layer in layers)


def test_trains_the_fusion_and_leaves_the_adapters_as_they_were(fused, tmp_path):
    folder = tmp_path / "runs" / fused().folder
    bundle = load_bundle(folder)
    assert (bundle.manifest.how, bundle.manifest.composition, len(bundle.manifest.parents)) == (
        "fuse",
        "fuse(paraphrase, single)",
        2,
    )
    assert [part.facts["trained"] for part in bundle.of("fusion")] == [True]
    for parent in bundle.manifest.parents:
        (part,) = load_bundle(folder.parent / parent.name).of("adapter")
        stored = f"adapter/{part.name}.safetensors"
        assert (folder.parent / parent.name / stored).read_bytes() == (folder / stored).read_bytes()


def test_says_the_same_of_a_run_that_is_done(fused):
    assert fused() == fused()


def test_says_that_another_learning_rate_is_not_used(fused, heard):
    fused(heard, dry_run=True, training__learning_rate=0.5)
    assert "training.learning_rate is not used: a fusion learns at fusion.learning_rate, which is 0.001" in heard.lines


def test_tells_what_it_would_do(fused):
    assert fused(dry_run=True).to_json()["composition"] == "fuse(paraphrase, single)"


def test_gives_nothing_in_other_processes_than_the_first(fused, monkeypatch):
    monkeypatch.setattr(module, "train", lambda *values, **named: None)
    assert fused() is None


def test_needs_two_runs(config, tmp_path):
    with pytest.raises(UsageError, match="two or more runs, got 1"):
        fuse(
            (tmp_path,),
            "nli",
            config(),
            out=None,
            runs=tmp_path,
            resume=True,
            overwrite=False,
            dry_run=True,
            report=Silent(),
        )
