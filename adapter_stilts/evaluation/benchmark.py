"""A whole benchmark from its folder of predictions and its folder of labels: a row per task, language and metric, and the means.

The numbers are those of XTREME's own evaluate.py, as fractions: per task the unweighted mean over languages; question answering
counts (mean exact match + mean F1) / 2; groups and `all_task` are unweighted means over tasks, and are given only where every one
of their tasks is there. The labels decide which languages count: a labelled language without predictions is an error.

    labels/xnli/test-sw.tsv  predictions/xnli/test-sw.tsv      the same layout on both sides (folder.py); labels of
    labels/xquad/test-zh.json                                  question answering are SQuAD files
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from adapter_stilts.data.examples import SpanQuestion
from adapter_stilts.data.readers import read_rows
from adapter_stilts.errors import TaskDataError
from adapter_stilts.evaluation.folder import Form, prediction_path, read_answers, read_lines, read_pairs, read_tags
from adapter_stilts.evaluation.results import Result
from adapter_stilts.evaluation.scoring import Options, Score, score_answers, score_labels, score_pairs, score_tags
from adapter_stilts.registry import unknown_name

FILES: dict[str, Form] = {"accuracy": "lines", "chunk_f1": "tags", "squad": "answers", "mlqa": "answers", "mining": "pairs"}


@dataclass(frozen=True)
class Benchmark:
    """Tasks by group, and the metric of each."""

    groups: dict[str, tuple[str, ...]]
    metrics: dict[str, str]


BENCHMARKS = {
    "xtreme": Benchmark(
        {"classification": ("pawsx", "xnli"), "tagging": ("udpos", "panx"), "qa": ("xquad", "mlqa", "tydiqa"), "retrieval": ("bucc2018", "tatoeba")},
        {"pawsx": "accuracy", "xnli": "accuracy", "udpos": "chunk_f1", "panx": "chunk_f1", "xquad": "squad", "mlqa": "mlqa", "tydiqa": "squad"}
        | {"bucc2018": "mining", "tatoeba": "accuracy"},
    ),
}


@dataclass(frozen=True)
class BenchmarkScore:
    """Every row, and the means by name: each task, each group, `all_task`, and `without_retrieval` beside it."""

    rows: tuple[Result, ...]
    means: dict[str, float]


def score_benchmark(name: str, predictions: Path, labels: Path, options: Options | None = None) -> BenchmarkScore:
    """Score every task of a benchmark that both folders hold.

    Raises TaskDataError where they share no task or a labelled language has no predictions; UnknownName for another benchmark.
    """
    if name not in BENCHMARKS:
        raise unknown_name("benchmark", name, BENCHMARKS)
    benchmark = BENCHMARKS[name]
    tasks = [task for task in benchmark.metrics if (predictions / task).is_dir() and (labels / task).is_dir()]
    if not tasks:
        wanted = ", ".join(benchmark.metrics)
        raise TaskDataError(f"no task of {name} in both folders", where=f"{predictions} and {labels}", do=f"put each task in a folder of its name: {wanted}")
    rows = [row for task in tasks for row in _task_rows(name, task, benchmark.metrics[task], predictions, labels, options or Options())]
    return BenchmarkScore(tuple(rows), _means(benchmark, rows))


def score_file(metric: str, gold: Path, predictions: Path, options: Options | None = None) -> Score:
    """Score one file of predictions against one of labels, both in the folder form of the metric."""
    if metric not in FILES:
        raise unknown_name("metric", metric, FILES)
    try:
        return SCORERS[FILES[metric]](metric, gold, predictions, options or Options())
    except TaskDataError as error:
        raise error if error.where.startswith((str(gold), str(predictions))) else _placed(error, predictions) from error


def _lines(metric: str, gold: Path, predictions: Path, options: Options) -> Score:
    return score_labels(read_lines(gold), read_lines(predictions), options)


def _tags(metric: str, gold: Path, predictions: Path, options: Options) -> Score:
    return score_tags(read_tags(gold), read_tags(predictions), options)


def _answers(metric: str, gold: Path, predictions: Path, options: Options) -> Score:
    questions = cast(list[SpanQuestion], read_rows(gold, "span"))
    return score_answers(metric, {row.id: [answer.text for answer in row.answers] for row in questions}, read_answers(predictions), options)


def _pairs(metric: str, gold: Path, predictions: Path, options: Options) -> Score:
    return score_pairs(read_pairs(gold), read_pairs(predictions), options)


SCORERS: dict[Form, Callable[[str, Path, Path, Options], Score]] = {"lines": _lines, "tags": _tags, "answers": _answers, "pairs": _pairs}


def _task_rows(name: str, task: str, metric: str, predictions: Path, labels: Path, options: Options) -> list[Result]:
    rows = []
    for language in _languages(labels / task):
        gold, guessed = (prediction_path(folder, task, language, FILES[metric]) for folder in (labels, predictions))
        score = score_file(metric, gold, guessed, replace(options, language=language))
        rows += [Result(task, name, language, one.metric, one.score, score.n, one.interval) for one in score.measures]
    return rows


def _languages(folder: Path) -> list[str]:
    found = sorted(path.stem.removeprefix("test-") for path in folder.glob("test-*") if path.suffix in (".tsv", ".json"))
    if not found:
        raise TaskDataError("no label file", where=str(folder), do="labels are called test-<language>.tsv, or .json for question answering")
    return found


def _means(benchmark: Benchmark, rows: Sequence[Result]) -> dict[str, float]:
    scored = {task: [row for row in rows if row.task == task] for task in benchmark.metrics}
    means = {task: _task_mean(benchmark.metrics[task], of_task) for task, of_task in scored.items() if of_task}
    groups = {group: tasks for group, tasks in benchmark.groups.items() if all(task in means for task in tasks)}
    result = means | {group: float(np.mean([means[task] for task in tasks])) for group, tasks in groups.items()}
    if len(means) == len(benchmark.metrics):
        others = [task for task in means if task not in benchmark.groups.get("retrieval", ())]
        result |= {"all_task": float(np.mean(list(means.values()))), "without_retrieval": float(np.mean([means[task] for task in others]))}
    return result


def _task_mean(metric: str, rows: Sequence[Result]) -> float:
    names = {"accuracy": ("accuracy",), "squad": ("exact_match", "f1"), "mlqa": ("exact_match", "f1")}.get(metric, ("f1",))
    return float(np.mean([np.mean([row.score for row in rows if row.metric == name]) for name in names]))


def _placed(error: TaskDataError, path: Path) -> TaskDataError:
    """The same complaint, with the file of predictions it is about."""
    return TaskDataError(error.what, where=f"{path}, {error.where}" if error.where else str(path), do=error.do)
