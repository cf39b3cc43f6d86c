"""Files: atomic writes, hashes, JSON, and text read by "\\n" alone.

A file is written beside its final name, flushed to disk and renamed, so that a reader never sees half of one and a full
disk leaves the old content in place. Text is split at "\\n" only: real corpora contain U+2028 and U+0085, at which
`str.splitlines` would cut a sentence in two. What is read is a file: a pipe or a device may never end.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import zstandard

from adapter_stilts.errors import DoesNotFit, StiltsError, TaskDataError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # EFBIG: a limit on the size of a file
COMPRESSED = (".gz", ".zst")
# By these a folder or a file is known as ours, so that it is never read as a user's data.
IDENTITY = "identity.json"  # whose folder this is, from a run's first moment on
LEDGER = "ledger.jsonl"  # of a folder of vectors
MADE_OF = "made-of.json"  # in predictions/: what they were made of
REPORT = ".report.json"  # ends the name of what lies beside mined pairs
AT_ONCE = 1 << 12  # compressed bytes; zstd may make 32,000 times as many of them


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Translate a full disk or a refused write into one clear error."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            what = "the disk is full; what was written before is kept"
            raise DoesNotFit(what, where=str(path), do="free some space and run the same command again") from error
        what = f"cannot write: {error.strerror or error}"
        raise StiltsError(what, where=str(path), do="check the folder and its permissions") from error


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that appears under `path` whole, or not at all."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def place_folder(made: Path, place: Path) -> None:
    """Give a folder its final name; what was there is gone after that (of a link the link alone), and back where it
    cannot be done."""
    before = made.with_name(f".{made.name.lstrip('.')}.before.partial")
    with disk_errors(place):
        if place.exists():
            os.replace(place, before)
        try:
            os.replace(made, place)
        except OSError:
            if before.exists():
                os.replace(before, place)
            raise
    if before.is_symlink():
        before.unlink()
    shutil.rmtree(before, ignore_errors=True)


def is_remains(path: Path) -> bool:
    """Whether a file is what an atomic write leaves behind when its process is killed."""
    return path.name.startswith(".") and path.name.endswith(".partial")


def write_bytes(path: Path, content: bytes) -> None:
    with atomic_write(path) as stream:
        stream.write(content)


def write_text(path: Path, content: str) -> None:
    """UTF-8; half characters, as in a file name that is no UTF-8, are written as escapes."""
    write_bytes(path, content.encode("utf-8", "backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False) + "\n")


def read_json(path: Path) -> Any:
    """A JSON file; a missing or broken one is a TaskDataError naming the place."""
    text = read_text(path)
    try:
        return from_json(text)
    except ValueError as error:
        what, line = getattr(error, "msg", str(error)), getattr(error, "lineno", 1)
        advice = "the file may be truncated; fetch or write it again"
        raise TaskDataError(f"not valid JSON: {what}", where=f"{path}, line {line}", do=advice) from error


def from_json(text: str | bytes, **options: Any) -> Any:
    """A JSON value; ValueError, which JSONDecodeError is one of, for all that is none: also for one that is nested too
    deeply, or a number of thousands of digits."""
    try:
        return json.loads(text, **options)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def open_file(path: Path) -> io.BufferedReader:
    """A file to be read. OSError for one that cannot be, as for a pipe or a device: they may never end."""
    _refuse_endless(path)
    return path.open("rb")


def _refuse_endless(path: Path) -> None:
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.ESPIPE, "a pipe or a device where a file was expected", str(path))


def own_file(path: Path, mode: str) -> IO[Any]:
    """A file to go on writing, as `open` gives it; OSError for a symbolic link, which leads to a file of others'."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o644))


def read_bytes(path: Path) -> bytes:
    """All of a file; OSError as `open_file`."""
    _refuse_endless(path)
    return path.read_bytes()


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open_file(path) as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def read_text(path: Path) -> str:
    return "\n".join(line for _, line in numbered_lines(path))


def bare_name(path: Path) -> str:
    """A file's name without what says that it is compressed: "a.jsonl" of "a.jsonl.gz"."""
    return path.stem if path.suffix in COMPRESSED else path.name


def numbered_lines(
    path: Path, longest: int | None = None, bad: Callable[[TaskDataError], None] | None = None
) -> Iterator[tuple[int, str]]:
    """Lines of a UTF-8 text, plain, gzip or zstd, numbered from 1, without their "\n" or a "\r" before it.

    longest  bytes; a longer line is refused before it is held in memory
    bad      is told of a line that is no UTF-8, which is then left out; None: it is refused
    """
    number = 0
    try:
        with _opened(path) as stream:
            for raw in stream if longest is None else iter(partial(stream.readline, longest + 1), b""):
                number += 1
                if longest is not None and len(raw) > longest:
                    do = "write one sentence a line; is this a text file?"
                    raise TaskDataError(f"a line of more than {longest} bytes", where=f"{path}, line {number}", do=do)
                try:
                    line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    not_utf8 = _not_utf8(error, f"{path}, line {number}")
                    if bad is None:
                        raise not_utf8 from error
                    bad(not_utf8)
                    continue
                yield number, line.removesuffix("\n").removesuffix("\r")
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        what = f"the {'zstd' if path.suffix == '.zst' else 'gzip'} file is truncated or damaged: {error}"
        raise TaskDataError(what, where=f"{path}, line {number + 1}", do="fetch or write it again") from error
    except FileNotFoundError as error:
        raise TaskDataError("no such file", where=str(path), do="check the path") from error
    except IsADirectoryError as error:
        raise TaskDataError("a folder where a file was expected", where=str(path), do="name the file") from error
    except OSError as error:
        do = "write what it gives to a file" if error.errno == errno.ESPIPE else "check the file and its permissions"
        raise TaskDataError(f"cannot read: {error.strerror or error}", where=str(path), do=do) from error


def _not_utf8(error: UnicodeDecodeError, where: str) -> TaskDataError:
    what = f"not UTF-8: byte {error.object[error.start]:#04x} at position {error.start}"
    return TaskDataError(what, where=where, do="convert the file to UTF-8")


def first_line(path: Path) -> bytes:
    """The first line's bytes, line end and all; b"" where it cannot be read, which `numbered_lines` has words for."""
    try:
        with _opened(path) as stream:
            return stream.readline()
    except (OSError, EOFError, zlib.error, zstandard.ZstdError):
        return b""


def _opened(path: Path) -> io.BufferedIOBase:
    _refuse_endless(path)
    if path.suffix == ".gz":
        return gzip.GzipFile(path, "rb")
    return io.BufferedReader(_Zstd(path.open("rb")), 1 << 16) if path.suffix == ".zst" else path.open("rb")


class _Zstd(io.RawIOBase):
    """The frames of a zstd file; EOFError where the last one is cut off, which the library's own reader passes over."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._begun = False
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            content = self._frame.unused_data or self._stream.read(AT_ONCE)
            if self._frame.eof:
                self._frame, self._begun = zstandard.ZstdDecompressor().decompressobj(), False
            if not content:
                if self._begun:
                    raise EOFError("its end is missing")
                return 0
            self._ready, self._begun = memoryview(self._frame.decompress(content)), True
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()
