"""A training process that is killed, by SIGKILL at any moment, and started again, ends with the bytes of one that was
not."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from plans import plan as make_plan

from adapter_stilts.seeding import Seeds

PLAN = make_plan(
    max_steps=60, learning_rate=0.01, token_budget=100, log_steps=3, checkpoint_steps=2, evaluate_steps=9, patience=0
)
COMMAND = [sys.executable, str(Path(__file__).with_name("toy.py"))]


def run(folder, *options):
    subprocess.run(
        [*COMMAND, str(folder), PLAN.model_dump_json(), "--validate", *options],
        check=True,
        timeout=100,
        stdout=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    run(folder, "--out", str(folder / "out"))
    return folder


def kill_at(folder, step, delay):
    """Start or resume, wait for `step`, then for a fraction of a step's time, and kill."""
    with subprocess.Popen(
        [*COMMAND, str(folder), PLAN.model_dump_json(), "--validate", "--resume"], stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout:
            if int(line.split()[1]) >= step:
                time.sleep(delay)
                break
        process.kill()


def check(folder, unbroken, draw, kills, rows_without_times):
    for step in sorted(draw.sample(range(1, 56), kills)):
        kill_at(folder, step, draw.random() * 0.02)
    run(folder, "--resume", "--out", str(folder / "out"))
    assert (folder / "out").read_bytes() == (unbroken / "out").read_bytes()
    assert rows_without_times(folder) == rows_without_times(unbroken)
    assert len(list((folder / "checkpoints").iterdir())) == 1


def test_ends_the_same_after_two_kills(tmp_path, unbroken, rows_without_times):
    check(tmp_path, unbroken, Seeds(time.time_ns()).python("kills"), 2, rows_without_times)


@pytest.mark.slow
@pytest.mark.parametrize("repetition", range(10))
def test_ends_the_same_after_many_kills(tmp_path, unbroken, rows_without_times, repetition):
    check(tmp_path, unbroken, random.Random(repetition), 5, rows_without_times)
