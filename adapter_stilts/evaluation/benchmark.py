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

    labels/xnli/test-sw.tsv  predictions/xnli/test-sw.tsv     the same layout on both sides (metrics/forms.py); labels
    labels/xquad/test-zh.json                                 of question answering are SQuAD files

XTREME-R's own code has no languages, reader or metric for LAReQA, so it never completes; the paper's ten tasks are
here. XCOPA stands in two groups as in that code: `classification` and `multi_choice`. Its `retrieval` group lacks
LAReQA; `retrieval_with_lareqa` is the paper's. `all_group` takes each task once: `averaged`.

Hu et al. (2020), https://arxiv.org/abs/2003.11080; Ruder et al. (2021), https://arxiv.org/abs/2104.07412
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from adapter_stilts.data.columns import words
from adapter_stilts.errors import TaskDataError
from adapter_stilts.evaluation.given import score_file, settings_of
from adapter_stilts.metrics.base import DEFAULTS, Options, metrics
from adapter_stilts.metrics.forms import forms, found_path
from adapter_stilts.registry import unknown_name
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.base import tasks


@dataclass(frozen=True)
class Benchmark:
    """Tasks with their metric and languages, by group, as evaluate.py has them."""

    metrics: dict[str, str]
    languages: dict[str, tuple[str, ...]]
    groups: dict[str, tuple[str, ...]]
    averaged: tuple[str, ...]  # the groups that `all_group` is the mean of: every task is in one of them
    retrieval: tuple[str, ...]  # the tasks that `without_retrieval` leaves out


# Where the official script has a task's languages in another order than the task.
ORDER = {
    "xquad": "en es de el ru tr ar vi th zh hi",
    "mlqa": "en es de ar hi vi zh",
    "tydiqa": "en ar bn fi id ko ru sw te",
}
TAGGING, QA = ("udpos", "panx"), ("xquad", "mlqa", "tydiqa")


def _benchmark(
    groups: dict[str, tuple[str, ...]], averaged: tuple[str, ...], retrieval: tuple[str, ...], *, extra: bool
) -> Benchmark:
    """extra: with the languages that XTREME-R adds to XTREME's."""
    names = dict.fromkeys(task for group in averaged for task in groups[group])
    languages = {name: words(ORDER[name]) if name in ORDER else tasks[name].languages for name in names}
    if extra:
        languages = {name: (*own, *tasks[name].extra_languages) for name, own in languages.items()}
    return Benchmark({name: tasks[name].metric for name in names}, languages, groups, averaged, retrieval)


BENCHMARKS = {
    "xtreme": _benchmark(
        {"classification": ("pawsx", "xnli"), "tagging": TAGGING, "qa": QA, "retrieval": ("bucc2018", "tatoeba")},
        ("classification", "tagging", "qa", "retrieval"),
        ("bucc2018", "tatoeba"),
        extra=False,
    ),
    "xtreme-r": _benchmark(
        {
            "classification": ("xnli", "xcopa"),
            "tagging": TAGGING,
            "qa": QA,
            "retrieval": ("tatoeba", "mewslix"),
            "multi_choice": ("xcopa",),
            "retrieval_with_lareqa": ("lareqa", "mewslix", "tatoeba"),
        },
        ("classification", "tagging", "qa", "retrieval_with_lareqa"),
        ("lareqa", "mewslix", "tatoeba"),
        extra=True,
    ),
}


@dataclass(frozen=True)
class BenchmarkScore:
    """Every row, the means by name, and what they lack."""

    rows: tuple[Result, ...]
    means: dict[str, float]
    missing_tasks: tuple[str, ...]  # tasks without predictions or without labels
    missing_languages: dict[str, tuple[str, ...]]  # by task, published languages without labels
    not_scored: tuple[str, ...]  # folders and languages that are there and count in nothing

    @property
    def complete(self) -> bool:
        return not self.missing_tasks and not self.missing_languages


