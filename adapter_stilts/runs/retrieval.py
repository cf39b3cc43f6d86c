"""Retrieval as something to score: sentences of one language to vectors, neighbours, and rows of results.

Every row says which layer, pooling, margin and direction it was read with, and which protocol those came from. The
vectors it was computed from are kept where one layer was read, so that the score can be recomputed:

    vectors/tatoeba/test-de.layer4.mean.source.npy     [N, H] float32 of length 1, the foreign side, in the file's order
    vectors/tatoeba/test-de.layer4.mean.source.json    what made them; another reading takes the same vectors from here
    vectors/tatoeba/test-de.layer4.mean.target.npy     the English side

All sentences are read under the active composition, or, with MAD-X's language adapters, each side under its language's
own stack.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.sentence_pooling import SentencePooling
from adapter_stilts.formats.pools import Pools
from adapter_stilts.retrieval.compared import Vectors
from adapter_stilts.retrieval.embed import embed
from adapter_stilts.retrieval.gold import Measured
from adapter_stilts.retrieval.pools import gold_of, mine_pools, named
from adapter_stilts.retrieval.protocols import Protocol, protocol
from adapter_stilts.retrieval.reading import LanguageStack, Overrides, Reading, as_trunk
from adapter_stilts.retrieval.stored.arrays import VectorKey, keep, kept
from adapter_stilts.retrieval.tatoeba import repeated, tatoeba
from adapter_stilts.runs.language_stacks import ENGLISH, OWN, active
from adapter_stilts.runs.rows import data_of, mark_of, write_predictions, write_units
from adapter_stilts.statistics.intervals import score_interval
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.languages import iso1
from adapter_stilts.tasks.reading.place import Loaded, Where
from adapter_stilts.tasks.sources import load

SIDES = ("source", "target")
MEMORY = 1 << 30  # bytes of vectors held at once

Parts = TypeVar("Parts", bound=Sequence[Loaded])


@dataclass(frozen=True)
class RetrievalTask:
    """A task and what it is read with, in a folder; rules and reading raise UnknownName or UsageError.

    depth   the trunk's layers
    wanted   what differs from the protocol
    pooling  what the trunk says of itself
    read    how the encoder reads; its layers, pooling and length are left to `wanted` and the protocol
    """

    task: Task
    folder: Path
    protocol: str
    depth: int
    wanted: Overrides
    read: Reading
    split: str = "test"
    save_vectors: bool = True
    pooling: SentencePooling | None = None

    @property
    def rules(self) -> Protocol:
        rules = protocol(self.protocol, "bucc2018" if self.task.format.pools else "tatoeba")
        return self.wanted.over(as_trunk(rules, self.pooling, self.wanted))

    @property
    def reading(self) -> Reading:
        rules = self.rules
        layers = self.wanted.layers_at(self.depth, rules)
        return replace(self.read, layers=layers, pool=rules.pool, max_length=rules.max_length)

    @property
    def ids(self) -> set[str]:
        """Of the settings that will be read, one per layer."""
        return {self.described(layer, {})["id"] for layer in self.reading.layers}

    def described(self, layer: int, marks: Mapping[str, Any]) -> dict[str, Any]:
        """What a score depends on, and a short id of it."""
        rules, own = self.rules, {"language_adapters": OWN} if self.read.stacks else {}
        layers = {"protocol_layer": rules.layer.at_depth(self.depth), "layer": layer}
        facts = {**rules.settings(self.depth), **layers, "precision": self.read.precision, **own, **marks}
        facts |= {"prefix": self.wanted.prefix} if self.wanted.prefix else {}
        return {**facts, "id": fingerprint(facts)}

    def results(
        self,
        loaded: Loaded,
        layer: int,
        measures: Sequence[Measured],
        paths: Mapping[str, Any],
        notes: Mapping[str, Any],
        marks: Mapping[str, Any] | None = None,
    ) -> list[Result]:
        """Rows of results.json, the first of them with units on disk.

        marks  settings that tell these scores from others of the same reading; no such score is the task's headline
        """
        origin, first = loaded.origin, measures[0]
        settings = {**self.described(layer, marks or {}), **mark_of(origin)}
        data = data_of(loaded)
        beside = {"substitutions": list(origin.substitutions)} if origin.substitutions else {}
        name = f"{origin.stem}.{settings['id']}.{first.metric}"
        items = self.task.format.items(loaded.examples)
        units = write_units(self.folder, self.task.name, name, first.units, items)
        rows = [
            Result(
                *(self.task.name, self.protocol, origin.language, measure.metric, measure.score, measure.n),
                interval=score_interval(measure.units, measure.statistic),
                split=origin.split,
                headline=measure is first and not marks,
                retrieval=True,
                settings=settings,
                data=data,
                paths=paths,
                notes={**beside, **notes},
            )
            for measure in measures
        ]
        return [replace(rows[0], paths={**units, **paths}, statistic=first.statistic), *rows[1:]]


def measure_retrieval(
    encoder: AdapterEncoder, asked: RetrievalTask, languages: Sequence[str], where: Where
) -> Iterator[tuple[str, list[Result]]]:
    """Rows language by language: Tatoeba in both directions, or mining with the threshold from validation applied to
    test.

    Languages are read together as far as their vectors fit in memory, since their English sides share sentences.
    """
    task, reading, pools = asked.task, asked.reading, asked.task.format.pools
    splits = [asked.split, "validation"] if pools and asked.split == "test" else [asked.split]
    loaded = ((language, [load(task, split, language, where) for split in splits]) for language in languages)
    for group in in_groups(loaded, encoder.trunk.config.hidden_size, len(reading.layers)):
        every = [part for parts in group.values() for part in parts]
        vectors = SideVectors(encoder, every, reading, asked.folder, save=asked.save_vectors)
        for language, parts in group.items():
            yield language, (_pools if pools else _aligned)(asked, vectors, parts)


def _aligned(asked: RetrievalTask, vectors: SideVectors, loaded: Sequence[Loaded]) -> list[Result]:
    sides, texts = vectors.sides(loaded[0]), loaded[0].sides
    rows, rules = [], asked.rules
    notes = {"counted": said} if (said := counted(loaded[0], rules)) else {}
    for layer in sides.source:
        scored = tatoeba(sides.source[layer], sides.target[layer], rules, texts)
        paths = vectors.keep(loaded[0], layer, sides)
        if len(sides.source) == 1:
            lines = scored.predictions.tolist()
            paths["predictions"] = write_predictions(asked.folder, asked.task, loaded[0], lines)
        rows += asked.results(loaded[0], layer, scored.measures, paths, notes)
    return rows


def counted(loaded: Loaded, rules: Protocol) -> list[str]:
    """What must be said of the lines of an aligned set: blank ones, and those that repeat others."""
    said = [f"{number} lines are left out: {reason}" for reason, number in loaded.origin.dropped.items()]
    if again := repeated(loaded.sides):
        by_line = f"{rules.name} counts the right line alone"
        how = "equal sentences are equal answers" if rules.by_text else by_line
        said.append(f"{again} of {len(loaded.examples)} lines repeat a sentence of others; {how}")
    return said


def _pools(asked: RetrievalTask, vectors: SideVectors, loaded: Sequence[Loaded]) -> list[Result]:
    """Rows of the split asked for; where that is test, of validation too, whose best threshold is applied to test."""
    pools, sides = [cast(Pools, part.examples[0]) for part in loaded], [vectors.sides(part) for part in loaded]
    gold, rules = [gold_of(pool) for pool in pools], asked.rules
    rows = []
    for layer in sides[0].source:
        parts = [(side.source[layer], side.target[layer], pool) for side, pool in zip(sides, pools, strict=True)]
        mined = [mine_pools(*part, rules) for part in parts]
        paths = [vectors.keep(part, layer, side) for part, side in zip(loaded, sides, strict=True)]
        threshold = gold[-1].best(mined[-1], rules.threshold).threshold
        kept, notes = mined[0].above(threshold), {"threshold": threshold}
        measures: Sequence[Measured] = gold[0].oracle(mined[0], rules.threshold)
        if len(loaded) > 1:
            measures = (*gold[0].measures(kept), *measures)
            rows += asked.results(loaded[1], layer, gold[1].oracle(mined[1], rules.threshold), paths[1], notes)
        if len(sides[0].source) == 1:
            pairs = named(kept, pools[0])
            paths[0]["predictions"] = write_predictions(asked.folder, asked.task, loaded[0], pairs)
        rows += asked.results(loaded[0], layer, measures, paths[0], notes)
    return rows


@dataclass(frozen=True)
class Sides:
    """A language's two sides as vectors, by layer."""

    source: dict[int, Vectors]
    target: dict[int, Vectors]


