"""Bytes on disk by the hash of what they were made of: what is computed of a row of text once, for all who read it.

    <root>/<what made them>/<name>.rows      the bytes of one row after another
                            <name>.index     of each row its hash, where it begins, its size and its CRC-32

A file has one writer and is only ever added to, rows before their entries, so that what a kill cuts off has no entry.
Any number of processes read and write side by side, and all of it may be deleted at any moment. What is read is held
against its checksum; a file with damage is removed, and what it held is computed again. Together all files under
`root` stay within `limit` bytes: those that were used longest ago are removed, but none that is in use.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
import weakref
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.files import NO_SPACE

ENTRY = np.dtype([("key", "S16"), ("start", "<u8"), ("size", "<u4"), ("crc", "<u4")])
LARGEST = 1 << 28  # bytes of a file: what is removed at once
FILES = 16  # that fit into a small limit
SPARE = 1 << 29  # bytes that are left free on the disk, for what must be written
USUAL = 32 * 10**9  # the limit where none is named, or a quarter of what is free
LISTED = 5.0  # seconds between two looks at what other processes have written
TOUCHED = 60.0  # seconds between two notes that a file is used
BUSY = 150.0  # seconds after which it is not in use any more
OPEN = 64  # files at once
INDEX, ROWS = ".index", ".rows"


class KeptRows:
    """The rows that one function has made, in a folder named after it.

    limit  bytes under the folder's parent; None: a quarter of what is free, at most 32 GB
    say    is told once of what keeps rows from being kept, and of damage

    No failure of the disk is an error here: what cannot be read is missing, what cannot be written is not kept.
    """

    def __init__(self, folder: Path, limit: int | None, say: Callable[[str], None]) -> None:
        self._folder, self._limit, self._say = folder, limit, say
        self.found, self.made = 0, 0  # rows read here, and rows that were not there
        self._names: list[str] = []
        self._sizes: dict[str, int] = {}  # of indexes, as they were listed
        self._sort(np.empty(0, ENTRY), np.empty(0, np.int32))
        self._own: _Writer | None = None
        self._mine: set[str] = set()
        self._open: dict[str, int] = {}
        self._touched: dict[str, float] = {}
        self._listed, self._retry = -LISTED, 0.0
        weakref.finalize(self, _close, self._open)
        self._list()

    def __str__(self) -> str:
        """What has been read and computed, for a person."""
        return f"{self.found:,} rows were read, {self.made:,} computed ({self._folder.parent})"

    def read(self, keys: Sequence[bytes], into: Sequence[memoryview]) -> list[int]:
        """Fill a buffer of the right size for each row that is here; returns the places of those that are not.

        keys  16 bytes each
        """
        left = self._filled(keys, into, range(len(keys)))
        if left and time.monotonic() - self._listed >= LISTED and self._list():
            left = self._filled(keys, into, left)
        self.found += len(keys) - len(left)
        self.made += len(left)
        return left

    def add(self, keys: Sequence[bytes], rows: Sequence[memoryview]) -> None:
        """Keep rows that were not here, as far as there is room."""
        size = sum(len(row) + ENTRY.itemsize for row in rows)
        if not size or time.monotonic() < self._retry:
            return
        try:
            own = self._writer(size)
            if own is not None:
                own.add(keys, rows)
        except OSError as error:
            full = error.errno in NO_SPACE
            self._finish(remove=full)
            why = "the disk is full" if full else f"cannot write: {error.strerror or error}"
            self._pause(f"{why}; {self._folder.parent} is not written to any more", float("inf"))

    def _filled(self, keys: Sequence[bytes], into: Sequence[memoryview], wanted: Sequence[int]) -> list[int]:
        """Read what is listed; the rest of `wanted`."""
        found: list[tuple[str, int, int, int, int]] = []
        places = np.searchsorted(self._keys, np.array([keys[row] for row in wanted], "S16"))
        for row, place in zip(wanted, places.tolist(), strict=True):
            if self._own is not None and keys[row] in self._own.new:
                found.append((self._own.name, *self._own.new[keys[row]], row))
            elif place < len(self._keys) and self._keys[place] == keys[row].rstrip(b"\0"):
                entry = self._entries[place]
                name = self._names[self._file_of[place]]
                found.append((name, int(entry["start"]), int(entry["size"]), int(entry["crc"]), row))
        read = {row for name, start, size, crc, row in sorted(found) if self._read(name, start, size, crc, into[row])}
        return [row for row in wanted if row not in read]

    def _read(self, name: str, start: int, size: int, crc: int, into: memoryview) -> bool:
        """Fill a buffer; False where the file is gone or damaged."""
        if name not in self._sizes and (self._own is None or name != self._own.name):
            return False  # let go of a moment ago
        try:
            file = self._file(name)
            whole = size == len(into) and _fill(file, into, start) and zlib.crc32(into) == crc
        except OSError:
            self._forget(name)
            return False
        if not whole:
            self._say(f"{self._folder / name}{ROWS} is damaged: what it holds is computed again")
            self._remove(name)
            self._forget(name)
            return False
        now = time.monotonic()
        if now - self._touched.get(name, -TOUCHED) >= TOUCHED:
            self._touched[name] = now
            with suppress(OSError):
                os.utime(self._folder / f"{name}{ROWS}")
        return True

    def _file(self, name: str) -> int:
        if name not in self._open:
            while len(self._open) >= OPEN:
                os.close(self._open.pop(next(iter(self._open))))
            self._open[name] = os.open(self._folder / f"{name}{ROWS}", os.O_RDONLY | os.O_NOFOLLOW)
        return self._open[name]

    def _list(self) -> bool:
        """Look at what there is; whether it is other than before."""
        self._listed = time.monotonic()
        sizes: dict[str, int] = {}
        try:
            for entry in os.scandir(self._folder):
                name, own = entry.name.removesuffix(INDEX), self._own.name if self._own is not None else ""
                if entry.name.endswith(INDEX) and name != own and entry.is_file(follow_symlinks=False):
                    sizes[name] = entry.stat().st_size // ENTRY.itemsize
        except OSError:
            sizes = {}
        if sizes == self._sizes:
            return False
        arrays = {name: self._index(name, size) for name, size in sizes.items()}
        self._names, self._sizes = list(arrays), sizes
        entries = np.concatenate([np.empty(0, ENTRY), *arrays.values()])
        numbers = np.repeat(np.arange(len(arrays), dtype=np.int32), [len(array) for array in arrays.values()])
        self._sort(entries, numbers)
        return True

    def _sort(self, entries: NDArray[np.void], files: NDArray[np.int32]) -> None:
        """Take entries, each with the number of its file, as what is there."""
        order = np.argsort(entries["key"], kind="stable")
        self._entries, self._file_of = entries[order], files[order]
        self._keys = np.ascontiguousarray(self._entries["key"])

    def _index(self, name: str, entries: int) -> NDArray[np.void]:
        try:
            return np.fromfile(self._folder / f"{name}{INDEX}", ENTRY, entries)
        except OSError:
            return np.empty(0, ENTRY)

    def _forget(self, name: str) -> None:
        """Know nothing of a file any more."""
        self._sizes.pop(name, None)
        if name in self._names:
            kept = self._file_of != self._names.index(name)
            self._sort(self._entries[kept], self._file_of[kept])
        if name in self._open:
            os.close(self._open.pop(name))
        if self._own is not None and name == self._own.name:
            self._own.close()
            self._own = None

    def _remove(self, name: str) -> None:
        for suffix in (INDEX, ROWS):
            with suppress(OSError):
                (self._folder / f"{name}{suffix}").unlink(missing_ok=True)

    def _writer(self, size: int) -> _Writer | None:
        """What so many bytes are added to; None where there is no room."""
        if self._own is not None and not self._own.fits(size):
            self._finish()
        if self._own is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            largest = self._room(size)
            if not largest:
                full = f"{self._folder.parent} is full: what does not fit is computed each time it is needed"
                self._pause(f"{full} (training.cache_gb)", TOUCHED)
                return None
            self._own = _Writer(self._folder, largest)
            self._mine.add(self._own.name)
        return self._own

    def _finish(self, *, remove: bool = False) -> None:
        """Begin another file with the next row."""
        if self._own is not None:
            name = self._own.name
            self._own.close()
            self._own = None
            if remove:
                self._remove(name)
            self._list()

    def _pause(self, why: str, seconds: float) -> None:
        """Add nothing for a while, and say so, once."""
        if not self._retry:
            self._say(why)
        self._retry = time.monotonic() + seconds

    def _room(self, size: int) -> int:
        """Bytes that another file may have, at least `size`, when files that nobody uses have been removed for it, the
        longest unused first; 0 where it does not fit."""
        root, used = self._folder.parent, _files(self._folder.parent)
        total, free = sum(of_file for _, of_file, _ in used), shutil.disk_usage(root).free
        limit = min(USUAL, (free + total) // 4) if self._limit is None else self._limit
        largest = max(size, min(LARGEST, limit // FILES))
        for last, of_file, stem in used:
            if total + largest <= limit and free >= largest + SPARE:
                break
            if stem.name in self._mine or last > time.time() - BUSY:
                continue
            for suffix in (INDEX, ROWS):
                stem.with_name(stem.name + suffix).unlink(missing_ok=True)
            total, free = total - of_file, free + of_file
        return largest if total + largest <= limit and free >= largest + SPARE else 0


class _Writer:
    """The file that this process adds to; `new` has where each of its rows begins, its size and checksum."""

    def __init__(self, folder: Path, largest: int) -> None:
        self.name, self.largest, self.end = secrets.token_hex(8), largest, 0
        self.new: dict[bytes, tuple[int, int, int]] = {}
        self._path = folder / f"{self.name}{ROWS}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._rows = os.open(self._path, flags, 0o644)
        self._index = os.open(folder / f"{self.name}{INDEX}", flags, 0o644)
        self.close = weakref.finalize(self, _close, {ROWS: self._rows, INDEX: self._index})

    def fits(self, size: int) -> bool:
        """Whether so many bytes more are within its size; not where somebody has removed it."""
        used = self.end + len(self.new) * ENTRY.itemsize
        return used + size <= self.largest and self._path.exists()

    def add(self, keys: Sequence[bytes], rows: Sequence[memoryview]) -> None:
        entries = np.zeros(len(keys), ENTRY)
        for number, (key, row) in enumerate(zip(keys, rows, strict=True)):
            _write(self._rows, row)
            entries[number] = (key, self.end, len(row), zlib.crc32(row))
            self.end += len(row)
        _write(self._index, memoryview(entries.tobytes()))
        for key, entry in zip(keys, entries, strict=True):
            self.new[key] = (int(entry["start"]), int(entry["size"]), int(entry["crc"]))


def _files(root: Path) -> list[tuple[float, int, Path]]:
    """When each file was last used, its bytes, its path without a suffix; the longest unused first."""
    found: dict[Path, tuple[float, int]] = {}
    for path in root.glob("*/*"):
        if path.suffix in (INDEX, ROWS):
            with suppress(OSError):
                facts = path.stat()
                last, size = found.get(path.with_suffix(""), (0.0, 0))
                found[path.with_suffix("")] = (max(last, facts.st_mtime), size + facts.st_size)
    return sorted((last, size, stem) for stem, (last, size) in found.items())


def _close(files: dict[str, int]) -> None:
    for file in files.values():
        os.close(file)


def _fill(file: int, into: memoryview, start: int) -> bool:
    done = 0
    while done < len(into):
        read = os.preadv(file, [into[done:]], start + done)
        if not read:
            return False
        done += read
    return True


def _write(file: int, content: memoryview) -> None:
    done = 0
    while done < len(content):
        written = os.write(file, content[done:])
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done += written
