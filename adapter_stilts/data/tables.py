"""Files of rows with named columns: JSON lines, a JSON list, CSV, and tab-separated text with or without a header.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from adapter_stilts.data.cells import QUOTED, TABS, Delimited, of_csv, of_tabs, records, said_separator
from adapter_stilts.data.cells import Bad as Bad
from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import bare_name, first_line, from_json, numbered_lines, read_text

Cells = Mapping[str, object]
MOST_COLUMNS = 10_000

JSON_LINES, JSON, CSV, TSV = (".jsonl", ".ndjson"), (".json",), ".csv", ".tsv"
UNPACK, AS_TABLE = "unpack it", "save it as tab-separated text or JSON lines"
NOT_READ = {
    **dict.fromkeys((".xlsx", ".xls", ".ods", ".feather", ".pkl", ".npy", ".npz", ".db", ".sqlite"), AS_TABLE),
    ".arrow": "save it as JSON lines: datasets.Dataset.from_file(FILE).to_json('train.jsonl')",
    ".parquet": "load it as a data set of the hub, or save it as JSON lines",
    **dict.fromkeys((".zip", ".bz2", ".xz", ".7z", ".rar"), UNPACK),
    **dict.fromkeys((".tar", ".tgz"), "unpack it (tar -xzf FILE)"),
    **dict.fromkeys((".pdf", ".docx", ".html"), "save its text in a file of its own"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row: where it stands, for messages, its cells by column, and which column holds each field of ours."""

    where: str
    cells: Cells
    columns: Mapping[str, str] = field(default_factory=dict)

    def cell(self, field: str) -> object:
        """A field's cell; TaskDataError where this row lacks its column."""
        column = self.columns[field]
        if column not in self.cells:
            what = f"no column '{column}' in this row; it has: {', '.join(self.cells)}"
            raise TaskDataError(what, where=self.where, do="give every row the same columns")
        return self.cells[column]

    def text(self, field: str) -> str:
        cell, column = self.cell(field), self.columns[field]
        if column.endswith("_tokens") and isinstance(cell, list | tuple):
            cell = " ".join(map(str, cell))  # CodeXGLUE keeps code and comments as lists of tokens
        return whole_text(cell, column, self.where)

    def items(self, field: str) -> list[object]:
        """A field's cell as a list, which may be written in JSON."""
        cell = value = self.cell(field)
        if isinstance(cell, str) and cell.startswith("["):
            with suppress(ValueError):
                value = from_json(cell)
        if not isinstance(value, list | tuple):
            what = f"'{self.columns[field]}' is not a list: {str(cell)[:40]!r}"
            raise TaskDataError(what, where=self.where, do="write a JSON list")
        return [
            whole_text(item, self.columns[field], self.where) if isinstance(item, str) else item for item in value
        ]


def refused(error: TaskDataError) -> None:
    """What is done with a row that cannot be read, unless it may be left out."""
    raise error


def suffix(path: Path) -> str:
    """The suffix that tells the layout, in lower case, with ".gz" or ".zst" taken off: ".jsonl" of "a.jsonl.gz"."""
    return Path(bare_name(path)).suffix.lower()


def kind_of(path: Path) -> str:
    """The suffix, or ".json" of a file that begins with an object of JSON whatever it is called."""
    kind = suffix(path)
    if kind not in TABLES:
        with suppress(ValueError):
            value = from_json(first_line(path).decode("utf-8", "replace").lstrip("\ufeff"))
            return JSON[0] if isinstance(value, dict) and value else kind
    return kind


def refuse_unread(path: Path) -> None:
    """Raise TaskDataError for a file of a type that no reader here takes."""
    kind = suffix(path)
    if kind in NOT_READ:
        raise TaskDataError(f"files of type {kind} are not read", where=str(path), do=NOT_READ[kind])


def json_line_rows(path: Path, bad: Bad = refused) -> Iterator[Row]:
    """One JSON object a line; blank lines are skipped."""
    for number, cells in json_lines(path, bad):
        if cells is not None:
            yield Row(f"{path}, line {number}", cells)


def json_lines(path: Path, bad: Bad = refused, longest: int | None = None) -> Iterator[tuple[int, Cells | None]]:
    """The object of every line, None of a blank one. longest: bytes of a line; more is refused."""
    for number, line in numbered_lines(path, longest, bad):
        try:
            yield number, json_object(line, f"{path}, line {number}") if line.strip() else None
        except TaskDataError as error:
            bad(error)


def json_rows(path: Path, bad: Bad = refused) -> Iterator[Row]:
    """The objects of a JSON list; a file that is JSON lines in spite of its name is read as such."""
    value = json_document(path)
    if value is None:
        yield from json_line_rows(path, bad)
        return
    for number, item in enumerate(value if isinstance(value, list) else [value]):
        try:
            cells = _object(item, f"{path}, item {number}")
        except TaskDataError as error:
            bad(error)
        else:
            yield Row(f"{path}, item {number}", cells)


def json_document(path: Path) -> object | None:
    """A file's one JSON value, or None where it holds one value a line."""
    text = read_text(path)
    if not text.strip():
        raise empty(path)
    try:
        return _json(text, str(path))
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return None
        raise broken_json(error, f"{path}, line {error.lineno}") from error
    except ValueError as error:
        raise broken_json(error, str(path)) from error