class SideVectors:
    """The vectors of every sentence of a group of languages.

    folder  where the vectors of this task lie, and whether new ones are saved there
    """

    def __init__(
        self, encoder: AdapterEncoder, group: Sequence[Loaded], reading: Reading, folder: Path, *, save: bool
    ) -> None:
        self._trunk, self._reading, self._folder, self._save = encoder.trunk, reading, folder, save
        self._known = {loaded.origin.stem: sides for loaded in group if (sides := self._kept(loaded)) is not None}
        self._places: dict[LanguageStack | None, dict[str, int]] = {}
        for loaded in group:
            for stack, side in zip(self._read_by(loaded), loaded.sides, strict=True):
                known = self._places.setdefault(stack, {}) if loaded.origin.stem not in self._known else {}
                for text in side:
                    known.setdefault(text, len(known))
        self._layers: dict[LanguageStack | None, dict[int, Vectors]] = {}
        for stack, known in self._places.items():
            with active(encoder, stack.composition if stack is not None else None):
                self._layers[stack] = embed(encoder, list(known), reading)

    def sides(self, loaded: Loaded) -> Sides:
        """Both sides, in the order of their rows."""
        if loaded.origin.stem in self._known:
            return self._known[loaded.origin.stem]
        both = []
        for stack, side in zip(self._read_by(loaded), loaded.sides, strict=True):
            places = [self._places[stack][text] for text in side]
            both.append({layer: vectors[places] for layer, vectors in self._layers[stack].items()})
        return Sides(*both)

    def keep(self, loaded: Loaded, layer: int, sides: Sides) -> dict[str, Any]:
        """Write the vectors of a language, unless they lie there already; returns where, where they are kept at all."""
        if not self._save:
            return {}
        paths = {side: self._path(loaded, layer, side) for side in SIDES}
        if loaded.origin.stem not in self._known:
            vectors = (sides.source[layer], sides.target[layer])
            parts = zip(paths.values(), self._read_by(loaded), loaded.sides, vectors, strict=True)
            for path, stack, texts, side in parts:
                keep(path, self._key(layer, stack), texts, side)
        return {"vectors": {side: path.relative_to(self._folder).as_posix() for side, path in paths.items()}}

    def _kept(self, loaded: Loaded) -> Sides | None:
        """What an earlier reading left, if every layer of both sides is there and made of the same."""
        both: list[dict[int, Vectors]] = []
        for side, stack, texts in zip(SIDES, self._read_by(loaded), loaded.sides, strict=True):
            paths = {layer: self._path(loaded, layer, side) for layer in self._reading.layers}
            by_layer = {layer: kept(path, self._key(layer, stack), texts) for layer, path in paths.items()}
            both.append({layer: vectors for layer, vectors in by_layer.items() if vectors is not None})
        return Sides(*both) if all(len(side) == len(self._reading.layers) for side in both) else None

    def _read_by(self, loaded: Loaded) -> tuple[LanguageStack | None, LanguageStack | None]:
        """The stacks of the foreign and the English side."""
        stacks = self._reading.stacks
        return (stacks[iso1(loaded.origin.language)], stacks[ENGLISH]) if stacks else (None, None)

    def _key(self, layer: int, stack: LanguageStack | None) -> VectorKey:
        reading, trunk = self._reading, self._trunk
        composition = reading.composition if stack is None else f"{reading.composition} {stack.adapter['checksum']}"
        return VectorKey(trunk.fingerprint, composition, layer, reading.pool, trunk.precision, reading.max_length)

    def _path(self, loaded: Loaded, layer: int, side: str) -> Path:
        own = f".{OWN}" if self._reading.stacks else ""
        name = f"{loaded.origin.stem}.layer{layer}.{self._reading.pool}{own}.{side}.npy"
        return self._folder / "vectors" / loaded.origin.task / name


def in_groups(loaded: Iterable[tuple[str, Parts]], hidden: int, layers: int) -> Iterator[dict[str, Parts]]:
    """Languages whose sentences fit in `MEMORY` together as vectors of so many layers, at least one at a time."""
    room, count = MEMORY // (4 * hidden * layers), 0
    group: dict[str, Parts] = {}
    for language, parts in loaded:
        size = sum(len(side) for part in parts for side in part.sides)
        if group and count + size > room:
            yield group
            group, count = {}, 0
        group[language] = parts
        count += size
    yield group
