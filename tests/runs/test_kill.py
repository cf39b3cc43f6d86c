"""A run that is killed or interrupted at any moment, and started again, ends with the bytes of one that was not."""

from __future__ import annotations

import json
import random
import signal
import time

import pytest

from adapter_stilts.seeding import Seeds
from adapter_stilts.sharing.bundle import load_bundle

STEPS = 12
TRAINING = {"max_steps": STEPS, "checkpoint_steps": 2, "evaluate_steps": 5, "accumulation": 2, "token_budget": 120}
MORE = {f"training__{name}": value for name, value in TRAINING.items()}
KEPT = ("adapter", "head", "fusion", "predictions", "units")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """`unbroken(config)`: the folder of the same run without a break, made once per kind of run."""
    made = {}

    def make(name, config, process):
        if name not in made:
            made[name] = tmp_path_factory.mktemp("unbroken") / "run"
            assert process(config, made[name]).end() == 0
        return made[name]

    return make


def rows(folder):
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().split("\n") if line]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in found]


def check_same(folder, whole, contents):
    assert contents(folder, *KEPT) == contents(whole, *KEPT)
    assert rows(folder) == rows(whole)
    assert [path.name for path in (folder / "checkpoints").iterdir()] == [f"step-{STEPS:08d}"]
    load_bundle(folder)
    assert not list(folder.rglob("*.partial"))


def kill_and_finish(config, folder, process, draw, kills):
    """Kill at random steps, and a random moment after each."""
    for step in sorted(draw.sample(range(STEPS + 1), kills)):
        started = process(config, folder, pause=0.02)
        started.wait_for(step)
        time.sleep(draw.random() * (0.1 if step < STEPS else 0.4))  # the last: while the run is written down
        started.stop(signal.SIGKILL)
    assert process(config, folder).end() == 0


@pytest.fixture
def settings(trained):
    """A plain run, a mixture of tasks, and a fusion with an adapter of its own."""

    def make(name):
        if name == "direct":
            return MORE
        if name == "joint":
            return {**MORE, "task": "nli,mlm,ner", "training__sampler__name": "uniform"}
        parents = [str(trained("paraphrase")), str(trained("single"))]
        return {**MORE, "how": "fuse", "after": parents, "fusion__target_adapter": True, "fusion__learning_rate": 0.01}

    return make


@pytest.mark.parametrize("name", ["direct", "fuse", "joint"])
def test_ends_the_same_after_kills(config, settings, process, unbroken, tmp_path, contents, name):
    chosen = config(**settings(name))
    whole = unbroken(name, chosen, process)
    seed = time.time_ns()
    kill_and_finish(chosen, tmp_path / "run", process, Seeds(seed).python("kills"), 3)
    check_same(tmp_path / "run", whole, contents)


@pytest.mark.slow
@pytest.mark.parametrize("repetition", range(12))
@pytest.mark.parametrize("name", ["direct", "fuse", "joint"])
def test_ends_the_same_after_many_kills(config, settings, process, unbroken, tmp_path, contents, name, repetition):
    chosen = config(**settings(name))
    whole = unbroken(f"{name}-{repetition}", chosen, process)
    kill_and_finish(chosen, tmp_path / "run", process, random.Random(repetition), 6)
    check_same(tmp_path / "run", whole, contents)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_saves_and_ends_with_130_when_it_is_interrupted(config, process, unbroken, tmp_path, contents, number):
    chosen = config(**MORE)
    started = process(chosen, tmp_path / "run", pause=0.05)
    started.wait_for(3)
    assert started.stop(number) == 130
    kind, code, text = started.messages[-1]
    assert (kind, code) == ("error", 130)
    assert "progress is saved" in text
    assert not (tmp_path / "run" / "manifest.json").exists()
    assert process(chosen, tmp_path / "run").end() == 0
    check_same(tmp_path / "run", unbroken("direct", chosen, process), contents)


def test_refuses_a_second_process_while_the_first_works(config, process, tmp_path):
    first = process(config(**MORE), tmp_path / "run", pause=0.3)
    first.wait_for(1)
    second = process(config(**MORE), tmp_path / "run")
    assert second.end() == 2
    assert "another process is working on this run" in second.messages[-1][2]
    assert first.stop(signal.SIGINT) == 130
