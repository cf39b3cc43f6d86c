"""A study of several processes that is killed or interrupted goes on with the same command, and ends as any other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

KEPT = ("adapter", "head", "predictions", "units")


@pytest.fixture
def start(tmp_path):
    """`start(path, out)` runs `adapter-stilts study --jobs 2` in a process group of its own."""
    begun = []

    def begin(path, out):
        command = [
            sys.executable,
            "-m",
            "adapter_stilts_cli",
            "study",
            str(path),
            "-o",
            str(tmp_path / out),
            "--jobs",
            "2",
        ]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        begun.append(process)
        return process

    yield begin
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(out, process, done):
    """Until so many stages are done and another is at work."""
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if (out / "study.json").is_file():
            found = [
                record["state"] for record in json.loads((out / "study.json").read_text(encoding="utf-8"))["stages"]
            ]
            if found.count("done") >= done and "running" in found:
                return
        time.sleep(0.02)
    raise AssertionError(f"the study ended before {done} stages were done: {process.communicate()}")


def results(out, contents):
    """What a study leaves, whatever its order: weights and predictions of every run, and the table."""
    runs = {path.name: contents(path, *KEPT) for path in sorted((out / "runs").iterdir())}
    return runs, json.loads((out / "study.json").read_text(encoding="utf-8"))["entries"]


def check_nobody_works(out):
    """No process of the study is left: every run can be locked."""
    import fcntl

    deadline = time.monotonic() + 30
    for lock in (out / "runs").glob("*/.lock"):
        with lock.open("w") as stream:
            while True:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    assert time.monotonic() < deadline, f"somebody still works in {lock.parent}"
                    time.sleep(0.05)


def test_ends_the_same_after_it_was_killed_and_after_it_was_interrupted(
    file, start, run, states, contents, tmp_path, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    slow = {
        "training.max_steps": 12,
        "training.checkpoint_steps": 2,
        "training.rows": 40,
        "training.batch_rows": 8,
        "training.max_length": 48,
    }
    path = file(
        settings={**slow, "training.validation_rows": 8},
        targets=[{"task": "panx", "languages": ["de"]}, {"task": "tatoeba", "languages": ["de"]}],
    )
    out = tmp_path / "broken"

    killed = start(path, "broken")
    wait_for(out, killed, 2)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    check_nobody_works(out)
    assert "running" in states(out).values()

    stopped = start(path, "broken")
    wait_for(out, stopped, 5)
    os.killpg(stopped.pid, signal.SIGINT)  # as Ctrl-C does
    _, talk = stopped.communicate(timeout=60)
    assert stopped.returncode == 130, talk
    assert "progress is saved" in talk
    assert "Traceback" not in talk
    assert {"done", "waiting"} <= set(states(out).values()) <= {"done", "waiting", "interrupted"}

    found = run(path, "broken", jobs=2)
    assert found["failed"] == 0
    run(path, "whole")
    assert results(out, contents) == results(tmp_path / "whole", contents)


def test_stops_in_peace_while_its_processes_are_still_being_made(file, start, states, tmp_path):
    """The Ctrl-C of a terminal reaches whatever makes the processes, too, and its first seconds go by with imports."""
    stopped = start(file(), "early")
    wait_for(tmp_path / "early", stopped, 0)
    time.sleep(0.5)
    os.killpg(stopped.pid, signal.SIGINT)
    _, talk = stopped.communicate(timeout=60)
    assert stopped.returncode == 130, talk
    assert "Traceback" not in talk
    assert "failed" not in states(tmp_path / "early").values()


def test_tells_a_process_that_was_killed_from_one_that_failed(file, start, run, states, tmp_path):
    path = file(
        settings={
            "training.max_steps": 100_000,
            "training.rows": 40,
            "training.batch_rows": 8,
            "training.max_length": 48,
        },
        targets=["panx"],
    )
    process = start(path, "study")
    wait_for(tmp_path / "study", process, 0)
    deadline, workers = time.monotonic() + 60, []
    while not workers and time.monotonic() < deadline:
        workers = [pid for pid in _descendants(process.pid) if os.getsid(pid) == pid]  # those in a group of their own
        time.sleep(0.05)
    assert (
        blocked(workers[0]) & 1 << signal.SIGINT - 1
    )  # a Ctrl-C of the group must not reach one that is not out of it yet
    os.kill(workers[0], signal.SIGKILL)
    while "failed" not in states(tmp_path / "study").values() and time.monotonic() < deadline:
        time.sleep(0.05)
    (failed,) = (
        record
        for record in json.loads((tmp_path / "study/study.json").read_text())["stages"]
        if record["state"] == "failed"
    )
    assert failed["error"] == "its process ended by SIGKILL"
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130
    check_nobody_works(tmp_path / "study")


def blocked(pid):
    """The signals that a process blocks, a bit each."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as stream:
        return int(next(line for line in stream if line.startswith("SigBlk:")).split()[1], 16)


def _descendants(pid):
    """Children and their children, from /proc."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8") as stream:
                    parent = int(stream.read().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            if parent == pid:
                found += [int(entry), *_descendants(int(entry))]
    return found
