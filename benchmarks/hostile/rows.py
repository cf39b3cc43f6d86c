"""Rows that are none, and pipes in their place."""

from __future__ import annotations

import random
from collections.abc import Iterator

from hostile.case import (
    CHOICES,
    DEEP,
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


def rows_files(draw: random.Random) -> Iterator[Case]:
    def both(name: str, content: str | bytes) -> Iterator[Case]:
        make = after(copied("text.en"), written(name, content), copied("run"))
        yield Case(f"train: {name}", (*TRAIN, "--data", f"train={name}"), make)
        yield Case(f"predict: {name}", ("predict", "run", name), make)
        yield Case(f"encode: {name}", ("encode", name, "--trunk", "miniature", "-o", "out"), make)
        yield Case(f"score: {name}", ("score", "--task", "xnli", "--gold", name, "--predictions", name), make)
        yield Case(f"doctor: {name}", ("doctor", "--data", name), make)

    yield from both("deep.jsonl", deep() + "\n")
    yield from both("deep.json", deep())
    yield from both("deepobjects.json", '{"a":' * DEEP + "1" + "}" * DEEP)
    yield from both("digits.jsonl", lines(ROWS).replace('"A cat 3."', "9" * 5000))
    yield from both("digits.json", "[" + "9" * 5000 + "]")
    yield from both("escapes.jsonl", lines([{**row, "label": row["label"] + ESCAPES} for row in ROWS]))
    yield from both("escapes.tsv", f"premise\thypothesis{ESCAPES}\tlabel\na\tb\tneutral\n")
    yield from both("markup.jsonl", lines([{**row, "label": f"[bold]{row['label']}[/] %s {{x}}"} for row in ROWS]))
    yield from both("nul.jsonl", "\0" * 5000)
    yield from both("empty.jsonl", "")
    yield from both("surrogates.jsonl", '{"premise": "\\ud800", "hypothesis": "x", "label": "neutral"}\n')
    yield from both("nested.jsonl", lines([{"premise": [[1]], "hypothesis": {"a": 1}, "label": [1]}] * 3))
    yield from both("nulls.jsonl", lines([dict.fromkeys(ROWS[0])] * 3))
    yield from both("long.jsonl", lines([{**ROWS[0], "premise": "x" * 3_000_000}, *ROWS]))
    yield from both("wide.tsv", "\t".join(f"c{n}" for n in range(100_000)) + "\n" + "\t".join("x" * 100_000) + "\n")
    yield from both("samekeys.jsonl", '{"premise": "a", ' * 3 + '"premise": "b"}\n')
    yield from both(
        "manykeys.jsonl", lines([{f"k{n}": n for n in range(50_000)} | {"k": 1}]).replace('"k": 1', '"k1": 1')
    )
    for name in ("f.jsonl", "f.tsv", "f.csv", "f.json", "f.txt", "f.conllu", "f", "f.jsonl.gz", "f.zst"):
        for words in (
            (*TRAIN, "--data", f"train={name}"),
            ("predict", "run", name),
            ("encode", name, "--trunk", "miniature", "-o", "out"),
            ("mine", name, "text.en", "--trunk", "miniature", "-o", "p.tsv"),
            ("score", "--task", "xnli", "--gold", name, "--predictions", name),
            ("search", name, "x", "--trunk", "miniature"),
            ("doctor", "--data", name),
        ):
            yield Case(f"{words[0]}: a FIFO as {name}", words, after(copied("text.en"), copied("run"), fifo(name)))
    for name in ("gold", "x"):
        yield Case(
            f"mine: a FIFO as {name}",
            ("mine", "text.en", "text.en", "--trunk", "miniature", "--gold", "g", "-o", "p.tsv"),
            after(copied("text.en"), fifo("g")),
        )
    while True:
        content = bytearray(lines(ROWS).encode())
        for _ in range(draw.randrange(1, 8)):
            place = draw.randrange(len(content))
            content[place : place + draw.choice((1, 1, 5))] = draw.choice(
                (b"\x1b", b"\0", b"\n", b"\xff", b'"', b"{", b"[" * 2000, b"\t", b"9" * 5000, b"\\u0000", b"\r")
            )
        name = draw.choice(("f.jsonl", "f.tsv", "f.csv", "f.json", "f.txt", "f.conllu"))
        words = draw.choice(
            (
                (*TRAIN, "--data", f"train={name}"),
                ("predict", "run", name),
                ("encode", name, "--trunk", "miniature", "-o", "out"),
            )
        )
        yield Case(
            f"{words[0]} {name}: {bytes(content)[:60]!r}", words, after(copied("run"), written(name, bytes(content)))
        )


def choices(draw: random.Random) -> Iterator[Case]:
    words = ("train", "choice", "--trunk", "miniature", "--dry-run", "--data", "train=c.jsonl")

    def some(**changes: object) -> Make:
        rows = [{**row, **changes} if number == 3 else row for number, row in enumerate(CHOICES)]
        return written("c.jsonl", lines(rows))

    question = {"stem": "What?", "choices": [{"label": "A", "text": "a"}, {"label": "B", "text": "b"}]}
    for value in NUMBERS:
        yield Case(f"label {value!r}", words, some(label=value))
        yield Case(f"choices {value!r}", words, some(choices=value))
        yield Case(f"a choice {value!r}", words, some(choices=["x", value]))
        yield Case(f"prompt {value!r}", words, some(prompt=value))
        yield Case(f"named choices {value!r}", words, some(choices={"text": ["a", "b"], "label": [value, "B"]}))
        yield Case(f"texts {value!r}", words, some(choices={"text": ["a", value], "label": ["A", "B"]}))
        rows = [{"id": str(n), "question": question, "answerKey": "A"} for n in range(4)]
        for key in ("label", "text"):
            broken = {**question, "choices": [question["choices"][0], {**question["choices"][1], key: value}]}
            yield Case(
                f"a stem's {key} {value!r}",
                words,
                written("c.jsonl", lines([*rows, {"id": "9", "question": broken, "answerKey": "A"}])),
            )
        for key in ("stem", "choices"):
            yield Case(
                f"question's {key} {value!r}",
                words,
                written("c.jsonl", lines([*rows, {"id": "9", "question": {**question, key: value}, "answerKey": "A"}])),
            )
        yield Case(
            f"answerKey {value!r}",
            words,
            written("c.jsonl", lines([*rows, {"id": "9", "question": question, "answerKey": value}])),
        )
    for count in (30_000, 1_000_000):
        rows = [{"text": f"text {n}", "label": f"label {n}"} for n in range(count)]
        yield Case(
            f"{count} labels",
            ("train", "single", "--trunk", "miniature", "--dry-run", "--data", "train=c.jsonl"),
            written("c.jsonl", lines(rows)),
        )
    rows = [{"tokens": [f"w{n}", "x"], "tags": [f"B-{n}", "O"]} for n in range(100_000)]
    yield Case(
        "100,000 tags",
        ("train", "ner", "--trunk", "miniature", "--dry-run", "--data", "train=c.jsonl"),
        written("c.jsonl", lines(rows)),
    )
    yield Case("100,000 choices", words, some(choices=[f"c{n}" for n in range(100_000)]))
