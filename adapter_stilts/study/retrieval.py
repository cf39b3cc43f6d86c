"""Retrieval as something to score: sentences of one language to vectors, neighbours, and rows of results.

Every row says which layer, pooling, margin and direction it was read with, and which protocol those came from. The vectors it was
computed from are kept where one layer was read, so that the score can be recomputed:

    vectors/tatoeba/test-de.layer4.mean.source.npy     [N, H] float32 of length 1, the foreign side, in the order of the file
    vectors/tatoeba/test-de.layer4.mean.target.npy     the English side
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.data.examples import Bitext, Pools
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.errors import UsageError
from adapter_stilts.evaluation import folder as forms
from adapter_stilts.evaluation.intervals import bootstrap_interval
from adapter_stilts.files import atomic_write
from adapter_stilts.registry import unknown_name
from adapter_stilts.retrieval.bucc import Bucc, best_threshold, bucc, mine_pools, score_oracle
from adapter_stilts.retrieval.embed import embed_layers
from adapter_stilts.retrieval.margin import margins
from adapter_stilts.retrieval.measured import Measured
from adapter_stilts.retrieval.pooling import Vectors, poolings
from adapter_stilts.retrieval.protocols import Protocol, protocol
from adapter_stilts.retrieval.tatoeba import tatoeba
from adapter_stilts.study.material import origin_facts
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.sources import Loaded, Where, load


@dataclass(frozen=True)
class RetrievalSettings:
    """What may differ from the protocol; None leaves it as the protocol says. depth: the trunk's layers."""

    protocol: str
    depth: int
    layers: tuple[int, ...] | None = None
    pool: str | None = None
    k: int | None = None
    margin: str | None = None
    split: str = "test"
    save_vectors: bool = True
    seed: int = 0
    token_budget: int = 8192


@dataclass(frozen=True)
class Sides:
    """A language's two sides as vectors, by layer."""

    source: dict[int, Vectors]
    target: dict[int, Vectors]


def planned(settings: RetrievalSettings, task: Task) -> set[str]:
    """The ids of the settings that will be read, one per layer."""
    rules = _rules(settings, task)
    return {_described(rules, settings, layer)["id"] for layer in _layers(rules, settings)}


def measure_retrieval(encoder: AdapterEncoder, task: Task, language: str, where: Where, settings: RetrievalSettings, folder: Path) -> list[dict[str, Any]]:
    """Rows for one language: Tatoeba in both directions, or mining with the threshold from validation applied to test."""
    rules = _rules(settings, task)
    loaded = load(task, settings.split, language, where)
    if task.format == "aligned":
        return _aligned(encoder, task, loaded, rules, settings, folder)
    tuning = load(task, "validation", language, where) if settings.split == "test" else None
    return _pools(encoder, task, loaded, tuning, rules, settings, folder)


def _aligned(encoder: AdapterEncoder, task: Task, loaded: Loaded, rules: Protocol, settings: RetrievalSettings, folder: Path) -> list[dict[str, Any]]:
    examples = cast(Sequence[Bitext], loaded.examples)
    sides = _sides(encoder, [row.source for row in examples], [row.target for row in examples], rules, settings)
    rows = []
    for layer in sides.source:
        found = tatoeba(sides.source[layer], sides.target[layer], rules)
        paths = _kept(folder, task, loaded, rules, layer, sides, settings)
        path = forms.prediction_path(folder / "predictions", task.folder, loaded.origin.language, "lines", settings.split)
        if len(sides.source) == 1:
            forms.write(path, "lines", found.predictions.tolist())
            paths["predictions"] = path.relative_to(folder).as_posix()
        rows += _rows(task, loaded, rules, settings, layer, found.measures, folder, paths)
    return rows


def _pools(
    encoder: AdapterEncoder, task: Task, loaded: Loaded, tuning: Loaded | None, rules: Protocol, settings: RetrievalSettings, folder: Path
) -> list[dict[str, Any]]:
    (pools,) = cast(Sequence[Pools], loaded.examples)
    sides = _sides(encoder, pools.source, pools.target, rules, settings)
    dev = cast(Pools, tuning.examples[0]) if tuning is not None else None
    dev_sides = _sides(encoder, dev.source, dev.target, rules, settings) if dev is not None else None
    rows = []
    for layer in sides.source:
        mined = mine_pools(sides.source[layer], sides.target[layer], pools, rules)
        paths = _kept(folder, task, loaded, rules, layer, sides, settings)
        if dev is None or dev_sides is None or tuning is None:
            cut = best_threshold(mined, pools.gold, rules.threshold).threshold
            found = Bucc(score_oracle(mined, pools.gold, rules.threshold), (), cut, mined.above(cut))
        else:
            dev_mined = mine_pools(dev_sides.source[layer], dev_sides.target[layer], dev, rules)
            found = bucc(mined, pools.gold, rules.threshold, dev=dev_mined, dev_gold=dev.gold)
            _kept(folder, task, tuning, rules, layer, dev_sides, settings)
            rows += _rows(task, tuning, rules, settings, layer, _by_sentence(found.dev_measures, dev), folder, {"threshold": found.threshold})
        if len(sides.source) == 1:
            path = forms.prediction_path(folder / "predictions", task.folder, loaded.origin.language, "pairs", settings.split)
            forms.write(path, "pairs", found.pairs)
            paths["predictions"] = path.relative_to(folder).as_posix()
        rows += _rows(task, loaded, rules, settings, layer, _by_sentence(found.measures, pools), folder, {**paths, "threshold": found.threshold})
    return rows


