"""A file of sentences to a folder of vectors: what is in it, that it is the same however it is cut, and what is
refused."""

from __future__ import annotations

import errno
import gzip
import json
import os
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from adapter_stilts.errors import ArtefactError, DoesNotFit, StiltsError, TaskDataError, UnknownName, UsageError
from adapter_stilts.mining import encode as module
from adapter_stilts.mining import folder as folders
from adapter_stilts.mining.encode import Encoding, encode
from adapter_stilts.mining.memory import memory, rows_of_a_shard
from adapter_stilts.reporting import Silent
from adapter_stilts.retrieval.embed import embed
from adapter_stilts.retrieval.reading import Overrides, Reading
from adapter_stilts.retrieval.saved import Saved
from adapter_stilts.retrieval.stored import encoding
from adapter_stilts.retrieval.stored.vectors import open_vectors
from adapter_stilts.runs.subject import sentence_reader

WORDS = (
    "Anna",
    "kaufte",
    "am",
    "Montag",
    "zwei",
    "rote",
    "Äpfel",
    "in",
    "Paris",
    "The",
    "small",
    "cat",
    "sleeps",
    "under",
    "old",
    "table",
)
SENTENCES = [" ".join(WORDS[number % 11 :][: 2 + number % 9]) + f" {number}." for number in range(23)]
LINES = [*SENTENCES[:9], "", SENTENCES[2], *SENTENCES[9:], SENTENCES[0], "  ", SENTENCES[22]]


@pytest.fixture
def make(tiny_folder, tmp_path):
    """`make(lines, out="v", report, overwrite, **request)` encodes lines of text and returns the folder and what was
    said of it."""

    def run(lines=LINES, out="v", *, name="a.txt", report=None, overwrite=False, dry_run=False, **more):
        path = tmp_path / name
        if lines is not None:
            path.write_bytes(lines if isinstance(lines, bytes) else "".join(line + "\n" for line in lines).encode())
        wanted = Overrides((more.pop("layer", 2),), more.pop("pool", None))
        request = Encoding(path, trunk=str(tiny_folder), precision="fp32", wanted=wanted, shard_rows=7, token_budget=60)
        request = replace(request, **more)
        folder = tmp_path / out if out else None
        return encode(
            request, out=folder, runs=tmp_path / "runs", overwrite=overwrite, dry_run=dry_run, report=report or Silent()
        )

    return run


@pytest.fixture
def reader(tiny_folder):
    return sentence_reader(None, str(tiny_folder), layer=2, precision="fp32")


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != ".lock"}


@pytest.mark.parametrize("pool", ["mean", "mean_words", "first", "max"])
def test_gives_each_row_the_vector_of_its_sentence(make, reader, tmp_path, pool):
    found = make(pool=pool)
    vectors = open_vectors(tmp_path / "v")
    text = [number for number, line in enumerate(LINES) if line.strip()]
    expected = embed(reader.encoder, [LINES[number] for number in text], Reading((2,), pool=pool))[2]
    np.testing.assert_allclose(vectors.block(0, len(LINES))[text], expected, atol=1e-6)
    assert vectors.blank.tolist() == [not line.strip() for line in LINES]
    assert not vectors.block(0, len(LINES))[vectors.blank].any()
    first = {line: number for number, line in reversed(list(enumerate(LINES)))}
    assert [row for row in vectors.first_rows().tolist() if row not in (9, 26)] == [
        first[line] for line in LINES if line.strip()
    ]
    counts = {
        name: found[name] for name in ("rows", "blank", "repeated", "cut", "shards", "encoded", "state", "dimension")
    }
    assert counts == {
        "rows": 28,
        "blank": 2,
        "repeated": 3,
        "cut": 0,
        "shards": 4,
        "encoded": 28,
        "state": "new",
        "dimension": 32,
    }


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_gives_the_same_vectors_whatever_the_shards(make, tmp_path, dtype):
    make(out="whole", shard_rows=1000)
    whole = open_vectors(tmp_path / "whole").block(0, len(LINES))
    room = {"float32": 1e-6, "float16": 1e-3, "int8": 0.02}[dtype]
    for shard_rows in (1, 2, 7, 27, 28):
        make(out=f"v{shard_rows}", shard_rows=shard_rows, dtype=dtype)
        vectors = open_vectors(tmp_path / f"v{shard_rows}")
        np.testing.assert_allclose(vectors.block(0, len(LINES)), whole, atol=room)
        for copy, row in ((10, 2), (25, 0), (27, 24)):
            assert np.array_equal(vectors.block(copy, copy + 1), vectors.block(row, row + 1))


