"""Sentences in any order: for files that are too long for memory.

    with TextStore(folder, "source", sentence_source(Path("news.de"))) as texts:
        texts.rows, texts[17], texts.line(17), texts.id(17)

Eight bytes of memory a row, and as many again where a row is not a line.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.data.sentences import Seen, Sentence, Source, sentences
from adapter_stilts.files import disk_errors


class TextStore:
    """The texts of a file by row number, in one plain file in `folder` as long as the store is open.

    seen  is shown every row as it is read, for what else is wanted of them in the same pass
    """

    def __init__(self, folder: Path, name: str, source: Source, seen: Callable[[Sentence], None] | None = None) -> None:
        self._path = folder / f"{name}.texts"
        self.with_ids = source.layout == "ids"
        ends, lines = array("q", [0]), array("q")
        first, passed = 1, Seen()
        with disk_errors(self._path):
            folder.mkdir(parents=True, exist_ok=True)
            with self._path.open("wb") as stream:
                for sentence in passed.passing(sentences(source)):
                    row = len(ends) - 1
                    first = first if row else sentence.line
                    if lines or sentence.line != first + row:
                        lines = lines or array("q", range(first, first + row))
                        lines.append(sentence.line)
                    content = (f"{sentence.id}\t{sentence.text}" if self.with_ids else sentence.text).encode()
                    stream.write(content)
                    ends.append(ends[-1] + len(content))
                    if seen is not None:
                        seen(sentence)
        self._ends: NDArray[np.int64] = np.frombuffer(ends, dtype=np.int64)
        self._first, self._lines = first, lines
        self.rows, self.survey = len(ends) - 1, passed.survey()
        self._handle = os.open(self._path, os.O_RDONLY)

    def __getitem__(self, row: int) -> str:
        return self._read(row).partition("\t")[2] if self.with_ids else self._read(row)

    def id(self, row: int) -> str:
        """ "" where the file has none."""
        return self._read(row).partition("\t")[0] if self.with_ids else ""

    def line(self, row: int) -> int:
        """The line of the file that the row begins on, from 1."""
        return self._lines[row] if self._lines else row + self._first

    def row(self, line: int) -> int:
        """The row of a line; outside 0..rows - 1 where there is none."""
        if not self._lines:
            return line - self._first
        row = bisect_left(self._lines, line)
        return row if row < self.rows and self._lines[row] == line else -1

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> TextStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, row: int) -> str:
        start, stop = int(self._ends[row]), int(self._ends[row + 1])
        return os.pread(self._handle, stop - start, start).decode()
