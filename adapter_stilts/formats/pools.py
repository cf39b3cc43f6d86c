"""Two unaligned sets of sentences that hide translation pairs: mining. BUCC's layout, or rows of gold pairs alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapter_stilts.data.layout import Layout
from adapter_stilts.data.tables import Bad, Row, empty, refused
from adapter_stilts.errors import TaskDataError, UsageError, few
from adapter_stilts.files import bare_name, numbered_lines
from adapter_stilts.formats.base import Example, Format, register


@dataclass(frozen=True, slots=True)
class Pools(Example):
    """Two sets of sentences and the pairs hidden in them, by id; source is the foreign side, target English."""

    source_ids: tuple[str, ...]
    source: tuple[str, ...]
    target_ids: tuple[str, ...]
    target: tuple[str, ...]
    gold: frozenset[tuple[str, str]]


@register
class PoolsFormat(Format[Pools]):
    name = "pools"
    row = Pools
    metric = "mining"
    form = "pairs"
    max_length = 512
    one_language = False
    retrieval = True
    pools = True

    def file(self, path: Path, kind: str, layout: Layout, bad: Bad = refused) -> Iterator[Pools] | None:
        raise UsageError(
            "mining pools are three files: both sides and the gold pairs", where=str(path), do="give all three"
        )

    def together(self, paths: Sequence[Path]) -> int:
        return len(paths)

    def joined(self, paths: Sequence[Path], split: str) -> list[Pools]:
        if len(paths) not in (2, 3):
            what = f"a mining set is two or three files, got {len(paths)}: {', '.join(map(str, paths))}"
            raise UsageError(what, do="give the foreign side, the English side and the gold pairs")
        return [read_pools(paths[0], paths[1], paths[2] if len(paths) == 3 else None)]

    def of_hub(self, rows: Iterable[Row], columns: Mapping[str, str], where: str) -> list[Pools]:
        """Both pools from rows of gold pairs alone: source_id, source, target_id and target by column. They hold
        nothing but the pairs.

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
                    what = f"id '{cells[f'{side}_id']}' stands for two sentences"
                    raise TaskDataError(what, where=row.where, do="give every sentence an id of its own")
            gold.add((cells["source_id"], cells["target_id"]))
        if not gold:
            raise TaskDataError("no pair", where=where, do="choose another split or language")
        return [_pools(where, *pools, gold)]

    def count(self, examples: Sequence[Pools]) -> int:
        return sum(len(example.gold) for example in examples)

    def items(self, examples: Sequence[Pools]) -> Sequence[str]:
        return examples[0].source_ids

    def file_sizes(self, examples: Sequence[Pools], files: int) -> tuple[int, ...]:
        pools = examples[0]
        return (len(pools.source), len(pools.target), len(pools.gold))[:files]

    def sides(self, examples: Sequence[Pools]) -> tuple[Sequence[str], Sequence[str]]:
        return examples[0].source, examples[0].target


def read_pools(source_path: Path, target_path: Path, gold_path: Path | None) -> Pools:
    """BUCC's layout: two files of "id TAB sentence", and the pairs hidden in them as "source id TAB target id".

    Gold pairs written the other way round are turned. Raises TaskDataError for a repeated id and for a gold id that is
    in no pool.
    """
    source, target = _pool(source_path), _pool(target_path)
    return _pools(bare_name(source_path), source, target, _gold(gold_path, source, target) if gold_path else ())


def _pools(id: str, source: Mapping[str, str], target: Mapping[str, str], gold: Iterable[tuple[str, str]]) -> Pools:
    sides = (tuple(source), tuple(source.values()), tuple(target), tuple(target.values()))
    return Pools(id, *sides, frozenset(gold))


def _pool(path: Path) -> dict[str, str]:
    pool: dict[str, str] = {}
    for number, line in numbered_lines(path):
        id, tab, sentence = line.partition("\t")
        where = f"{path}, line {number}"
        if not tab:
            what = f"no tab between id and sentence: {line[:40]!r}"
            raise TaskDataError(what, where=where, do="the file may be truncated")
        if id in pool:
            raise TaskDataError(f"id '{id}' occurs twice", where=where, do="give every sentence an id of its own")
        pool[id] = sentence.strip()
    if not pool:
        raise empty(path)
    return pool


def _gold(path: Path, source: dict[str, str], target: dict[str, str]) -> Iterator[tuple[str, str]]:
    unknown: list[str] = []
    for number, line in numbered_lines(path):
        ids = line.split("\t")
        if len(ids) != 2:
            what = f"a gold line holds two ids with a tab between: {line[:40]!r}"
            raise TaskDataError(what, where=f"{path}, line {number}", do="correct the line")
        left, right = ids if ids[0] in source or ids[1] in target else reversed(ids)
        unknown += [id for id, pool in ((left, source), (right, target)) if id not in pool]
        yield left, right
    if unknown:
        do = "the pools may be truncated, or belong to another split"
        raise TaskDataError(f"{len(unknown)} gold ids are in neither pool: {few(unknown)}", where=str(path), do=do)
