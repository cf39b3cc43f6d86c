"""What a study would take, without loading a model: rows, optimiser steps and bytes of every stage.

Rows are counted where the data can be read without the network; elsewhere they are those documented of the task, or
those the study's `sizes` gives. Steps follow from rows and `training.batch_rows` exactly; where batches have a token
budget, from half the longest input a row, which is a guess and marked as "about", as are the pieces that long
contexts, texts and sentences are cut into. Early stopping may end a run before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from adapter_stilts.config.schema import Merge, RunConfig
from adapter_stilts.config.study import StudyConfig
from adapter_stilts.encoder.kinds import Setting, kinds, resolve
from adapter_stilts.encoder.sizes import BYTES, adapter_parameters, fusion_parameters, head_parameters, trunk_parameters
from adapter_stilts.encoder.trunk.config import TrunkConfig, known_config
from adapter_stilts.errors import MissingError
from adapter_stilts.merging.methods import methods
from adapter_stilts.runs.material import for_task, where_of
from adapter_stilts.studies.stages import FUSE, MERGE, STACK, Grid, Stage
from adapter_stilts.tasks.base import Task, labels_of, tasks, under
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.sources import load, miniature_of
from adapter_stilts.tasks.user import find_task
from adapter_stilts.training.plan import usual_epochs

READ, DOCUMENTED, GIVEN, UNKNOWN = "read", "documented", "given in sizes", "unknown"
COUNT = re.compile(r"([\d,]+) \[")
OPEN_LABELS = {"ccg": 1363}  # jiant's count; others with open labels are counted where their rows can be read
FILLED = 0.5  # of the longest input, where rows are not tokenised


@dataclass(frozen=True)
class Rows:
    """Training rows of one task: how many, and how that is known."""

    task: str
    count: int | None
    known: str
    labels: int = 0

    def text(self) -> str:
        return f"{self.task}: {self.known}" if self.count is None else f"{_number(self.count)} {self.known}"


@dataclass(frozen=True)
class Forecast:
    """One stage. None is what cannot be told.

    steps  at most; `about` where they are estimated
    bytes  of the weights it leaves behind; `whole` what full fine-tuning would leave
    """

    stage: Stage
    rows: tuple[Rows, ...]
    steps: int | None
    about: bool
    bytes: int | None
    whole: int | None

    def document(self) -> dict[str, Any]:
        return {
            **self.stage.to_json(),
            "rows": [{"task": rows.task, "rows": rows.count, "known": rows.known} for rows in self.rows],
            "steps": self.steps,
            "about": self.about,
            "bytes": self.bytes,
            "bytes_of_full_fine_tuning": self.whole,
            "rows_text": ", ".join(rows.text() for rows in self.rows),
        }


def forecast(study: StudyConfig, grid: Grid) -> list[Forecast]:
    """Every stage of a study, in its order."""
    trunk = known_config(study.trunk.name)
    adapters = {} if trunk is None else _adapters(grid.stages, trunk)
    return [_planned(stage, study, trunk, adapters.get(stage.key, {})) for stage in grid.stages]


def totals(planned: Sequence[Forecast]) -> dict[str, Any]:
    """The sums, and "sentence" with them in words; what cannot be told is left out, and counted in `unknown`."""
    trained = [plan for plan in planned if plan.stage.work == "train"]
    stages, trainings, readings = len(planned), len(trained), len(planned) - len(trained)
    steps, about = sum(plan.steps or 0 for plan in trained), any(plan.about for plan in trained)
    size, whole = sum(plan.bytes or 0 for plan in trained), sum(plan.whole or 0 for plan in trained)
    unknown = sum(plan.steps is None or plan.bytes is None for plan in trained)
    sentence = (
        f"{_number(stages)} stages: {_number(trainings)} trainings and {_number(readings)} readings; "
        f"at most {'about ' if about else ''}{_number(steps)} steps; {_gigabytes(size)} of adapters, fusions and "
        f"heads, where full fine-tuning would leave {_gigabytes(whole)}"
    )
    if unknown:
        sentence += f"; {unknown} of the trainings cannot be told and are not in these sums"
    counts = {"stages": stages, "trainings": trainings, "readings": readings, "steps": steps, "about": about}
    sizes = {"bytes": size, "bytes_of_full_fine_tuning": whole, "unknown": unknown}
    return {**counts, **sizes, "sentence": sentence}


def _planned(stage: Stage, study: StudyConfig, trunk: TrunkConfig | None, adapters: Mapping[str, int]) -> Forecast:
    config = stage.config
    if stage.work == "read":
        return Forecast(stage, (), 0, False, 0, 0)
    settings = config.task.model_dump(exclude_none=True)
    named = {name: under(find_task(name, settings), config.evaluation.protocol) for name in stage.tasks}
    rows = tuple(_rows(name, task, stage, study) for name, task in named.items())
    steps, about = (0, False) if config.control == "random-adapter" else _steps(config, list(named.values()), rows)
    if trunk is None:
        return Forecast(stage, rows, steps, about, None, None)
    pool = config.training.head_pool
    counted = zip(named.values(), rows, strict=True)
    heads = sum(head_parameters(task.format.name, count.labels, trunk, pool) for task, count in counted)
    size, whole = BYTES * (sum(adapters.values()) + heads), BYTES * (trunk_parameters(trunk) + heads)
    return Forecast(stage, rows, steps, about, size, whole)


def _adapters(stages: Sequence[Stage], trunk: TrunkConfig) -> dict[str, dict[str, int]]:
    """What the run of each stage stores beside its head: stage -> the stage that made a part -> its parameters.

    A run can be used on its own, so what lies frozen under its own adapter, or is fused, is stored with it.
    """
    stored: dict[str, dict[str, int]] = {}
    settings: dict[str, dict[str, Setting]] = {}
    for stage in stages:
        adapter = stage.config.adapter
        settings[stage.key] = resolve(kinds[adapter.kind], adapter.settings)
        if stage.how == MERGE:
            settings[stage.key] = _merged([settings[parent] for parent in stage.parents], stage.config.merge)
        own = adapter_parameters(adapter.kind, settings[stage.key], trunk)
        below: dict[str, int] = {}
        for parent in stage.parents if stage.how in (STACK, FUSE) else ():
            below |= stored[parent]
        if stage.how == FUSE:
            own = fusion_parameters(trunk) + (own if stage.config.fusion.target_adapter else 0)
        if stage.work == "train":
            stored[stage.key] = {**below, stage.key: own}
    return stored


def _merged(parents: Sequence[Mapping[str, Setting]], merging: Merge) -> dict[str, Setting]:
    """The settings of the adapter that a target starts from: a sum of low rank has the ranks of all that are in it, and
    bottlenecks side by side have the width of all."""
    settings, method = dict(parents[0]), methods[merging.method]
    ranks = [rank for parent in parents if isinstance(rank := parent.get("r"), int)]
    if ranks:
        settings["r"] = merging.rank or (max(ranks) if method.compresses or method.ordered else sum(ranks))
    factors = [factor for parent in parents if isinstance(factor := parent.get("reduction_factor"), float)]
    if factors and method.joins:
        settings["reduction_factor"] = 1 / sum(1 / factor for factor in factors)
    return settings


def _rows(name: str, task: Task, stage: Stage, study: StudyConfig) -> Rows:
    """The rows that a stage trains one of its tasks on; name: as the study has it, a task's or that of a task file."""
    config = stage.config
    languages = for_task(config.data.language, task.name, stage.tasks, "data.language")
    sources, columns = config.data.sources, config.task.columns
    try:
        where = where_of(sources, config.trunk.name, columns=columns, task=task.name, tasks=stage.tasks)
        count, known, labels = _counted(name, task, where, languages, everywhere=len(stage.tasks) > 1)
    except MissingError:
        count, known, labels = *_documented(task), len(task.labels or ())
    if count is None and task.name in study.sizes:
        count, known = study.sizes[task.name], GIVEN
    if count is not None and config.training.rows is not None:
        count = min(count, config.training.rows)
    return Rows(task.name, count, known, labels or OPEN_LABELS.get(task.name, 0))


