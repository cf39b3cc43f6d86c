"""The table of a study: intermediate runs by targets, mean scores over seeds, gains over `direct`, and verdicts.

A gain is paired: the same rows of the same languages under the same seed, scored directly (retrieval: by the trunk
alone) and after an intermediate run. Its interval is over seeds on these languages; `elsewhere` is that for other
languages (statistics/gains.py). p is corrected for having looked at several (Holm), and only where seeds suffice is
there a word for the gain (statistics/verdicts.py). Scores and gains are over the seeds under which both are there;
what that leaves out is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from adapter_stilts.config.study import TableOptions
from adapter_stilts.runs.results import read_results, read_scored
from adapter_stilts.sharing.manifest import read_manifest
from adapter_stilts.statistics.gains import Gain, Scored, compare, holm
from adapter_stilts.statistics.intervals import seed_interval
from adapter_stilts.statistics.result import Result
from adapter_stilts.statistics.verdicts import Verdict, verdict
from adapter_stilts.studies.board import Board, Job
from adapter_stilts.studies.stages import Cell
from adapter_stilts.tasks.languages import same_language
from adapter_stilts.tasks.user import find_task


@dataclass(frozen=True)
class Mean:
    """The unweighted mean over some languages and over seeds.

    seeds    it is over: those that what it is compared with has as well
    by_seed  the mean over languages under each
    by_language  the mean over seeds in each that all of them have
    gain     over `direct`; None for `direct` itself, or where that is missing
    control  the gain over the better of the controls of the same intermediate runs and how, and which that is
    p_holm   the gain's p, corrected for the others of its family, `tests` in all; None until those are known
    verdict  what may be said of the gain
    """

    languages: tuple[str, ...]
    n: int
    seeds: tuple[int, ...]
    by_seed: tuple[float, ...]
    gain: Gain | None
    control: tuple[Gain, str] | None = None
    p_holm: float | None = None
    tests: int = 1
    verdict: Verdict | None = None
    by_language: Mapping[str, float] = field(default_factory=dict)

    @property
    def score(self) -> float:
        return float(np.mean(self.by_seed))

    def gain_json(self) -> dict[str, Any]:
        gain, verdict = self.gain, self.verdict
        if gain is None:
            return {"gain": None, "interval": None, "p": None, "p_holm": None}
        facts: dict[str, Any] = {"gain": gain.gain, "interval": gain.interval, "p": gain.p, "p_holm": self.p_holm}
        facts |= {"gain_by_seed": gain.by_seed, "gain_by_language": dict(gain.by_language)}
        facts |= {"verdict": verdict.word, "sentence": verdict.text} if verdict else {}
        if elsewhere := gain.elsewhere:
            facts["elsewhere"] = {"interval": elsewhere.interval, "p": elsewhere.p}
        if error := gain.error:
            facts["variance"] = {name: variance for name, (variance, _) in error.parts.items()}
            facts["detectable"] = gain.detectable(self.tests)
        return facts | ({"dropped": gain.dropped} if gain.dropped else {})

    def to_json(self) -> dict[str, Any]:
        facts = {"n": self.n, "score": self.score, "by_seed": self.by_seed, "spread": seed_interval(self.by_seed)}
        facts |= {"by_language": dict(self.by_language)}
        facts |= self.gain_json()
        if self.control:
            gain, label = self.control
            over = {"gain": gain.gain, "interval": gain.interval, "p": gain.p, "gain_by_seed": gain.by_seed}
            facts["over_control"] = {**over, "control": label}
        return facts


@dataclass(frozen=True)
class Entry:
    """One cell of the table, over its seeds.

    control    which one the intermediate run is, "" where it is none
    mean       over all languages, or over those that no training rows were in (`zero_shot`)
    source     zero_shot: the language of the training rows, where the target is scored in it
    seeds      under which there is a score; `compared` are those under which `direct` has one as well
    leaks      what the intermediate rows give away of the target's test rows
    unlearned  the runs that it or `direct` is made of and that did not learn
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
    unlearned: tuple[str, ...] = ()

    @property
    def row(self) -> tuple[str, str]:
        return (self.intermediate, self.how)

    def to_json(self) -> dict[str, Any]:
        told = ("intermediate", "how", "target", "retrieval", "metric", "seeds", "compared", "leaks", "unlearned")
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

    def scored(self, languages: Iterable[str]) -> dict[str, Scored]:
        there = {language: self.results[language] for language in languages if language in self.results}
        return {language: read_scored(self.folder, result) for language, result in there.items()}


@dataclass(frozen=True)
class _Scored:
    """A cell over its seeds: its readings, those of what it is compared with, and which of its runs did not learn."""

    cell: Cell
    readings: Mapping[int, _Reading]
    bases: Mapping[int, _Reading]
    unlearned: tuple[str, ...]

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
    return _judged(sorted(entries, key=lambda entry: order.index(entry.row)), options)


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
        unlearned = _unlearned([cell for cell in group if cell.reading in done], done)
        scored += [_Scored(group[0], readings, bases, unlearned)] if readings else []
    return scored


