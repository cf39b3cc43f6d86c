"""Configurations, studies and task files that no person writes."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from hostile.case import (
    ESCAPES,
    NUMBERS,
    TRAIN,
    Case,
    Make,
    after,
    copied,
    deep,
    fifo,
    link,
    written,
)


def bomb(levels: int = 12, key: str = "training") -> str:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, levels):
        text += f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n"
    return text + f"{key}: *a{levels - 1}\n"


def hostile_yaml() -> Iterator[tuple[str, str | bytes]]:
    yield "anchors that multiply", bomb()
    yield (
        "anchors that multiply, at once",
        bomb(12, "adapter: {settings: {x: 1}}\ntask: {columns: {a: *a5}}\nevaluation"),
    )
    yield "anchors in data.sources", bomb(9, "data: {sources: *a8}\nx")
    yield "merge keys", "a: &a {x: 1}\nb: {<<: *a}\n"
    yield "100,000 keys", "".join(f"k{n}: 1\n" for n in range(100_000))
    yield "100,000 keys of a section", "training:\n" + "".join(f"  k{n}: 1\n" for n in range(100_000))
    yield "100,000 settings", "adapter:\n  settings:\n" + "".join(f"    k{n}: 1\n" for n in range(100_000))
    yield "the same key 100,000 times", "training: {epochs: 1}\n" * 100_000
    yield "330 levels", "".join(" " * level + f"k{level}:\n" for level in range(330)) + " " * 330 + "x: 1\n"
    yield (
        "330 levels of a setting",
        "adapter:\n settings:\n"
        + "".join(" " * (level + 2) + f"k{level}:\n" for level in range(330))
        + " " * 340
        + "x: 1\n",
    )
    yield "5,000 levels of lists", "a: " + deep(5000)
    yield "100,000 levels of lists", "a: " + deep()
    yield (
        "integers of 10^40",
        f"training: {{epochs: {10**40}, max_steps: {10**40}, seed: {10**40}, learning_rate: {10**40}}}\n",
    )
    yield "a seed of 5,000 digits", f"training: {{seed: {'9' * 5000}}}\n"
    yield "a rate of 10^400", "training: {learning_rate: 1e400}\n"
    yield "a long text", "trunk: {name: " + "x" * 1_000_000 + "}\n"
    yield "a tag that runs", "training: !!python/object/apply:os.system ['touch owned']\n"
    yield "escapes", f'training: {{"lerning{ESCAPES!a}": 1}}\n'.replace("'", "")
    yield "escapes as value", 'trunk: {name: "\\e]0;owned\\a\\e[31m", precision: "\\e[31mred"}\n'
    yield "no UTF-8", b"\xff\xfe\x00"
    yield "a NUL", "training: {epochs: \0}\n"
    yield "a million items", "data: {sources: [" + "x, " * 300_000 + "x]}\n"
    yield "markup", "training: {'[bold]x[/]': 1, '%s': 2}\n"


def configurations(draw: random.Random) -> Iterator[Case]:
    words = (*TRAIN, "--data", "train=rows.jsonl", "--config", "c.yaml")
    for what, content in hostile_yaml():
        yield Case(what, words, after(copied("rows.jsonl"), written("c.yaml", content)))
    yield Case("a FIFO", words, after(copied("rows.jsonl"), fifo("c.yaml")))
    yield Case("/dev/zero", words, after(copied("rows.jsonl"), link("c.yaml", "/dev/zero")))
    yield Case("/dev/full", (*TRAIN, "--config", "/dev/full"), copied("rows.jsonl"))
    for setting in (
        f"training.epochs={10**40}",
        "training.epochs=" + "9" * 5000,
        "adapter.settings.x=" + deep(400),
        "adapter.settings.reduction_factor=" + "9" * 400,
        "training.seed=\x1b[31m",
        "a.b.c" * 999 + "=1",
        "training.token_budget=" + str(10**18),
        "training.batch_rows=" + str(10**18),
        "adapter.settings.reduction_factor=0",
        "adapter.settings.reduction_factor=1e-300",
    ):
        yield Case(
            f"--set {setting[:30]!r}", (*TRAIN, "--data", "train=rows.jsonl", "--set", setting), copied("rows.jsonl")
        )
    while True:
        key = draw.choice(
            (
                "training.max_steps",
                "training.learning_rate",
                "training.token_budget",
                "trunk.name",
                "trunk.precision",
                "adapter.kind",
                "adapter.settings",
                "adapter.settings.reduction_factor",
                "data.sources",
                "retrieval.layer",
                "task.columns",
                "task.labels",
                "evaluation.languages",
                "training.sampler",
                "how",
                "after",
                "composition",
                "training.seed",
                "data.language",
            )
        )
        value = draw.choice(
            (
                *map(str, NUMBERS),
                deep(90),
                "[" + "x, " * 40 + "]",
                "{a: {b: [1]}}",
                "stack(" * 50,
                "\x1b[31m",
                "-0.0",
                "1e308",
                "~",
                "../../../etc/passwd",
                "/dev/zero",
            )
        )
        yield Case(
            f"--set {key}={value[:40]!r}",
            (*TRAIN, "--data", "train=rows.jsonl", "--set", f"{key}={value}"),
            copied("rows.jsonl"),
        )


def studies(draw: random.Random) -> Iterator[Case]:
    words = ("study", "s.yaml", "--dry-run")
    study = "name: s\ntrunk: {name: miniature}\nintermediate: [nli]\ntargets: [xnli]\n"
    for what, content in hostile_yaml():
        yield Case(what, words, written("s.yaml", content))
        if isinstance(content, str):
            yield Case(f"a study and {what}", words, written("s.yaml", study + content))
    yield Case("a million seeds", words, written("s.yaml", study + f"seeds: {list(range(1_000_000))}\n"))
    yield Case("10,000 seeds", words, written("s.yaml", study + f"seeds: {list(range(10_000))}\n"))
    yield Case("a seed of 10^40", words, written("s.yaml", study + f"seeds: [{10**40}]\n"))
    yield Case(
        "3,000 targets",
        words,
        written("s.yaml", study.replace("[xnli]", str([{"task": "xnli", "name": f"t{n}"} for n in range(3000)]))),
    )
    yield Case(
        "3,000 intermediate",
        words,
        written("s.yaml", study.replace("[nli]", str([{"task": "nli", "name": f"t{n}"} for n in range(3000)]))),
    )
    yield Case("a FIFO", words, fifo("s.yaml"))
    yield Case("escapes in a name", words, written("s.yaml", study.replace("name: s", 'name: "s\\e]0;owned\\a"')))
    yield Case("escapes in a target", words, written("s.yaml", study.replace("[xnli]", '["xnli\\e]0;owned\\a"]')))
    yield Case(
        "escapes in a target's name",
        words,
        written("s.yaml", study.replace("[xnli]", '[{task: xnli, name: "x\\e]0;owned\\a"}]')),
    )
    yield Case("a climbing name", words, written("s.yaml", study.replace("[xnli]", "[{task: xnli, name: ../../x}]")))
    while True:
        key = draw.choice(
            (
                "name",
                "trunk",
                "intermediate",
                "targets",
                "seeds",
                "hows",
                "after",
                "fusions",
                "controls",
                "recipes",
                "sizes",
                "settings",
                "data",
                "table",
                "adapter",
            )
        )
        value = draw.choice(
            (
                *map(str, NUMBERS),
                deep(90),
                "{a: {b: [1]}}",
                "[nli, nli]",
                "{x: [a, b]}",
                '"\\e[31m"',
                "[{task: [nli]}]",
                "[[nli]]",
                "{fuse: 7}",
            )
        )
        yield Case(f"{key}: {value[:40]}", words, written("s.yaml", f"{study}{key}: {value}\n"))


def task_files(draw: random.Random) -> Iterator[Case]:
    words = ("train", "t.yaml", "--trunk", "miniature", "--dry-run", "--data", "data")

    def task(text: str, *names: str) -> Make:
        def make(base: Path, folder: Path) -> None:
            (folder / "t.yaml").write_text(
                "name: mine\nformat: pair\nlabels: [contradiction, entailment, neutral]\n" + text
            )
            (folder / "data").mkdir()
            for name in ("rows.jsonl", *names):
                shutil.copy(base / "rows.jsonl", folder / "data" / name)

        return make

    long = "a" * 40 + ".jsonl"
    for pattern in (
        "*a*a*a*a*a*a*a*a*a*a*a*a*b",
        "*" * 60 + "b",
        "{l}" * 30 + "b",
        "{name}" * 12 + "b",
        "*{name}*{name}*{name}*b",
        "(a+)+b",
        "a" * 100_000,
        "../../../../../etc/passwd",
        "/etc/passwd",
        "**/../**",
        "",
        " ",
        "\0",
        "[",
        "{l",
        "\\",
    ):
        yield Case(
            f"pattern {pattern[:30]!r}", words, task(f"files: {{train: [{json.dumps(pattern)}]}}\n", long, "a" * 200)
        )
    many, starred = [f"x{n}" for n in range(100_000)], [f"*x{n}*y*" for n in range(1000)]
    yield Case("100,000 patterns", words, task(f"files: {{train: {many}}}\n"))
    yield Case(
        "many files and 1,000 patterns",
        words,
        task(f"files: {{train: {starred}}}\n", *(f"{'x1' * 20}{n}" for n in range(300))),
    )
    yield Case("a FIFO as task", words, after(copied("rows.jsonl"), fifo("t.yaml")))
    yield Case("a FIFO among the data", words, after(task("files: {train: ['*.jsonl']}\n"), fifo("data/a.jsonl")))
    yield Case("only a FIFO", words, after(task("files: {train: [b.jsonl]}\n"), fifo("data/b.jsonl")))
    yield Case(
        "a link to /dev/zero", words, after(task("files: {train: [b.jsonl]}\n"), link("data/b.jsonl", "/dev/zero"))
    )
    for what, content in hostile_yaml():
        yield Case(what, words, after(task(""), written("t.yaml", content)))
    yield Case("escapes", words, task(f"summary: x\nmetric: {json.dumps(ESCAPES)}\n"))
    while True:
        pattern = "".join(
            draw.choice(("*", "{l}", "{name}", "a", ".", "/", "..", "[a]", "b", "jsonl", "(", "?"))
            for _ in range(draw.randrange(1, 40))
        )
        yield Case(f"pattern {pattern!r}", words, task(f"files: {{train: [{json.dumps(pattern)}]}}\n", long, "a" * 200))
