"""Files of pairs that a mining is given: gold pairs to tune and score by, and pairs to score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from adapter_stilts.data.tables import empty
from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import numbered_lines
from adapter_stilts.mining.mine_sides import Side, rows_of_ids, rows_of_texts
from adapter_stilts.retrieval.gold import Gold
from adapter_stilts.retrieval.mining import Numbers

SHOWN = 3  # offending ids in a message


def read_gold(path: Path, source: Side, target: Side) -> Gold:
    """ "source TAB target" a line: ids where the files have ids, else line numbers from 1. Pairs of ids the other way round are turned.

    Raises TaskDataError for a line that is no pair, an id or line that is nowhere, or one without text.
    """
    pairs = _columns(path, (2,), "two ids, or two line numbers, with a tab between")
    left, right = (rows_of_ids(side, [id for _, pair in pairs for id in pair]) for side in (source, target))
    if source.with_ids or target.with_ids:
        pairs = [(number, (pair[1], pair[0]) if pair[0] in right and pair[1] in left else pair) for number, pair in pairs]
    rows = _rows(path, pairs, left, right, source, target, "ids or line numbers")
    return Gold.of(*rows, source.rows, target.rows)


def read_given(path: Path, source: Side, target: Side) -> tuple[Numbers, Numbers]:
    """Pairs to score, as rows: "source TAB target" or "score TAB source TAB target", as `mine` writes them.

    The columns are the sentences themselves, or line numbers where texts are not known.
    Raises TaskDataError for a line that is no pair, or a sentence that is in neither file.
    """
    pairs = _columns(path, (2, 3), "a source and a target sentence with a tab between")
    look: Callable[[Side, Sequence[str]], Mapping[str, int]] = rows_of_ids if source.texts is None or target.texts is None else rows_of_texts
    left, right = (look(side, [pair[place] for _, pair in pairs]) for place, side in enumerate((source, target)))
    return _rows(path, pairs, left, right, source, target, "sentences")


def _columns(path: Path, widths: tuple[int, ...], wanted: str) -> list[tuple[int, tuple[str, str]]]:
    """The line number and the last two cells of every line that is not blank."""
    pairs = []
    for number, line in numbered_lines(path):
        cells = [cell.strip() for cell in line.split("\t")]
        if not line.strip():
            continue
        if len(cells) not in widths:
            raise TaskDataError(f"a line holds {wanted}: {line[:40]!r}", where=f"{path}, line {number}", do="correct the line")
        pairs.append((number, (cells[-2], cells[-1])))
    if not pairs:
        raise empty(path)
    return pairs


def _rows(
    path: Path, pairs: list[tuple[int, tuple[str, str]]], left: Mapping[str, int], right: Mapping[str, int], source: Side, target: Side, what: str
) -> tuple[Numbers, Numbers]:
    wrong = [(number, name) for number, pair in pairs for name, known in zip(pair, (left, right), strict=True) if name not in known]
    if wrong:
        shown = ", ".join(f"{name[:60]!r} (line {number})" for number, name in wrong[:SHOWN]) + (", ..." if len(wrong) > SHOWN else "")
        do = "the files may be truncated, or belong to another split"
        raise TaskDataError(f"{len(wrong)} {what} are not where they should be: {shown}", where=str(path), do=do)
    rows = [np.array([known[pair[place]] for _, pair in pairs], dtype=np.int64) for place, known in enumerate((left, right))]
    for side, found in zip((source, target), rows, strict=True):
        blank = np.flatnonzero(side.distinct.of_line[found] < 0)
        if len(blank):
            number, line = pairs[blank[0]][0], side.line(int(found[blank[0]]))
            raise TaskDataError(f"line {line} of the {side.name} has no text", where=f"{path}, line {number}", do="correct the pair")
    return rows[0], rows[1]
