"""A full disk is said to be full, at whatever file; what was written before is kept, and the same command goes on from
there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from adapter_stilts.errors import DoesNotFit, MissingError
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.train import train
from adapter_stilts.sharing.bundle import load_bundle

KEPT = ("adapter", "head", "predictions", "units")
FILES = (
    "config.yaml",
    "identity.json",
    "adapter/.nli.json",
    "head/.head.safetensors",
    "predictions/",
    "units/",
    "results.json",
    "README.md",
    "manifest.json",
)


@pytest.fixture
def start(config, tmp_path):
    """Trains into a folder of the test."""
    return lambda name="run", **settings: train(
        config(**settings),
        ("nli",),
        out=tmp_path / name,
        runs=tmp_path,
        resume=True,
        overwrite=False,
        dry_run=False,
        report=Silent(),
    )


@pytest.fixture
def full(monkeypatch):
    """`full(part, after)`: the disk is full when a file is flushed whose path holds `part`, from the time after so many
    on."""
    fsync = os.fsync

    def fill(part: str, after: int = 0) -> None:
        met = iter(range(10**6))

        def fail(handle: int) -> None:
            if part in os.readlink(f"/proc/self/fd/{handle}") and next(met) >= after:
                raise OSError(errno.ENOSPC, "No space left on device")
            fsync(handle)

        monkeypatch.setattr(os, "fsync", fail)

    return fill


def check_same(folder: Path, whole: Path, contents):
    load_bundle(folder)
    assert contents(folder, *KEPT) == contents(whole, *KEPT)
    assert not list(folder.rglob("*.partial"))


@pytest.mark.parametrize("part", FILES)
def test_stops_at_any_file_and_ends_the_same_when_there_is_space_again(
    start, full, monkeypatch, tmp_path, contents, part
):
    full(part)
    with pytest.raises(DoesNotFit, match=r"disk is full(.|\n)*where:(.|\n)*free some space") as caught:
        start()
    assert caught.value.exit_code == 5
    with pytest.raises(MissingError, match="no such folder|not finished|no run here"):
        load_bundle(tmp_path / "run")
    monkeypatch.undo()
    start()
    start("whole")
    check_same(tmp_path / "run", tmp_path / "whole", contents)


def test_keeps_the_checkpoint_before_the_one_that_does_not_fit(start, full, monkeypatch, tmp_path, contents):
    settings = {"training__max_steps": 6, "training__checkpoint_steps": 2}
    full("optimiser.safetensors", after=2)
    with pytest.raises(DoesNotFit):
        start(**settings)
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000004"]
    monkeypatch.undo()
    start(**settings)
    start("whole", **settings)
    check_same(tmp_path / "run", tmp_path / "whole", contents)


def test_says_so_when_the_system_itself_refuses_to_write_on(config, process, tmp_path):
    """A real refusal, by a limit on the size of files: the optimiser's moments are the largest."""
    started = process(config(), tmp_path / "run", largest=8000)
    assert started.end() == 5
    assert "DoesNotFit" in started.messages[-1][2]
    assert process(config(), tmp_path / "run").end() == 0
    load_bundle(tmp_path / "run")