def test_gives_the_same_bytes_again(make, tmp_path):
    make(out="one")
    make(out="two")
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_reads_no_sentence_twice(make, monkeypatch):
    read = []
    embed_rows = encoding.embed_rows
    monkeypatch.setattr(
        encoding,
        "embed_rows",
        lambda encoder, tokens, *more: read.append(len(tokens)) or embed_rows(encoder, tokens, *more),
    )
    make([*SENTENCES[:5], *SENTENCES[:5]] * 3, shard_rows=4)
    assert read == [4, 1]
    read.clear()
    found = make(["the same"] * 20, out="same")
    assert (read, found["repeated"]) == ([1], 19)


def test_reads_again_what_the_table_has_no_room_for(make, tmp_path, monkeypatch):
    make(out="wide")
    monkeypatch.setattr(module, "REMEMBERED", 1)
    found = make(out="narrow")
    assert found["repeated"] == 2  # row 25 repeats the first text, row 27 one of its own shard; row 10 is read again
    np.testing.assert_allclose(
        open_vectors(tmp_path / "narrow").block(0, 28), open_vectors(tmp_path / "wide").block(0, 28), atol=1e-6
    )


def test_keeps_what_is_done_inside_a_shard(make, tmp_path, monkeypatch, heard):
    make(out="whole", token_budget=16, shard_rows=12)
    monkeypatch.setattr(Saved.__init__, "__defaults__", (0.0, *Saved.__init__.__defaults__[1:]))
    told = []

    class Stops(Silent):
        @contextmanager
        def progress(self, label):
            def advance(done, total, detail=""):
                if label.startswith("encoding"):
                    told.append(done)
                if len(told) == 5:
                    raise KeyboardInterrupt

            yield advance

    with pytest.raises(KeyboardInterrupt):
        make(token_budget=16, shard_rows=12, report=Stops())
    assert (tmp_path / "v/unfinished-00000.npz").exists()
    again = make(token_budget=16, shard_rows=12, report=heard)
    assert again["state"] == "resumed"
    assert again["encoded"] == len(LINES) - told[-2]  # the batch that was stopped at is not kept
    assert any("going on in the shard of row 1 of" in line for line in heard.lines)
    assert content(tmp_path / "v") == content(tmp_path / "whole")


def test_says_that_it_is_done_already(make, heard, tmp_path):
    make()
    before = content(tmp_path / "v")
    assert make(report=heard)["state"] == "done"
    assert "there already" in heard.lines[1]
    assert content(tmp_path / "v") == before


def test_names_a_folder_by_its_content(make, tmp_path):
    one = make(out=None)
    packed = make(gzip.compress("".join(line + "\n" for line in LINES).encode()), out=None, name="a.txt.gz")
    assert one["folder"] == packed["folder"]
    assert (one["state"], packed["state"]) == ("new", "done")
    assert one["folder"].startswith(str(tmp_path / "runs" / "vectors" / "a-"))
    assert make(out=None, pool="max")["folder"] != one["folder"]


def test_refuses_a_folder_of_other_vectors_and_replaces_them_when_told(make, tmp_path):
    make()
    before = content(tmp_path / "v")
    with pytest.raises(UsageError, match=r"other vectors: pool mean \(asked for max\)(.|\n)*--overwrite"):
        make(pool="max")
    with pytest.raises(UsageError, match="other vectors: text"):
        make(LINES[:-1])
    assert content(tmp_path / "v") == before
    make(shard_rows=100, pool="max", overwrite=True)
    make(shard_rows=100, pool="max", out="fresh")
    assert content(tmp_path / "v") == content(tmp_path / "fresh")


def test_leaves_a_folder_alone_that_holds_something_else(make, tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="not empty and holds no vectors"):
            make(overwrite=overwrite)
    (tmp_path / "w").write_text("mine")
    with pytest.raises(UsageError, match="a file where the folder"):
        make(out="w")


def test_writes_nothing_on_a_dry_run(make, heard, tmp_path):
    found = make(dry_run=True, report=heard)
    assert (found["state"], found["rows"], (tmp_path / "v").exists()) == ("new", 28, False)
    assert "28 rows" in heard.lines[1]
    assert "in 4 shards" in heard.lines[1]


@pytest.mark.parametrize("name", ["vectors-00001.npy", "texts-00000.npy", "scales-00002.npy"])
def test_refuses_to_go_on_with_a_damaged_shard(make, tmp_path, flip, name):
    make(dtype="int8")
    flip(tmp_path / "v" / name, -2, 8)
    with pytest.raises(ArtefactError, match=rf"does not match its sha256(.|\n)*{name}(.|\n)*--overwrite"):
        make(dtype="int8")


