"""The table of a study: intermediate runs by targets, mean scores over seeds, and gains over `direct`.

A gain is paired: the same rows of the same languages, scored directly (retrieval: by the trunk alone) and after an
intermediate run of the same seed. With several seeds the interval is of the nested bootstrap, which draws seeds,
languages and rows; with one, rows alone, unless the study's `table` asks for more. p is corrected for having looked
at several (Holm). Only seeds count under which both are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.config.study import DIRECT, TableOptions
from adapter_stilts.runs.results import read_results, read_units
from adapter_stilts.statistics.intervals import holm, nested_bootstrap, paired_bootstrap, seed_interval
from adapter_stilts.statistics.result import Result
from adapter_stilts.study.board import Board, Job
from adapter_stilts.study.stages import Cell
from adapter_stilts.tasks.languages import same_language
from adapter_stilts.tasks.user import find_task


@dataclass(frozen=True)
class Gain:
    """By how much one arm scored higher than another over the same rows."""

    gain: float
    interval: tuple[float, float]
    p: float


@dataclass(frozen=True)
class OverControl(Gain):
    """A gain over the better control of the target: the intermediate run that it is, and its how."""

    control: str
    how: str


@dataclass(frozen=True)
class Mean:
    """The unweighted mean over some languages and over seeds.

    gain     over `direct`; None for `direct` itself, or where that is missing
    by_seed  the mean over languages under each seed
    spread   the t interval of the mean over seeds
    p_holm   the gain's p, corrected for the other gains of the table; None until those are known
    """

    languages: tuple[str, ...]
    n: int
    by_seed: tuple[float, ...]
    gain: Gain | None
    over_control: OverControl | None = None
    p_holm: float | None = None

    @property
    def score(self) -> float:
        return float(np.mean(self.by_seed))

    @property
    def spread(self) -> tuple[float, float] | None:
        return seed_interval(self.by_seed)

    def gain_json(self) -> dict[str, Any]:
        return asdict(self.gain) if self.gain else {"gain": None, "interval": None, "p": None}

    def to_json(self) -> dict[str, Any]:
        over = {"over_control": asdict(self.over_control)} if self.over_control else {}
        scores = {"n": self.n, "score": self.score, "by_seed": self.by_seed, "spread": self.spread}
        return {**scores, **self.gain_json(), "p_holm": self.p_holm, **over}


@dataclass(frozen=True)
class Entry:
    """One cell of the table, over its seeds.

    control    which one the intermediate run is, "" where it is none
    mean       over all languages, or over those that no training rows were in (`zero_shot`)
    source     zero_shot: the language of the training rows, where the target is scored in it
    seeds      under which there is a score; `compared` are those under which `direct` has one as well
    leaks      what the intermediate rows give away of the target's test rows
    """

    intermediate: str
    how: str
    target: str
    control: str
    retrieval: bool
    metric: str
    seeds: tuple[int, ...]
    compared: tuple[int, ...]
    mean: Mean
    source: Mean | None
    leaks: tuple[str, ...]

    @property
    def row(self) -> tuple[str, str]:
        return (self.intermediate, self.how)

    def to_json(self) -> dict[str, Any]:
        told = ("intermediate", "how", "target", "retrieval", "metric", "seeds", "compared", "leaks")
        facts = {"control": bool(self.control), "languages": len(self.mean.languages)}
        source = {"source": self.source.to_json()} if self.source else {}
        return {**{name: getattr(self, name) for name in told}, **facts, **self.mean.to_json(), **source}


@dataclass(frozen=True)
class _Reading:
    """The headline score of each language, and where its sums lie."""

    folder: Path
    results: Mapping[str, Result]

    def score(self, languages: Iterable[str]) -> float:
        return float(np.mean([self.results[language].score for language in languages if language in self.results]))

    def units(self, languages: Iterable[str]) -> list[NDArray[np.float64]]:
        return [read_units(self.folder, self.results[language]) for language in languages]


@dataclass(frozen=True)
class _Scored:
    """A cell over its seeds: its readings, and those of what it is compared with."""

    cell: Cell
    readings: Mapping[int, _Reading]
    bases: Mapping[int, _Reading]

    @property
    def first(self) -> _Reading:
        return next(iter(self.readings.values()))


def table(cells: Sequence[Cell], board: Board, options: TableOptions) -> list[Entry]:
    """One entry for every cell that has a score under some seed, row by row."""
    scored = _scored(cells, board)
    order = list(dict.fromkeys((cell.intermediate, cell.how) for cell in cells))
    targets = dict.fromkeys(each.cell.target for each in scored)
    by_target = [[each for each in scored if each.cell.target == target] for target in targets]
    entries = [_entry(each, others, options) for others in by_target for each in others]
    return _corrected(sorted(entries, key=lambda entry: order.index(entry.row)), options)


def _scored(cells: Sequence[Cell], board: Board) -> list[_Scored]:
    """Every cell over its seeds; without those that no seed has a score of."""
    done = {job.stage.key: job for job in board.jobs if board.records[job.stage.key]["state"] == "done"}
    reading = cache(lambda key: _reading(done[key], board.records[key]["rows"]))
    groups: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.intermediate, cell.how, cell.target), []).append(cell)
    scored = []
    for group in groups.values():
        readings = {cell.seed: reading(cell.reading) for cell in group if cell.reading in done}
        bases = {cell.seed: reading(cell.base) for cell in group if cell.reading != cell.base and cell.base in done}
        scored += [_Scored(group[0], readings, bases)] if readings else []
    return scored


def _reading(job: Job, keys: Iterable[Sequence[str]]) -> _Reading:
    """The headline results among `keys`; mining has those of its validation split, too, where a threshold is tuned."""
    wanted = set(map(tuple, keys))
    headlines = [result for result in read_results(job.folder) if result.headline and result.split == job.stage.split]
    return _Reading(job.folder, {result.language: result for result in headlines if result.key in wanted})


def _entry(scored: _Scored, others: Sequence[_Scored], options: TableOptions) -> Entry:
    """others  the cells of the same target, the controls among them"""
    cell, results = scored.cell, scored.first.results
    task = find_task(cell.task)
    split = options.zero_shot and not task.retrieval
    source = tuple(language for language in results if split and same_language(language, task.train_language))
    rest = tuple(language for language in results if language not in source) or tuple(results)
    controls = [other for other in others if other.cell.control] if options.over_control and not task.retrieval else []
    rows = [row for reading in scored.readings.values() for row in reading.results.values()]
    leaks = dict.fromkeys(leak for row in rows for leak in row.notes.get("leaks", ()))
    return Entry(
        intermediate=cell.intermediate,
        how=cell.how,
        target=cell.target,
        control=cell.control,
        retrieval=task.retrieval,
        metric=rows[0].metric,
        seeds=tuple(scored.readings),
        compared=tuple(seed for seed in scored.readings if seed in scored.bases),
        mean=_mean(scored, rest, controls, options),
        source=_mean(scored, source, controls, options) if source and rest != source else None,
        leaks=tuple(leaks),
    )


def _mean(scored: _Scored, languages: Sequence[str], controls: Sequence[_Scored], options: TableOptions) -> Mean:
    gain = _gain(scored.readings, scored.bases, languages, options)
    over = None
    if gain and controls and not scored.cell.control:
        best = max(controls, key=lambda control: np.mean(_by_seed(control, languages)))
        if better := _gain(scored.readings, best.readings, languages, options):
            over = OverControl(**vars(better), control=best.cell.intermediate, how=best.cell.how)
    n = sum(scored.first.results[language].n for language in languages)
    return Mean(tuple(languages), n, _by_seed(scored, languages), gain, over)


def _by_seed(scored: _Scored, languages: Sequence[str]) -> tuple[float, ...]:
    return tuple(reading.score(languages) for reading in scored.readings.values())


def _gain(
    arms: Mapping[int, _Reading], bases: Mapping[int, _Reading], languages: Sequence[str], options: TableOptions
) -> Gain | None:
    """Arm against base over the languages that both have under every seed of both; None where there are none."""
    seeds = [seed for seed in arms if seed in bases]
    sides = [[side[seed] for seed in seeds] for side in (arms, bases)]
    both = [code for code in languages if all(code in reading.results for side in sides for reading in side)]
    if not seeds or not both:
        return None
    statistic = sides[0][0].results[both[0]].statistic
    a, b = ([reading.units(both) for reading in side] for side in sides)
    if options.nested or len(seeds) > 1:
        compared = nested_bootstrap(a, b, statistic, seed=options.seed)
    else:
        compared = paired_bootstrap(a[0], b[0], statistic, seed=options.seed)
    return Gain(compared.difference, compared.interval, compared.p)


def _corrected(entries: Sequence[Entry], options: TableOptions) -> list[Entry]:
    """With p corrected for all gains of a row, or of a target; retrieval stands in rows of its own."""
    groups: dict[object, dict[int, float]] = {}
    for number, entry in enumerate(entries):
        if entry.mean.gain:
            group = entry.target if options.holm == "target" else entry.row
            groups.setdefault(group, {})[number] = entry.mean.gain.p
    corrected: dict[int, float] = {}
    for values in groups.values():
        corrected |= zip(values, holm(list(values.values())), strict=True)
    means = [replace(entry.mean, p_holm=corrected.get(number)) for number, entry in enumerate(entries)]
    return [replace(entry, mean=mean) for entry, mean in zip(entries, means, strict=True)]


def table_json(entries: Sequence[Entry], targets: Mapping[str, bool]) -> dict[str, list[dict[str, Any]]]:
    """{"entries": ..., "means": over all targets and over the trained ones, None where a row lacks one of them}.

    An intermediate run is read for retrieval once, and counts under every `how` of its trained targets.
    targets  whether each is read alone
    """
    parts = {"all": list(targets), "trained": [target for target, alone in targets.items() if not alone]}
    means: list[dict[str, Any]] = []
    for row in dict.fromkeys(entry.row for entry in entries):
        own = [entry for entry in entries if entry.row == row]
        if parts["trained"] and all(entry.retrieval for entry in own):
            continue
        read = [entry for entry in entries if entry.retrieval and entry.intermediate == row[0]]
        scores = {entry.target: entry.mean.score for entry in (*read, *own)}
        facts = {"intermediate": row[0], "how": row[1], "control": bool(own[0].control)}
        means.append({**facts, **{part: _over(scores, names) for part, names in parts.items()}})
    base = next((mean for mean in means if mean["how"] == DIRECT), None)
    for mean in means:
        for part in parts:
            there = base is not None and mean is not base and None not in (mean[part], base[part])
            mean[f"{part}_gain"] = mean[part] - base[part] if base is not None and there else None
    return {"entries": [entry.to_json() for entry in entries], "means": means}


def _over(scores: Mapping[str, float], targets: Sequence[str]) -> float | None:
    if not targets or not scores.keys() >= set(targets):
        return None
    return float(np.mean([scores[target] for target in targets]))
