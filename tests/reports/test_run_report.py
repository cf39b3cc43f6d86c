"""The report on a study that was run, and on one of its runs: what runs record of themselves."""

from __future__ import annotations

import csv
import json

import pytest
from adapter_stilts_cli.app import app
from typer.testing import CliRunner

import adapter_stilts as stilts
from adapter_stilts.reports.verb import report


@pytest.fixture
def fused(small_study):
    return next((small_study / "runs").glob("panx-fuse-all-*"))


def rows(path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_shows_what_a_study_s_runs_record(small_study, tmp_path, page):
    report([small_study], tmp_path / "a.html")
    parsed = page((tmp_path / "a.html").read_text(encoding="utf-8"))
    titles = ["What transfers", "By language, family and script", "What fusions attend to", "How training went"]
    found = parsed.texts["h2"]
    assert [title for title in found if title in titles] == [title for title in titles if title in found]
    assert {"What transfers", "What fusions attend to", "How training went", "Provenance"} <= {*found}
    assert any(text.startswith("nli: validation score") for text in parsed.texts["figcaption"])


def test_recomputes_scores_attention_and_costs_from_what_is_on_disk(small_study, fused, tmp_path):
    report([small_study], tmp_path / "a.csv")
    document = json.loads((small_study / "study.json").read_text(encoding="utf-8"))
    reading = next(stage for stage in document["stages"] if stage["stage"].startswith("panx with panx-direct"))
    scores = [
        score
        for key, score in zip(reading["rows"], reading["scores"], strict=True)
        if key[2:5] in (["test", "de", "f1"], ["test", "sw", "f1"])
    ]
    shown = next(row for row in rows(tmp_path / "a.csv") if (row["source"], row["target"]) == ("none", "panx"))
    assert float(shown["score (%)"]) == pytest.approx(100 * sum(scores) / len(scores), abs=1e-5)
    stored = json.loads((fused / "fusion" / "attention.json").read_text(encoding="utf-8"))
    weights = stored["fuse(nli, paraphrase)"]["panx"]["test"]["sw"]
    told = [row for row in rows(tmp_path / "a.attention.csv") if (row["language"], row["source"]) == ("sw", "nli")]
    assert [float(row["attention"]) for row in told] == pytest.approx([layer[0] for layer in weights])
    manifest = json.loads((fused / "manifest.json").read_text(encoding="utf-8"))
    cost = next(row for row in rows(tmp_path / "a.costs.csv") if row["stage"] == "panx-fuse-all")
    assert float(cost["time (s)"]) == pytest.approx(manifest["seconds"])
    sizes = [
        path.stat().st_size for part in ("adapter", "fusion", "head") for path in (fused / part).glob("*.safetensors")
    ]
    assert float(cost["weights (MB)"]) == pytest.approx(sum(sizes) / 1e6)


def test_shows_a_run_with_its_scores_settings_and_hashes(fused, tmp_path):
    report([fused], tmp_path / "run.csv")
    result = json.loads((fused / "results.json").read_text(encoding="utf-8"))["results"]
    shown = rows(tmp_path / "run.csv")
    assert len(shown) == len(result)
    for row, kept in zip(shown, result, strict=True):
        assert float(row["score (%)"]) == pytest.approx(100 * kept["score"], abs=1e-5)
        assert row["language"] == kept["language"]
    settings = {row["setting"]: row["value"] for row in rows(tmp_path / "run.settings.csv")}
    assert (settings["training.max_steps"], settings["how"]) == ("2", "fuse")
    files = json.loads((fused / "manifest.json").read_text(encoding="utf-8"))["files"]
    hashes = {row["file"]: row["sha256"] for row in rows(tmp_path / "run.hashes.csv")}
    assert {name: digest[:16] for name, digest in files.items() if name.endswith(".safetensors")} == hashes


def test_draws_layers_where_several_were_read(small_study, tmp_path, page):
    run = next((small_study / "runs").glob("nli-*"))
    stilts.evaluate(run, "tatoeba", languages="de", layer="all", data="miniature")
    report([run], tmp_path / "layers.html")
    text = (tmp_path / "layers.html").read_text(encoding="utf-8")
    assert "Layer by layer" in page(text).texts["h2"]
    report([run], tmp_path / "layers.csv")
    told = rows(tmp_path / "layers.layers.csv")
    assert [row["layer"] for row in told] == ["0", "1", "2"]
    kept = [
        row
        for row in json.loads((run / "results.json").read_text(encoding="utf-8"))["results"]
        if row["task"] == "tatoeba" and row.get("headline")
    ]
    scores = {row["settings"]["layer"]: row["score"] for row in kept}
    assert [float(row["score (%)"]) for row in told] == pytest.approx(
        [100 * scores[layer] for layer in (0, 1, 2)], abs=1e-5
    )


def test_is_a_verb_and_so_is_replay(small_study, fused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    written = run(app, ["report", str(small_study), str(fused), "-o", "both.html"], catch_exceptions=False)
    assert (written.exit_code, written.stdout) == (0, "both.html\n")
    refused = run(app, ["report", str(small_study), "-o", "both.html"])
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    document = json.loads(run(app, ["replay", str(small_study), "-o", "again", "--json"]).stdout)
    assert (document["equal"], document["counts"]["differs"]) == (True, 0)
    assert stilts.replay(small_study, out="again")["equal"]
    record = json.loads((small_study / "study.json").read_text(encoding="utf-8"))
    for stage in record["stages"]:
        stage["weights"] = {"adapter/nli.safetensors": "0" * 64} if stage["work"] == "train" else {}
    changed = tmp_path / "changed" / "study.json"
    changed.parent.mkdir()
    changed.write_text(json.dumps(record), encoding="utf-8")
    differs = run(app, ["replay", str(changed), "-o", "again"])
    assert differs.exit_code == 6
    assert "weights adapter/nli.safetensors" in differs.stdout
    assert "stages differ" in differs.stderr
