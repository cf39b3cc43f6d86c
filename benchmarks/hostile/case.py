"""A case: a folder of hostile or broken files, made when it is run, and one command over it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ESCAPES = "\x1b]0;owned\x07\x1b[31m\x1b]52;c;aGk=\x07\x9b2J\u202e"
LABELS = ("contradiction", "entailment", "neutral")
ROWS = [{"premise": f"The cat {n} sleeps.", "hypothesis": f"A cat {n}.", "label": LABELS[n % 3]} for n in range(9)]
CHOICES = [
    {"prompt": f"The man {n} fell.", "choices": ["He slipped.", f"He sang {n}."], "label": n % 2} for n in range(6)
]
NUMBERS = (
    -1,
    0,
    1,
    3,
    10**12,
    2**63,
    10**40,
    1.5,
    float("nan"),
    float("inf"),
    True,
    None,
    "x",
    "",
    [],
    {},
    [1],
    {"a": 1},
)
DEEP = 100_000
TRAIN = ("train", "nli", "--trunk", "miniature", "--dry-run")
Make = Callable[[Path, Path], None]


@dataclass(frozen=True)
class Case:
    name: str
    words: Sequence[str]
    make: Make
    env: Mapping[str, str] = field(default_factory=dict)


def stage(base: Path) -> None:
    """A good run, vectors and trunk, and rows."""
    from adapter_stilts_cli.app import app
    from typer.testing import CliRunner

    from adapter_stilts.miniature.datasets import trunk_folder

    base.mkdir()
    (base / "rows.jsonl").write_text(lines(ROWS))
    (base / "choices.jsonl").write_text(lines(CHOICES))
    (base / "text.en").write_text("".join(f"The cat number {n} sleeps under the table.\n" for n in range(9)))
    shutil.copytree(trunk_folder(), base / "trunk")
    small = ("--set", "training.max_steps=1", "--set", "trunk.precision=fp32")
    data = ("--data", f"train={base / 'rows.jsonl'}")
    vectors = ("--trunk", "miniature", "--shard-rows", "4")
    for words in (
        ("train", "nli", "--trunk", "miniature", *data, *small, "-o", str(base / "run")),
        ("encode", str(base / "text.en"), *vectors, "-o", str(base / "vectors")),
        ("encode", str(base / "text.en"), *vectors, "--dtype", "int8", "-o", str(base / "int8")),
    ):
        made = CliRunner().invoke(app, list(words))
        assert made.exit_code == 0, made.output


def lines(rows: Sequence[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def written(name: str, content: str | bytes) -> Make:
    def make(base: Path, folder: Path) -> None:
        (folder / name).write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)

    return make


def fifo(name: str) -> Make:
    def make(base: Path, folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return make


def link(name: str, target: str) -> Make:
    def make(base: Path, folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return make


def after(first: Make, *more: Make) -> Make:
    def make(base: Path, folder: Path) -> None:
        for step in (first, *more):
            step(base, folder)

    return make


def copied(name: str, *to: str) -> Make:
    def make(base: Path, folder: Path) -> None:
        for place in to or (name,):
            (shutil.copytree if (base / name).is_dir() else shutil.copy)(base / name, folder / place)

    return make


def deep(depth: int = DEEP, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth
