"""Ledgers and arrays that lie."""

from __future__ import annotations

import json
import random
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

from hostile.case import (
    NUMBERS,
    Case,
    Make,
    after,
    copied,
    deep,
    fifo,
    link,
    written,
)


def vectors(draw: random.Random) -> Iterator[Case]:
    mine = ("mine", "--source-vectors", "a", "--target-vectors", "b", "-o", "pairs.tsv")
    keys = (
        "rows",
        "dimension",
        "dtype",
        "shard_rows",
        "format",
        "layer",
        "pool",
        "trunk",
        "file",
        "composition",
        "text",
    )
    shard_keys = ("shard", "rows", "blank", "repeated", "cut", "files")

    def changed(which: str, line: int, key: str, value: object, *, gone: bool = False, sealed: bool = True) -> Make:
        def make(base: Path, folder: Path) -> None:
            shutil.copytree(base / which, folder / "a")
            shutil.copytree(base / which, folder / "b")
            change_ledger(folder / "a", line, key, value, gone=gone, sealed=sealed)

        return make

    listed: list[tuple[int, str]] = [*((0, key) for key in keys), *((1, key) for key in shard_keys)]
    for line, key in listed:
        yield Case(f"{key} of line {line} gone", mine, changed("vectors", line, key, None, gone=True))
    for line, key in listed[:4] + listed[-6:]:
        for value in (-1, 0, 10**12, None, "x", float("nan")):
            yield Case(f"{key} of line {line} is {value}", mine, changed("vectors", line, key, value))
    for dtype in ("float16", "int8", "float64", "object", "O", "V8", "<f4", "S9", "M8[s]", "f4,f4"):
        yield Case(f"dtype {dtype}", mine, changed("vectors", 0, "dtype", dtype))
    for name in ("vectors", "texts", "scales"):
        for what, content in npy_contents():
            which = "int8" if name == "scales" else "vectors"
            yield Case(f"{name} of a shard: {what}", mine, planted(which, f"{name}-00001.npy", content))
    for text in ("", "\n", "[]\n", "{}\n", "null\n", deep() + "\n", '{"format": 1' + "0" * 5000 + "}\n", "\x00" * 99):
        yield Case(
            f"a ledger of {text[:12]!r}", mine, after(copied("vectors", "a", "b"), written("a/ledger.jsonl", text))
        )
    yield Case("a FIFO as ledger", mine, after(copied("vectors", "a", "b"), fifo("a/ledger.jsonl")))
    yield Case("a FIFO as shard", mine, after(copied("vectors", "a", "b"), fifo("a/vectors-00001.npy")))
    again = ("encode", "text.en", "--trunk", "miniature", "--shard-rows", "4", "-o", "a")
    while True:
        line, key = draw.choice(listed)
        value, which = draw.choice(NUMBERS), draw.choice(("vectors", "int8"))
        words = draw.choice(
            (
                mine,
                ("search", "a", "A cat."),
                ("mine", "--score-only", "text.en", "-o", "p.tsv"),
                again,
                ("search", "a", "A cat.", "--trunk", "miniature"),
            )
        )
        make = after(changed(which, line, key, value, sealed=draw.random() < 0.8), copied("text.en"))
        yield Case(f"{which}: {key} of line {line} is {value!r}, {words[0]}", words, make)


def change_ledger(folder: Path, line: int, key: str, value: object, *, gone: bool, sealed: bool) -> None:
    import hashlib

    path = folder / "ledger.jsonl"
    rows = [json.loads(text) for text in path.read_text().splitlines()[:-1]]
    if gone:
        del rows[line][key]
    else:
        rows[line][key] = value
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    if sealed:
        content += (
            json.dumps({"shards": len(rows) - 1, "sha256": hashlib.sha256(content).hexdigest()}) + "\n"
        ).encode()
    path.write_bytes(content)


def planted(which: str, name: str, content: bytes) -> Make:
    """Vectors with a file in the place of one of theirs, its hash in the ledger."""

    def make(base: Path, folder: Path) -> None:
        import hashlib

        shutil.copytree(base / which, folder / "a")
        shutil.copytree(base / which, folder / "b")
        (folder / "a" / name).write_bytes(content)
        number = int(name.split("-")[1][:5])
        ledger = [json.loads(text) for text in (folder / "a/ledger.jsonl").read_text().splitlines()]
        files = {**ledger[number + 1]["files"], name: hashlib.sha256(content).hexdigest()}
        change_ledger(folder / "a", number + 1, "files", files, gone=False, sealed=True)

    return make


def npy(header: str, body: bytes = b"\0" * 4096) -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text)) + text + body


def npy_contents() -> Iterator[tuple[str, bytes]]:
    import io

    import numpy as np

    plain = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"
    for shape in (
        "(4, 128)",
        "(10000000000, 128)",
        "(-1, 128)",
        "(64,)",
        "()",
        "(4, 0)",
        "(0, 128)",
        "(1.5, 2)",
        "(4, 64, 1)",
        "(True, 128)",
        f"({10**30}, 1)",
    ):
        yield f"shape {shape}", npy(plain % shape)
    for descr in (
        "'|O'",
        "'<f8'",
        "'|S1000000000'",
        "[('a', '<f4')]",
        "'<M8[s]'",
        "'V4'",
        "'>f4'",
        "'<f2'",
        "'<c8'",
        "7",
        "'<f4" + "x" * 9000 + "'",
    ):
        yield f"descr {descr[:16]}", npy(f"{{'descr': {descr}, 'fortran_order': False, 'shape': (4, 128), }}")
    yield "fortran order", npy("{'descr': '<f4', 'fortran_order': True, 'shape': (4, 128), }")
    yield "a deep header", npy("(" * 5000)
    yield "a long header", npy("{" + " " * 2_000_000 + "}")
    yield "a header that is code", npy("__import__('os').system('touch owned')")
    yield "a pickle", b"\x80\x04\x95\x0a\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s."
    yield "nothing", b""
    yield "not a number", npy(plain % "(4, 128)", np.full((4, 128), np.nan, np.float32).tobytes())
    yield "zeros", npy(plain % "(4, 128)", bytes(4 * 128 * 4))
    stream = io.BytesIO()
    np.savez(stream, a=np.zeros((4, 128)))
    yield "a zip", stream.getvalue()
    stream = io.BytesIO()
    np.save(stream, np.array([{}], dtype=object), allow_pickle=True)
    yield "an array of objects", stream.getvalue()


def arrays(draw: random.Random) -> Iterator[Case]:
    words = ("mine", "--source-vectors", "a.npy", "--target-vectors", "b.npy", "-o", "pairs.tsv")
    good = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 128), }", struct.pack("<f", 0.5) * 512)
    contents = list(npy_contents())
    for what, content in contents:
        yield Case(what, words, after(written("a.npy", content), written("b.npy", good)))
    yield Case("a FIFO", words, after(fifo("a.npy"), written("b.npy", good)))
    yield Case("a device", words, after(link("a.npy", "/dev/zero"), written("b.npy", good)))
    while True:
        content = bytearray(draw.choice([good, *(content for _, content in contents if content)]))
        for _ in range(draw.randrange(1, 6)):
            content[draw.randrange(min(len(content), 140))] = draw.randrange(256)
        content = content[: draw.choice((len(content), draw.randrange(len(content))))]
        yield Case(
            f"bytes changed {content[:90]!r}", words, after(written("a.npy", bytes(content)), written("b.npy", good))
        )