def _unlearned(cells: Sequence[Cell], done: Mapping[str, Job]) -> tuple[str, ...]:
    """The runs that a cell and what it is compared with are made of, as far as they did not learn, and under how many
    seeds where not under all. The target's own run is named where `direct` learned. That a control, or what builds on
    one, did not learn is no news.
    """
    seeds: dict[str, set[int]] = {}

    def noted(keys: Sequence[str]) -> bool:
        jobs = [done[key] for key in keys if done[key].stage.config.control == "none"]
        jobs = [job for job in jobs if read_manifest(job.folder).did_not_learn]
        for job in jobs:
            seeds.setdefault(job.label.removesuffix(f"-s{job.stage.seed}"), set()).add(job.stage.seed)
        return bool(jobs)

    for cell in cells:
        read = () if cell.control else done[cell.reading].stage.parents
        noted([parent for key in read for parent in done[key].stage.parents])
        if not noted(done[cell.base].stage.parents if cell.base in done else ()):
            noted(read)
    every = len(cells)
    return tuple(
        label if len(under) == every else f"{label} ({len(under)} of {every} seeds)" for label, under in seeds.items()
    )


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
    own = [other for other in others if (other.cell.of, other.cell.how) == (cell.intermediate, cell.how)]
    controls = own if options.over_control else []
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
        unlearned=scored.unlearned,
    )


def _mean(scored: _Scored, languages: Sequence[str], controls: Sequence[_Scored], options: TableOptions) -> Mean:
    gain, control = _gain(scored.readings, scored.bases, languages, options), None
    seeds, languages = (gain.seeds, gain.languages) if gain else (tuple(scored.readings), tuple(languages))
    readings = [scored.readings[seed] for seed in seeds]
    by_seed = tuple(reading.score(languages) for reading in readings)
    known = [code for code in languages if all(code in reading.results for reading in readings)]
    by_language = {code: float(np.mean([reading.score([code]) for reading in readings])) for code in known}
    if gain and controls:
        best = max(controls, key=lambda other: np.mean([own.score(languages) for own in other.readings.values()]))
        over = _gain(scored.readings, best.readings, languages, options)
        control = (over, best.cell.intermediate) if over else None
    n = sum(scored.first.results[language].n for language in languages if language in scored.first.results)
    return Mean(languages, n, seeds, by_seed, gain, control, by_language=by_language)


def _gain(
    arms: Mapping[int, _Reading], bases: Mapping[int, _Reading], languages: Sequence[str], options: TableOptions
) -> Gain | None:
    """Arm against base over what both have; None where that is nothing."""
    results = [result for reading in bases.values() for result in reading.results.values()]
    if not results:
        return None
    arm, base = ({seed: reading.scored(languages) for seed, reading in side.items()} for side in (arms, bases))
    gain = compare(arm, base, results[0].statistic)
    if gain and options.nested and (other := gain.elsewhere):
        return replace(gain, interval=other.interval, p=other.p, error=other.error)
    return gain


def _judged(entries: Sequence[Entry], options: TableOptions) -> list[Entry]:
    """With p corrected over each family, and verdicts. A family is all gains of a row, of a target or of the table;
    retrieval stands in rows of its own, and controls, of which nothing is claimed, are in none."""
    families: dict[object, dict[tuple[int, str], float]] = {}
    for number, entry in enumerate(entries):
        for part in ("mean", "source"):
            mean = getattr(entry, part)
            if mean and mean.gain and mean.gain.p is not None and not entry.control:
                family = {"target": entry.target, "row": entry.row, "all": ""}[options.holm]
                families.setdefault(family, {})[number, part] = mean.gain.p
    corrected: dict[tuple[int, str], tuple[float, int]] = {}
    for values in families.values():
        every = zip(values, holm(list(values.values())), strict=True)
        corrected |= {place: (p, len(values)) for place, p in every}

    judged = []
    for number, entry in enumerate(entries):
        means: dict[str, Any] = {}
        for part in ("mean", "source"):
            mean = getattr(entry, part)
            if mean and mean.gain and not entry.control:
                p, tests = corrected.get((number, part), (None, 1))
                said = verdict(mean.gain, p, tests, options.equal_within, " and ".join(entry.unlearned))
                means[part] = replace(mean, p_holm=p, tests=tests, verdict=said)
        judged.append(replace(entry, **means))
    return judged


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
        gains = {entry.target: entry.mean.gain for entry in (*read, *own) if entry.mean.gain}
        mean = {"intermediate": row[0], "how": row[1], "control": bool(own[0].control)}
        for part, names in parts.items():
            every = [scores[name] for name in names if name in scores]
            mean[part] = float(np.mean(every)) if names and len(every) == len(names) else None
            mean |= _mean_gain(part, [gains[name] for name in names if name in gains], len(names))
        means.append(mean)
    return {"entries": [entry.to_json() for entry in entries], "means": means}


def _mean_gain(part: str, gains: Sequence[Gain], targets: int) -> dict[str, Any]:
    """The mean of gains over targets, with its t interval over the seeds that all of them have."""
    if not targets or len(gains) < targets:
        return {f"{part}_gain": None, f"{part}_interval": None}
    seeds = [seed for seed in gains[0].seeds if all(seed in gain.seeds for gain in gains)]
    by_seed = [np.mean([gain.by_seed[gain.seeds.index(seed)] for gain in gains]) for seed in seeds]
    mean = float(np.mean([gain.gain for gain in gains]))
    return {f"{part}_gain": mean, f"{part}_interval": seed_interval([float(value) for value in by_seed])}
