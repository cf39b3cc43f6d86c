"""A folder belongs to one run: refused, resumed, done or cleared; its results notice a change."""

from __future__ import annotations

import json
import multiprocessing
import os

import numpy as np
import pytest

from adapter_stilts.errors import ArtefactError, MissingError, StiltsError, UsageError
from adapter_stilts.runs.folder import (
    check_products,
    claim,
    clear,
    locked,
    means,
    merge_results,
    read_results,
    read_units,
    state_of,
    write_results,
)


def row(task="xnli", language="sw", score=0.5, **more):
    base = {"task": task, "protocol": "own", "split": "test", "language": language, "metric": "accuracy", "score": score, "n": 4, "headline": True}
    return {**base, "settings": {}, **more}


@pytest.fixture
def run(tmp_path):
    """A folder with everything a run writes, and three files that it does not."""
    folder = tmp_path / "run"
    claim(folder, "11111111", "nli")
    ours = [
        *("config.yaml", "manifest.json", "metrics.jsonl", "README.md", "results.json", ".manifest.json.x.partial"),
        *("adapter/nli.safetensors", "adapter/nli.json", "head/head.safetensors", "head/head.json", "fusion/1.safetensors", "fusion/1.json"),
        *("fusion/attention.json", "predictions/xnli/test-sw.tsv", "predictions/xquad/test-de.json", "units/xnli/test-sw.npy"),
        *("vectors/tatoeba/test-de.npy", "checkpoints/step-00000002/state.json", "checkpoints/.partial-7/state.json"),
    ]
    for name in (*ours, "notes.txt", "adapter/notes.txt", "predictions/mine/table.xlsx"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_is_new_where_there_is_nothing_or_only_remains(tmp_path):
    assert state_of(tmp_path / "none", "1", overwrite=False) == "new"
    (tmp_path / ".lock").touch()
    (tmp_path / ".identity.json.abc.partial").touch()
    assert state_of(tmp_path, "1", overwrite=False) == "new"


def test_is_resumable_until_the_manifest_is_there_and_then_done(run):
    assert state_of(run, "11111111", overwrite=False) == "done"
    (run / "manifest.json").unlink()
    assert state_of(run, "11111111", overwrite=False) == "resumable"


def test_refuses_another_configuration_and_loses_nothing(run, contents):
    before = contents(run)
    with pytest.raises(UsageError, match=r"another configuration \(11111111, asked for 22222222\)(.|\n)*--overwrite"):
        state_of(run, "22222222", overwrite=False)
    assert contents(run) == before
    assert state_of(run, "22222222", overwrite=True) == "new"


@pytest.mark.parametrize("overwrite", [False, True])
def test_refuses_a_folder_of_something_else_and_a_file(tmp_path, overwrite):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(UsageError, match="not empty and holds no run"):
        state_of(tmp_path, "1", overwrite=overwrite)
    with pytest.raises(UsageError, match="a file where the run's folder should be"):
        state_of(tmp_path / "README.md", "1", overwrite=overwrite)


def test_says_that_a_claim_is_damaged(run):
    (run / "identity.json").write_text("{")
    with pytest.raises(ArtefactError, match="whose run this is"):
        state_of(run, "11111111", overwrite=False)
    assert state_of(run, "11111111", overwrite=True) == "new"


def test_clears_what_a_run_wrote_and_nothing_else(run, contents):
    clear(run)
    assert sorted(contents(run)) == ["adapter/notes.txt", "notes.txt", "predictions/mine/table.xlsx"]
    assert not (run / "checkpoints").exists()


def test_can_go_on_clearing_after_it_was_cut_off(run, monkeypatch, contents):
    """The claim goes last: whose folder it is can be told at every moment, and the manifest first: it is never taken for whole."""
    import adapter_stilts.runs.folder as module

    def cut(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_remove_empty", cut)
    with pytest.raises(KeyboardInterrupt):
        clear(run)
    monkeypatch.undo()
    assert state_of(run, "11111111", overwrite=False) == "resumable"
    clear(run)
    assert sorted(contents(run)) == ["adapter/notes.txt", "notes.txt", "predictions/mine/table.xlsx"]


def test_leaves_what_a_linked_folder_points_to(run, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious.txt").write_text("mine")
    (run / "vectors").rename(tmp_path / "old")
    (run / "vectors").symlink_to(elsewhere)
    clear(run)
    assert (elsewhere / "precious.txt").is_file()


def hold(folder, taken, release):
    with locked(folder):
        taken.set()
        release.wait(30)


def test_is_held_by_one_process_at_a_time(tmp_path):
    context = multiprocessing.get_context("fork")
    taken, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path / "run", taken, release))
    other.start()
    assert taken.wait(30)
    with pytest.raises(UsageError, match="another process is working on this run"), locked(tmp_path / "run"):
        pass
    os.kill(other.pid, 9)
    other.join(30)
    with locked(tmp_path / "run"):
        pass


def fail(folder, *, after_work):
    with locked(folder):
        claim(folder, "abc", "run")
        if after_work:
            (folder / "metrics.jsonl").write_text("{}\n", encoding="utf-8")
        raise StiltsError("no data")


def test_leaves_no_folder_where_the_work_failed_before_it_began(tmp_path):
    with pytest.raises(StiltsError, match="no data"):
        fail(tmp_path / "run", after_work=False)
    assert list(tmp_path.iterdir()) == []


def test_leaves_the_folder_where_something_was_worked_for_before_it_failed(tmp_path):
    with pytest.raises(StiltsError, match="no data"):
        fail(tmp_path / "run", after_work=True)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {".lock", "identity.json", "metrics.jsonl"}


def test_says_that_a_folder_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StiltsError, match="cannot write"), locked(tmp_path / "file" / "run"):
        pass


