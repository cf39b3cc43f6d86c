"""Retrieval as something to score: sentences of one language to vectors, neighbours, and rows of results.

Every row says which layer, pooling, margin and direction it was read with, and which protocol those came from. The vectors it was
computed from are kept where one layer was read, so that the score can be recomputed:

    vectors/tatoeba/test-de.layer4.mean.source.npy     [N, H] float32 of length 1, the foreign side, in the order of the file
    vectors/tatoeba/test-de.layer4.mean.source.json    what made them; another reading of the same vectors takes them from here
    vectors/tatoeba/test-de.layer4.mean.target.npy     the English side
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.data.examples import Pools
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.errors import UsageError
from adapter_stilts.evaluation import folder as forms
from adapter_stilts.registry import unknown_name
from adapter_stilts.retrieval.bucc import Bucc, best_threshold, bucc, mine_pools, score_oracle
from adapter_stilts.retrieval.margin import margins
from adapter_stilts.retrieval.measured import Measured
from adapter_stilts.retrieval.pooling import poolings
from adapter_stilts.retrieval.protocols import Protocol, protocol
from adapter_stilts.retrieval.tatoeba import tatoeba
from adapter_stilts.runs.disclosure import beside
from adapter_stilts.runs.language_stacks import OWN, Stack
from adapter_stilts.runs.material import origin_facts
from adapter_stilts.runs.measure import write_array
from adapter_stilts.runs.sides import SideReading, SideVectors, sentences
from adapter_stilts.statistics.intervals import bootstrap_interval
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.sources import Loaded, Where, load

MEMORY = 1 << 30  # bytes of vectors held at once


@dataclass(frozen=True)
class RetrievalSettings:
    """What may differ from the protocol; None leaves it as the protocol says.

    depth        the trunk's layers
    precision    that the trunk is read in
    composition  what is active on the trunk, with the hashes of its adapters; "" for the bare trunk
    stacks       language -> what reads its sentences (MAD-X); {}: the active composition reads them all
    """

    protocol: str
    depth: int
    precision: str
    composition: str = ""
    layers: tuple[int, ...] | None = None
    pool: str | None = None
    k: int | None = None
    margin: str | None = None
    centre: bool | None = None
    split: str = "test"
    save_vectors: bool = True
    seed: int = 0
    token_budget: int = 8192
    stacks: Mapping[str, Stack] = field(default_factory=dict)


def planned(settings: RetrievalSettings, task: Task) -> set[str]:
    """The ids of the settings that will be read, one per layer."""
    rules = _rules(settings, task)
    return {_described(rules, settings, layer, {})["id"] for layer in _layers(rules, settings)}


def measure_retrieval(
    encoder: AdapterEncoder, task: Task, languages: Sequence[str], where: Where, settings: RetrievalSettings, folder: Path
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Rows language by language: Tatoeba in both directions, or mining with the threshold from validation applied to test.

    Languages are read together as far as their vectors fit in `MEMORY`, since their English sides share sentences.
    """
    rules = _rules(settings, task)
    _layers(rules, settings)
    for group in _groups(task, languages, where, rules, settings, encoder.trunk.hidden):
        vectors = SideVectors(encoder, [one for loaded in group.values() for one in loaded], _reading(rules, settings, folder))
        for language, loaded in group.items():
            rows = _pools if task.format.pools else _aligned
            yield language, rows(vectors, task, loaded, rules, settings, folder)


def _groups(task: Task, languages: Sequence[str], where: Where, rules: Protocol, settings: RetrievalSettings, hidden: int) -> Iterator[dict[str, list[Loaded]]]:
    """Languages with their test rows, and validation rows where a threshold is tuned, as many at once as fit in memory."""
    splits = [settings.split] if not task.format.pools or settings.split != "test" else [settings.split, "validation"]
    room = MEMORY // (4 * hidden * len(_layers(rules, settings)))
    group: dict[str, list[Loaded]] = {}
    count = 0
    for language in languages:
        loaded = [load(task, split, language, where) for split in splits]
        size = sum(len(_texts(one)) for one in loaded)
        if group and count + size > room:
            yield group
            group, count = {}, 0
        group[language] = loaded
        count += size
    yield group


def _texts(loaded: Loaded) -> list[str]:
    source, target = sentences(loaded)
    return [*source, *target]


def _aligned(vectors: SideVectors, task: Task, loaded: Sequence[Loaded], rules: Protocol, settings: RetrievalSettings, folder: Path) -> list[dict[str, Any]]:
    sides = vectors.sides(loaded[0])
    rows = []
    for layer in sides.source:
        found = tatoeba(sides.source[layer], sides.target[layer], rules)
        paths = vectors.keep(loaded[0], layer, sides)
        if len(sides.source) == 1:
            paths |= _predicted(folder, task, loaded[0], "lines", found.predictions.tolist())
        rows += score_rows(task, loaded[0], rules, settings, layer, found.measures, folder, paths)
    return rows


