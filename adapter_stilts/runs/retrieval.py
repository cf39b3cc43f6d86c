"""Retrieval as something to score: sentences of one language to vectors, neighbours, and rows of results.

Every row says which layer, pooling, margin and direction it was read with, and which protocol those came from. The
vectors it was computed from are kept where one layer was read, so that the score can be recomputed:

    vectors/tatoeba/test-de.layer4.mean.source.npy     [N, H] float32 of length 1, the foreign side, in the order of the
                                                       file
    vectors/tatoeba/test-de.layer4.mean.source.json    what made them; another reading takes the same vectors from here
    vectors/tatoeba/test-de.layer4.mean.target.npy     the English side
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.formats.pools import Pools
from adapter_stilts.metrics import forms
from adapter_stilts.retrieval.gold import Measured
from adapter_stilts.retrieval.pools import gold_of, mine_pools, named
from adapter_stilts.retrieval.protocols import protocol
from adapter_stilts.retrieval.reading import Overrides, Reading
from adapter_stilts.retrieval.tatoeba import tatoeba
from adapter_stilts.runs.disclosure import beside
from adapter_stilts.runs.language_stacks import OWN
from adapter_stilts.runs.material import origin_facts
from adapter_stilts.runs.measure import write_array
from adapter_stilts.runs.sides import SideVectors, in_groups
from adapter_stilts.statistics.intervals import bootstrap_interval
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.reading.place import Loaded, Where
from adapter_stilts.tasks.reading.sources import load


@dataclass(frozen=True)
class RetrievalSettings:
    """What is read, and what may differ from the protocol.

    depth    the trunk's layers
    reading  how the encoder reads; its layers, pooling and length are left to `wanted` and the protocol
    """

    protocol: str
    depth: int
    wanted: Overrides = field(default_factory=Overrides)
    reading: Reading = field(default_factory=lambda: Reading(()))
    split: str = "test"
    save_vectors: bool = True
    seed: int = 0


class RetrievalTask:
    """A task under settings: the rules and the reading that follow from them, and rows of results in a folder."""

    def __init__(self, task: Task, settings: RetrievalSettings, folder: Path) -> None:
        """Raises UnknownName and UsageError for settings that cannot be."""
        self.task, self.settings, self.folder = task, settings, folder
        rules = settings.wanted.over(protocol(settings.protocol, "bucc2018" if task.format.pools else "tatoeba"))
        layers = settings.wanted.layers_at(settings.depth, rules)
        self.rules = rules
        self.reading = replace(settings.reading, layers=layers, pool=rules.pool, max_length=rules.max_length)

    def described(self, layer: int, marks: Mapping[str, Any]) -> dict[str, Any]:
        """What a score depends on, and a short id of it."""
        depth, own = self.settings.depth, {"language_adapters": OWN} if self.reading.stacks else {}
        layers = {"protocol_layer": self.rules.layer.at_depth(depth), "layer": layer}
        facts = {**self.rules.settings(depth), **layers, "precision": self.reading.precision, **own, **marks}
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
        facts, seed = origin_facts(origin), self.settings.seed
        name = f"{origin.split}-{origin.language}.{settings['id']}.{first.metric}.npy"
        units = self.folder / "units" / self.task.name / name
        write_array(units, first.units)
        rows = [
            Result(
                *(self.task.name, self.settings.protocol, origin.language, measure.metric, measure.score, measure.n),
                interval=bootstrap_interval(measure.units, measure.statistic, seed=seed),
                split=origin.split,
                headline=measure is first and not marks,
                retrieval=True,
                settings=settings,
                data=facts["files"] or facts,
                paths=paths,
                notes={**beside(origin), **notes},
            )
            for measure in measures
        ]
        own = {"units": units.relative_to(self.folder).as_posix(), **paths}
        return [replace(rows[0], paths=own, statistic=first.statistic), *rows[1:]]


def planned(settings: RetrievalSettings, task: Task) -> set[str]:
    """The ids of the settings that will be read, one per layer."""
    asked = RetrievalTask(task, settings, Path())
    return {asked.described(layer, {})["id"] for layer in asked.reading.layers}


def measure_retrieval(
    encoder: AdapterEncoder,
    task: Task,
    languages: Sequence[str],
    where: Where,
    settings: RetrievalSettings,
    folder: Path,
) -> Iterator[tuple[str, list[Result]]]:
    """Rows language by language: Tatoeba in both directions, or mining with the threshold from validation applied to
    test.

    Languages are read together as far as their vectors fit in memory, since their English sides share sentences.
    """
    asked, split = RetrievalTask(task, settings, folder), settings.split
    splits = [split, "validation"] if task.format.pools and split == "test" else [split]
    loaded = ((language, [load(task, split, language, where) for split in splits]) for language in languages)
    for group in in_groups(loaded, encoder.trunk.hidden, len(asked.reading.layers)):
        every = [part for parts in group.values() for part in parts]
        vectors = SideVectors(encoder, every, asked.reading, folder, save=settings.save_vectors)
        for language, parts in group.items():
            yield language, (_pools if task.format.pools else _aligned)(asked, vectors, parts)


def _aligned(asked: RetrievalTask, vectors: SideVectors, loaded: Sequence[Loaded]) -> list[Result]:
    sides = vectors.sides(loaded[0])
    rows = []
    for layer in sides.source:
        scored = tatoeba(sides.source[layer], sides.target[layer], asked.rules)
        paths = vectors.keep(loaded[0], layer, sides)
        if len(sides.source) == 1:
            paths |= _predicted(asked, loaded[0], scored.predictions.tolist())
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
            paths[0] |= _predicted(asked, loaded[0], named(kept, pools[0]))
        rows += asked.results(loaded[0], layer, measures, paths[0], notes)
    return rows


def _predicted(asked: RetrievalTask, loaded: Loaded, predictions: Any) -> dict[str, Any]:
    """Write the predictions of a reading at one layer in XTREME's folder form."""
    origin, folder, form = loaded.origin, asked.folder, asked.task.format.form
    path = forms.prediction_path(folder / "predictions", asked.task.name, origin.language, form, origin.split)
    forms.forms[form].write(path, predictions)
    return {"predictions": path.relative_to(folder).as_posix()}