def test_marks_rows_that_hold_nothing_to_read(make, heard, tmp_path):
    found = make(["a cat", "\u200b\x01 \ufeff", "\u3000", "", "a cat"], report=heard)
    assert found["blank"] == 3
    assert open_vectors(tmp_path / "v").blank.tolist() == [False, True, True, True, False]
    assert "3 of 5 rows have no text" in heard.lines[1]


def test_says_when_no_row_has_any_text(make, heard, tmp_path):
    assert make(["", " "], report=heard)["blank"] == 2
    assert "none of the 2 rows has any text" in heard.lines[1]
    assert open_vectors(tmp_path / "v").blank.all()


def test_encodes_a_file_of_one_line(make, tmp_path):
    make(["one"])
    assert open_vectors(tmp_path / "v").block(0, 1).shape == (1, 32)


def test_cuts_a_line_of_a_megabyte_and_counts_it(make, reader, heard, tmp_path):
    long = "The small cat sleeps. " * 50_000
    found = make(["short", long, long + "x", "The small cat sleeps. " * 60], report=heard)
    assert found["cut"] == 3
    assert "3 sentences are longer than the 64 tokens" in heard.lines[1]
    rows = open_vectors(tmp_path / "v").block(0, 4)
    np.testing.assert_allclose(rows[1], rows[2], atol=1e-6)
    np.testing.assert_allclose(
        rows[1], embed(reader.encoder, ["The small cat sleeps. " * 60], Reading((2,)))[2][0], atol=1e-6
    )


def test_encodes_with_a_run_and_says_which(make, trained, tmp_path, tiny_folder):
    run = trained("nli", out="run", training__max_steps=2)
    found = make(run=run, trunk=None, precision="auto", layer=1)
    made = json.loads((tmp_path / "v" / "ledger.jsonl").read_text().split("\n")[0])
    assert (found["composition"], made["composition"], made["layer"]) == ("nli", "nli", 1)
    assert sorted(made["adapters"]) == ["adapter/nli.json", "adapter/nli.safetensors"]
    make(out="bare", layer=1)
    assert np.abs(open_vectors(tmp_path / "v").block(0, 5) - open_vectors(tmp_path / "bare").block(0, 5)).max() > 1e-6
    whole = sentence_reader(run, None, layer=2).encoder
    np.testing.assert_allclose(
        open_vectors(tmp_path / "v").block(0, 5), embed(whole, LINES[:5], Reading((1,)))[1], atol=1e-6
    )


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_reads_every_layer_as_the_whole_trunk_does(make, tiny_trunk, tmp_path, layer):
    from adapter_stilts.encoder.model import AdapterEncoder

    make(SENTENCES, layer=layer)
    np.testing.assert_allclose(
        open_vectors(tmp_path / "v").block(0, 23),
        embed(AdapterEncoder(tiny_trunk), SENTENCES, Reading((layer,)))[layer],
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        ({"layer": 3}, UsageError, "layer 3 of a trunk of 2 layers"),
        ({"pool": "mean_word"}, UnknownName, "did you mean 'mean_words'"),
        ({"dtype": "float8"}, UnknownName, "did you mean 'float16'|float32"),
        ({"layout": "table"}, UnknownName, "no layout called 'table'"),
        ({"shard_rows": 0}, UsageError, "at least one row"),
        ({"trunk": None}, UsageError, "nothing to encode with"),
    ],
)
def test_refuses_settings_that_cannot_be(make, tmp_path, request_, error, message):
    with pytest.raises(error, match=message):
        make(**request_)
    assert not (tmp_path / "v").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "the file is empty"), (b"a\n" * 30 + b"\xff\n", "not UTF-8(.|\n)*line 31"), (None, "no such file")],
)
def test_finds_a_mistake_in_the_file_before_anything_is_encoded(make, tmp_path, content, message):
    with pytest.raises(TaskDataError, match=message):
        make(content)
    assert not (tmp_path / "v").exists()


def test_refuses_a_pipe(make, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TaskDataError, match="a pipe cannot be encoded"):
        make(None, name="pipe")


def test_keeps_nothing_of_a_file_that_changes_while_it_is_read(make, tmp_path, monkeypatch):
    for change in (LINES[:-3], [*LINES, "one more"], ["another", *LINES[1:]]):
        monkeypatch.setattr(
            folders, "begin", lambda folder, made, change=change: grown(folder, made, tmp_path / "a.txt", change)
        )
        with pytest.raises(TaskDataError, match="the file changed while it was read"):
            make()
        monkeypatch.undo()
        assert make(out="v")["state"] == "new"
        make(out="fresh", overwrite=True)
        assert content(tmp_path / "v") == content(tmp_path / "fresh")
        make(["other"], overwrite=True)
        make(["other"], out="v", overwrite=True)
        for path in (tmp_path / "v").iterdir():
            path.unlink()