def _pools(vectors: SideVectors, task: Task, loaded: Sequence[Loaded], rules: Protocol, settings: RetrievalSettings, folder: Path) -> list[dict[str, Any]]:
    """Mining rows of the split asked for; where that is test, of validation too, whose best threshold is applied to test."""
    pools, sides = [cast(Pools, one.examples[0]) for one in loaded], [vectors.sides(one) for one in loaded]
    rows = []
    for layer in sides[0].source:
        mined = [mine_pools(side.source[layer], side.target[layer], pool, rules) for side, pool in zip(sides, pools, strict=True)]
        paths = [vectors.keep(one, layer, side) for one, side in zip(loaded, sides, strict=True)]
        if len(loaded) == 1:
            cut = best_threshold(mined[0], pools[0].gold, rules.threshold).threshold
            found = Bucc(score_oracle(mined[0], pools[0].gold, rules.threshold), (), cut, mined[0].above(cut))
        else:
            found = bucc(mined[0], pools[0].gold, rules.threshold, dev=mined[1], dev_gold=pools[1].gold)
            rows += score_rows(
                task, loaded[1], rules, settings, layer, by_sentence(found.dev_measures, pools[1]), folder, {**paths[1], "threshold": found.threshold}
            )
        if len(sides[0].source) == 1:
            paths[0] |= _predicted(folder, task, loaded[0], "pairs", found.pairs)
        rows += score_rows(task, loaded[0], rules, settings, layer, by_sentence(found.measures, pools[0]), folder, {**paths[0], "threshold": found.threshold})
    return rows


def _predicted(folder: Path, task: Task, loaded: Loaded, form: forms.Form, predictions: Any) -> dict[str, Any]:
    """Write the predictions of a reading at one layer in XTREME's folder form."""
    path = forms.prediction_path(folder / "predictions", task.folder, loaded.origin.language, form, loaded.origin.split)
    forms.write(path, form, predictions)
    return {"predictions": path.relative_to(folder).as_posix()}


def by_sentence(measures: Sequence[Measured], pools: Pools) -> list[Measured]:
    """The same measures with one row of units for every source sentence of the pool, so that runs over it can be paired."""
    place = {sentence: number for number, sentence in enumerate(pools.source_ids)}
    spread = []
    for measure in measures:
        units = np.zeros((len(place), measure.units.shape[1]))
        np.add.at(units, [place[key] for key in measure.keys], measure.units)
        spread.append(replace(measure, units=units, keys=()))
    return spread


def score_rows(
    task: Task,
    loaded: Loaded,
    rules: Protocol,
    settings: RetrievalSettings,
    layer: int,
    measures: Sequence[Measured],
    folder: Path,
    more: Mapping[str, Any],
    marks: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Rows of results.json, the first of them with units on disk.

    marks  settings that tell these scores from others of the same reading; no such score is the task's headline
    """
    origin, described = loaded.origin, _described(rules, settings, layer, marks or {})
    facts = origin_facts(origin)
    base = {"task": task.name, "protocol": settings.protocol, "language": origin.language, "split": origin.split, "data": facts["files"] or facts}
    base |= beside(origin)
    rows = []
    for number, measure in enumerate(measures):
        path = folder / "units" / task.name / f"{origin.split}-{origin.language}.{described['id']}.{measure.metric}.npy"
        if number == 0:
            write_array(path, measure.units)
        rows.append(
            {
                **base,
                "metric": measure.metric,
                "score": measure.score,
                "n": measure.n,
                "interval": list(bootstrap_interval(measure.units, measure.statistic, seed=settings.seed)),
                "headline": number == 0 and not marks,
                "retrieval": True,
                "settings": described,
                **({"units": path.relative_to(folder).as_posix(), "statistic": measure.statistic} if number == 0 else {}),
                **more,
            }
        )
    return rows


def _reading(rules: Protocol, settings: RetrievalSettings, folder: Path) -> SideReading:
    return SideReading(
        layers=_layers(rules, settings),
        pool=rules.pool,
        token_budget=settings.token_budget,
        max_length=rules.max_length,
        composition=settings.composition,
        stacks=settings.stacks,
        folder=folder,
        save=settings.save_vectors,
    )


def _rules(settings: RetrievalSettings, task: Task) -> Protocol:
    """The protocol with what was asked for put over it; unknown names are refused."""
    rules = protocol(settings.protocol, "bucc2018" if task.format.pools else "tatoeba")
    for noun, name, known in (("pooling", settings.pool, poolings), ("margin", settings.margin, margins)):
        if name is not None and name not in known:
            raise unknown_name(noun, name, known)
    centring = rules.centring if settings.centre is None else settings.centre
    return replace(rules, pool=settings.pool or rules.pool, k=settings.k or rules.k, margin=settings.margin or rules.margin, centring=centring)


def _layers(rules: Protocol, settings: RetrievalSettings) -> tuple[int, ...]:
    layers = settings.layers if settings.layers is not None else (rules.layer.at_depth(settings.depth),)
    outside = [layer for layer in layers if not 0 <= layer <= settings.depth]
    if outside:
        raise UsageError(f"layer {outside[0]} of a trunk of {settings.depth} layers", do=f"use 0 (the embeddings) to {settings.depth}")
    return tuple(dict.fromkeys(layers))


def _described(rules: Protocol, settings: RetrievalSettings, layer: int, marks: Mapping[str, Any]) -> dict[str, Any]:
    """What a retrieval score depends on, and a short id of it."""
    described = {**rules.settings(settings.depth), "protocol_layer": rules.layer.at_depth(settings.depth), "layer": layer, "precision": settings.precision}
    described |= {"language_adapters": OWN, **marks} if settings.stacks else marks
    return {**described, "id": fingerprint(described)}
