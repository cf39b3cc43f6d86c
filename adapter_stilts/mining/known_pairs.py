"""Pairs that are known before anything is searched: gold pairs to tune and score by, and pairs to score. As ids, line
numbers or sentences, in any table.

    de-000000007 TAB en-000000012           gold, of files with ids; 7 TAB 12 of others
    Guten Morgen. TAB Good morning.         to score, with a score before them where `mine` wrote them
    source;target                           the first line may name the columns
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from adapter_stilts.data.cells import Delimited, of_csv, of_tabs, records
from adapter_stilts.data.columns import LANGUAGE_COLUMN
from adapter_stilts.data.sentences import BY_SUFFIX, Source, sentence_source, sentences
from adapter_stilts.data.tables import TABLES, Row, empty, refuse_unread, refused, suffix
from adapter_stilts.errors import TaskDataError, refuse
from adapter_stilts.formats.base import formats
from adapter_stilts.mining.sides import Side, rows_of_ids, rows_of_texts
from adapter_stilts.retrieval.compared import Numbers
from adapter_stilts.retrieval.gold import Gold

SHOWN = 3  # offending ids in a message
WIDTHS = (2, 3)  # of a line of pairs to score
PAIR = "a source and a target sentence with a tab between"

Lines: TypeAlias = list[tuple[int, tuple[str, str]]]  # a line's number and its two cells
Named: TypeAlias = tuple[str | None, str | None]  # columns of source and target, as they were asked for
Both: TypeAlias = tuple[Source, Source]


def read_gold(path: Path, source: Side, target: Side) -> Gold:
    """ "source TAB target" a line: ids where the files have ids, else line numbers from 1. Pairs of ids the other way
    round are turned.

    Raises TaskDataError for a line that is no pair, an id or line that is nowhere, or one without text.
    """
    turn = source.with_ids or target.with_ids
    rows = _rows(path, gold_lines(path), (source, target), rows_of_ids, turn=turn)
    return Gold.of(*rows, source.rows, target.rows)


def read_given(path: Path, source: Side, target: Side) -> tuple[Numbers, Numbers]:
    """Pairs to score, as rows. The columns are the sentences themselves, or line numbers where texts are not known.

    Raises TaskDataError for a line that is no pair, or a sentence that is in neither file.
    """
    look = rows_of_ids if source.texts is None or target.texts is None else rows_of_texts
    return _rows(path, _lines(pair_sources(path)), (source, target), look, what="sentences")


def gold_lines(path: Path) -> Lines:
    """The lines of a file of gold pairs."""
    how: dict[str, Any] = {"widths": (2,), "wanted": "two ids, or two line numbers, with a tab between"}
    return _lines(pair_sources(path, **how), **how)


def pair_sources(
    path: Path,
    columns: Named = (None, None),
    widths: Sequence[int] = WIDTHS,
    wanted: str = PAIR,
    *,
    layout: str | None = None,
) -> Both:
    """Both columns of a table of pairs: by the names that were given, by what they are usually called ("source" and
    "target", "de" and "en"), or, in a table without names, the last two: `mine` writes a score before them.

    A file of any other type is tab-separated text. Raises TaskDataError for a table without such columns.
    """
    refuse_unread(path)
    layout = layout or BY_SUFFIX.get(suffix(path), "tsv")
    no_table = f"a table of pairs read as '{layout}'"
    refuse(layout not in BY_SUFFIX.values(), no_table, f"use --format {', '.join(dict.fromkeys(BY_SUFFIX.values()))}")
    if columns != (None, None):
        refuse(None in columns, "one column of pairs", "name both: --column and --target-column")
        return sentence_source(path, layout, columns[0]), sentence_source(path, layout, columns[1])
    if layout in ("json", "jsonl"):
        first = list(next(TABLES[f".{layout}"](path, refused), Row("", {})).cells)
        if (names := _names_columns(first, path)) is None:
            what = f"no columns of source and target; there are: {', '.join(first)}"
            raise TaskDataError(what, where=str(path), do="name both: --column and --target-column")
        return sentence_source(path, layout, names[0]), sentence_source(path, layout, names[1])
    how = of_csv(path) if layout == "csv" else of_tabs(path)
    line, cells = next(((line, cells) for line, cells in records(path, how) if any(cells)), (1, []))
    if not cells:
        raise empty(path)
    if (names := _names_columns(cells, path)) is not None:
        return sentence_source(path, layout, names[0]), sentence_source(path, layout, names[1])
    _pair(cells, widths, wanted, how, f"{path}, line {line}")
    plain = Source(path, layout, how, len(cells) - 2, tuple(map(str, range(len(cells)))))
    return plain, replace(plain, column=len(cells) - 1)


def aligned_rows(source: Side, target: Side) -> tuple[Numbers, Numbers]:
    """Line i of both sides, where neither is blank. Raises TaskDataError where one side has more text than the other
    has lines."""
    sides = sorted((source, target), key=lambda side: side.rows)
    of_line = [side.distinct.of_line for side in sides]
    if (of_line[1][sides[0].rows :] >= 0).any():
        what = f"aligned files of different length: {source.rows} and {target.rows} rows"
        do = "row i of both must belong together; one of the files may be truncated"
        raise TaskDataError(what, where=f"{source.vectors.path} and {target.vectors.path}", do=do)
    rows = np.flatnonzero((of_line[0] >= 0) & (of_line[1][: sides[0].rows] >= 0))
    return rows, rows


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


def _lines(sources: Both, widths: Sequence[int] = WIDTHS, wanted: str = PAIR) -> Lines:
    """Every line that is not blank; of a table without names its last two cells, however many of `widths` it has."""
    source, lines = sources[0], list[tuple[int, tuple[str, str]]]()
    if source.layout in ("tsv", "csv") and not source.named:
        for line, cells in records(source.path, source.table):
            if any(cell.strip() for cell in cells):
                lines.append((line, _pair(cells, widths, wanted, source.table, f"{source.path}, line {line}")))
    else:
        rows = zip(*map(sentences, sources), strict=True)
        lines = [(left.line, (left.text, right.text)) for left, right in rows if left.text or right.text]
    if not lines:
        raise empty(source.path)
    return lines


def _pair(cells: Sequence[str], widths: Sequence[int], wanted: str, how: Delimited, where: str) -> tuple[str, str]:
    if len(cells) not in widths:
        what = f"a line holds {wanted}: {how.separator.join(cells)[:40]!r}"
        raise TaskDataError(what, where=where, do="correct the line, or name the columns in the first")
    return cells[-2].strip(), cells[-1].strip()


def _names_columns(cells: Sequence[str], path: Path) -> tuple[str, str] | None:
    """The columns of source and target; None where the cells do not name them."""
    known = formats["aligned"].columns
    assert known is not None
    if known.is_header(cells):
        columns = known.find(cells, {}, str(path))
        return columns["source"], columns["target"]
    last = cells[-2:]
    return (last[0], last[1]) if len(set(last)) == 2 and all(map(LANGUAGE_COLUMN.fullmatch, last)) else None


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
