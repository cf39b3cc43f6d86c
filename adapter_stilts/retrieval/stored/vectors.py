"""Vectors on disk, read a block at a time: a folder that `encode` made, or one .npy file of anybody's.

    vectors = open_vectors(Path("vectors/de"))
    vectors.rows, vectors.dimension     150000, 768
    vectors.block(0, 4096)              [4096, 768] float32 of length 1; a blank row is zero
    vectors.blank                       [150000] bool: rows without text, which are never anybody's translation
    vectors.first_rows()                [150000] int64: the first row with the same text, which may be the row itself

A row is a line of the file that was encoded: row 0 is line 1. Nothing is held in memory but what a call returns: a
block is read into the array that comes back. The files of a folder are checked against the ledger's sha256 when they
are first read.

    <folder>/ledger.jsonl           see `ledger.py`
    <folder>/vectors-00000.npy      [n, H] float32, float16 or int8, one file per shard, which NumPy can map
    <folder>/scales-00000.npy       [n] float32, int8 only: a vector is its row times its scale, brought to length 1
    <folder>/texts-00000.npy        [n, 16] uint8: a hash of each row's text, zero for a blank one
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.errors import ArtefactError, MissingError, TaskDataError, UsageError
from adapter_stilts.files import open_file, sha256
from adapter_stilts.retrieval.compared import Flags, Vectors
from adapter_stilts.retrieval.stored.arrays import file_name, widened
from adapter_stilts.retrieval.stored.known import HASH_BYTES, Keys, Rows, first_of_keys
from adapter_stilts.retrieval.stored.ledger import AGAIN, Ledger, read_ledger


def open_vectors(path: Path) -> StoredVectors:
    """A folder of `encode`, or a .npy file with a matrix of numbers.

    Raises MissingError where there is nothing or the encoding is not finished, ArtefactError for damage, TaskDataError
    for a file that holds no matrix.
    """
    if path.is_dir():
        return EncodedFolder(path)
    if not path.exists():
        do = "name a folder that `adapter-stilts encode` made, or one .npy file"
        raise MissingError("no vectors here", where=str(path), do=do)
    return ArrayFile(path)


class EncodedFolder:
    """The shards of one encoded file; `made` is what the ledger says of their making"""

    def __init__(self, path: Path) -> None:
        ledger = read_ledger(path)
        if not ledger.sealed:
            total = math.ceil(ledger.made["rows"] / ledger.made["shard_rows"])
            do = "run the same `adapter-stilts encode` command again; it goes on from there"
            what = f"encoding has not finished: {len(ledger.shards)} of {total} shards are there"
            raise MissingError(what, where=str(path), do=do)
        self.path, self.made = path, ledger.made
        self.rows, self.dimension = int(ledger.made["rows"]), int(ledger.made["dimension"])
        self._files = ShardFiles(path, ledger)

    @cached_property
    def blank(self) -> Flags:
        """[rows]: whether a row has no text; it must not be searched for or found."""
        return np.logical_not(self.texts(0, self.rows).any(axis=1))

    def block(self, start: int, stop: int) -> Vectors:
        """Rows start..stop-1 as [n, H] float32; zero where there is no text. ArtefactError for a damaged file."""
        _check_span(start, stop, self.rows)
        pieces = list(self._pieces(start, stop))
        if len(pieces) == 1:
            return self._files.vectors(*pieces[0][:2])
        vectors = np.empty((stop - start, self.dimension), dtype=np.float32)
        for shard, rows, places in pieces:
            vectors[places] = self._files.vectors(shard, rows)
        return vectors

    def texts(self, start: int, stop: int) -> Keys:
        """[n, 16]: a hash of each row's text, zero for a blank one."""
        _check_span(start, stop, self.rows)
        keys = np.empty((stop - start, HASH_BYTES), dtype=np.uint8)
        for shard, rows, places in self._pieces(start, stop):
            keys[places] = self._files.read("texts", shard, rows)
        return keys

    def first_rows(self) -> Rows:
        """[rows]: the first row with the same text. Holds about 50 bytes a row while it works."""
        return first_of_keys(self.texts(0, self.rows).view(np.uint64))

    def _pieces(self, start: int, stop: int) -> Iterator[tuple[int, slice, slice]]:
        """What of each shard makes up start..stop: (shard, its rows, where they go)."""
        size = self._files.shard_rows
        for shard in range(start // size, math.ceil(stop / size)):
            first, last, begin = max(start, shard * size), min(stop, (shard + 1) * size), shard * size
            yield shard, slice(first - begin, last - begin), slice(first - start, last - start)


class ArrayFile:
    """One .npy file: [N, H] of float16, float32 or float64, at any length; rows are read at length 1."""

    def __init__(self, path: Path) -> None:
        matrix = _mapped(path)
        if matrix.ndim != 2 or matrix.dtype.kind != "f" or 0 in matrix.shape:
            what = f"an array of shape {matrix.shape} and type {matrix.dtype} where vectors were expected"
            do = "save a matrix with one row of floating-point numbers per sentence"
            raise TaskDataError(what, where=str(path), do=do)
        self.path, self.made = path, dict[str, Any]()
        self.rows, self.dimension = matrix.shape
        self.blank: Flags = np.zeros(self.rows, dtype=np.bool_)

    def block(self, start: int, stop: int) -> Vectors:
        _check_span(start, stop, self.rows)
        with np.errstate(over="ignore"):
            units = np.asarray(_rows(self.path, slice(start, stop)), dtype=np.float32)
        lengths = np.sqrt(np.einsum("nh,nh->n", units, units, dtype=np.float64))
        wrong = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
        if len(wrong):
            kind = "zero" if lengths[wrong[0]] == 0 else "not finite"
            do = "encode that sentence again, or take it out on both sides; line numbers count from 1"
            raise TaskDataError(f"a vector is {kind}", where=f"{self.path}, line {start + wrong[0] + 1}", do=do)
        units /= lengths[:, None].astype(np.float32)
        return units


StoredVectors: TypeAlias = EncodedFolder | ArrayFile  # unit vectors [rows, dimension] that lie on disk


class ShardFiles:
    """The files of a folder's shards, also while it is written, each checked against the ledger before it is read."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self.shard_rows, self._rows = ledger.made["shard_rows"], ledger.made["rows"]
        self._folder, self._dtype = folder, np.dtype(ledger.made["dtype"])
        self._row = {"vectors": ((ledger.made["dimension"],), self._dtype), "scales": ((), np.dtype(np.float32))}
        self._row["texts"] = ((HASH_BYTES,), np.dtype(np.uint8))  # the shape and type of a row, by part
        self._hashes = {name: hash for shard in ledger.shards for name, hash in shard.files.items()}
        self._checked: set[str] = set()
        for name in self._hashes:  # before there is memory for as many rows as the ledger says
            shape, dtype = self._form(name)
            path = folder / name
            if path.is_file() and path.stat().st_size < math.prod(shape) * dtype.itemsize:
                raise ArtefactError(f"the file is too short for {shape[0]} rows", where=str(path), do=AGAIN)

    def add(self, files: Mapping[str, str]) -> None:
        """Know of a shard that was just written."""
        self._hashes |= files
        self._checked |= set(files)

    def check_all(self) -> None:
        for name in self._hashes:
            self.check(name)

    def vectors(self, shard: int, rows: slice | Rows) -> Vectors:
        """Rows of a shard as unit vectors in float32."""
        scales = self.read("scales", shard, rows) if self._dtype == np.int8 else None
        units = widened(self.read("vectors", shard, rows), scales)
        if not np.isfinite(units.sum()):
            what, where = "a vector of it is not finite", str(self._folder / file_name("vectors", shard))
            raise ArtefactError(what, where=where, do=AGAIN)
        return units

    def stored(self, part: str, rows: Rows) -> NDArray[Any]:
        """Rows of the whole file as they are stored, in the order given."""
        shards, within = np.divmod(rows, self.shard_rows)
        masks = [(int(shard), shards == shard) for shard in np.unique(shards)]
        parts = [(np.flatnonzero(here), self.read(part, shard, within[here])) for shard, here in masks]
        order = np.argsort(np.concatenate([places for places, _ in parts]))
        return np.concatenate([values for _, values in parts])[order]

    def read(self, part: str, shard: int, rows: slice | Rows) -> NDArray[Any]:
        """Rows of one file of a shard as they are stored."""
        name = file_name(part, shard)
        self.check(name)
        return _rows(self._folder / name, rows)

    def check(self, name: str) -> None:
        """Refuse a file that is not there or not what the ledger says."""
        if name in self._checked:
            return
        path = self._folder / name
        if not path.is_file():
            raise ArtefactError("a file of the vectors is missing", where=str(path), do=AGAIN)
        if sha256(path) != self._hashes.get(name):
            what = "a file of the vectors was changed or damaged: it does not match its sha256"
            raise ArtefactError(what, where=str(path), do=AGAIN)
        matrix, form = _mapped(path), self._form(name)
        if (matrix.shape, matrix.dtype) != form:
            what = f"an array of shape {matrix.shape} and type {matrix.dtype}, and the ledger calls for {form[0]} and"
            raise ArtefactError(f"{what} {form[1]}", where=str(path), do=AGAIN)
        self._checked.add(name)

    def _form(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """The shape and type of a file, by its name."""
        part, _, number = Path(name).stem.partition("-")
        inner, dtype = self._row[part]
        return (min(self.shard_rows, self._rows - int(number) * self.shard_rows), *inner), dtype


def _rows(path: Path, rows: slice | Rows) -> NDArray[Any]:
    """Some rows of a .npy file, copied.

    Neighbouring ones are read, not mapped: mapped pages would count as this process's memory.
    """
    matrix = _mapped(path)
    if not isinstance(rows, slice) or not matrix.flags.c_contiguous:
        return np.array(matrix[rows])
    width = math.prod(matrix.shape[1:])
    count, offset = (rows.stop - rows.start) * width, matrix.offset + rows.start * width * matrix.itemsize
    return np.fromfile(path, matrix.dtype, count, offset=offset).reshape(-1, *matrix.shape[1:])


def _mapped(path: Path) -> np.memmap[Any, Any]:
    """A .npy file as a view of the file; never what else numpy.load would open, such as a zip."""
    try:
        open_file(path).close()
        matrix = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # of whatever kind a header's text can make: numpy evaluates it
        said = " ".join(str(error).split(". If you trust")[0].split())  # numpy then advises to load it unsafely
        what = f"not a whole .npy file of numbers: {said}"
        do = "write it again with numpy.save; the file may be truncated"
        raise TaskDataError(what, where=str(path), do=do) from error
    return matrix


def _check_span(start: int, stop: int, rows: int) -> None:
    if not 0 <= start <= stop <= rows:
        raise UsageError(f"rows {start} to {stop} of {rows}", do="ask for rows that are there")
