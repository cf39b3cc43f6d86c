"""Retrieval as something to score: sentences of one language to vectors, neighbours, and rows of results.

Every row says which layer, pooling, margin and direction it was read with, and which protocol those came from. The
vectors it was computed from are kept where one layer was read, so that the score can be recomputed:

    vectors/tatoeba/test-de.layer4.mean.source.npy     [N, H] float32 of length 1, the foreign side, in the file's order
    vectors/tatoeba/test-de.layer4.mean.source.json    what made them; another reading takes the same vectors from here
    vectors/tatoeba/test-de.layer4.mean.target.npy     the English side
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.formats.pools import Pools
from adapter_stilts.retrieval.gold import Measured
from adapter_stilts.retrieval.pools import gold_of, mine_pools, named
from adapter_stilts.retrieval.protocols import Protocol, protocol
from adapter_stilts.retrieval.reading import Overrides, Reading
from adapter_stilts.retrieval.tatoeba import tatoeba
from adapter_stilts.runs.language_stacks import OWN
from adapter_stilts.runs.rows import data_of, write_predictions, write_units
from adapter_stilts.runs.sides import SideVectors, in_groups
from adapter_stilts.statistics.intervals import score_interval
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.reading.place import Loaded, Where
from adapter_stilts.tasks.reading.sources import load


@dataclass(frozen=True)
class RetrievalTask:
    """A task and what it is read with, in a folder; rules and reading raise UnknownName or UsageError.

    depth   the trunk's layers
    wanted  what differs from the protocol
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
    seed: int = 0

    @property
    def rules(self) -> Protocol:
        return self.wanted.over(protocol(self.protocol, "bucc2018" if self.task.format.pools else "tatoeba"))

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
        origin, settings, first = loaded.origin, self.described(layer, marks or {}), measures[0]
        data = data_of(loaded)
        beside = {"substitutions": list(origin.substitutions)} if origin.substitutions else {}
        name = f"{origin.split}-{origin.language}.{settings['id']}.{first.metric}"
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
    for group in in_groups(loaded, encoder.trunk.hidden, len(reading.layers)):
        every = [part for parts in group.values() for part in parts]
        vectors = SideVectors(encoder, every, reading, asked.folder, save=asked.save_vectors)
        for language, parts in group.items():
            yield language, (_pools if pools else _aligned)(asked, vectors, parts)


def _aligned(asked: RetrievalTask, vectors: SideVectors, loaded: Sequence[Loaded]) -> list[Result]:
    sides = vectors.sides(loaded[0])
    rows, rules = [], asked.rules
    for layer in sides.source:
        scored = tatoeba(sides.source[layer], sides.target[layer], rules)
        paths = vectors.keep(loaded[0], layer, sides)
        if len(sides.source) == 1:
            lines = scored.predictions.tolist()
            paths["predictions"] = write_predictions(asked.folder, asked.task, loaded[0], lines)
        rows += asked.results(loaded[0], layer, scored.measures, paths, {})
    return rows


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
