"""metrics.jsonl: one JSON line per logged step and per evaluation, appended as training goes.

A checkpoint remembers how long the file was; a resumed run cuts it back to that length, so that a stopped and an
unbroken run leave the same rows (their times apart).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from adapter_stilts.errors import ArtefactError
from adapter_stilts.files import disk_errors


class Journal:
    """An append-only file of rows; with no path it writes nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def append(self, row: Mapping[str, object]) -> None:
        """Write one row. Raises DoesNotFit on a full disk."""
        if self._path is None:
            return
        with disk_errors(self._path), self._path.open("ab", buffering=0) as stream:
            line = json.dumps(row).encode() + b"\n"
            written = stream.write(line)
            if written != len(line):  # a disk that fills up takes part of a write first
                stream.write(line[written:])

    def length(self) -> int:
        """Bytes so far, flushed to disk."""
        if self._path is None or not self._path.exists():
            return 0
        with disk_errors(self._path), self._path.open("rb") as stream:
            os.fsync(stream.fileno())
            return os.fstat(stream.fileno()).st_size

    def cut(self, length: int) -> None:
        """Drop what was written after a checkpoint; 0 starts an empty file."""
        if self._path is None:
            return
        with disk_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch()
            if self._path.stat().st_size < length:
                advice = "put the file back, or train from the start with --overwrite"
                what = "metrics.jsonl is shorter than its checkpoint says"
                raise ArtefactError(what, where=str(self._path), do=advice)
            os.truncate(self._path, length)
