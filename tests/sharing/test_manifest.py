"""A manifest is read whole or refused; a folder without one is told apart from no folder."""

from __future__ import annotations

import pytest

from adapter_stilts.errors import ArtefactError, MissingError
from adapter_stilts.sharing.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from adapter_stilts.sharing.sealed import read_sealed, write_sealed
from adapter_stilts.tasks.leaks import Seen


def test_comes_back_as_it_was_written(tmp_path, manifest):
    written = write_manifest(
        tmp_path,
        manifest(files={"adapter/nli.safetensors": "0" * 64, "config.yaml": "1" * 64}, substitutions=("a", "b")),
    )
    assert read_manifest(tmp_path) == written
    assert len(written.checksum) == 64


def test_has_the_same_bytes_for_the_same_facts(tmp_path, manifest):
    for name in ("a", "b"):
        write_manifest(tmp_path / name, manifest())
    assert (tmp_path / "a" / MANIFEST).read_bytes() == (tmp_path / "b" / MANIFEST).read_bytes()


def test_says_that_a_run_without_one_is_not_finished(tmp_path):
    (tmp_path / "config.yaml").write_text("")
    with pytest.raises(MissingError, match="not finished"):
        read_manifest(tmp_path)


def test_says_that_an_empty_folder_or_no_folder_is_no_run(tmp_path):
    with pytest.raises(MissingError, match="no run here"):
        read_manifest(tmp_path)
    with pytest.raises(MissingError, match="no such folder"):
        read_manifest(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3}, "manifest version 3, and this program reads 1 and 2"),
        ({"seconds": "long"}, "not one of a run: seconds"),
        ({"surprise": 1}, "not one of a run: surprise"),
        ({"files": {"../../etc/passwd": "0"}}, "'../../etc/passwd' cannot be a file of a run"),
        ({"files": {"/etc/passwd": "0"}}, "cannot be a file of a run"),
        ({"files": {"adapter/..": "0"}}, "cannot be a file of a run"),
        ({"files": {"predictions/a.tsv": "0"}}, "cannot be a file of a run"),
    ],
)
def test_refuses_facts_that_no_run_has_even_under_a_right_checksum(tmp_path, manifest, change, message):
    write_manifest(tmp_path, manifest())
    fields = read_sealed(tmp_path / MANIFEST, "it", do="")
    write_sealed(tmp_path / MANIFEST, {**fields, **change})
    with pytest.raises(ArtefactError, match=message):
        read_manifest(tmp_path)


def test_says_in_json_what_is_known_of_its_facts_and_no_more(tmp_path, manifest):
    said = {
        "history": [
            {"task": "anli+", "split": "train", "language": "en", "parts": ["anli", "mnli"]},
            {"task": "qqp", "split": "train", "language": "en"},
        ],
        "data": [
            {"task": "nli", "split": "train", "language": "en", "kind": "files", "files": [], "rows_sha256": "00"}
        ],
        "training": {"steps": 3, "best_step": None, "losses": [[3, 0.5]]},
        "parts": [{"part": "nli", "role": "adapter", "active": True, "trained": True, "parameters": 8}],
    }
    write_manifest(tmp_path, Manifest.model_validate({**manifest().model_dump(mode="json"), **said}))
    fields = read_sealed(tmp_path / MANIFEST, "it", do="")
    assert {name: fields[name] for name in said} == said
    assert read_manifest(tmp_path).history[0] == Seen("anli+", "train", "en", ("anli", "mnli"))