def _by_sentence(measures: Sequence[Measured], pools: Pools) -> list[Measured]:
    """The same measures with one row of units for every source sentence of the pool, so that runs over it can be paired."""
    place = {sentence: number for number, sentence in enumerate(pools.source_ids)}
    spread = []
    for measure in measures:
        units = np.zeros((len(place), measure.units.shape[1]))
        np.add.at(units, [place[key] for key in measure.keys], measure.units)
        spread.append(replace(measure, units=units, keys=()))
    return spread


def _rows(
    task: Task, loaded: Loaded, rules: Protocol, settings: RetrievalSettings, layer: int, measures: Sequence[Measured], folder: Path, more: dict[str, Any]
) -> list[dict[str, Any]]:
    origin, described = loaded.origin, _described(rules, settings, layer)
    facts = origin_facts(origin)
    base = {"task": task.name, "protocol": settings.protocol, "language": origin.language, "split": origin.split, "data": facts["files"] or facts}
    rows = []
    for number, measure in enumerate(measures):
        path = folder / "units" / task.name / f"{origin.split}-{origin.language}.{described['id']}.{measure.metric}.npy"
        if number == 0:
            _save(path, measure.units)
        rows.append(
            {
                **base,
                "metric": measure.metric,
                "score": measure.score,
                "n": measure.n,
                "interval": list(bootstrap_interval(measure.units, measure.statistic, seed=settings.seed)),
                "headline": number == 0,
                "retrieval": True,
                "settings": described,
                **({"units": path.relative_to(folder).as_posix(), "statistic": measure.statistic} if number == 0 else {}),
                **more,
            }
        )
    return rows


def _rules(settings: RetrievalSettings, task: Task) -> Protocol:
    """The protocol with what was asked for put over it; unknown names are refused."""
    rules = protocol(settings.protocol, "tatoeba" if task.format == "aligned" else "bucc2018")
    for noun, name, known in (("pooling", settings.pool, poolings), ("margin", settings.margin, margins)):
        if name is not None and name not in known:
            raise unknown_name(noun, name, known)
    return replace(rules, pool=settings.pool or rules.pool, k=settings.k or rules.k, margin=settings.margin or rules.margin)


def _layers(rules: Protocol, settings: RetrievalSettings) -> tuple[int, ...]:
    layers = settings.layers if settings.layers is not None else (rules.layer.at_depth(settings.depth),)
    outside = [layer for layer in layers if not 0 <= layer <= settings.depth]
    if outside:
        raise UsageError(f"layer {outside[0]} of a trunk of {settings.depth} layers", do=f"use 0 (the embeddings) to {settings.depth}")
    return tuple(dict.fromkeys(layers))


def _described(rules: Protocol, settings: RetrievalSettings, layer: int) -> dict[str, Any]:
    """What a retrieval score depends on, and a short id of it."""
    described = {**rules.settings(settings.depth), "protocol_layer": rules.layer.at_depth(settings.depth), "layer": layer}
    return {**described, "id": fingerprint(described)}


def _sides(encoder: AdapterEncoder, source: Sequence[str], target: Sequence[str], rules: Protocol, settings: RetrievalSettings) -> Sides:
    """Both sides in one pass over their distinct sentences."""
    layers = _layers(rules, settings)
    both = embed_layers(encoder, [*source, *target], layers=layers, pool=rules.pool, token_budget=settings.token_budget, max_length=rules.max_length)
    return Sides({layer: both[layer][: len(source)] for layer in layers}, {layer: both[layer][len(source) :] for layer in layers})


def _kept(folder: Path, task: Task, loaded: Loaded, rules: Protocol, layer: int, sides: Sides, settings: RetrievalSettings) -> dict[str, Any]:
    """The files of the vectors, where they are kept."""
    if not settings.save_vectors:
        return {}
    kept = {}
    for side, vectors in (("source", sides.source[layer]), ("target", sides.target[layer])):
        path = folder / "vectors" / task.name / f"{loaded.origin.split}-{loaded.origin.language}.layer{layer}.{rules.pool}.{side}.npy"
        _save(path, vectors)
        kept[side] = path.relative_to(folder).as_posix()
    return {"vectors": kept}


def _save(path: Path, array: NDArray[Any]) -> None:
    with atomic_write(path) as stream:
        np.save(stream, array, allow_pickle=False)
