"""What an encoded folder and a .npy file give, row by row, and everything that is refused."""

import hashlib
import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_stilts.errors import ArtefactError, MissingError, TaskDataError, UsageError
from adapter_stilts.retrieval.blocks import Chosen
from adapter_stilts.retrieval.stored.arrays import narrowed, widened
from adapter_stilts.retrieval.stored.ledger import Shard, append, begin, read_ledger, repair, seal
from adapter_stilts.retrieval.stored.vectors import open_vectors

TEXTS = ["a", "b", "", "a", "c", "b", "a"]


def key(text):
    return np.frombuffer(hashlib.blake2b(text.encode(), digest_size=16).digest() if text else bytes(16), dtype=np.uint8)


@pytest.fixture
def write(tmp_path, make_units):
    """write(shard_rows, dtype, sealed): seven rows, the third of them blank; returns the folder and what was stored."""

    def make(shard_rows=3, dtype="float32", sealed=True, name="vectors"):
        folder = tmp_path / name
        units = make_units(5, len(TEXTS))
        units[[index for index, text in enumerate(TEXTS) if not text]] = 0
        begin(folder, {"rows": len(TEXTS), "dimension": 24, "dtype": dtype, "shard_rows": shard_rows})
        for shard, start in enumerate(range(0, len(TEXTS), shard_rows)):
            files = narrowed(units[start : start + shard_rows], dtype)
            rows = files["vectors"]
            files["texts"] = np.stack([key(text) for text in TEXTS[start : start + shard_rows]])
            for part, array in files.items():
                np.save(folder / f"{part}-{shard:05d}.npy", array)
            hashes = {
                f"{part}-{shard:05d}.npy": hashlib.sha256((folder / f"{part}-{shard:05d}.npy").read_bytes()).hexdigest()
                for part in files
            }
            append(folder, Shard(shard, len(rows), 0, 0, 0, hashes))
        if sealed:
            seal(folder)
        return folder, units

    return make


@settings(max_examples=25)
@given(st.integers(1, 8), st.integers(0, 7), st.integers(0, 7))
def test_gives_the_same_rows_whatever_the_shards(tmp_path_factory, make_units, shard_rows, one, other):
    folder, units = tmp_path_factory.mktemp("v"), make_units(5, 7)
    begin(folder, {"rows": 7, "dimension": 24, "dtype": "float32", "shard_rows": shard_rows})
    for shard, start in enumerate(range(0, 7, shard_rows)):
        path = folder / f"vectors-{shard:05d}.npy"
        np.save(path, units[start : start + shard_rows])
        append(
            folder,
            Shard(
                shard,
                len(units[start : start + shard_rows]),
                0,
                0,
                0,
                {path.name: hashlib.sha256(path.read_bytes()).hexdigest()},
            ),
        )
    seal(folder)
    start, stop = sorted((one, other))
    vectors = open_vectors(folder)
    assert np.array_equal(vectors.block(start, stop), units[start:stop])
    rows = np.array([6, 0, 3, 3])
    assert np.array_equal(Chosen(vectors, rows).block(0, 4), units[rows])


def test_knows_blank_rows_and_the_first_row_of_every_text(write):
    folder, _ = write()
    vectors = open_vectors(folder)
    assert vectors.blank.tolist() == [not text for text in TEXTS]
    assert vectors.first_rows().tolist() == [TEXTS.index(text) for text in TEXTS]
    assert np.array_equal(vectors.texts(1, 4), np.stack([key(text) for text in TEXTS[1:4]]))
    assert not vectors.block(2, 3).any()
    assert (vectors.rows, vectors.dimension, vectors.made["shard_rows"]) == (7, 24, 3)


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_gives_unit_vectors_from_fewer_bytes(write, dtype):
    folder, units = write(dtype=dtype)
    found = open_vectors(folder).block(0, 7)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found[[0, 1, 3, 4, 5, 6]], axis=1), 1, atol=1e-6)
    scale = np.abs(units).max(axis=1, keepdims=True) / 127
    bound = 2**-11 * np.abs(units) if dtype == "float16" else scale / 2
    # what rounding may change, and bringing the row to length 1 again afterwards: |1 - length| is at most the
    # rounding's length
    room = bound + np.linalg.norm(bound * np.ones_like(units), axis=1, keepdims=True) * (np.abs(units) + bound) + 1e-6
    assert (np.abs(found - units) <= room).all()


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.integers(1, 40), st.sampled_from([1.0, 30.0]))
def test_keeps_int8_within_half_a_scale(seed, width, outlier):
    units = np.random.default_rng(seed).normal(size=(5, width))
    units[:, 0] *= outlier
    units = (units / np.linalg.norm(units, axis=1, keepdims=True)).astype(np.float32)
    stored, scales = narrowed(units, "int8").values()
    assert (np.abs(stored * scales[:, None] - units) <= scales[:, None] * 0.5001).all()
    error = np.linalg.norm(stored * scales[:, None] - units, axis=1)
    assert (error <= np.sqrt(width) * np.abs(units).max(axis=1) / 254 + 1e-6).all()
    assert (np.einsum("nh,nh->n", widened(stored, scales), units) >= 1 - 2 * error**2 - 1e-5).all()


