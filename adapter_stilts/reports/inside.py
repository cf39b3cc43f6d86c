"""Sections of what runs record of themselves: scores by layer, attention of fusions, how training went.

Runs come by name, those of one name under several seeds: {"nli": [record, record, ...], ...}.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from adapter_stilts.encoder.composition import Fuse, fusion_name, fusions, parse
from adapter_stilts.errors import ArtefactError
from adapter_stilts.reports.page import (
    COUNT,
    PERCENT,
    SHARE,
    Block,
    Cell,
    Column,
    Heat,
    HeatCell,
    Line,
    Lines,
    Section,
    Table,
)
from adapter_stilts.reports.record import RunRecord
from adapter_stilts.statistics.result import Result

Runs: TypeAlias = Mapping[str, Sequence[RunRecord]]
SHADES = 6
MOST_POINTS = 200  # of a line; more are thinned evenly


def layers(runs: Runs) -> Section | None:
    """Retrieval by layer, a line for each name, means over languages and seeds; None where all is read at one layer."""
    ways: dict[tuple[str, str, str], dict[str, dict[int, list[float]]]] = {}
    for name, records in runs.items():
        for record in records:
            for (task, metric, split), by_layer in _by_layer(record.results).items():
                of_name = ways.setdefault((task, metric, split), {}).setdefault(name, {})
                for layer, score in by_layer.items():
                    of_name.setdefault(layer, []).append(score)
    blocks: list[Block] = []
    rows: list[Sequence[Cell]] = []
    for (task, metric, split), names in ways.items():
        lines = [
            Line(name, [(layer, float(np.mean(scores))) for layer, scores in sorted(by_layer.items())])
            for name, by_layer in names.items()
            if len(by_layer) > 1
        ]
        if lines:
            blocks.append(Lines(f"{task} ({metric}, {split}) by layer", "layer", metric, lines))
            rows += [
                (task, name, layer, len(scores), float(np.mean(scores)))
                for name, by_layer in names.items()
                for layer, scores in sorted(by_layer.items())
            ]
    if not blocks:
        return None
    columns = [Column("task"), Column("run"), Column("layer", COUNT), Column("seeds", COUNT), Column("score", PERCENT)]
    table = Table("layers", "Scores by layer", columns, rows, folded=True)
    lead = "Means over languages and seeds. The best layer is read off these very rows; `sweep` chooses on others."
    return Section("Layer by layer", [*blocks, table], [lead])


def attention(runs: Runs) -> Section | None:
    """What each source of a fusion gets, by layer and by language; None where no fusion was scored."""
    blocks: list[Block] = []
    rows: list[Sequence[Cell]] = []
    for name, records in runs.items():
        for fused in _fused(records):
            mean = np.mean(list(fused.languages.values()), axis=0)  # [L, A]
            where = f"{name}, scored on {fused.task}"
            across = [f"layer {layer}" for layer in range(1, len(mean) + 1)]
            of_source = zip(fused.sources, mean.T, strict=True)
            by_layer = [((source,), [_share(value) for value in weights]) for source, weights in of_source]
            blocks.append(Heat(f"{where}: mean attention by layer", ("source",), across, by_layer))
            by_language = [
                ((code,), [_share(value) for value in layers.mean(axis=0)]) for code, layers in fused.languages.items()
            ]
            caption = f"{where}: by language, mean over layers"
            blocks.append(Heat(caption, ("language",), fused.sources, by_language))
            rows += [
                (name, fused.task, code, layer, source, float(layers[layer - 1, at]))
                for code, layers in fused.languages.items()
                for layer in range(1, len(layers) + 1)
                for at, source in enumerate(fused.sources)
            ]
    if not blocks:
        return None
    columns = [*map(Column, ("run", "task", "language")), Column("layer", COUNT), Column("source")]
    table = Table(
        "attention",
        "Attention by source, layer and language",
        [*columns, Column("attention", SHARE)],
        rows,
        folded=True,
    )
    lead = "Mean over words and seeds. Weight is where the fusion looks, and no measure of what a source is good for."
    return Section("What fusions attend to", [*blocks, table], [lead])


def courses(runs: Runs) -> Section | None:
    """How training went: validation scores, or losses where there are none, a line a seed; and what was learned."""
    trained = {name: [one for one in records if one.course] for name, records in runs.items()}
    trained = {name: records for name, records in trained.items() if records}
    if not trained:
        return None
    small = sum(map(len, trained.values())) > 1
    names = sorted({_seed(record) for records in trained.values() for record in records})
    blocks: list[Block] = []
    for name, records in trained.items():
        scored = any(record.points("score") for record in records)
        for what in ("score", "loss") if not small else ("score",) if scored else ("loss",):
            lines = [Line(_seed(record), thinned(record.points(what))) for record in records]
            lines = [line for line in lines if line.points]
            if lines:
                kind = PERCENT if what == "score" else SHARE
                rule = _without_learning(records) if what == "score" else None
                caption = f"{name}: {'validation score' if what == 'score' else 'training loss'}"
                blocks.append(Lines(caption, "step", what, lines, kind, rule, small, names))
    lead = "A line a seed, by step. The dashed rule is what takes no learning: guessing, or the commonest answer."
    return Section("How training went", [*blocks, _learned(runs)], [lead])


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most so many points, the first and the last among them."""
    if len(points) <= MOST_POINTS:
        return list(points)
    return [points[round(at)] for at in np.linspace(0, len(points) - 1, MOST_POINTS)]


