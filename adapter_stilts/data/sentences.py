"""Sentences of a file of any size, one by one: what `encode` and `mine` read. Every line is a row, so that row and line
number agree.

    source = sentence_source(Path("news.de.zst"))
    for sentence in sentences(source): ...              Sentence(line=1, id="", text="Guten Morgen.")
    with TextStore(folder, "source", source) as texts:
        texts.rows, texts[17], texts.line(17), texts.id(17)

    lines   a sentence a line: .txt, and any name that is none of the others
    ids     BUCC's "id TAB sentence", told by its first line ("de-000000001"), or asked for
    tsv     .tsv: one column, by its name in the first line, or by its number (from 0) in a file without such a line
    jsonl   .jsonl .ndjson: one field of the object in every line

Each may be plain, gzip or zstd. Lines end at "\\n" alone. White space around a sentence is taken off. A line with
nothing else is a blank row: it keeps its place, and it has no vector. A TSV's first line, where it names columns, is no
row; row 0 is then line 2.
"""

from __future__ import annotations

import hashlib
import os
import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from unicodedata import category

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.data.columns import TEXT
from adapter_stilts.data.tables import empty, json_object, suffix, whole_text
from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.files import disk_errors, numbered_lines
from adapter_stilts.registry import unknown_name

LAYOUTS = ("lines", "ids", "tsv", "jsonl")
BY_SUFFIX = {".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
ELSEWHERE = {
    ".csv": "save it as tab-separated text or JSON lines",
    ".json": "write one object a line (.jsonl)",
    ".xlsx": "save it as tab-separated text",
    ".parquet": "write it as JSON lines",
    ".zip": "unpack it",
    ".bz2": "compress it with gzip or zstd",
    ".xz": "compress it with gzip or zstd",
    ".npy": "vectors need no encoding",
}
BUCC_ID = re.compile(r"[a-z]{2,3}-\d{6,}\t")
# control characters, those that only direct others (zero-width space, soft hyphen), white space
UNSEEN = ("Cc", "Cf", "Zs", "Zl", "Zp")
TOLD_EVERY = 1 << 16
LONGEST = 1 << 24  # bytes of a line; more is no sentence, and is refused before it fills the memory


class Sentence(NamedTuple):
    """One row: its line in the file, from 1; its id, "" where the layout has none; its text, "" for a blank row."""

    line: int
    id: str
    text: str


@dataclass(frozen=True)
class Source:
    """A file and how its rows are read."""

    path: Path
    layout: str
    column: int = 0  # tsv: the place of the sentence in a row
    field: str = ""  # jsonl: the name of the field
    header: tuple[str, ...] = ()  # tsv: the names of the columns; () where the file has none


@dataclass(frozen=True)
class Survey:
    """The rows of a file, how many are blank, and a hash of the texts, whatever its layout and compression."""

    rows: int
    blank: int
    sha256: str


def sentence_source(path: Path, layout: str | None = None, column: str | None = None) -> Source:
    """How a file is read: as asked, or by its suffix and its first line.

    column  the column of a TSV or the field of JSON lines; None takes the first usual name ("text", "sentence", ...)
            that is there

    Raises TaskDataError for a file that cannot be read so, UsageError for a column where there is none.
    """
    kind = suffix(path)
    if layout is None and kind in ELSEWHERE:
        raise TaskDataError(f"files of type {kind} are not read", where=str(path), do=ELSEWHERE[kind])
    if layout is not None and layout not in LAYOUTS:
        raise unknown_name("layout", layout, LAYOUTS)
    first = next(islice(numbered_lines(path, LONGEST), 1), None)
    if first is None:
        raise empty(path)
    chosen = layout or BY_SUFFIX.get(kind) or ("ids" if BUCC_ID.match(first[1]) else "lines")
    if chosen == "tsv":
        return _table(path, first[1].split("\t"), column)
    if chosen == "jsonl":
        return Source(path, chosen, field=column or _usual(json_object(first[1], f"{path}, line 1"), path))
    if column is not None:
        what = f"column '{column}' of a file that has none: it is read as {chosen}"
        raise UsageError(what, where=str(path), do="leave it out, or add --format tsv")
    return Source(path, chosen)


def sentences(source: Source) -> Iterator[Sentence]:
    """The rows in order. Raises TaskDataError with the line of what is not UTF-8, has no such column, or is no text."""
    read = {"ids": _with_id, "tsv": _cell, "jsonl": _field}.get(source.layout)
    for number, line in numbered_lines(source.path, LONGEST):
        id, text = "", line
        if read and line.strip():
            if number == 1 and source.header:
                continue
            id, text = read(line, source, f"{source.path}, line {number}")
        yield Sentence(number, id, visible(text))


def visible(text: str) -> str:
    """A text without the white space around it; "" where nothing of it can be seen."""
    text = text.strip()
    if text.isprintable():
        return text
    return "" if all(category(character) in UNSEEN for character in text) else text


def survey(source: Source, progress: Callable[[int], None] | None = None) -> Survey:
    """Read the whole file once, so that a mistake in its last line is found before hours of work. Raises TaskDataError
    for a file without rows.

    progress  told the rows so far, now and then
    """
    passed = Seen()
    for _ in passed.passing(sentences(source)):
        if progress is not None and passed.rows % TOLD_EVERY == 0:
            progress(passed.rows)
    if not passed.rows:
        raise empty(source.path, "the file has a header and no rows")
    return passed.survey()


class Seen:
    """Counts and hashes rows as they pass by."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.rows, self._blank = 0, 0

    def passing(self, rows: Iterable[Sentence]) -> Iterator[Sentence]:
        for sentence in rows:
            content = sentence.text.encode()
            self._digest.update(len(content).to_bytes(8, "big") + content)
            self.rows += 1
            self._blank += not content
            yield sentence

    def survey(self) -> Survey:
        return Survey(self.rows, self._blank, self._digest.hexdigest())


class TextStore:
    """The texts of a file by row number, in one plain file in `folder` as long as the store is open: for lists that are
    too long for memory and are wanted in any order. Eight bytes of memory a row.

    seen  is shown every row as it is read, for what else is wanted of them in the same pass
    """

    def __init__(self, folder: Path, name: str, source: Source, seen: Callable[[Sentence], None] | None = None) -> None:
        self._path = folder / f"{name}.texts"
        self.with_ids = source.layout == "ids"
        ends = array("q", [0])
        first = 1
        with disk_errors(self._path):
            folder.mkdir(parents=True, exist_ok=True)
            with self._path.open("wb") as stream:
                for sentence in sentences(source):
                    if len(ends) == 1:
                        first = sentence.line
                    content = (f"{sentence.id}\t{sentence.text}" if self.with_ids else sentence.text).encode()
                    stream.write(content)
                    ends.append(ends[-1] + len(content))
                    if seen is not None:
                        seen(sentence)
        self._ends: NDArray[np.int64] = np.frombuffer(ends, dtype=np.int64)
        self._first = first
        self.rows = len(ends) - 1
        self._handle = os.open(self._path, os.O_RDONLY)

    def __getitem__(self, row: int) -> str:
        return self._read(row).partition("\t")[2] if self.with_ids else self._read(row)

    def id(self, row: int) -> str:
        """ "" where the file has none."""
        return self._read(row).partition("\t")[0] if self.with_ids else ""

    def line(self, row: int) -> int:
        """The line of the file, from 1: a row further where a first line names columns."""
        return row + self._first

    def row(self, line: int) -> int:
        """The row of a line; outside 0..rows - 1 where there is none."""
        return line - self._first

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


def _with_id(line: str, source: Source, where: str) -> tuple[str, str]:
    id, tab, text = line.partition("\t")
    if not tab:
        do = "the file may be truncated; for a sentence a line add --format lines"
        raise TaskDataError(f"no tab between id and sentence: {line[:40]!r}", where=where, do=do)
    return id, text


def _table(path: Path, first: list[str], column: str | None) -> Source:
    if column is not None and column not in first and column.isdecimal():
        if int(column) >= len(first):
            what = f"column {column} of a file with {len(first)}, counted from 0"
            raise TaskDataError(what, where=f"{path}, line 1", do=f"use 0 to {len(first) - 1}")
        return Source(path, "tsv", int(column))
    name = column or _usual(first, path)
    if name not in first:
        raise _not_there("column", name, first, f"{path}, line 1")
    return Source(path, "tsv", first.index(name), header=tuple(first))


def _cell(line: str, source: Source, where: str) -> tuple[str, str]:
    cells = line.split("\t")
    wanted = f"at least {source.column + 1} are expected" if source.column >= len(cells) else ""
    if source.header:
        expected = f"{len(source.header)} are expected: {', '.join(source.header)}"
        wanted = expected if len(cells) != len(source.header) else ""
    if wanted:
        do = "correct the row; a tab inside a cell is not allowed"
        raise TaskDataError(f"{len(cells)} columns where {wanted}", where=where, do=do)
    return "", cells[source.column]


def _field(line: str, source: Source, where: str) -> tuple[str, str]:
    fields = json_object(line, where)
    if source.field not in fields:
        raise _not_there("field", source.field, fields, where)
    return "", whole_text(fields[source.field], source.field, where)


def _not_there(noun: str, name: str, known: Iterable[str], where: str) -> TaskDataError:
    error = unknown_name(noun, name, known)
    return TaskDataError(error.what, where=where, do=error.do)


def _usual(names: Iterable[str], path: Path) -> str:
    names = list(names)
    if usual := next((name for name in TEXT if name in names), None):
        return usual
    do = "name it: --column NAME, or --column 0 for the first column of a TSV whose first line is a row"
    what = f"no column is called as sentences usually are; there are: {', '.join(names)}"[:300]
    raise TaskDataError(what, where=f"{path}, line 1", do=do)
