"""Delimited text cut into cells: CSV, with commas, semicolons or tabs, and tab-separated text.

    how = of_csv(path)                                  Delimited(separator=";", quoting=Quoting.LINES)
    for line, cells in records(path, how): ...          (1, ["text", "label"]), (2, ["Good morning.", "greeting"])

Tab-separated text is not quoted: a quotation mark is a character like any other, as in the releases of GLUE and XNLI.
The exceptions are files whose lines end with "\\r\\n", as those that XTREME's scripts prepare, and files in which every
cell with a quotation mark in it is quoted as a CSV writer quotes it, which `DataFrame.to_csv(sep="\\t")` makes.

A spreadsheet runs a cell that begins with "=", "+", "-", "@", a tab or a carriage return. In the CSV that we write such
a text (never a number) begins with an apostrophe before it, and so does one that begins with apostrophes and then one
of these: to take the first apostrophe of such a cell off gives every text back, and reading our own files does it.

A first line "sep=;", which Excel writes and reads, says what separates and is no row.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import first_line, numbered_lines

Bad: TypeAlias = Callable[[TaskDataError], None]  # is told of what cannot be read, which is then left out, or raises it

LONGEST_CELL = (1 << 31) - 1  # characters of a CSV cell; Python's own limit is 131,072
QUOTED = re.compile(r'"(?:[^"]|"")*"', re.DOTALL)  # a cell as CSV writers quote it
SEPARATOR = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # Excel's first line
MARKS = ",;\t"  # what may separate the cells of a CSV
RUN = re.compile("'*[=+\\-@\t\r]")  # how a text begins that a spreadsheet runs, or that was kept from it


def csv_line(cells: Iterable[object]) -> str:
    """A record of CSV, with its line end, whose texts no spreadsheet runs."""
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow(map(_kept_from_running, cells))  # which quotes both characters
    return line.getvalue()[:-2] + "\n"


def _kept_from_running(cell: object) -> object:
    if isinstance(cell, str) and RUN.match(cell):
        with suppress(ValueError):
            float(cell)
            return cell
        return f"'{cell}"
    return cell


def _run_again(cell: str) -> str:
    """The text that `_kept_from_running` was given."""
    return cell[1:] if cell[:1] == "'" and RUN.match(cell) else cell


def _is_ours(header: Sequence[str]) -> bool:
    """Whether `mine` or `predict` wrote a CSV, by its columns."""
    return header[:2] == ["score", "cosine"] or (header[:1] == ["id"] and header[-1:] == ["probability"])


class Quoting(Enum):
    """How the cells of tab-separated text are quoted."""

    NONE = "a quotation mark is a character like any other"
    MARKS = "a cell with a quotation mark in it is quoted"
    EVERY = "every cell is quoted"
    LINES = "a cell with a quotation mark, a separator or a line end in it is quoted"


@dataclass(frozen=True)
class Delimited:
    """What separates the cells of a file, how they are quoted, and on which line its first record stands."""

    separator: str = "\t"
    quoting: Quoting = Quoting.NONE
    begins: int = 1

    @property
    def advice(self) -> str:
        """What to do about a row that is too wide."""
        if self.separator == "\t":
            return "correct the row; a tab inside a cell is not allowed"
        mark = "a comma" if self.separator == "," else repr(self.separator)
        return f"correct the row, or quote a cell that holds {mark}"


TABS = Delimited()


def of_csv(path: Path) -> Delimited:
    """How a CSV is cut: by what its first line says ("sep=;"), or by the one of comma, semicolon and tab that its first
    line has. Of several, the one by which all rows are as wide; a quoted cell may hold any of them.

    Raises TaskDataError where two fit every row.
    """
    if (said := said_separator(path)) is not None:
        return said
    first = _first(path).replace("\r", " ")
    marks = [mark for mark in MARKS if len(next(csv.reader([first], delimiter=mark), [])) > 1]
    fitting = [mark for mark in marks if _fits(path, mark)] if len(marks) > 1 else marks
    if len(fitting) > 1:
        names = " and ".join("a tab" if mark == "\t" else f"'{mark}'" for mark in fitting)
        do = f"say which it is in a line before the first: sep={fitting[0]}"
        raise TaskDataError(f"{names} both separate every row into as many cells", where=str(path), do=do)
    return Delimited((fitting or marks or [","])[0], Quoting.LINES)


def of_tabs(path: Path) -> Delimited:
    """How tab-separated text is quoted, told from the whole file: a CSV writer quotes every cell that holds a quotation
    mark, and doubles those in it."""
    if (said := said_separator(path)) is not None:
        return said
    tabs, broken, plain, doubled, every = -1, False, False, False, False
    with suppress(TaskDataError):  # a line that cannot be read is refused where it is read for its cells
        for _, line in numbered_lines(path):
            marked = [cell for cell in line.split("\t") if '"' in cell] if '"' in line else []
            plain |= not all(QUOTED.fullmatch(cell) for cell in marked)
            doubled |= any('""' in cell[1:] for cell in marked)
            if tabs < 0:
                tabs = line.count("\t")
                every = len(marked) == tabs + 1 and not plain
            broken |= bool(line) and line.count("\t") != tabs
    if plain and (broken or doubled) and _fits(path, "\t"):
        return Delimited(quoting=Quoting.LINES)
    if every and not plain:
        return Delimited(quoting=Quoting.EVERY)
    marks = first_line(path).endswith(b"\r\n") or (doubled and not plain)  # as Python's csv module ends lines
    return Delimited(quoting=Quoting.MARKS if marks else Quoting.NONE)


def said_separator(path: Path) -> Delimited | None:
    """How a file is cut whose first line is one like "sep=;"; None without one."""
    match = SEPARATOR.fullmatch(_first(path))
    return Delimited(match[1], Quoting.LINES, 2) if match else None


def records(
    path: Path, how: Delimited, bad: Bad | None = None, longest: int | None = None
) -> Iterator[tuple[int, list[str]]]:
    """The cells of every record and the line it begins on, from 1; no cells for an empty line.

    bad      is told of a line that is no UTF-8; None: it is refused
    longest  bytes of a line, and characters of a quoted cell; more is refused
    """
    if how.quoting is Quoting.LINES:
        yield from _quoted_records(path, how, longest)
        return
    for number, line in numbered_lines(path, longest, bad):
        cells = line.split("\t") if line else []
        if how.quoting is not Quoting.NONE:
            cells = [_unquoted(cell, every=how.quoting is Quoting.EVERY) for cell in cells]
        yield number, cells


def _quoted_records(path: Path, how: Delimited, longest: int | None) -> Iterator[tuple[int, list[str]]]:
    """Cells may hold line ends. A carriage return alone ends no line."""
    csv.field_size_limit(longest or LONGEST_CELL)
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        for number, line in islice(numbered_lines(path, longest), how.begins - 1, None):
            read = number
            yield f"{line}\n"

    begun, ours = how.begins, None
    try:
        for cells in csv.reader(lines(), delimiter=how.separator, strict=True):
            ours = _is_ours(cells) if ours is None else ours
            yield begun, [_run_again(cell) for cell in cells] if ours else cells
            begun = read + 1
    except csv.Error as error:
        what, do = f"not valid CSV: {error}", "a quotation mark may be missing, or the file is truncated"
        if "new-line character" in str(error):
            what, do = "a carriage return inside a line of CSV", "end lines with a line feed, and quote what has both"
        raise TaskDataError(what, where=f"{path}, line {begun}", do=do) from error


def _fits(path: Path, separator: str) -> bool:
    """Whether a CSV writer can have written the file so: it is valid, and all its rows are as wide as its header."""
    with suppress(TaskDataError):
        how = Delimited(separator, Quoting.LINES)
        return len({len(cells) for _, cells in records(path, how) if cells}) == 1
    return False


def _first(path: Path) -> str:
    """The first line; "" of an empty file."""
    return next((line for _, line in numbered_lines(path)), "")


def _unquoted(cell: str, *, every: bool) -> str:
    """The text of a cell that was quoted for the quotation marks in it, which are then doubled; any other as it is.

    every  cells without one are quoted, too
    """
    quoted = QUOTED.fullmatch(cell) and (every or '""' in cell[1:-1])
    return cell[1:-1].replace('""', '"') if quoted else cell
