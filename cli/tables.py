"""Tables of text, as wide as they are in a pipe, and as wide as the terminal on one.

On a terminal cells wrap between words and never inside one, so that a name can always be copied. Where the longest
words alone are too wide, columns that say the same in every row become a line under the table, from the right; where
that is not enough, columns are left out from the right, and named.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from typing import TextIO, TypeAlias

import typer

from adapter_stilts.errors import one_line, shown

Cells: TypeAlias = Sequence[Sequence[str]]
GAP = 2  # blanks between columns
NUMBERS = re.compile(r"(?<=\d) (?=\d|to -?\d)|(?<=\d to) (?=-?\d)")  # the blanks of "5 010" and "24.6 to 57.7"
JOINED = "\u00a0"  # a blank where no line ends


def show(title: str, columns: Sequence[str], cells: Cells, stream: TextIO) -> None:
    """Print rows under column names; columns of numbers are aligned to the right."""
    title, by_column = shown(title), [[*map(one_line, column)] for column in zip(columns, *cells, strict=True)]
    if not stream.isatty():
        print(_drawn(title, by_column), file=stream)
        return
    whole = [[NUMBERS.sub(JOINED, text) for text in column] for column in by_column]
    kept, notes = fitting(whole, terminal_width())
    text = _drawn(title, kept, terminal_width(), styled=coloured(stream))
    print("\n".join([text, *notes, ""]).replace(JOINED, " "), file=stream)


def show_facts(facts: Mapping[str, str], stream: TextIO) -> None:
    """Print names and values, one a line; on a terminal long values are wrapped beside their name."""
    margin = max(map(len, facts), default=0) + GAP
    width = max(terminal_width() - margin, 20) if stream.isatty() else 0
    for name, value in ((one_line(name), one_line(value)) for name, value in facts.items()):
        lines = _wrapped(value, width) if width else [value]
        print(f"{name:<{margin}}" + f"\n{'':<{margin}}".join(lines) if value else name, file=stream)


def fitting(by_column: Sequence[Sequence[str]], width: int) -> tuple[list[Sequence[str]], list[str]]:
    """The columns that fit a width when each has room for its longest word, and what is said of the others."""
    kept = list(by_column)
    same: list[str] = []
    gone: list[str] = []
    for column in list(reversed(kept))[:-1]:
        if _narrowest(kept) > width and len(set(column[1:])) == 1:
            kept.remove(column)
            same.insert(0, f"{column[0]} {column[1]}")
    while _narrowest(kept) > width and len(kept) > 1:
        gone.insert(0, kept.pop()[0])
    notes = [f"every row: {', '.join(same)}"] if same and len(by_column[0]) > 2 else same and [", ".join(same)]
    return kept, [*notes, *([f"left out for want of width, and in --json: {', '.join(gone)}"] if gone else [])]


def terminal_width() -> int:
    return shutil.get_terminal_size().columns


def coloured(stream: TextIO) -> bool:
    """Whether a stream is a terminal whose user has not asked for plain text (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _drawn(title: str, by_column: Sequence[Sequence[str]], width: int = 0, *, styled: bool = False) -> str:
    """A table as text. width: that it may have, 0 for any."""
    widths = _widths(by_column, width)
    right = [_numeric(column[1:]) for column in by_column]
    lines = [typer.style(title, bold=True) if styled and title.strip() else title] if title else []
    for number, row in enumerate(zip(*by_column, strict=True)):
        wrapped = [_wrapped(text, size) for text, size in zip(row, widths, strict=True)]
        height = max(map(len, wrapped))
        for line in zip(*([*cell, *[""] * (height - len(cell))] for cell in wrapped), strict=True):
            padded = [_padded(*cell) for cell in zip(line, widths, right, strict=True)]
            text = (" " * GAP).join(padded).rstrip()
            lines.append(typer.style(text, bold=True) if styled and not number else text)
    return "\n".join(lines)


def _widths(by_column: Sequence[Sequence[str]], width: int) -> list[int]:
    """Of the columns: the widest is narrowed until the table fits, but none below its longest word."""
    widths = [max(map(_size, column)) for column in by_column]
    floors = [_longest_word(column) for column in by_column]
    while width and sum(widths) + GAP * (len(widths) - 1) > width:
        loose = [place for place, floor in enumerate(floors) if widths[place] > floor]
        if not loose:
            break
        widths[max(loose, key=lambda place: widths[place])] -= 1
    return widths


def _narrowest(by_column: Sequence[Sequence[str]]) -> int:
    return sum(map(_longest_word, by_column)) + GAP * (len(by_column) - 1)


def _longest_word(column: Sequence[str]) -> int:
    return max(_size(word) for text in column for word in text.split(" "))


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of whole words; a word that is longer than a line has one of its own."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        lines[-1:] = [longer] if not lines[-1] or _size(longer) <= width else [lines[-1], word]
    return lines


def _padded(text: str, width: int, right: bool) -> str:
    blanks = " " * (width - _size(text))
    return blanks + text if right else text + blanks


def _size(text: str) -> int:
    """In cells of a terminal, where a Chinese character has two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _numeric(column: Sequence[str]) -> bool:
    bare = [value.replace(" ", "").replace(".", "", 1).replace("e-", "", 1).lstrip("-") for value in column if value]
    return bool(bare) and all(map(str.isdigit, bare))