def test_notices_a_line_that_changes_after_it_was_read(make, tmp_path, monkeypatch):
    def edited(folder, shard, real=module.append):
        real(folder, shard)
        (tmp_path / "a.txt").write_text("".join(f"{line}\n" for line in ["another", *LINES[1:]]))

    monkeypatch.setattr(module, "append", edited)
    with pytest.raises(TaskDataError, match="the file changed while it was read"):
        make(out="v")
    monkeypatch.undo()
    assert make(["another", *LINES[1:]], out="v")["state"] == "new"


def grown(folder, made, path, lines):
    from adapter_stilts.retrieval.stored.ledger import begin

    begin(folder, made)
    path.write_text("".join(line + "\n" for line in lines))


@pytest.mark.parametrize("part", ["ledger.jsonl", "vectors-00000", "vectors-00002", "scales-00001", "texts-00003"])
def test_keeps_finished_shards_on_a_full_disk_and_goes_on(make, tmp_path, monkeypatch, part):
    fsync = os.fsync

    def fail(handle):
        if part in os.readlink(f"/proc/self/fd/{handle}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DoesNotFit, match="disk is full") as caught:
        make(dtype="int8")
    assert caught.value.exit_code == 5
    monkeypatch.undo()
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "v").glob("vectors-*")}
    assert (
        len(kept)
        == {"ledger.jsonl": 0, "vectors-00000": 0, "vectors-00002": 2, "scales-00001": 2, "texts-00003": 4}[part]
    )
    found = make(dtype="int8")
    make(dtype="int8", out="whole")
    assert content(tmp_path / "v") == content(tmp_path / "whole")
    if part == "vectors-00002":
        assert (found["state"], found["encoded"]) == ("resumed", 14)
        assert all((tmp_path / "v" / name).stat().st_mtime_ns == time for name, time in kept.items())


def test_goes_on_after_half_a_line_of_the_ledger(make, tmp_path):
    make(out="whole")
    make()
    path = tmp_path / "v" / "ledger.jsonl"
    whole = path.read_bytes()
    for length in range(whole.index(b"\n") + 1, len(whole), 97):
        path.write_bytes(whole[:length])
        make()
        assert content(tmp_path / "v") == content(tmp_path / "whole")


def test_names_the_line_of_a_vector_that_is_not_finite(make, monkeypatch):
    from adapter_stilts.encoder.model import AdapterEncoder

    hidden = AdapterEncoder.hidden

    def broken(self, ids, mask, *rest, **named):
        states = hidden(self, ids, mask, *rest, **named).clone()
        states[mask.sum(1) == 64] = float("nan")
        return states

    monkeypatch.setattr(AdapterEncoder, "hidden", broken)
    with pytest.raises(StiltsError, match=r"not finite\n  where: line 12\n"):
        make([*SENTENCES[:11], "cat " * 90, *SENTENCES[11:]])


def test_chooses_the_shards_that_fit_a_limit(make, reader, tmp_path):
    def needed(shard_rows, rows=10**6):
        return sum(memory(reader.encoder, reading, rows=rows, shard_rows=shard_rows).values()) / 1e9

    reading = Reading((2,), max_length=64, token_budget=60)
    chosen = partial(rows_of_a_shard, reader.encoder, reading, 10**6)
    for size in (65536, 32768, 1024):
        assert chosen(None, needed(size) + 1e-6) == size
    assert needed(2048) - needed(1024) == pytest.approx(1024 * (4 * 32 + 4 * 64 + 500) / 1e9)
    assert chosen(None, None) == 65536
    with pytest.raises(
        DoesNotFit, match=r"with 1024 rows a shard \(libraries 0.45, trunk 0.00(.|\n)*raise the limit"
    ) as caught:
        chosen(None, needed(1024) - 1e-6)
    assert caught.value.exit_code == 5
    with pytest.raises(DoesNotFit, match="leave --shard-rows out"):
        chosen(65536, needed(1024) + 1e-6)
    assert make(shard_rows=None, limit_gb=needed(1024, rows=28) + 1e-6)["shard_rows"] == 65536
    for limit in (0.0, float("nan")):
        with pytest.raises(UsageError, match="above 0"):
            make(limit_gb=limit, out="w")


def test_tells_rows_speed_and_what_is_left(make):
    told = []

    class Told(Silent):
        def progress(self, label):
            from contextlib import nullcontext

            return nullcontext(lambda done, total, detail="": told.append((label, done, total, detail)))

    make(report=Told())
    steps = [one for one in told if one[0] == "encoding a.txt"]
    assert steps[-1][1:3] == (28, 28)
    assert [one[1] for one in steps] == sorted(one[1] for one in steps)
    assert all(one[3].endswith(" sentences/s") for one in steps if one[1])