def test_refuses_a_folder_that_is_not_finished(write):
    folder, _ = write(sealed=False)
    with pytest.raises(MissingError, match="not finished: 3 of 3 shards.*\n.*\n.*goes on from there"):
        open_vectors(folder)


def test_refuses_what_is_not_there(tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(MissingError, match="no vectors here"):
            open_vectors(path)


@pytest.mark.parametrize("name", ["vectors-00001.npy", "texts-00001.npy"])
def test_notices_a_changed_byte_of_a_shard(write, flip, name):
    folder, _ = write()
    flip(folder / name, -3, 4)
    vectors = open_vectors(folder)
    vectors.block(0, 3)
    with pytest.raises(ArtefactError, match=rf"does not match its sha256\n  where: .*{name}"):
        vectors.block(2, 4) if "vectors" in name else vectors.texts(2, 4)


def test_notices_a_missing_shard(write):
    folder, _ = write()
    (folder / "vectors-00002.npy").unlink()
    with pytest.raises(ArtefactError, match="is missing"):
        open_vectors(folder).block(0, 7)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_notices_a_changed_byte_of_the_ledger(tmp_path_factory, flip, place, mask):
    folder = tmp_path_factory.mktemp("v")
    begin(folder, {"rows": 1, "dimension": 2, "dtype": "float32", "shard_rows": 1})
    append(folder, Shard(0, 1, 0, 0, 0, {}))
    seal(folder)
    flip(folder / "ledger.jsonl", place, mask)
    with pytest.raises((ArtefactError, MissingError)):
        open_vectors(folder)


def test_forgets_half_a_line_and_goes_on(write):
    folder, _ = write(sealed=False)
    path = folder / "ledger.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    assert len(read_ledger(folder).shards) == 2
    repair(folder)
    assert path.read_bytes() == whole[: whole[:-1].rfind(b"\n") + 1]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_reads_anybodys_matrix_at_length_one(tmp_path, make_units, dtype, order):
    units = make_units(3, 9)
    np.save(tmp_path / "a.npy", np.asarray(units * np.arange(1, 10)[:, None], dtype=dtype, order=order))
    vectors = open_vectors(tmp_path / "a.npy")
    np.testing.assert_allclose(vectors.block(2, 7), units[2:7], atol=1e-3 if dtype == "float16" else 1e-6)
    np.testing.assert_allclose(
        Chosen(vectors, np.array([8, 1])).block(0, 2), units[[8, 1]], atol=1e-3 if dtype == "float16" else 1e-6
    )
    assert (vectors.rows, vectors.dimension, vectors.made) == (9, 24, {})
    assert not vectors.blank.any()


@pytest.mark.parametrize(("value", "kind"), [(np.nan, "not finite"), (np.inf, "not finite"), (0.0, "zero")])
def test_names_the_line_of_a_row_that_is_no_vector(tmp_path, value, kind):
    matrix = np.ones((5, 3))
    matrix[3] = value
    np.save(tmp_path / "a.npy", matrix)
    vectors = open_vectors(tmp_path / "a.npy")
    assert vectors.block(0, 3).shape == (3, 3)
    for read in (lambda: vectors.block(2, 5), lambda: Chosen(vectors, np.array([0, 3])).block(0, 2)):
        with pytest.raises(TaskDataError, match=f"a vector is {kind}\n  where: .*a.npy, line 4\n"):
            read()


@pytest.mark.parametrize(
    "array", [np.ones(3), np.ones((2, 3), dtype=np.int64), np.ones((0, 3)), np.ones((2, 2, 2)), np.array([["a"]])]
)
def test_refuses_an_array_that_holds_no_vectors(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(TaskDataError, match="where vectors were expected"):
        open_vectors(tmp_path / "a.npy")


def test_refuses_a_file_that_is_no_whole_array(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((20, 30)))
    whole = (tmp_path / "a.npy").read_bytes()
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    for content in (whole[:-1], whole[:50], b"", b"text"):
        (tmp_path / "b.npy").write_bytes(content)
        with pytest.raises(TaskDataError, match="not a whole .npy file"):
            open_vectors(tmp_path / "b.npy")
    with pytest.raises(TaskDataError, match="not a whole .npy file"):
        open_vectors(tmp_path / "objects.npy")


def test_refuses_rows_that_are_not_there(write):
    vectors = open_vectors(write()[0])
    for read in (lambda: vectors.block(3, 8), lambda: vectors.block(-1, 2)):
        with pytest.raises(UsageError, match="of 7"):
            read()


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        *((0, key, None) for key in ("rows", "dimension", "dtype", "shard_rows")),
        *((0, key, value) for key in ("rows", "dimension", "shard_rows") for value in (-1, 10**12, 10**40, "x", 1.5)),
        *((0, "dtype", value) for value in ("object", "V8", "float64", 7)),
        *((1, key, value) for key in ("rows", "blank") for value in (-1, "x", 10**12)),
        *((1, "files", value) for value in (None, 7, {"../../vectors-00000.npy": "ab"}, {"vectors-00001.npy": "ab"})),
    ],
)
def test_refuses_a_ledger_that_says_what_cannot_be(write, line, key, value):
    folder, _ = write()
    change_ledger(folder, line, key, value)
    with pytest.raises(ArtefactError, match="ledger"):
        open_vectors(folder).blank.any()


