"""Sentences a line: text to model, two aligned files, and BUCC's pools of "id TAB sentence"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from adapter_stilts.data.examples import Bitext, PlainText, Pools
from adapter_stilts.data.tables import Row, empty
from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import bare_name, numbered_lines

SHOWN = 3  # offending ids in a message


def text_lines(path: Path) -> Iterator[PlainText]:
    """One text a line; blank lines separate documents and are skipped. The id is the 0-based line number."""
    for number, line in numbered_lines(path):
        if line.strip():
            yield PlainText(str(number - 1), line.strip())


def read_aligned(source_path: Path, target_path: Path) -> list[Bitext]:
    """Line i of one file with line i of the other; a blank line is a row. Raises TaskDataError where the line counts differ."""
    source = [line.strip() for _, line in numbered_lines(source_path)]
    target = [line.strip() for _, line in numbered_lines(target_path)]
    for path, lines in ((source_path, source), (target_path, target)):
        if not lines:
            raise empty(path)
    if len(source) != len(target):
        raise TaskDataError(
            f"aligned files of different length: {len(source)} and {len(target)} lines",
            where=f"{source_path} and {target_path}",
            do="line i of both must be translations of each other; one of the files may be truncated",
        )
    return [Bitext(str(number), *pair) for number, pair in enumerate(zip(source, target, strict=True))]


def read_pools(source_path: Path, target_path: Path, gold_path: Path | None) -> Pools:
    """BUCC's layout: two files of "id TAB sentence", and the pairs hidden in them as "source id TAB target id".

    Gold pairs written the other way round are turned. Raises TaskDataError for a repeated id and for a gold id that is in no pool.
    """
    source = _pool(source_path)
    target = _pool(target_path)
    gold = frozenset(_gold(gold_path, source, target)) if gold_path else frozenset()
    return Pools(bare_name(source_path), tuple(source), tuple(source.values()), tuple(target), tuple(target.values()), gold)


def pools_of(rows: Iterable[Row], columns: Mapping[str, str], where: str) -> Pools:
    """Both pools from rows of gold pairs alone: source_id, source, target_id and target by column. The pools hold nothing but the pairs.

    Raises TaskDataError for a column that is not there and for an id that stands for two different sentences.
    """
    pools: tuple[dict[str, str], dict[str, str]] = ({}, {})
    gold = set()
    for row in rows:
        if missing := [column for column in columns.values() if column not in row.cells]:
            what = f"no column '{missing[0]}'; the columns are: {', '.join(row.cells)}"
            raise TaskDataError(what, where=row.where, do="give the shared task's own files with --data DIR")
        cells = {field: str(row.cells[column]).strip() for field, column in columns.items()}
        for pool, side in zip(pools, ("source", "target"), strict=True):
            if pool.setdefault(cells[f"{side}_id"], cells[side]) != cells[side]:
                raise TaskDataError(f"id '{cells[f'{side}_id']}' stands for two sentences", where=row.where, do="give every sentence an id of its own")
        gold.add((cells["source_id"], cells["target_id"]))
    if not gold:
        raise TaskDataError("no pair", where=where, do="choose another split or language")
    source, target = pools
    return Pools(where, tuple(source), tuple(source.values()), tuple(target), tuple(target.values()), frozenset(gold))


def _pool(path: Path) -> dict[str, str]:
    pool: dict[str, str] = {}
    for number, line in numbered_lines(path):
        id, tab, sentence = line.partition("\t")
        if not tab:
            raise TaskDataError(f"no tab between id and sentence: {line[:40]!r}", where=f"{path}, line {number}", do="the file may be truncated")
        if id in pool:
            raise TaskDataError(f"id '{id}' occurs twice", where=f"{path}, line {number}", do="give every sentence an id of its own")
        pool[id] = sentence.strip()
    if not pool:
        raise empty(path)
    return pool


def _gold(path: Path, source: dict[str, str], target: dict[str, str]) -> Iterator[tuple[str, str]]:
    unknown: list[str] = []
    for number, line in numbered_lines(path):
        ids = line.split("\t")
        if len(ids) != 2:
            raise TaskDataError(f"a gold line holds two ids with a tab between: {line[:40]!r}", where=f"{path}, line {number}", do="correct the line")
        left, right = ids if ids[0] in source or ids[1] in target else reversed(ids)
        unknown += [id for id, pool in ((left, source), (right, target)) if id not in pool]
        yield left, right
    if unknown:
        shown = ", ".join(unknown[:SHOWN]) + (", ..." if len(unknown) > SHOWN else "")
        do = "the pools may be truncated, or belong to another split"
        raise TaskDataError(f"{len(unknown)} gold ids are in neither pool: {shown}", where=str(path), do=do)
