"""The table of a study: intermediate runs by targets, mean scores over seeds, and gains over `direct`.

A gain is paired: the same rows of the same languages, scored directly (retrieval: by the trunk alone) and after an
intermediate run of the same seed. With several seeds the interval is of the nested bootstrap, which draws seeds,
languages and rows; with one, rows alone, unless the study's `table` asks for more. p is corrected for having looked
at several (Holm). Only seeds count under which both are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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

    def to_json(self) -> dict[str, Any]:
        gain = asdict(self.gain) if self.gain else {"gain": None, "interval": None, "p": None}
        over = {"over_control": asdict(self.over_control)} if self.over_control else {}
        scores = {"n": self.n, "score": self.score, "by_seed": self.by_seed, "spread": self.spread}
        return {**scores, **gain, "p_holm": self.p_holm, **over}


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
    by_target: dict[str, list[_Scored]] = {}
    for scored in _scored(cells, board):
        by_target.setdefault(scored.cell.target, []).append(scored)
    order = list(dict.fromkeys((cell.intermediate, cell.how) for cell in cells))
    rows = [_entry(scored, others, options) for others in by_target.values() for scored in others]
    return _corrected(sorted(rows, key=lambda entry: order.index(entry.row)), options)


def table_json(entries: Sequence[Entry], targets: Mapping[str, bool]) -> dict[str, list[dict[str, Any]]]:
    """{"entries": ..., "means": over all targets, and without retrieval, for rows that have them all}.

    targets  whether each is read alone
    """
    return {"entries": [entry.to_json() for entry in entries], "means": _means(entries, targets)}


def _scored(cells: Sequence[Cell], board: Board) -> list[_Scored]:
    """Every cell over its seeds; without those that no seed has a score of."""
    known: dict[str, _Reading | None] = {}
    jobs = {job.stage.key: job for job in board.jobs}

    def reading(key: str) -> _Reading | None:
        if key not in known:
            known[key] = _reading(jobs[key], board.records[key]["rows"]) if board.state(key) == "done" else None
        return known[key]

    groups: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.intermediate, cell.how, cell.target), []).append(cell)
    scored = []
    for group in groups.values():
        readings = {cell.seed: read for cell in group if (read := reading(cell.reading))}
        bases = {cell.seed: base for cell in group if cell.reading != cell.base and (base := reading(cell.base))}
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
    leaks = [
        leak
        for read in scored.readings.values()
        for result in read.results.values()
        for leak in result.notes.get("leaks", ())
    ]
    return Entry(
        intermediate=cell.intermediate,
        how=cell.how,
        target=cell.target,
        control=cell.control,
        retrieval=task.retrieval,
        metric=next(iter(results.values())).metric,
        seeds=tuple(scored.readings),
        compared=tuple(seed for seed in scored.readings if seed in scored.bases),
        mean=_mean(scored, rest, controls, options),
        source=_mean(scored, source, controls, options) if source and rest != source else None,
        leaks=tuple(dict.fromkeys(leaks)),
    )


def _mean(scored: _Scored, languages: Sequence[str], controls: Sequence[_Scored], options: TableOptions) -> Mean:
    gain = _gain(scored.readings, scored.bases, languages, options)
    over = None
    if gain and controls and not scored.cell.control:
        best = max(controls, key=lambda control: np.mean(_by_seed(control, languages)))
        better = _gain(scored.readings, best.readings, languages, options)
        if better:
            over = OverControl(better.gain, better.interval, better.p, best.cell.intermediate, best.cell.how)
    n = sum(scored.first.results[language].n for language in languages)
    return Mean(tuple(languages), n, _by_seed(scored, languages), gain, over)


def _by_seed(scored: _Scored, languages: Sequence[str]) -> tuple[float, ...]:
    return tuple(reading.score(languages) for reading in scored.readings.values())


def _gain(
    arms: Mapping[int, _Reading], bases: Mapping[int, _Reading], languages: Sequence[str], options: TableOptions
) -> Gain | None:
    """Arm against base over the languages that both have under every seed of both; None where there are none."""
    pairs = [(arm, bases[seed]) for seed, arm in arms.items() if seed in bases]
    both = (
        [code for code in languages if all(code in reading.results for pair in pairs for reading in pair)]
        if pairs
        else []
    )
    if not both:
        return None
    statistic = pairs[0][0].results[both[0]].statistic
    a, b = [arm.units(both) for arm, _ in pairs], [base.units(both) for _, base in pairs]
    if options.nested or len(pairs) > 1:
        compared = nested_bootstrap(a, b, statistic, seed=options.seed)
    else:
        compared = paired_bootstrap(a[0], b[0], statistic, seed=options.seed)
    return Gain(compared.difference, compared.interval, compared.p)


def _corrected(entries: Sequence[Entry], options: TableOptions) -> list[Entry]:
    """With p corrected for all gains of a row, or of a target; retrieval stands in rows of its own."""
    groups: dict[object, list[int]] = {}
    for number, entry in enumerate(entries):
        if entry.mean.gain:
            groups.setdefault(entry.target if options.holm == "target" else entry.row, []).append(number)
    values = {number: gain.p for number, entry in enumerate(entries) if (gain := entry.mean.gain)}
    corrected: dict[int, float] = {}
    for numbers in groups.values():
        corrected |= zip(numbers, holm([values[number] for number in numbers]), strict=True)
    means = [replace(entry.mean, p_holm=corrected.get(number)) for number, entry in enumerate(entries)]
    return [replace(entry, mean=mean) for entry, mean in zip(entries, means, strict=True)]


def _means(entries: Sequence[Entry], targets: Mapping[str, bool]) -> list[dict[str, Any]]:
    """Means over targets, with and without retrieval; None where a target is missing: they cannot be compared.

    An intermediate run is read for retrieval once, and counts under every `how` of its trained targets.
    """
    trained = [target for target, alone in targets.items() if not alone]
    read = {(entry.intermediate, entry.target): entry.mean.score for entry in entries if entry.retrieval}
    rows: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        rows.setdefault(entry.row, []).append(entry)
    means: list[dict[str, Any]] = []
    for (intermediate, how), row in rows.items():
        if trained and all(entry.retrieval for entry in row):
            continue
        known = {target: score for (label, target), score in read.items() if label == intermediate}
        known |= {entry.target: entry.mean.score for entry in row}
        overall = {"all": _over(known, list(targets)), "trained": _over(known, trained)}
        means.append({"intermediate": intermediate, "how": how, "control": bool(row[0].control), **overall})
    base = next((mean for mean in means if mean["how"] == DIRECT), None)
    for mean in means:
        for part in ("all", "trained"):
            compared = base is not None and mean is not base and None not in (mean[part], base[part])
            mean[f"{part}_gain"] = mean[part] - base[part] if base is not None and compared else None
    return means


def _over(known: Mapping[str, float], targets: Sequence[str]) -> float | None:
    return (
        float(np.mean([known[target] for target in targets]))
        if targets and all(target in known for target in targets)
        else None
    )
