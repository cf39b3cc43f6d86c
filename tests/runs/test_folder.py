"""A folder belongs to one run: refused, resumed, done or cleared."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from adapter_stilts.errors import ArtefactError, StiltsError, UsageError
from adapter_stilts.files import write_json
from adapter_stilts.retrieval.stored.ledger import Shard, append
from adapter_stilts.runs.folder import claim, clear, locked, state_of
from adapter_stilts.training.loop import Journal


@pytest.fixture
def run(tmp_path):
    """A folder with everything a run writes, and three files that it does not."""
    folder = tmp_path / "run"
    claim(folder, "11111111", "nli")
    ours = [
        *("config.yaml", "manifest.json", "metrics.jsonl", "README.md", "results.json", ".manifest.json.x.partial"),
        *(
            "adapter/nli.safetensors",
            "adapter/nli.json",
            "head/head.safetensors",
            "head/head.json",
            "fusion/1.safetensors",
            "fusion/1.json",
        ),
        *(
            "fusion/attention.json",
            "predictions/xnli/test-sw.tsv",
            "predictions/xquad/test-de.json",
            "units/xnli/test-sw.npy",
        ),
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
    with pytest.raises(UsageError, match=r"another configuration \(of another encoder(.|\n)*--overwrite"):
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
    """The claim goes last: whose folder it is can be told at every moment, and the manifest first: it is never taken
    for whole."""
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


def test_does_not_call_a_claim_damaged_that_may_not_be_read(tmp_path, monkeypatch):
    claim(tmp_path, "11111111", "nli")

    def refused(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "read_bytes", refused)
    with pytest.raises(
        ArtefactError,
        match=r"cannot read: Permission denied(.|\n)*identity.json(.|\n)*do: +check the file and its permissions",
    ):
        state_of(tmp_path, "11111111", overwrite=False)


@pytest.mark.parametrize("name", ["predictions", "predictions/nli", "checkpoints"])
def test_writes_through_no_link_in_the_place_of_a_folder(tmp_path, name):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "run"
    elsewhere.mkdir()
    (folder / name).parent.mkdir(parents=True)
    (folder / name).symlink_to(elsewhere)
    with pytest.raises(ArtefactError, match="a symbolic link in the place of a folder"), locked(folder):
        pass
    (tmp_path / "link").symlink_to(elsewhere)  # the run itself may lie elsewhere
    with locked(tmp_path / "link"):
        pass


def test_writes_through_no_link_in_the_place_of_a_file(tmp_path):
    other, folder = tmp_path / "other", tmp_path / "run"
    other.write_text("mine")
    folder.mkdir()
    for name in (".lock", "ledger.jsonl", "metrics.jsonl", "results.json"):
        (folder / name).symlink_to(other)
    with pytest.raises(StiltsError, match="symbolic link"), locked(folder):
        pass
    with pytest.raises(StiltsError, match="symbolic link"):
        append(folder, Shard(0, 1, 0, 0, 0, {}))
    with pytest.raises(StiltsError, match="symbolic link"):
        Journal(folder / "metrics.jsonl").append({"step": 1})
    write_json(folder / "results.json", {})
    assert other.read_text() == "mine"
    assert not (folder / "results.json").is_symlink()
