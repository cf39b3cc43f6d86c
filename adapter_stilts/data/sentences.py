"""Sentences of a file of any size, one by one: what `encode`, `mine` and `search` read.

    source = sentence_source(Path("news.de.zst"))
    for sentence in sentences(source): ...              Sentence(line=1, id="", text="Guten Morgen.")

    lines   a sentence a line: .txt, and any name that is none of the others
    ids     BUCC's "id TAB sentence", told by its first line ("de-000000001"), or asked for
    tsv csv .tsv .csv: one column, by its name in the first record, or by its number (from 0) in a file without names;
            cut into cells as for training (data/cells.py)
    jsonl   .jsonl .ndjson: one field of the object in every line
    json    .json: one field of the objects of a list, counted from 1 in the place of lines

Each may be plain, gzip or zstd. Lines end at "\\n" alone. White space around a sentence is taken off. A line or cell
with nothing else is a blank row: it keeps its place, and it has no vector. The names of columns are no row; row 0 is
then on line 2. A quoted cell may hold line ends: its row is on the line it begins on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from unicodedata import category

from adapter_stilts.data.cells import TABS, Delimited, of_csv, of_tabs, records
from adapter_stilts.data.columns import TEXT, first_called
from adapter_stilts.data.tables import (
    CSV,
    JSON,
    JSON_LINES,
    TSV,
    check_cells,
    checked_header,
    empty,
    json_document,
    json_lines,
    json_rows,
    refuse_unread,
    suffix,
    whole_text,
)
from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.files import numbered_lines
from adapter_stilts.registry import unknown_name

LAYOUTS = ("lines", "ids", "tsv", "csv", "jsonl", "json")
BY_SUFFIX = {TSV: "tsv", CSV: "csv", **dict.fromkeys(JSON_LINES, "jsonl"), **dict.fromkeys(JSON, "json")}
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
    table: Delimited = TABS  # tsv, csv: how they are cut
    column: int = 0  # tsv, csv: the place of the sentence in a record
    names: tuple[str, ...] = ()  # tsv, csv: the columns, "0", "1", ... in a file without names
    named: bool = False  # tsv, csv: whether the first record names them
    field: str = ""  # jsonl, json: the name of the field
    said: str = ""  # for a person: what was decided of the file and does not go without saying


@dataclass(frozen=True)
class Survey:
    """The rows of a file, how many are blank, and a hash of the texts, whatever its layout and compression."""

    rows: int
    blank: int
    sha256: str


def sentence_source(path: Path, layout: str | None = None, column: str | None = None) -> Source:
    """How a file is read: as asked, or by its suffix and its first line.

    column  the column of a table or the field of JSON; None takes the first usual name ("text", "sentence", ...)

    Raises TaskDataError for a file that cannot be read so, UsageError for a column where there is none.
    """
    if layout is not None and layout not in LAYOUTS:
        raise unknown_name("layout", layout, LAYOUTS)
    if layout is None:
        refuse_unread(path)
    first = next((line for _, line in numbered_lines(path, LONGEST)), None)
    if first is None:
        raise empty(path)
    chosen = layout or BY_SUFFIX.get(suffix(path)) or ("ids" if BUCC_ID.match(first) else "lines")
    if layout is None and chosen == "lines" and column is not None and "\t" in first:
        chosen = "tsv"
    if chosen in ("tsv", "csv"):
        return _table(path, chosen, column)
    if chosen in ("jsonl", "json"):
        return _objects(path, chosen, column)
    if column is not None:
        what = f"column '{column}' of a file that has none: it is read as {chosen}"
        raise UsageError(what, where=str(path), do="leave it out, or add --format tsv")
    tabs = f"the lines of {path.name} are read whole, tabs and all; --column NAME or 0, 1, ... reads one column"
    return Source(path, chosen, said=tabs if chosen == "lines" and "\t" in first and layout is None else "")


def sentences(source: Source) -> Iterator[Sentence]:
    """The rows in order. Raises TaskDataError with the line of what is not UTF-8, has no such column, or is no text."""
    for number, id, text in READERS[source.layout](source):
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


def _lines(source: Source) -> Iterator[tuple[int, str, str]]:
    return ((number, "", line) for number, line in numbered_lines(source.path, LONGEST))


def _ids(source: Source) -> Iterator[tuple[int, str, str]]:
    for number, line in numbered_lines(source.path, LONGEST):
        id, tab, text = line.partition("\t")
        if line.strip() and not tab:
            do = "the file may be truncated; for a sentence a line add --format lines"
            where = f"{source.path}, line {number}"
            raise TaskDataError(f"no tab between id and sentence: {line[:40]!r}", where=where, do=do)
        yield number, id if tab else "", text


def _table(path: Path, layout: str, column: str | None) -> Source:
    how = of_csv(path) if layout == "csv" else of_tabs(path)
    line, first = next(records(path, how, longest=LONGEST), (1, []))
    where = f"{path}, line {line}"
    if column is not None and column not in first and column.isdecimal():
        if int(column) >= len(first):
            what = f"column {column} of a file with {len(first)}, counted from 0"
            raise TaskDataError(what, where=where, do=f"use 0 to {len(first) - 1}")
        numbers = tuple(map(str, range(len(first))))
        return Source(path, layout, how, int(column), numbers, said=_said(path, how, column, first))
    names = checked_header(first, path, line)
    name = column or _usual(names, where)
    if name not in names:
        raise _not_there("column", name, names, where)
    said = _said(path, how, f"'{name}'", names)
    return Source(path, layout, how, names.index(name), tuple(names), True, said=said)


def _cells(source: Source) -> Iterator[tuple[int, str, str]]:
    rows = records(source.path, source.table, longest=LONGEST)
    for number, cells in islice(rows, int(source.named), None):
        if any(cell.strip() for cell in cells):
            cells = check_cells(cells, source.names, f"{source.path}, line {number}", source.table.advice)
        yield number, "", cells[source.column] if len(cells) > source.column else ""


def _objects(path: Path, layout: str, column: str | None) -> Source:
    """A list in a file; JSON lines in spite of the name are read as such."""
    if layout == "json" and json_document(path) is None:
        layout = "jsonl"
    if layout == "jsonl":
        rows = ((f"line {number}", cells) for number, cells in json_lines(path, longest=LONGEST) if cells is not None)
    else:
        rows = ((f"item {number}", row.cells) for number, row in enumerate(json_rows(path)))
    where, first = next(rows, ("", {}))
    if not first:
        raise empty(path, "the file has no rows")
    return Source(path, layout, field=column or _usual(first, f"{path}, {where}"))


def _fields(source: Source) -> Iterator[tuple[int, str, str]]:
    for number, cells in json_lines(source.path, longest=LONGEST):
        where = f"{source.path}, line {number}"
        yield number, "", "" if cells is None else _field(cells, source.field, where)


def _items(source: Source) -> Iterator[tuple[int, str, str]]:
    for number, row in enumerate(json_rows(source.path), start=1):
        yield number, "", _field(row.cells, source.field, row.where)


def _field(cells: Mapping[str, object], name: str, where: str) -> str:
    if name not in cells:
        raise _not_there("field", name, cells, where)
    return whole_text(cells[name], name, where)


READERS = {"lines": _lines, "ids": _ids, "tsv": _cells, "csv": _cells, "jsonl": _fields, "json": _items}


def _said(path: Path, how: Delimited, column: str, cells: Sequence[str]) -> str:
    marks = {"\t": "tabs", ",": "commas", ";": "semicolons"}
    between = f" ({marks.get(how.separator, repr(how.separator))} between cells)" if len(cells) > 1 else ""
    return f"the sentences of {path.name} are column {column} of {len(cells)}{between}"


def _not_there(noun: str, name: str, known: Iterable[str], where: str) -> TaskDataError:
    error = unknown_name(noun, name, known)
    return TaskDataError(error.what, where=where, do=error.do)


def _usual(names: Iterable[str], where: str) -> str:
    names = list(names)
    if usual := first_called(TEXT, names, where):
        return usual
    do = "name it: --column NAME, or --column 0 for the first column of a table whose first line is a row"
    what = f"no column is called as sentences usually are; there are: {', '.join(names)}"[:300]
    raise TaskDataError(what, where=where, do=do)
