"""Small runs: rows of our own in the shapes of real files, the tiny XLM-R, and a call that trains for a few steps."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import runpy
from contextlib import suppress
from pathlib import Path

import pytest

from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.reporting import Silent

NAMES = ("Anna", "Ben", "Carla", "Dmitri", "Emeka", "Fatima")
THINGS = ("apples", "books", "cats", "trains", "tables", "euros")
PLACES = ("Paris", "Berlin", "Madrid", "Rome")
NLI = ("contradiction", "entailment", "neutral")


@pytest.fixture(scope="session")
def rows():
    """`rows(format, number, start)` makes rows as dictionaries; each differs from the others."""

    def make(format: str, number: int, start: int = 0) -> list[dict[str, object]]:
        return [ROWS[format](number) for number in range(start, start + number)]

    return make


@pytest.fixture(scope="session")
def data(tmp_path_factory, rows):
    """`data(task)` is what --data takes: train and validation files of the task, made once."""
    folder = tmp_path_factory.mktemp("rows") / "en"  # which tells their language
    folder.mkdir()

    def make(task: str, train: int = 24, validation: int = 12) -> tuple[str, ...]:
        found = []
        for split, number, start in (("train", train, 0), ("validation", validation, 1000)):
            path = folder / f"{task}-{number}-{split}{SUFFIXES.get(task, '.jsonl')}"
            if not path.exists():
                write_rows(path, task, rows(task, number, start))
            found.append(f"{split}={path}")
        return tuple(found)

    return make


@pytest.fixture
def config(tiny_folder, data):
    """`config(task, key=value, ...)`: a run of three steps on the tiny trunk; dotted keys are written with "__".

    Several tasks ("nli,mlm") are learned together, each from files of its own.
    """

    def sources(task: str) -> tuple[str, ...]:
        if "," in task:
            return tuple(f"{one}/{source}" for one in task.split(",") if one in ROWS for source in data(one))
        return data(task if task in ROWS else "nli")

    def make(task: str = "nli", **settings: object) -> RunConfig:
        base = {
            "task.name": task,
            "trunk.name": str(tiny_folder),
            "trunk.precision": "fp32",
            "data.sources": sources(task),
            "how": "joint" if "," in task else "direct",
            "training.max_steps": 3,
            "training.token_budget": 256,
            "training.learning_rate": 0.01,
            "training.log_steps": 1,
        }
        return with_settings(
            RunConfig(), {**base, **{name.replace("__", "."): value for name, value in settings.items()}}
        )

    return make


@pytest.fixture
def trained(config, tmp_path):
    """`trained(task, out="name", key=value, ...)` trains and returns the run's folder."""
    from adapter_stilts.runs.train import train

    def make(
        task: str = "nli", out: str | None = None, overwrite: bool = False, report=None, **settings: object
    ) -> Path:
        chosen = config(task, **settings)
        folder = tmp_path / out if out else None
        again = {"resume": not overwrite, "overwrite": overwrite, "dry_run": False}
        return train(
            chosen, tuple(task.split(",")), out=folder, runs=tmp_path / "runs", report=report or Silent(), **again
        ).folder

    return make


@pytest.fixture(scope="session")
def contents():
    """The files of a run by path, hashed; `contents(folder, "adapter", "head")` for some of its folders."""

    def read(folder: Path, *parts: str) -> dict[str, str]:
        roots = [folder / part for part in parts] if parts else [folder]
        paths = [path for root in roots for path in sorted(root.rglob("*")) if path.is_file()]
        return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    return read


@pytest.fixture(scope="session")
def flip():
    """`flip(path, place, mask)` changes one byte of a file; a mask of 0 is taken for 1."""

    def change(path: Path, place: int, mask: int) -> None:
        content = bytearray(path.read_bytes())
        content[place % len(content)] ^= mask % 256 or 1
        path.write_bytes(content)

    return change