def _counted(
    name: str, task: Task, where: Where, languages: tuple[str, ...], *, everywhere: bool
) -> tuple[int | None, str, int]:
    """(rows, how that is known, labels); text is read in all languages where that is `everywhere`."""
    labels = len(task.labels or ())
    if where.kind == "miniature" and task.source.miniature:
        dataset = miniature_of(task)
        times = len(languages or dataset.languages) if task.format.masked and (languages or everywhere) else 1
        return dataset.sizes["train"] * times, READ, labels or len(dataset.labels or ())
    if where.kind == "files" or where.folder is not None:
        place = (where.kind, where.folder, tuple(sorted(where.files.items())), tuple(sorted(where.columns.items())))
        rows, open_labels = _loaded(name, place, languages[:1])
        return rows, READ, labels or open_labels
    return (*_documented(task), labels)


@cache
def _loaded(name: str, place: tuple[Any, ...], languages: tuple[str, ...]) -> tuple[int, int]:
    """(rows, labels) in files that are read once for a whole study; MissingError where they are not there."""
    kind, folder, files, columns = place
    task = find_task(name)
    language = languages[0] if languages else task.train_language
    examples = load(task, "train", language, Where(kind, folder, dict(files), dict(columns))).examples
    return len(examples), len(labels_of(task, examples) or ())


def _documented(task: Task) -> tuple[int | None, str]:
    """(the published number of training rows, less those held out for validation; how that is known)."""
    owner = task if "train" in task.source.sizes or not task.train_task else tasks[task.train_task]
    match = COUNT.match(owner.source.sizes.get("train", "").replace(" in English", ""))
    if match is None:
        return None, UNKNOWN
    count = int(match.group(1).replace(",", ""))
    return count - count // task.held_out if task.held_out else count, DOCUMENTED


def _steps(config: RunConfig, learned: Sequence[Task], rows: Sequence[Rows]) -> tuple[int | None, bool]:
    """(optimiser steps at most, whether they are an estimate)."""
    training = config.training
    if training.max_steps is not None:
        return training.max_steps, False
    if training.minutes is not None or any(counted.count is None for counted in rows):
        return None, False
    passes = [_passes(config, task, counted.count or 0) for task, counted in zip(learned, rows, strict=True)]
    once = sum(-(-count // training.accumulation) for count in passes)
    steps = once * (training.epochs or usual_epochs(once))
    return steps, training.batch_rows is None or any(not task.format.whole for task in learned)


def _passes(config: RunConfig, task: Task, rows: int) -> int:
    training = config.training
    if training.batch_rows is not None:
        return -(-rows // training.batch_rows)
    texts = task.query_length / task.max_length + 1 if task.format.ranking else 1
    length = (training.max_length or task.max_length) * texts
    return max(1, -(-round(rows * length * FILLED) // training.token_budget))


def _number(value: int) -> str:
    return f"{value:,}".replace(",", " ")


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB".replace(",", " ") if size >= 1e8 else f"{size / 1e6:.1f} MB"
