"""Files of pairs that a mining is given: gold pairs to tune and score by, and pairs to score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from adapter_stilts.data.tables import empty
from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import numbered_lines
from adapter_stilts.mining.sides import Side, rows_of_ids, rows_of_texts
from adapter_stilts.retrieval.compared import Numbers
from adapter_stilts.retrieval.gold import Gold

SHOWN = 3  # offending ids in a message

Lines: TypeAlias = list[tuple[int, tuple[str, str]]]  # a line's number and its two cells


def read_gold(path: Path, source: Side, target: Side) -> Gold:
    """ "source TAB target" a line: ids where the files have ids, else line numbers from 1. Pairs of ids the other way
    round are turned.

    Raises TaskDataError for a line that is no pair, an id or line that is nowhere, or one without text.
    """
    turn = source.with_ids or target.with_ids
    rows = _rows(path, gold_columns(path), (source, target), rows_of_ids, turn=turn)
    return Gold.of(*rows, source.rows, target.rows)


def read_given(path: Path, source: Side, target: Side) -> tuple[Numbers, Numbers]:
    """Pairs to score, as rows: "source TAB target" or "score TAB source TAB target", as `mine` writes them.

    The columns are the sentences themselves, or line numbers where texts are not known.
    Raises TaskDataError for a line that is no pair, or a sentence that is in neither file.
    """
    lines = _columns(path, (2, 3), "a source and a target sentence with a tab between")
    look = rows_of_ids if source.texts is None or target.texts is None else rows_of_texts
    return _rows(path, lines, (source, target), look, what="sentences")


def gold_columns(path: Path) -> Lines:
    """The lines of a file of gold pairs."""
    return _columns(path, (2,), "two ids, or two line numbers, with a tab between")


def known_pairs(
    path: Path,
    lines: Lines,
    left: Mapping[str, int],
    right: Mapping[str, int],
    *,
    turn: bool = False,
    what: str = "ids or line numbers",
) -> tuple[Numbers, Numbers]:
    """Pairs as rows, by where each name stands on its side; `turn` takes those that only fit the other way round.

    Raises TaskDataError for names that are nowhere.
    """
    if turn:
        lines = [(number, _turned(pair, left, right)) for number, pair in lines]
    sides = (left, right)
    names = [(number, *name) for number, pair in lines for name in zip(pair, sides, strict=True)]
    wrong = [(number, name) for number, name, known in names if name not in known]
    if wrong:
        shown = ", ".join(f"{name[:60]!r} (line {number})" for number, name in wrong[:SHOWN])
        more = ", ..." if len(wrong) > SHOWN else ""
        do = "the files may be truncated, or belong to another split"
        raise TaskDataError(f"{len(wrong)} {what} are not where they should be: {shown}{more}", where=str(path), do=do)
    rows = [np.array([known[pair[side]] for _, pair in lines], dtype=np.int64) for side, known in enumerate(sides)]
    return rows[0], rows[1]


def _turned(pair: tuple[str, str], left: Mapping[str, int], right: Mapping[str, int]) -> tuple[str, str]:
    fits, fits_turned = pair[0] in left and pair[1] in right, pair[1] in left and pair[0] in right
    return (pair[1], pair[0]) if fits_turned and not fits else pair


def _columns(path: Path, widths: tuple[int, ...], wanted: str) -> Lines:
    """The line number and the last two cells of every line that is not blank."""
    lines = []
    for number, line in numbered_lines(path):
        cells = [cell.strip() for cell in line.split("\t")]
        if not line.strip():
            continue
        if len(cells) not in widths:
            what = f"a line holds {wanted}: {line[:40]!r}"
            raise TaskDataError(what, where=f"{path}, line {number}", do="correct the line")
        lines.append((number, (cells[-2], cells[-1])))
    if not lines:
        raise empty(path)
    return lines


def _rows(
    path: Path,
    lines: Lines,
    sides: tuple[Side, Side],
    look: Callable[[Side, Sequence[str]], Mapping[str, int]],
    **how: Any,
) -> tuple[Numbers, Numbers]:
    """Pairs as rows that have text, by what `look` knows of the names on either side."""
    names = [name for _, pair in lines for name in pair]
    rows = known_pairs(path, lines, look(sides[0], names), look(sides[1], names), **how)
    for side, numbers in zip(sides, rows, strict=True):
        blank = np.flatnonzero(side.distinct.of_line[numbers] < 0)
        if len(blank):
            number, line = lines[blank[0]][0], side.line(int(numbers[blank[0]]))
            what = f"line {line} of the {side.name} has no text"
            raise TaskDataError(what, where=f"{path}, line {number}", do="correct the pair")
    return rows