def csv_rows(path: Path, bad: Bad = refused) -> Iterator[Row]:
    """Rows of CSV under the file's first record; a quoted cell may hold separators and line ends."""
    return _rows(path, of_csv(path), None, None, bad)


TABLES: Mapping[str, Callable[[Path, Bad], Iterator[Row]]] = {
    ".jsonl": json_line_rows,
    ".ndjson": json_line_rows,
    ".json": json_rows,
    ".csv": csv_rows,
}


def tab_rows(
    path: Path, header: Sequence[str] | None, short: Counter[str] | None = None, bad: Bad = refused
) -> Iterator[Row]:
    """Rows of tab-separated text under the given header, or else under the file's first line.

    short  rows with too few columns are counted there and left out, and nothing is quoted; None: they are refused

    A single column without a name, in a file that is not called .tsv, is text a line: nothing is quoted there, either.
    """
    lines = header is not None and len(header) == 1 and suffix(path) != TSV
    return _rows(path, TABS if lines or short is not None else of_tabs(path), header, short, bad)


def _rows(
    path: Path, how: Delimited, header: Sequence[str] | None, short: Counter[str] | None, bad: Bad
) -> Iterator[Row]:
    for number, cells in records(path, how, bad):
        if header is None:
            header = checked_header(cells, path, number)
        elif short is not None and 0 < len(cells) < len(header):
            short["too few columns"] += 1
        elif cells:
            where = f"{path}, line {number}"
            try:
                yield Row(where, dict(zip(header, check_cells(cells, header, where, how.advice), strict=True)))
            except TaskDataError as error:
                bad(error)


def first_cells(path: Path) -> list[str]:
    """The cells of the first record of tab-separated text, or of a file that says what separates them."""
    for number, cells in records(path, said_separator(path) or TABS):
        _refuse_wide(cells, f"{path}, line {number}")
        return [cell[1:-1] for cell in cells] if cells and all(map(QUOTED.fullmatch, cells)) else cells or [""]
    raise empty(path)


def checked_header(names: list[str], path: Path, line: int = 1) -> list[str]:
    """The columns of a file, each of another name."""
    _refuse_wide(names, f"{path}, line {line}")
    for name, count in Counter(names).items():
        if name and count > 1:
            raise called_twice(name, name, f"{path}, line {line}")
    return names


def _refuse_wide(cells: Sequence[str], where: str) -> None:
    """Raise TaskDataError for more columns than a table of rows has."""
    if len(cells) > MOST_COLUMNS:
        what, do = f"{len(cells):,} columns, of {MOST_COLUMNS:,} at most", "is this a table with a row a line?"
        raise TaskDataError(what, where=where, do=do)


def called_twice(first: str, second: str, where: str = "") -> TaskDataError:
    """The error for two columns that are called the same."""
    what = f"two columns are called '{first}'" + ("" if first == second else f", one of them '{second}'")
    return TaskDataError(what, where=where, do="rename one of them, or take it out")


def check_cells(cells: list[str], header: Sequence[str], where: str, do: str) -> list[str]:
    """The cells of a record as they are, one for each column. Raises TaskDataError for too few or many, and for the
    header once more; numbers are places, or cells of a row like any other."""
    named = len(header) > 1 and not all(name.isdecimal() for name in header)
    if named and [cell.strip("\ufeff ").casefold() for cell in cells] == [name.casefold() for name in header]:
        do = "take the line out; files may have been put together with their headers"
        raise TaskDataError("the header stands here a second time", where=where, do=do)
    if len(cells) != len(header):
        what = f"{len(cells)} columns where {len(header)} are expected: {', '.join(header)}"
        raise TaskDataError(what, where=where, do=do)
    return cells


def whole_text(cell: object, what: str, where: str) -> str:
    """A cell that must be text, without half a surrogate pair, which JSON can write and no file can hold."""
    if not isinstance(cell, str):
        raise TaskDataError(f"'{what}' is not text: {str(cell)[:40]!r}", where=where, do="correct the row")
    if not cell.isascii() and any("\ud800" <= character <= "\udfff" for character in cell):
        what = f"'{what}' holds half a character (a lone surrogate)"
        raise TaskDataError(what, where=where, do="write the row again in UTF-8")
    return cell


def empty(path: Path, what: str = "the file is empty") -> TaskDataError:
    return TaskDataError(what, where=str(path), do="fetch or write it again")


def json_object(line: str, where: str) -> Cells:
    try:
        return _object(_json(line, where), where)
    except ValueError as error:
        raise broken_json(error, where) from error


def _json(text: str, where: str) -> object:
    """A JSON value. Raises TaskDataError for an object with a key that stands there twice: the last would win."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        entries = dict(pairs)
        if len(entries) < len(pairs):
            (name, _), *_ = Counter(name for name, _ in pairs).most_common(1)
            raise called_twice(name, name, where)
        return entries

    value: object = from_json(text, object_pairs_hook=once)
    return value


def broken_json(error: Exception, where: str) -> TaskDataError:
    what, do = f"not valid JSON: {error}", "the file may be truncated; fetch or write it again"
    if isinstance(error, json.JSONDecodeError):
        what, where = f"not valid JSON: {error.msg}", f"{where}, column {error.colno}"
    return TaskDataError(what, where=where, do=do)


def _object(value: object, where: str) -> Cells:
    if not isinstance(value, dict):
        what = f"a JSON object was expected, not {str(value)[:40]!r}"
        raise TaskDataError(what, where=where, do="write one object with named columns per row")
    return value