def test_makes_no_room_for_rows_that_are_not_there(write):
    folder, _ = write(shard_rows=9)
    change_ledger(folder, 0, "rows", 10**11)
    change_ledger(folder, 0, "shard_rows", 10**11)
    change_ledger(folder, 1, "rows", 10**11)
    with pytest.raises(ArtefactError, match="too short for 100000000000 rows"):
        open_vectors(folder)


@pytest.mark.parametrize("name", ["vectors-00001.npy", "texts-00001.npy", "scales-00001.npy"])
@pytest.mark.parametrize("shape", [(3, 23), (72,), (3, 24, 1), (4, 24)])
def test_refuses_a_shard_of_another_form(write, name, shape):
    folder, _ = write(dtype="int8")
    np.save(folder / name, np.ones(shape, dtype=np.float32))
    ledger = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
    hashed = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    change_ledger(folder, 2, "files", {**ledger[2]["files"], name: hashed})
    vectors = open_vectors(folder)
    with pytest.raises(ArtefactError, match="the ledger calls for"):
        vectors.texts(0, 7) if "texts" in name else vectors.block(0, 7)


def test_refuses_stored_numbers_that_are_none(write):
    folder, _ = write(shard_rows=7)
    array = np.load(folder / "vectors-00000.npy")
    array[3, 5] = np.nan
    np.save(folder / "vectors-00000.npy", array)
    ledger = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
    hashed = hashlib.sha256((folder / "vectors-00000.npy").read_bytes()).hexdigest()
    change_ledger(folder, 1, "files", {**ledger[1]["files"], "vectors-00000.npy": hashed})
    with pytest.raises(ArtefactError, match="not finite"):
        open_vectors(folder).block(0, 7)


HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"


@pytest.mark.parametrize(
    "header",
    ["(" * 5000, HEADER % "(-1, 4)", HEADER % f"({10**30}, 1)", HEADER % "(True, 4)", "__import__('os').abort()"],
)
def test_refuses_an_array_whose_header_lies(tmp_path, header):
    text = header.encode() + b"\n"
    content = b"\x93NUMPY\x02\x00" + len(text).to_bytes(4, "little") + text + bytes(64)
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(TaskDataError, match="not a whole .npy file of numbers"):
        open_vectors(tmp_path / "a.npy")


def test_opens_neither_a_zip_nor_a_pipe_as_an_array(tmp_path):
    with (tmp_path / "zip.npy").open("wb") as stream:
        np.savez(stream, np.eye(3))
    os.mkfifo(tmp_path / "pipe.npy")
    for name, match in (("zip", "magic string"), ("pipe", "a pipe or a device")):
        with pytest.raises(TaskDataError, match=match):
            open_vectors(tmp_path / f"{name}.npy")


def change_ledger(folder, line, key, value):
    """Give a key another value, or take it out for None, and seal the ledger anew."""
    path = folder / "ledger.jsonl"
    rows = [json.loads(text) for text in path.read_text().splitlines()[:-1]]
    rows[line] = {name: of for name, of in {**rows[line], key: value}.items() if of is not None}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    seal(folder)