def test_keeps_results_in_order_and_reads_them_back(tmp_path):
    write_results(tmp_path, [row(language="sw"), row(language="de"), row("udpos", metric="f1")])
    assert [(found["task"], found["language"]) for found in read_results(tmp_path)] == [("udpos", "sw"), ("xnli", "de"), ("xnli", "sw")]
    assert read_results(tmp_path / "none") == []


def test_notices_any_changed_byte_of_results(tmp_path, flip):
    write_results(tmp_path, [row()])
    path = tmp_path / "results.json"
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        flip(path, place, 3)
        with pytest.raises(ArtefactError, match=r"results\.json"):
            read_results(tmp_path)
        path.write_bytes(whole)


@pytest.fixture
def scored(tmp_path):
    """A row of results whose predictions and units are on disk."""
    (tmp_path / "p.tsv").write_text("neutral\n")
    np.save(tmp_path / "u.npy", np.array([[1.0, 1.0], [0.0, 1.0]]))
    write_results(tmp_path, [row(predictions="p.tsv", units="u.npy")])
    return read_results(tmp_path)[0]


@pytest.mark.parametrize("name", ["p.tsv", "u.npy"])
def test_notices_a_flipped_byte_in_what_a_score_was_made_of(scored, tmp_path, flip, name):
    check_products(tmp_path, [scored])
    flip(tmp_path / name, (tmp_path / name).stat().st_size - 1, 1)
    with pytest.raises(ArtefactError, match=rf"(?s){name} is not the file that was scored.*--tasks xnli --languages sw --split test --overwrite"):
        check_products(tmp_path, [scored])


def test_reads_the_sums_of_a_score_and_says_when_they_are_gone(scored, tmp_path, flip):
    assert read_units(tmp_path, scored).tolist() == [[1, 1], [0, 1]]
    flip(tmp_path / "u.npy", (tmp_path / "u.npy").stat().st_size - 2, 4)
    with pytest.raises(ArtefactError, match=r"u\.npy is not the file"):
        read_units(tmp_path, scored)
    (tmp_path / "u.npy").unlink()
    with pytest.raises(MissingError, match="not there"):
        read_units(tmp_path, scored)


def test_lets_a_bundle_leave_its_predictions_out(scored, tmp_path):
    (tmp_path / "p.tsv").unlink()
    check_products(tmp_path, [scored])


def test_knows_a_file_again_that_another_reading_wrote_anew(scored, tmp_path):
    (tmp_path / "p.tsv").write_text("entailment\n")
    write_results(tmp_path, merge_results([scored], [row(protocol="xtreme", predictions="p.tsv")]))
    check_products(tmp_path, read_results(tmp_path))


def test_replaces_a_row_by_a_newer_one_of_the_same_thing():
    merged = merge_results([row(score=0.1), row(language="de")], [row(score=0.9), row(settings={"layer": 3})])
    assert sorted((found["language"], found["score"]) for found in merged) == [("de", 0.5), ("sw", 0.5), ("sw", 0.9)]


def test_means_over_languages_then_tasks_with_and_without_retrieval():
    rows = [row(language="sw", score=0.2), row(language="de", score=0.6), row("tatoeba", score=1.0, retrieval=True), row(metric="f1", headline=False)]
    found = means([*rows, row(language="en", split="validation", score=0.0)])
    assert found["tasks"]["xnli"] == [{"protocol": "own", "split": "test", "settings": {}, "score": 0.4, "languages": 2}]
    assert (found["with_retrieval"], found["without_retrieval"]) == (pytest.approx(0.7), pytest.approx(0.4))
    assert means([])["with_retrieval"] is None


def test_does_not_mix_protocols_or_layers_in_a_mean():
    found = means([row(score=0.2), row(score=0.4, protocol="xtreme"), row("tatoeba", settings={"layer": 1}), row("tatoeba", settings={"layer": 2})])
    assert [len(found["tasks"][task]) for task in ("xnli", "tatoeba")] == [2, 2]
    assert found["with_retrieval"] is None


def test_writes_json_that_others_read(tmp_path):
    write_results(tmp_path, [row()])
    assert json.loads((tmp_path / "results.json").read_text())["means"]["without_retrieval"] == 0.5


def test_takes_the_predictions_from_rows_whose_file_another_reading_has_written_over():
    key = {"task": "tatoeba", "protocol": "own", "split": "test", "language": "sw", "metric": "accuracy", "score": 0.5}
    old = {**key, "settings": {"layer": 1}, "predictions": "predictions/tatoeba/test-sw.tsv"}
    new = {**old, "settings": {"layer": 2}}
    same = {**old, "protocol": "xtreme"}
    assert merge_results([old], [new]) == [{**key, "settings": {"layer": 1}}, new]
    assert merge_results([old], [same]) == [old, same]


def test_does_not_call_a_claim_damaged_that_may_not_be_read(tmp_path, monkeypatch):
    claim(tmp_path, "11111111", "nli")

    def refused(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "read_bytes", refused)
    with pytest.raises(ArtefactError, match=r"cannot read: Permission denied(.|\n)*identity.json(.|\n)*do: +check the file and its permissions"):
        state_of(tmp_path, "11111111", overwrite=False)
