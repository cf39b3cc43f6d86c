"""Runs whose manifest is hostile, wrong paths and environments, and copies of data sets that lead elsewhere."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hostile.case import (
    ESCAPES,
    NUMBERS,
    ROWS,
    TRAIN,
    Case,
    Make,
    after,
    copied,
    deep,
    fifo,
    lines,
    written,
)
from hostile.texts import bomb


def runs(draw: random.Random) -> Iterator[Case]:
    def manifest(change: Callable[[dict[str, Any]], None]) -> Make:
        def make(base: Path, folder: Path) -> None:
            from adapter_stilts.sharing.sealed import write_sealed

            shutil.copytree(base / "run", folder / "runs/run")
            document = json.loads((folder / "runs/run/manifest.json").read_text())
            change(document)
            write_sealed(folder / "runs/run/manifest.json", document)

        return make

    def put(key: str, value: object) -> Callable[[dict[str, Any]], None]:
        return lambda document: document.__setitem__(key, value)

    commands = (
        ("info", "runs/run"),
        ("list", "runs"),
        ("compare", "runs/run", "runs/run"),
        ("eval", "runs/run", "--tasks", "nli", "--data", "miniature"),
    )
    for key in ("task", "name", "language", "kind", "how", "composition", "licence", "device", "control", "task_file"):
        for words in commands:
            yield Case(f"escapes in {key}, {words[0]}", words, manifest(put(key, f"x{ESCAPES}")))
            yield Case(f"markup in {key}, {words[0]}", words, manifest(put(key, "[bold]x[/] %s {y}")))
    for key in ("substitutions", "leaks"):
        yield Case(f"escapes in {key}", commands[0], manifest(put(key, [f"x{ESCAPES}"])))
    yield Case("escapes in seen", commands[0], manifest(put("seen", {f"de{ESCAPES}": ["x"]})))
    for name in ("manifest.json", "results.json", "config.yaml", "identity.json"):
        for what, content in (("deep", deep()), ("empty", ""), ("digits", '{"checksum": ' + "9" * 5000 + "}")):
            for words in commands[:2]:
                yield Case(
                    f"{name} {what}, {words[0]}",
                    words,
                    after(manifest(lambda document: None), written(f"runs/run/{name}", content)),
                )
        for words in commands[:2]:
            yield Case(
                f"a FIFO as {name}, {words[0]}", words, after(manifest(lambda document: None), fifo(f"runs/run/{name}"))
            )
    yield Case("a run's name", ("info", f"runs/{ESCAPES}"), manifest(lambda document: None))
    yield Case("an unknown verb", (f"inf{ESCAPES}",), manifest(lambda document: None))
    yield Case("an unknown option", ("info", "runs/run", f"--x{ESCAPES}"), manifest(lambda document: None))
    yield Case("an unknown task", ("eval", "runs/run", "--tasks", f"x{ESCAPES}"), manifest(lambda document: None))
    yield Case("a file's name", ("predict", "runs/run", f"x{ESCAPES}\n"), manifest(lambda document: None))
    for words in (
        ("info", "rows.jsonl"),
        ("predict", "rows.jsonl", "rows.jsonl"),
        ("predict", "runs/run", "runs"),
        ("predict", "runs/run", "runs/run"),
        ("encode", "runs/run", "--trunk", "miniature", "-o", "o"),
        ("encode", "rows.jsonl", "--trunk", "runs/run", "-o", "o"),
        ("mine", "runs/run", "runs/run", "--trunk", "miniature", "-o", "o"),
        ("study", "runs/run"),
        ("study", "rows.jsonl"),
        (*TRAIN, "--data", "runs/run"),
        (*TRAIN, "--data", "train=runs/run"),
        (*TRAIN, "--config", "runs/run"),
        (*TRAIN, "--config", "rows.jsonl"),
        (*TRAIN, "--after", "rows.jsonl", "--how", "stack"),
        ("search", "runs/run", "x", "--trunk", "miniature"),
        ("eval", "rows.jsonl", "--tasks", "nli"),
        ("train", "nli", "--trunk", "rows.jsonl", "--data", "train=rows.jsonl"),
        ("score", "--benchmark", "xtreme", "runs", "runs"),
        ("list", "runs", "rows.jsonl"),
        ("compare", "rows.jsonl", "runs/run"),
        ("doctor", "--data", "runs/run"),
        ("info", "\n"),
        ("info", "[bold]x[/]"),
        ("info", "%s%n"),
        ("info", ""),
        ("encode", "", "--trunk", "miniature"),
    ):
        yield Case(" ".join(words), words, after(manifest(lambda document: None), copied("rows.jsonl")))
    for world in ("x", "", "-1", "2.5", "9" * 99):
        for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
            words = (
                "train",
                "nli",
                "--trunk",
                "miniature",
                "--data",
                "train=rows.jsonl",
                "--set",
                "training.max_steps=1",
                "-o",
                "o",
            )
            yield Case(f"{name}={world[:9]}", words, copied("rows.jsonl"), {name: world})
    for name, value in (
        ("OMP_NUM_THREADS", "x"),
        ("COLUMNS", "x"),
        ("COLUMNS", "-5"),
        ("TERM", ESCAPES[:5].replace("\0", "")),
        ("NO_COLOR", "x"),
        ("CUDA_VISIBLE_DEVICES", "x"),
        ("HF_HOME", "/dev/null"),
        ("XDG_CACHE_HOME", "/dev/null"),
        ("HOME", "/nowhere"),
        ("TMPDIR", "/nowhere"),
    ):
        yield Case(f"{name}={value[:9]}", ("info", "runs/run"), manifest(lambda document: None), {name: value})
    while True:

        def anywhere(document: dict[str, Any]) -> None:
            node: Any = document
            while True:
                keys = list(node) if isinstance(node, dict) else list(range(len(node)))
                if not keys:
                    return
                key = draw.choice(keys)
                if not isinstance(node[key], dict | list) or draw.random() < 0.3:
                    node[key] = draw.choice((*NUMBERS[:7], None, "x", ESCAPES, [], {}, "../../x"))
                    return
                node = node[key]

        words = draw.choice(commands)
        yield Case(f"a fact of the manifest, {words[0]}", words, manifest(anywhere))


def copies(draw: random.Random) -> Iterator[Case]:
    """A data set copy in a folder that names files outside it."""

    def copy(header: str, *more: Make) -> Make:
        def make(base: Path, folder: Path) -> None:
            local = folder / "hub/nyu-mll/glue"
            local.mkdir(parents=True)
            (folder / "secret.jsonl").write_text(lines(ROWS))
            (local / "README.md").write_text(f"---\n{header}\n---\n")
            for step in more:
                step(base, folder)

        return make

    words = ("train", "mnli", "--trunk", "miniature", "--dry-run", "--data", "hub=hub")
    for place in (
        "../../../secret.jsonl",
        "{folder}/secret.jsonl",
        "/etc/passwd",
        "http://127.0.0.1:9/x",
        "hf://datasets/x/y",
        "file:///etc/passwd",
        "/dev/zero",
        "**/../../../../secret*",
        "zip://x::../../../secret.jsonl",
    ):
        for config in ("mnli", "default"):
            header = json.dumps(
                {
                    "configs": [
                        {
                            "config_name": config,
                            "data_files": [
                                {"split": split, "path": place} for split in ("train", "validation", "test")
                            ],
                        }
                    ]
                }
            )
            yield Case(f"{config} {place}", words, copy(header))
        yield Case(
            f"data_dir {place}", words, copy(json.dumps({"configs": [{"config_name": "mnli", "data_dir": place}]}))
        )
    yield Case(
        "a link",
        words,
        copy(
            "a: 1",
            lambda base, folder: (
                (folder / "hub/nyu-mll/glue/mnli").mkdir(),
                (folder / "hub/nyu-mll/glue/mnli/train.jsonl").symlink_to(folder / "secret.jsonl"),
            ),
        ),
    )
    yield Case("deep YAML", words, copy("a: " + deep(5000)))
    yield Case("a YAML bomb", words, copy(bomb()))
    yield Case("a FIFO", words, copy("a: 1", fifo("hub/nyu-mll/glue/mnli/train.jsonl")))
    yield Case(
        "a script",
        words,
        copy("a: 1", written("hub/nyu-mll/glue/xnli.py", "import os; os.system('touch /tmp/owned-by-a-script')")),
    )
