"""An encoding that is killed at any moment, and started again, leaves the bytes of one that was not."""

from __future__ import annotations

import multiprocessing
import os
import random
import runpy
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from adapter_stilts.retrieval.reading import Overrides
from adapter_stilts.seeding import Seeds

WORDS = ("Anna", "kaufte", "am", "Montag", "zwei", "rote", "Äpfel", "in", "Paris", "The", "small", "cat", "sleeps")
LINES = [
    " ".join(WORDS[number * 7 % 11 :][: 1 + number % 9]) + f" {number % 50}" if number % 17 else ""
    for number in range(120)
]


@pytest.fixture(scope="module")
def start():
    """`start(request, out, pause)`: a process that encodes, and the connection on which it tells how far it is."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["adapter_stilts.mining.encode", "adapter_stilts.encoder.trunk.tokenizer"])
    started = []

    def run(request, out, pause=0.0):
        told, tell = context.Pipe(duplex=False)
        given = {"REQUEST": request, "OUT": str(out), "TELL": tell, "PAUSE": pause}
        one = context.Process(
            target=runpy.run_path, args=(str(Path(__file__).with_name("start_encode.py")), given, "__main__")
        )
        one.start()
        tell.close()
        started.append(one)
        return one, told

    yield run
    for one in started:
        if one.is_alive():
            one.kill()
        one.join()


@pytest.fixture(scope="module")
def request_(tmp_path_factory, tiny_folder):
    path = tmp_path_factory.mktemp("text") / "a.txt"
    path.write_text("".join(line + "\n" for line in LINES), encoding="utf-8")
    return {
        "file": path,
        "trunk": str(tiny_folder),
        "precision": "fp32",
        "wanted": Overrides((2,)),
        "shard_rows": 16,
        "token_budget": 64,
        "dtype": "int8",
    }


@pytest.fixture(scope="module")
def whole(start, request_, tmp_path_factory):
    """What an encoding without a break leaves, and how often it tells something."""
    folder = tmp_path_factory.mktemp("whole") / "v"
    process, told = start(request_, folder)
    heard = hear(told)
    process.join(300)
    assert process.exitcode == 0
    return content(folder), heard


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != ".lock"}


def hear(told, wanted=10**9):
    """Wait for so many messages, or for the end; returns how many came."""
    count = 0
    with suppress(EOFError):
        while count < wanted:
            told.recv()
            count += 1
    return count


def kill_and_finish(start, request, folder, whole, draw, kills):
    """Kill so many times, each a random moment after a random batch of those that are left; then let it finish."""
    expected, heard = whole
    for left in range(kills, 0, -1):
        process, told = start(request, folder, pause=0.003)
        hear(told, draw.randint(0, max(1, heard // left)))
        time.sleep(draw.random() * 0.02)
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(process.pid, signal.SIGKILL)
        process.join(300)
    process, told = start(request, folder)
    hear(told)
    process.join(300)
    assert process.exitcode == 0
    assert content(folder) == expected


def test_ends_the_same_when_it_is_killed_at_random_moments(start, request_, whole, tmp_path):
    seed = time.time_ns()
    print(f"kills drawn from seed {seed}")  # noqa: T201  for whoever has to repeat a failure
    kill_and_finish(start, request_, tmp_path / "v", whole, Seeds(seed).python("kills"), 3)


@pytest.mark.slow
@pytest.mark.parametrize("repetition", range(10))
def test_ends_the_same_after_ten_kills(start, request_, whole, tmp_path, repetition):
    kill_and_finish(start, request_, tmp_path / "v", whole, random.Random(repetition), 10)


def test_refuses_a_second_process_while_the_first_works(start, request_, tmp_path):
    first, told = start(request_, tmp_path / "v", pause=0.5)
    while not told.recv()[0].startswith("encoding"):  # until then it reads the file, which several may do
        pass
    os.kill(first.pid, signal.SIGSTOP)  # however long the second takes to start
    second, heard = start(request_, tmp_path / "v")
    hear(heard)
    second.join(300)
    assert second.exitcode == 1
    first.kill()
