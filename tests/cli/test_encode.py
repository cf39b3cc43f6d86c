"""`encode` from the command line: what it prints, and the exit code of every bad input, with nothing on stdout and
nothing left behind."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

FILES = {
    "good.txt": b"The cat sleeps.\n\nThe cat sleeps.\nAnna bought two apples.\n",
    "empty.txt": b"",
    "bytes.txt": b"good\n\xff\n",
    "cut.txt.gz": gzip.compress(b"good\n" * 99)[:-9],
    "bad.zst": b"good\n",
    "ids": b"de-000000001\tgood\nbad\n",
    "columns.tsv": b"de\ten\na\tb\n",
    "ragged.tsv": b"text\tid\na\n",
    "bad.jsonl": b'{"text": "a"}\n{"text": \n',
    "table.csv": b"a,b\n",
    "table.xlsx": b"PK",
    "taken/notes.txt": b"mine",
}
BAD = [
    ("nothing.txt", 3, "no such file"),
    ("empty.txt", 3, "the file is empty"),
    ("bytes.txt", 3, "bytes.txt, line 2"),
    ("cut.txt.gz", 3, "truncated or damaged"),
    ("bad.zst", 3, "truncated or damaged"),
    ("ids", 3, "ids, line 2"),
    ("columns.tsv", 3, "--column NAME"),
    ("columns.tsv --column fr", 3, "no column called 'fr'"),
    ("ragged.tsv", 3, "ragged.tsv, line 2"),
    ("bad.jsonl", 3, "bad.jsonl, line 2"),
    ("table.csv", 3, "--column NAME"),
    ("table.xlsx", 3, "files of type .xlsx are not read"),
    ("taken", 3, "a folder where a file was expected"),
    ("good.txt --column text", 2, "a file that has none"),
    ("good.txt --dtype int4", 2, "int4"),
    ("good.txt --format xml", 2, "xml"),
    ("good.txt --pool median", 2, "median"),
    ("good.txt --shard-rows 0", 2, "at least one row"),
    ("good.txt --limit-gb 0.1", 5, "the limit is 0.1 GB"),
    ("good.txt --limit-gb -1", 2, "above 0"),
    ("good.txt --layer 9", 2, "layer 9 of a trunk of 2 layers"),
    ("good.txt --trunk nowhere/at/all", 3, "no such folder"),
    ("good.txt --run nothing", 3, "nothing"),
    ("good.txt -o taken", 2, "not empty and holds no vectors"),
    ("good.txt -o good.txt", 2, "a file where the folder"),
]


@pytest.fixture
def encode(run, tmp_path, tiny_folder):
    """`encode("good.txt --layer 1")` in a folder with the files above; the tiny trunk unless another is named."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)

    def call(words):
        typed = words.split()
        trunk = [] if "--trunk" in typed or "--run" in typed else ["--trunk", str(tiny_folder)]
        return run("encode", *typed, *trunk, "--set", "trunk.precision=fp32")

    return call


@pytest.mark.parametrize(("words", "code", "message"), BAD)
def test_says_what_is_wrong_and_leaves_nothing_behind(encode, tmp_path, words, code, message):
    words = words if " -o " in words else f"{words} -o v"
    result = encode(words)
    assert result.exit_code == code, result.stderr
    assert message in result.stderr
    assert not result.stdout
    assert not (tmp_path / "v").exists()
    assert (tmp_path / "taken/notes.txt").read_bytes() == b"mine"
    assert (tmp_path / "good.txt").read_bytes() == FILES["good.txt"]


def test_prints_what_was_made_and_names_the_folder_by_its_content(encode, tmp_path):
    first = encode("good.txt --json --dtype float16")
    assert first.exit_code == 0, first.stderr
    found = json.loads(first.stdout)
    assert {name: found[name] for name in ("state", "rows", "blank", "repeated", "dtype", "shards")} == {
        "state": "new",
        "rows": 4,
        "blank": 1,
        "repeated": 1,
        "dtype": "float16",
        "shards": 1,
    }
    assert np.load(tmp_path / found["folder"] / "vectors-00000.npy", mmap_mode="r").shape == (4, 32)
    again = encode("good.txt --dtype float16")
    assert again.exit_code == 0
    assert f"folder     {found['folder']}\n" in again.stdout
    assert "there already" in again.stderr
    assert "1 of 4 rows have no text" in again.stderr
