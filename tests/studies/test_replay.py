"""A study made again: equal where nothing changed, and where it differs said stage by stage."""

from __future__ import annotations

import json
import shutil

import pytest

from adapter_stilts.errors import ArtefactError, MissingError, StudyFailed, UsageError
from adapter_stilts.reporting import Silent
from adapter_stilts.studies.replay import difference, replay

SMALL = {"intermediate": ["nli"], "targets": [{"task": "tatoeba", "languages": ["de"]}]}


@pytest.fixture
def recorded(file, run, tmp_path):
    """A finished study's folder: one training, read once with it and once with the trunk."""
    run(file(**SMALL), out="first")
    return tmp_path / "first"


@pytest.fixture
def again(tmp_path):
    return lambda manifest, out="again", **more: replay(manifest, out=tmp_path / out, jobs=1, report=Silent(), **more)


def change(folder, edit):
    """Change the record of the training in a study.json."""
    document = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    edit(document)
    (folder / "study.json").write_text(json.dumps(document), encoding="utf-8")


def test_is_equal_from_study_json_alone(recorded, again, tmp_path):
    alone = tmp_path / "sent" / "study.json"
    alone.parent.mkdir()
    shutil.copy(recorded / "study.json", alone)
    shutil.rmtree(recorded / "runs")
    document = again(alone)
    assert document["equal"]
    assert document["counts"] == {"equal": 3, "differs": 0, "not comparable": 0}
    assert [stage["differences"] for stage in document["stages"]] == [[], [], []]
    assert document["entries"] == []


def test_names_the_weights_data_and_scores_that_differ(recorded, again):
    def edit(document):
        training, *readings = document["stages"]
        training["weights"]["adapter/nli.safetensors"] = "0" * 64
        training["data"] = dict.fromkeys(training["data"], "1" * 64)
        training["versions"]["torch"] = "1.0"
        readings[0]["scores"][0] = 0.123
        document["entries"][0]["score"] = 0.123

    change(recorded, edit)
    document = again(recorded)
    assert not document["equal"]
    training, reading, other = document["stages"]
    told = {one["what"]: one["recorded"] for one in training["differences"]}
    assert told["weights adapter/nli.safetensors"] == "0" * 64
    assert told["versions torch"] == "1.0"
    assert {name for name in told if name.startswith("data nli train")}
    assert [one["recorded"] for one in reading["differences"]] == [0.123]
    assert reading["differences"][0]["what"].startswith("scores tatoeba")
    assert other["state"] == "equal"
    assert [entry["score"][0] for entry in document["entries"]] == [0.123]
    with pytest.raises(StudyFailed, match="2 of 3 stages differ"):
        raise difference(document)


def test_counts_other_versions_as_equal_and_says_them(recorded, again):
    change(recorded, lambda document: document["stages"][0]["versions"].update(torch="1.0"))
    document = again(recorded)
    assert document["equal"]
    assert [one["what"] for one in document["stages"][0]["differences"]] == ["versions torch"]


def test_compares_a_record_without_hashes_with_its_runs(recorded, again):
    def older(document):
        for stage in document["stages"]:
            for name in ("weights", "data", "trunk", "versions", "device", "scores"):
                stage.pop(name, None)

    change(recorded, older)
    assert again(recorded)["equal"]
    shutil.rmtree(recorded / "runs")
    document = again(recorded)
    assert document["counts"] == {"equal": 0, "differs": 0, "not comparable": 3}
    assert not document["equal"]


def test_notices_settings_that_differ(recorded, again):
    def edit(document):
        document["config"]["settings"]["training.max_steps"] = 3

    change(recorded, edit)
    document = again(recorded)
    assert document["stages"][0]["state"] == "differs"
    assert any(one["what"].startswith("weights") for one in document["stages"][0]["differences"])


def test_takes_the_trunk_and_data_from_where_they_lie_now(recorded, again, tiny_folder, tmp_path):
    moved = tmp_path / "moved-trunk"
    shutil.copytree(tiny_folder, moved)
    change(recorded, lambda document: document["config"]["trunk"].update(name=str(tmp_path / "gone")))
    with pytest.raises(StudyFailed):
        raise difference(again(recorded, out="without"))
    document = again(recorded, trunk=str(moved))
    assert document["equal"]


def test_refuses_its_own_folder_and_what_is_no_record(recorded, again, tmp_path):
    with pytest.raises(UsageError, match="in its own folder"):
        again(recorded, out="first")
    with pytest.raises(MissingError, match="no study.json"):
        again(tmp_path / "nowhere")
    change(recorded, lambda document: document["config"].update(seedz=[1]))
    with pytest.raises(ArtefactError, match=r"of another version: .*seedz"):
        again(recorded)
    (recorded / "study.json").write_text("[]")
    with pytest.raises(ArtefactError, match="damaged"):
        again(recorded)