def score_benchmark(name: str, predictions: Path, labels: Path, options: Options = DEFAULTS) -> BenchmarkScore:
    """Score every task of a benchmark that both folders hold.

    Raises TaskDataError where they share no task, a labelled language has no predictions, or files do not belong
    together; UnknownName for another benchmark.
    """
    if name not in BENCHMARKS:
        raise unknown_name("benchmark", name, BENCHMARKS)
    benchmark = BENCHMARKS[name]
    for folder in (predictions, labels):
        if not folder.is_dir():
            do = "name the folder that holds one folder for each task"
            raise TaskDataError("no such folder", where=str(folder), do=do)
    scored = [task for task in benchmark.metrics if (predictions / task).is_dir() and (labels / task).is_dir()]
    if not scored:
        wanted = ", ".join(benchmark.metrics)
        what, do = f"no task of {name} in both folders", f"put each task in a folder of its name: {wanted}"
        raise TaskDataError(what, where=f"{predictions} and {labels}", do=do)
    languages = {task: _languages(benchmark.languages[task], labels / task) for task in scored}
    rows = [
        row
        for task in scored
        for language in languages[task]
        for row in _rows(name, task, benchmark.metrics[task], predictions, labels, replace(options, language=language))
    ]
    published = benchmark.languages
    missing = {task: tuple(code for code in published[task] if code not in languages[task]) for task in scored}
    return BenchmarkScore(
        tuple(rows),
        _means(benchmark, rows),
        tuple(task for task in benchmark.metrics if task not in scored),
        {task: lacking for task, lacking in missing.items() if lacking},
        _not_scored(languages, predictions, labels),
    )


def _rows(name: str, task: str, metric: str, predictions: Path, labels: Path, options: Options) -> list[Result]:
    language, form = options.language, tasks[task].format.form
    gold, guessed = (found_path(folder, task, language, form) for folder in (labels, predictions))
    score = score_file(metric, gold, guessed, options).score
    settings = settings_of(metric, score, options)
    return [
        Result(task, name, language, measure.metric, measure.score, score.n, measure.interval, settings=settings)
        for measure in score.measures
    ]


def _languages(published: Sequence[str], folder: Path) -> list[str]:
    """The published languages that are labelled; where there is none of those, whatever is labelled."""
    labelled = _labelled(folder)
    if not labelled:
        endings = " or ".join(f"test-<language>.{ending}" for ending in _endings(folder))
        raise TaskDataError("no label file", where=str(folder), do=f"labels are called {endings}")
    return [language for language in published if language in labelled] or labelled


def _labelled(folder: Path) -> list[str]:
    paths = (path for ending in _endings(folder) for path in folder.glob(f"test-*.{ending}"))
    return sorted({path.stem.removeprefix("test-") for path in paths})


def _endings(folder: Path) -> tuple[str, ...]:
    return forms[tasks[folder.name].format.form].endings


def _not_scored(languages: Mapping[str, Sequence[str]], predictions: Path, labels: Path) -> tuple[str, ...]:
    sides = (predictions, labels)
    folders = [path for side in sides for path in sorted(side.iterdir()) if path.is_dir()]
    files = []
    for task, scored in languages.items():
        for side in sides:
            extra = [language for language in _labelled(side / task) if language not in scored]
            files += [f"{side / task}: {', '.join(extra)}"] if extra else []
    return (*(f"{path}" for path in folders if path.name not in languages), *files)


def _means(benchmark: Benchmark, rows: Sequence[Result]) -> dict[str, float]:
    by_task = {task: [row for row in rows if row.task == task] for task in benchmark.metrics}
    of_tasks = {task: _task_mean(benchmark.metrics[task], scored) for task, scored in by_task.items() if scored}
    of_groups = _complete_means(of_tasks, benchmark.groups)
    others = [task for task in benchmark.metrics if task not in benchmark.retrieval]
    other_groups = [name for name in benchmark.averaged if not {*benchmark.groups[name]} & {*benchmark.retrieval}]
    return (
        of_tasks
        | of_groups
        | _complete_means(of_tasks, {"all_task": list(benchmark.metrics)})
        | _complete_means(of_groups, {"all_group": benchmark.averaged})
        | _complete_means(of_tasks, {"without_retrieval": others})
        | _complete_means(of_groups, {"all_group_without_retrieval": other_groups})
    )


def _complete_means(scores: Mapping[str, float], members: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Means by name, of those all of whose members are scored."""
    complete = {name: parts for name, parts in members.items() if all(part in scores for part in parts)}
    return {name: float(np.mean([scores[part] for part in parts])) for name, parts in complete.items()}


def _task_mean(metric: str, rows: Sequence[Result]) -> float:
    if metrics[metric].pooled:
        return float(np.average([row.score for row in rows], weights=[row.n for row in rows]))
    names = metrics[metric].averaged or (metric,)
    return float(np.mean([np.mean([row.score for row in rows if row.metric == name]) for name in names]))
