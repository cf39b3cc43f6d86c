"""What settings are chosen on, and what the choice is scored on: never the same rows.

A task with a validation split is chosen on that and scored on test, which is not even loaded before the choice. One
without (Tatoeba), and a user's own two files without --dev, are cut in halves by a hash of each query's id (its row,
where it has none), so that a sentence and its translations lie in one half whatever the language: all sentences can be
found, the queries of one half choose, those of the other are scored. Rows of the same text lie where the first lies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from adapter_stilts.data.sentences import sentence_source, sentences
from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import sha256
from adapter_stilts.formats.base import formats
from adapter_stilts.formats.pools import Pools
from adapter_stilts.mining.known_pairs import gold_lines, known_pairs
from adapter_stilts.retrieval.compared import Flags, Scores
from adapter_stilts.statistics.gains import Scored, hashed
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.reading.place import FileFact, Loaded, Origin, Where
from adapter_stilts.tasks.sources import UNDETERMINED, has_split, languages_of, load, nothing_found

OWN_FILES = "mine"  # the name that scores of a user's own files go by


@dataclass(frozen=True)
class Part:
    """One language's rows, and which of its queries count: lines of a bitext, source sentences of pools, [N]."""

    loaded: Loaded
    counts: Flags

    def scored(self, units: Scores) -> Scored:
        """Units of the queries that count, [n, S], with their items."""
        items = self.loaded.format.items(self.loaded.examples)
        return Scored(units, hashed(items)[self.counts])


@dataclass(frozen=True)
class Material:
    """A task's data for a sweep. `scored` is None where there is nothing to score a choice on.

    chosen_on, scored_on  in words, for reports
    """

    task: Task
    languages: tuple[str, ...]
    chosen_on: str
    scored_on: str
    dev: Callable[[str], Part]
    scored: Callable[[str], Part] | None


def material(task: Task, languages: tuple[str, ...], where: Where) -> Material:
    """The data of a task of ours or of a folder. Raises what `load` raises, when a language is asked for."""
    split = "validation" if has_split(task, "validation", where) else "test"
    chosen = languages or languages_of(task, split, where)
    if not chosen:
        raise nothing_found(task, split, where)
    if split == "test":
        return _halved(task, chosen, lambda language: load(task, "test", language, where))
    scored = (lambda language: _all(load(task, "test", language, where))) if has_split(task, "test", where) else None
    dev, scored_on = lambda language: _all(load(task, "validation", language, where)), "test" if scored else "nothing"
    return Material(task, chosen, "validation", scored_on, dev, scored)


def own_material(
    task: Task,
    files: tuple[Path, Path, Path],
    dev: tuple[Path, Path, Path] | None,
    layout: str | None,
    columns: tuple[str | None, str | None],
) -> Material:
    """A user's own source, target and gold files."""
    whole = own_pools(*files, layout, columns, "test")
    if dev is None:
        return _halved(task, (UNDETERMINED,), lambda language: whole)
    chosen = own_pools(*dev, layout, columns, "validation")
    halves = (lambda language: _all(chosen), lambda language: _all(whole))
    return Material(task, (UNDETERMINED,), "the --dev files", "SRC and TGT", *halves)


def own_pools(
    source: Path, target: Path, gold: Path, layout: str | None, columns: tuple[str | None, str | None], split: str
) -> Loaded:
    """Two files of sentences in any layout, and gold pairs as ids or line numbers.

    Raises TaskDataError for a pair that is nowhere.
    """
    sides = [_texts(path, layout, column) for path, column in zip((source, target), columns, strict=True)]
    (ids, texts), (other_ids, other_texts) = ((tuple(side), tuple(side.values())) for side in sides)
    known = [{id: row for row, id in enumerate(names)} for names in (ids, other_ids)]
    rows = known_pairs(gold, gold_lines(gold), *known, turn=True)
    numbers = zip(*(side.tolist() for side in rows), strict=True)
    pairs = frozenset((ids[row], other_ids[other]) for row, other in numbers)
    pools = Pools(source.name, ids, texts, other_ids, other_texts, pairs)
    counts = zip((source, target, gold), (len(sides[0]), len(sides[1]), len(pairs)), strict=True)
    facts = tuple(FileFact(path, sha256(path), rows) for path, rows in counts)
    origin = Origin(OWN_FILES, split, UNDETERMINED, "files", files=facts, rows=len(sides[0]))
    return Loaded([pools], origin, formats["pools"])


def in_first_half(text: str) -> bool:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[0] % 2 == 0


def _halved(task: Task, languages: tuple[str, ...], read: Callable[[str], Loaded]) -> Material:
    def half(first: bool) -> Callable[[str], Part]:
        def part(language: str) -> Part:
            loaded = read(language)
            owner: dict[str, str] = {}
            items = zip(_queries(loaded), loaded.format.items(loaded.examples), strict=True)
            owners = [owner.setdefault(text, item) for text, item in items]
            flags = np.array([in_first_half(item) is first for item in owners], dtype=np.bool_)
            if not _known(loaded, flags) or not _known(loaded, ~flags):
                do = "give data to choose on: --data validation=FILE, or --dev SRC TGT GOLD with files of your own"
                what = f"'{task.name}' in '{language}' is too small to be halved, and there is no dev split"
                raise TaskDataError(what, do=do)
            return Part(loaded, flags)

        return part

    chosen_on = "one half of the queries (by a hash of their ids)"
    return Material(task, languages, chosen_on, "the other half of the queries", half(True), half(False))


def _all(loaded: Loaded) -> Part:
    return Part(loaded, np.ones(len(_queries(loaded)), dtype=np.bool_))


def _queries(loaded: Loaded) -> Sequence[str]:
    """The text that a row is told by: both sides of a bitext, a source sentence of pools."""
    source, target = loaded.sides
    return source if loaded.format.pools else [f"{one}\t{other}" for one, other in zip(source, target, strict=True)]


def _known(loaded: Loaded, flags: Flags) -> int:
    """How many answers are known of some queries."""
    if not loaded.format.pools:
        return int(flags.sum())
    pools = cast(Pools, loaded.examples[0])
    inside = {id for id, flag in zip(pools.source_ids, flags.tolist(), strict=True) if flag}
    return sum(source in inside for source, _ in pools.gold)


def _texts(path: Path, layout: str | None, column: str | None) -> dict[str, str]:
    """The sentence of every row that is not blank, by its id, or line number as text."""
    texts = dict[str, str]()
    for row in sentences(sentence_source(path, layout, column)):
        id = row.id or str(row.line)
        if id in texts:
            what = f"id '{id}' occurs twice"
            raise TaskDataError(what, where=f"{path}, line {row.line}", do="give every sentence an id of its own")
        texts[id] = row.text
    texts = {id: text for id, text in texts.items() if text}
    if not texts:
        raise TaskDataError("no sentence: all rows are blank", where=str(path), do="give a file with text")
    return texts
