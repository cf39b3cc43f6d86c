"""Lists and facts come from metadata, and nothing heavy is loaded for them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from adapter_stilts.errors import ArtefactError, MissingError
from adapter_stilts.files import write_bytes
from adapter_stilts.runs.folder import claim
from adapter_stilts.runs.inspect import info, list_kinds, list_languages, list_recipes, list_runs, list_tasks
from adapter_stilts.runs.results import write_results
from adapter_stilts.sharing.manifest import Manifest, TrunkFacts, write_manifest
from adapter_stilts.statistics.result import Result

ROW = {
    "task": "xnli",
    "protocol": "own",
    "language": "sw",
    "metric": "accuracy",
    "score": 0.5,
    "n": 10,
    "interval": [0.4, 0.6],
    "split": "test",
    "headline": True,
    "settings": {"max_length": 64},
}
SUMMED = {"task": "xnli", "split": "test", "languages": ["sw"], "readings": 1, "lowest": 0.5, "highest": 0.5}


@pytest.fixture
def finished(tmp_path):
    """A finished run of 12 bytes of weights and one score, and a function that makes another."""

    def make(name: str, control: str = "none"):
        folder = tmp_path / "runs" / name
        write_bytes(folder / "adapter" / "xnli.safetensors", b"twelve bytes")
        trunk = TrunkFacts(name="miniature", revision=None, fingerprint="ab" * 8, layers=2, hidden=8, precision="fp32")
        fields = dict.fromkeys(("parents", "data", "substitutions", "parts"), ())
        words = {
            "format": "pair",
            "language": "en",
            "how": "direct",
            "composition": "xnli",
            "device": "CPU",
            "licence": "",
            "identity": "00000000",
        }
        maps = {
            "seeds": {"training": 13},
            "versions": {},
            "training": {},
            "files": {"adapter/xnli.safetensors": "0" * 64},
        }
        write_manifest(
            folder,
            Manifest(
                name=name,
                task="xnli",
                control=control,
                trunk=trunk,
                seconds=1.0,
                peak_memory=1,
                **fields,
                **words,
                **maps,
            ),
        )
        write_results(folder, [Result.from_json(ROW)])
        return folder

    return make


def test_lists_every_task_once_with_its_release_names():
    found = {row["task"]: row for row in list_tasks()}
    assert {
        "nli",
        "paraphrase",
        "pair",
        "single",
        "pos",
        "ner",
        "qa",
        "choice",
        "mlm",
        "bitext",
        "xnli",
        "tatoeba",
    } <= set(found)
    assert found["xnli"]["trained_on"] == "mnli"
    assert found["tatoeba"]["files"]["test"]


def test_lists_where_rows_come_from_how_sure_that_is_and_what_gives_them_away():
    found = {row["task"]: row for row in list_tasks()}
    (source,) = found["hellaswag"]["sources"]
    assert (source["id"], source["revision"], source["certainty"]) == (
        "Rowan/hellaswag",
        "refs/convert/parquet",
        "loading script",
    )
    assert [one["id"] for one in found["anli+"]["sources"]] == ["facebook/anli", "nyu-mll/glue", "stanfordnlp/snli"]
    assert [(one["id"], one["config"], one["certainty"]) for one in found["xnli"]["sources"]] == [
        ("google/xtreme", "XNLI", "plain files"),
        ("facebook/xnli", "{l}", "not verified"),
    ]
    assert found["xnli"]["sizes"]["train"] == "392,702 [S]"
    assert found["xnli"]["splits"] == ["train", "validation", "test"]
    assert {"source": "squad", "kind": "selection"}.items() <= found["xquad"]["leaks"][1].items()
    assert (found["anli+"]["parts"], found["ud-xpos"]["stands_for"]) == (["anli", "mnli", "snli"], "CCG supertagging")
    assert found["udpos"]["extra_languages"] == ["lt", "pl", "uk", "wo", "ro"]
    assert json.loads(json.dumps(found)).keys() == found.keys()
    assert all(row["licence"] for row in found.values() if row["sources"])


def test_lists_kinds_with_their_settings_and_compositions():
    found = {row["kind"]: row for row in list_kinds()}
    assert found["seq_bn"]["settings"]["reduction_factor"] == 16
    assert "fuse" not in found["lora"]["composes"]
    assert found["mam"]["modules"] == ["prefix", "bottleneck"]


def test_lists_languages_by_their_short_code():
    found = {row["language"]: row for row in list_languages()}
    assert found["sw"]["iso3"] == "swa"
    assert {"xnli", "xcopa", "tatoeba"} <= set(found["sw"]["tasks"])


def test_lists_recipes_with_the_command_that_uses_them():
    found = list_recipes()
    assert found
    for row in found:
        assert row["command"].startswith("adapter-stilts ")
        assert row["name"].rpartition("/")[2] in row["command"]
        assert row["recipe"].removesuffix(".yaml") == row["name"]
        assert row["protocol"] or row["path"].endswith(row["recipe"])
        assert Path(row["path"]).is_file()
        assert row["summary"]


def test_lists_finished_unfinished_and_damaged_runs_at_any_depth(finished, tmp_path):
    done = finished("demo/xnli-1")
    finished("xnli-2", control="shuffled-labels")
    claim(tmp_path / "runs" / "nli-3", "33333333", "nli")
    broken = finished("xnli-4")
    (broken / "manifest.json").write_text("{}")
    found = {row["run"]: row for row in list_runs(tmp_path / "runs")}
    assert [row["state"].split(":")[0] for row in found.values()] == [
        "finished",
        "unfinished",
        "finished (shuffled-labels)",
        "damaged",
    ]
    assert found[str(done)]["scores"] == [SUMMED]
    assert found[str(done)]["trunk"] == "miniature"


def test_does_not_call_the_scores_of_a_bare_trunk_an_unfinished_run(tmp_path):
    claim(tmp_path / "trunk-miniature-1", "11111111", "trunk-miniature-1")
    write_results(tmp_path / "trunk-miniature-1", [Result.from_json(ROW)])
    (found,) = list_runs(tmp_path)
    assert (found["state"], found["task"], found["scores"]) == ("scores of a trunk", "xnli", [SUMMED])


def test_sums_up_the_scores_of_a_run_by_task_and_reading(finished, tmp_path):
    folder = finished("nli-1")
    layers = [
        {**ROW, "task": "tatoeba", "language": language, "score": score, "settings": {"layer": layer}}
        for layer, of in ((1, (0.25, 0.5)), (2, (0.5, 1.0)))
        for language, score in zip(("de", "sw"), of, strict=True)
    ]
    rows = [ROW, *layers, {**ROW, "task": "nli", "language": "en", "split": "validation"}]
    write_results(folder, [Result.from_json(row) for row in rows])
    (found,) = list_runs(tmp_path / "runs")
    assert found["scores"] == [
        {"task": "nli", "split": "validation", "languages": ["en"], "readings": 1, "lowest": 0.5, "highest": 0.5},
        {
            "task": "tatoeba",
            "split": "test",
            "languages": ["de", "sw"],
            "readings": 2,
            "lowest": 0.375,
            "highest": 0.75,
        },
        SUMMED,
    ]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe"])
def test_lists_the_other_runs_beside_one_whose_claim_is_damaged(finished, tmp_path, content):
    finished("xnli-1")
    write_bytes(tmp_path / "runs" / "xnli-2" / "identity.json", content)
    assert [row["state"].split(":")[0] for row in list_runs(tmp_path / "runs")] == ["finished", "damaged"]


def test_lists_a_folder_that_may_not_be_read(finished, tmp_path, monkeypatch):
    """As root everything may be read, so the answer of the system is put in its place."""
    finished("xnli-1")
    closed = finished("xnli-2")
    monkeypatch.setattr("os.access", lambda path, mode: path != closed)
    assert [row["state"] for row in list_runs(tmp_path / "runs")] == ["finished", "unreadable: permission denied"]


def test_refuses_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(MissingError, match="no such folder"):
        list_runs(tmp_path / "nowhere")


def test_tells_a_file_from_a_folder_that_is_not_there(tmp_path):
    (tmp_path / "file").touch()
    for name, what in (("file", "a file where a run's folder was expected"), ("nowhere", "no such folder")):
        with pytest.raises(MissingError, match=what):
            info(tmp_path / name)


def test_tells_everything_of_a_run(finished):
    found = info(finished("xnli-1"))
    assert (found["task"], found["bytes"], found["results"], found["means"]["without_retrieval"]) == (
        "xnli",
        12,
        [ROW],
        0.5,
    )


def test_refuses_a_run_whose_manifest_was_changed(finished):
    folder = finished("xnli-1")
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"xnli"', '"mnli"'))
    with pytest.raises(ArtefactError, match="checksum"):
        info(folder)


def test_does_not_wait_for_torch():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, adapter_stilts.runs.inspect as i; i.list_tasks(); i.list_kinds(); print(*sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"torch", "transformers", "adapters", "datasets", "peft"} & set(done.stdout.split())