class Started:
    """A training in a process of its own."""

    def __init__(self, process, told) -> None:
        self.process, self.told, self.messages = process, told, []

    def wait_for(self, step: int) -> None:
        """Until the step is done, or the process has ended."""
        while self._hear() and self.messages[-1][0] < step:
            pass

    def stop(self, number: int) -> int:
        """Send a signal and wait for the end; the exit code, negative for a signal."""
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(self.process.pid, number)
        return self.end()

    def end(self) -> int:
        while self._hear():
            pass
        self.process.join(60)
        return self.process.exitcode

    def _hear(self) -> bool:
        try:
            self.messages.append(self.told.recv())
        except EOFError:
            return False
        return True


@pytest.fixture(scope="session")
def process():
    """`process(config, out, pause=0, largest=None)` starts a training in a fresh process, forked from one that has
    everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["adapter_stilts.runs.train", "adapter_stilts.encoder.trunk.tokenizer"])
    started = []

    def start(config: RunConfig, out: Path, pause: float = 0.0, largest: int | None = None) -> Started:
        told, tell = context.Pipe(duplex=False)
        given = {
            "CONFIG": flat(config.model_dump(mode="json")),
            "OUT": str(out),
            "TELL": tell,
            "PAUSE": pause,
            "LARGEST": largest,
        }
        one = context.Process(
            target=runpy.run_path, args=(str(Path(__file__).with_name("runs") / "start.py"), given, "__main__")
        )
        one.start()
        tell.close()
        started.append(one)
        return Started(one, told)

    yield start
    for one in started:
        if one.is_alive():
            one.kill()
        one.join()


def flat(tree: dict[str, object], prefix: str = "") -> dict[str, object]:
    """A configuration as dotted keys."""
    found = {}
    for name, value in tree.items():
        if isinstance(value, dict) and prefix + name not in ("adapter.settings", "task.columns"):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


class Heard:
    """A Reporter that remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tables: list[tuple[str, tuple[str, ...], list[tuple[object, ...]]]] = []
        self.progress = Silent().progress

    def say(self, text: str) -> None:
        self.lines.append(text)

    def table(self, title, columns, rows) -> None:
        self.tables.append((title, tuple(columns), [tuple(row) for row in rows]))


@pytest.fixture
def heard():
    return Heard()


def write_rows(path: Path, task: str, found: list[dict[str, object]]) -> None:
    if task == "qa":
        document = {"version": "1", "data": [{"title": "t", "paragraphs": found}]}
        path.write_text(json.dumps(document), encoding="utf-8")
    elif task in ("pos", "ner"):
        path.write_text(
            "".join("".join(f"{word}\t{tag}\n" for word, tag in row["words"]) + "\n" for row in found), encoding="utf-8"
        )
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")


SUFFIXES = {"qa": ".json", "pos": ".conll", "ner": ".conll"}


def sentence(number: int) -> str:
    return f"{NAMES[number % 6]} bought {number} {THINGS[number // 6 % 6]} in {PLACES[number // 5 % 4]} on Monday."


def nli(number: int) -> dict[str, object]:
    return {"premise": sentence(number), "hypothesis": sentence(number * 7 % 31), "label": NLI[number % 3]}


def paraphrase(number: int) -> dict[str, object]:
    return {"sentence1": sentence(number), "sentence2": sentence(number // 2), "label": str(number % 2)}


def single(number: int) -> dict[str, object]:
    return {"text": sentence(number), "label": ("trade", "travel")[number % 2]}


def ner(number: int) -> dict[str, object]:
    name, _, amount, thing, _, place, _, _ = sentence(number).split()
    return {"words": [(name, "B-PER"), ("bought", "O"), (amount, "O"), (thing, "O"), ("in", "O"), (place, "B-LOC")]}


def choice(number: int) -> dict[str, object]:
    return {"premise": sentence(number), "choices": [THINGS[number % 6], "nothing"], "label": number % 2}


def qa(number: int) -> dict[str, object]:
    context, thing = sentence(number), THINGS[number // 6 % 6]
    return {
        "context": context,
        "qas": [
            {"id": str(number), "question": "What?", "answers": [{"text": thing, "answer_start": context.index(thing)}]}
        ],
    }


def mlm(number: int) -> dict[str, object]:
    return {"text": sentence(number)}


ROWS = {
    "nli": nli,
    "paraphrase": paraphrase,
    "pair": nli,
    "single": single,
    "ner": ner,
    "choice": choice,
    "qa": qa,
    "mlm": mlm,
}
