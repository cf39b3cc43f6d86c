"""The ledger of a folder of vectors: what made them, then one line per finished shard, then a line that seals all
before it.

    {"format": 1, "rows": 150000, "dimension": 768, "dtype": "float32", "shard_rows": 65536, ...}    what made it
    {"shard": 0, "rows": 65536, "files": {"vectors-00000.npy": "9f86..."}, ...}
    {"shards": 3, "sha256": "4f1c..."}                                                                of the bytes above

A line is appended when its shard lies on disk, so a process that is killed loses at most the shard it was working on.
What a kill cut off in the middle of a line is not counted, and `repair` removes it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adapter_stilts.errors import ArtefactError, MissingError
from adapter_stilts.files import LEDGER, disk_errors, from_json, own_file, read_bytes, write_bytes
from adapter_stilts.retrieval.stored.arrays import DTYPES, PARTS, file_name

FORMAT = 1
MOST = 1 << 40  # rows
AGAIN = "encode the file again, with --overwrite"


@dataclass(frozen=True)
class Shard:
    """One finished shard.

    files     the sha256 of each of its files
    blank     rows without any text; their vectors are zero
    repeated  rows whose text an earlier row has; their vectors are copies
    cut       sentences that were longer than the trunk reads
    """

    shard: int
    rows: int
    blank: int
    repeated: int
    cut: int
    files: Mapping[str, str]


@dataclass(frozen=True)
class Ledger:
    """What made the vectors, and the shards that are there, in order."""

    made: Mapping[str, Any]
    shards: tuple[Shard, ...]
    sealed: bool


def begin(folder: Path, made: Mapping[str, Any]) -> None:
    """Write the first line; there are no shards yet."""
    write_bytes(folder / LEDGER, _line({"format": FORMAT, **made}))


def append(folder: Path, shard: Shard) -> None:
    """Note a shard whose files lie on disk."""
    _append(folder / LEDGER, asdict(shard))


def seal(folder: Path) -> None:
    """Say that no shard is missing; a byte that changes later is noticed."""
    path = folder / LEDGER
    content = path.read_bytes()
    _append(path, {"shards": content.count(b"\n") - 1, "sha256": hashlib.sha256(content).hexdigest()})


def repair(folder: Path) -> None:
    """Remove half a line at the end, which a kill or a full disk left."""
    path = folder / LEDGER
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with disk_errors(path), own_file(path, "r+b") as stream:
            stream.truncate(len(whole))


def read_ledger(folder: Path) -> Ledger:
    """The ledger as far as it is whole. Raises MissingError where there is none, ArtefactError where it is damaged."""
    path = folder / LEDGER
    try:
        content = read_bytes(path)
    except OSError as error:
        do = "name a folder that `adapter-stilts encode` made, or one .npy file"
        raise MissingError("no vectors here", where=str(folder), do=do) from error
    lines = content[: content.rfind(b"\n") + 1].splitlines(keepends=True)
    try:
        made, *rest = [from_json(line) for line in lines]
        sealed = bool(rest) and "sha256" in rest[-1]
        shards = tuple(Shard(**fields) for fields in (rest[:-1] if sealed else rest))
        whole = made["format"] == FORMAT and [shard.shard for shard in shards] == list(range(len(shards)))
        possible = _possible(made, shards, sealed=sealed)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ArtefactError("the ledger is damaged", where=str(path), do=AGAIN) from error
    if not possible:
        what = "the ledger says of rows, dimension, dtype or shards what cannot be"
        raise ArtefactError(what, where=str(path), do=AGAIN)
    if not whole or (
        sealed and rest[-1] != {"shards": len(shards), "sha256": hashlib.sha256(b"".join(lines[:-1])).hexdigest()}
    ):
        what = "the ledger does not match its checksum: it was changed or damaged after it was written"
        raise ArtefactError(what, where=str(path), do=AGAIN)
    return Ledger(made, shards, sealed)


def _possible(made: Mapping[str, Any], shards: Sequence[Shard], *, sealed: bool) -> bool:
    """Whether there can be such vectors: every number a whole one, and every shard as many rows as it must have."""
    rows, size = made["rows"], made["shard_rows"]
    if not all(type(number) is int and 0 <= number <= MOST for number in (rows, size - 1, made["dimension"] - 1)):
        return False
    told = [(number, each.rows) for each in shards for number in (each.blank, each.repeated, each.cut)]
    counts = all(type(number) is int and 0 <= number <= most for number, most in told)
    names = all(set(each.files) <= {file_name(part, each.shard) for part in PARTS} for each in shards)
    sizes = all(each.rows == min(size, rows - each.shard * size) > 0 for each in shards)
    complete = len(shards) == -(-rows // size) or not sealed
    return made["dtype"] in DTYPES and counts and names and sizes and complete


def _append(path: Path, fields: Mapping[str, Any]) -> None:
    with disk_errors(path), own_file(path, "ab") as stream:
        stream.write(_line(fields))
        stream.flush()
        os.fsync(stream.fileno())


def _line(fields: Mapping[str, Any]) -> bytes:
    return (json.dumps(fields, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "backslashreplace")
