"""A whole benchmark from its folder of predictions and its folder of labels: a row per task, language and metric, and
the means.

The numbers are those of XTREME's own evaluate.py, as fractions. A task's score is the unweighted mean over its
languages; question answering counts (mean exact match + mean F1) / 2; LAReQA is one mean over the questions of all
languages. Then, by name:

    classification, tagging, ...   unweighted mean over the tasks of a group
    all_task                       unweighted mean over all tasks, which leaderboards show
    all_group                      unweighted mean over the groups, which also circulates and is another number
    without_retrieval              all_task without the retrieval tasks; all_group_without_retrieval likewise

A mean is given only where all its tasks are there. A labelled language without predictions is an error; published
languages without labels are named in `missing_languages`, since a mean over the others is partial.

    labels/xnli/test-sw.tsv  predictions/xnli/test-sw.tsv      the same layout on both sides (folder.py); labels of
    labels/xquad/test-zh.json                                  question answering are SQuAD files
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from adapter_stilts.errors import TaskDataError
from adapter_stilts.evaluation.benchmarks import BENCHMARKS, Benchmark
from adapter_stilts.evaluation.given import score_file
from adapter_stilts.metrics.base import Options, metrics
from adapter_stilts.metrics.forms import forms, found_path
from adapter_stilts.registry import unknown_name
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.base import tasks

__all__ = ["BenchmarkScore", "score_benchmark", "score_file"]


@dataclass(frozen=True)
class BenchmarkScore:
    """Every row, the means by name, and what they lack.

    missing_tasks       tasks without predictions or without labels
    missing_languages   by task, published languages without labels
    not_scored          folders and languages that are there and count in nothing
    """

    rows: tuple[Result, ...]
    means: dict[str, float]
    missing_tasks: tuple[str, ...]
    missing_languages: dict[str, tuple[str, ...]]
    not_scored: tuple[str, ...]

    @property
    def complete(self) -> bool:
        return not self.missing_tasks and not self.missing_languages


def score_benchmark(name: str, predictions: Path, labels: Path, options: Options | None = None) -> BenchmarkScore:
    """Score every task of a benchmark that both folders hold.

    Raises TaskDataError where they share no task, a labelled language has no predictions, or files do not belong
    together; UnknownName for another benchmark.
    """
    if name not in BENCHMARKS:
        raise unknown_name("benchmark", name, BENCHMARKS)
    benchmark = BENCHMARKS[name]
    for folder in (predictions, labels):
        if not folder.is_dir():
            what = "no such folder"
            raise TaskDataError(what, where=str(folder), do="name the folder that holds one folder for each task")
    tasks = [task for task in benchmark.metrics if (predictions / task).is_dir() and (labels / task).is_dir()]
    if not tasks:
        wanted = ", ".join(benchmark.metrics)
        what, do = f"no task of {name} in both folders", f"put each task in a folder of its name: {wanted}"
        raise TaskDataError(what, where=f"{predictions} and {labels}", do=do)
    languages = {task: _languages(benchmark, task, labels / task) for task in tasks}
    rows = [
        row
        for task in tasks
        for row in _task_rows(
            name, benchmark.metrics[task], task, languages[task], predictions, labels, options or Options()
        )
    ]
    return BenchmarkScore(
        tuple(rows),
        _means(benchmark, rows),
        tuple(task for task in benchmark.metrics if task not in tasks),
        {
            task: lacking
            for task in tasks
            if (lacking := tuple(one for one in benchmark.languages[task] if one not in languages[task]))
        },
        _not_scored(benchmark, languages, predictions, labels),
    )


def _task_rows(
    name: str, metric: str, task: str, languages: Sequence[str], predictions: Path, labels: Path, options: Options
) -> list[Result]:
    form = tasks[task].format.form
    rows = []
    for language in languages:
        gold, guessed = (found_path(folder, task, language, form) for folder in (labels, predictions))
        score = score_file(metric, gold, guessed, replace(options, language=language))
        settings: dict[str, object] = {"rule": options.rule} if metrics[metric].takes_rule else {}
        settings |= {"unanswered": score.unanswered} if score.unanswered else {}
        rows += [
            Result(task, name, language, one.metric, one.score, score.n, one.interval, settings=settings)
            for one in score.measures
        ]
    return rows


def _languages(benchmark: Benchmark, task: str, folder: Path) -> list[str]:
    """The published languages that are labelled; where there is none of those, whatever is labelled."""
    found = _labelled(folder, tasks[task].format.form)
    if not found:
        endings = " or ".join(f"test-<language>.{ending}" for ending in forms[tasks[task].format.form].endings)
        raise TaskDataError("no label file", where=str(folder), do=f"labels are called {endings}")
    return [language for language in benchmark.languages[task] if language in found] or found


def _labelled(folder: Path, form: str) -> list[str]:
    return sorted(
        {path.stem.removeprefix("test-") for ending in forms[form].endings for path in folder.glob(f"test-*.{ending}")}
    )


def _not_scored(
    benchmark: Benchmark, languages: Mapping[str, Sequence[str]], predictions: Path, labels: Path
) -> tuple[str, ...]:
    folders = [
        f"{path}"
        for side in (predictions, labels)
        for path in sorted(side.iterdir())
        if path.is_dir() and path.name not in languages
    ]
    files = []
    for task, scored in languages.items():
        for side in (predictions, labels):
            extra = [one for one in _labelled(side / task, tasks[task].format.form) if one not in scored]
            files += [f"{side / task}: {', '.join(extra)}"] if extra else []
    return (*folders, *files)


def _means(benchmark: Benchmark, rows: Sequence[Result]) -> dict[str, float]:
    scored = {task: [row for row in rows if row.task == task] for task in benchmark.metrics}
    tasks = {task: _task_mean(benchmark.metrics[task], of_task) for task, of_task in scored.items() if of_task}
    groups = {
        group: _mean(tasks, members)
        for group, members in benchmark.groups.items()
        if all(task in tasks for task in members)
    }
    others = [task for task in benchmark.metrics if task not in benchmark.retrieval]
    other_groups = [
        group for group in benchmark.averaged if not set(benchmark.groups[group]) & set(benchmark.retrieval)
    ]
    totals = {
        "all_task": (tasks, list(benchmark.metrics)),
        "all_group": (groups, list(benchmark.averaged)),
        "without_retrieval": (tasks, others),
        "all_group_without_retrieval": (groups, other_groups),
    }
    return (
        tasks
        | groups
        | {
            name: _mean(of, members)
            for name, (of, members) in totals.items()
            if all(member in of for member in members)
        }
    )


def _task_mean(metric: str, rows: Sequence[Result]) -> float:
    if metrics[metric].pooled:
        return float(np.average([row.score for row in rows], weights=[row.n for row in rows]))
    return float(
        np.mean(
            [
                np.mean([row.score for row in rows if row.metric == name])
                for name in (metrics[metric].averaged or (metric,))
            ]
        )
    )


def _mean(scores: Mapping[str, float], names: Sequence[str]) -> float:
    return float(np.mean([scores[name] for name in names]))