@dataclass(frozen=True)
class _Fused:
    """One fusion on one task: attention [L, A] by language, over seeds."""

    task: str
    sources: Sequence[str]
    languages: Mapping[str, Any]


def _fused(records: Sequence[RunRecord]) -> Iterator[_Fused]:
    """Every fusion of runs of one name, on test rows where there are any."""
    found: dict[tuple[str, Fuse], dict[str, list[Any]]] = {}
    for record in records:
        if not record.attention:
            continue
        for fuse in fusions(parse(record.manifest.composition)):
            for task, splits in record.attention.get(fusion_name(fuse), {}).items():
                for code, weights in (splits.get("test") or next(iter(splits.values()), {})).items():
                    table = _table(weights, len(fuse.parts), record)
                    found.setdefault((task, fuse), {}).setdefault(code, []).append(table)
    for (task, fuse), languages in found.items():
        yield _Fused(task, [*map(str, fuse.parts)], {code: np.mean(each, axis=0) for code, each in languages.items()})


def _table(weights: object, sources: int, record: RunRecord) -> Any:
    """Attention [L, A] as it was stored; ArtefactError where it is no such table."""
    try:
        table = np.asarray(weights, dtype=float)
    except (ValueError, TypeError):
        table = np.zeros(0)
    if table.ndim != 2 or table.shape[1] != sources:
        do = "remove the file and evaluate again with --overwrite"
        raise ArtefactError("the stored attention is no table of layers", where=str(record.folder), do=do)
    return table


def _share(value: float) -> HeatCell:
    return HeatCell([f"{value:.2f}"], round(SHADES * min(max(float(value), 0.0), 1.0)))


def _by_layer(results: Iterable[Result]) -> dict[tuple[str, str, str], dict[int, float]]:
    """(task, metric, split) -> layer -> mean over the languages that all layers have."""
    ways: dict[tuple[str, str, str], dict[int, dict[str, float]]] = {}
    for row in results:
        layer = row.settings.get("layer")
        if row.headline and not row.partial and isinstance(layer, int):
            key = (row.task, row.metric, row.split)
            ways.setdefault(key, {}).setdefault(layer, {})[row.language] = row.score
    means = {}
    for key, by_layer in ways.items():
        common = set.intersection(*(set(scores) for scores in by_layer.values()))
        if common:
            means[key] = {at: float(np.mean([scores[code] for code in common])) for at, scores in by_layer.items()}
    return means


def _without_learning(records: Sequence[RunRecord]) -> tuple[float, str] | None:
    """What the score of one task would be without learning, where it is the score that was validated by."""
    learned = [one for record in records for one in record.manifest.training.learned.values()]
    several = any(len(record.manifest.training.learned) > 1 for record in records)
    if not learned or several or learned[0].baseline.metric not in _metrics(records):
        return None
    return learned[0].baseline.best, "without learning"


def _metrics(records: Sequence[RunRecord]) -> set[str]:
    """Of validation scores that choose the step."""
    return {row.metric for record in records for row in record.results if row.headline and row.split == "validation"}


def _learned(runs: Runs) -> Table:
    columns = [
        *(Column("run"), Column("seed", COUNT), Column("task"), Column("steps", COUNT), Column("kept step", COUNT)),
        *(Column("metric"), Column("validation", PERCENT), Column("n", COUNT), Column("without learning", PERCENT)),
        Column("learned"),
    ]
    rows: list[Sequence[Cell]] = []
    for name, records in runs.items():
        for record in records:
            training, seed = record.manifest.training, record.manifest.seeds.get("training")
            head: tuple[Cell, ...] = (name, seed)
            steps: tuple[Cell, ...] = (training.steps, training.best_step)
            for task, one in training.learned.items():
                said = {True: "yes", False: "did not learn", None: "not known"}[one.learned]
                measured = (one.baseline.metric, one.score, one.n, one.baseline.best)
                rows.append((*head, task, *steps, *measured, said))
            if not training.learned:
                rows.append((*head, record.manifest.task, *steps, "", training.best_score, None, None, "not known"))
    return Table("learned", "What was learned, by validation rows", columns, rows, folded=len(rows) > 8)


def _seed(record: RunRecord) -> str:
    return f"seed {record.manifest.seeds.get('training', '-')}"
