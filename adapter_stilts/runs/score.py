"""`score`: the metrics alone, on anybody's prediction files; the numbers of XTREME's own evaluate.py, as fractions.

    score(FilesRequest(Path("labels.tsv"), Path("predictions.tsv"), task="xnli"), report=Silent())[0].score
    score_folders(BenchmarkRequest("xtreme", Path("predictions"), Path("labels")), report=Silent()).means["all_task"]

No model is loaded and nothing is written. A row's protocol is the benchmark whose evaluation code gives the same
number, "own" where none does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter_stilts.errors import UsageError
from adapter_stilts.evaluation.benchmark import BenchmarkScore, score_benchmark
from adapter_stilts.evaluation.given import in_files, needs_language, score_file
from adapter_stilts.metrics.base import Options, Score, metrics
from adapter_stilts.metrics.forms import read_odds
from adapter_stilts.metrics.tags import TYPES
from adapter_stilts.registry import unknown_name
from adapter_stilts.reporting import Reporter
from adapter_stilts.statistics.intervals import REPLICATES
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.languages import iso1
from adapter_stilts.tasks.user import find_task

NO_LANGUAGE = "und"


@dataclass(frozen=True)
class FilesRequest:
    """One file of predictions against one of gold.

    task            whose metric is taken, and whose release the gold file may be; or
    metric          a metric by its own name
    rule            chunks by seqeval "0.0" (XTREME) or "1.2"
    null_odds       squad_v2: a file {"question id": how much better "no answer" scored}
    null_threshold  squad_v2: odds above which a question counts as answered with ""
    positive        accuracy_f1: the label whose F1 is taken
    replicates      of the bootstrap interval; 0: none
    """

    gold: Path
    predictions: Path
    task: str = ""
    metric: str = ""
    language: str = ""
    rule: str = "0.0"
    null_odds: Path | None = None
    null_threshold: float = 0.0
    positive: str = "1"
    seed: int = 13
    replicates: int = REPLICATES


@dataclass(frozen=True)
class BenchmarkRequest:
    """A folder of predictions against a folder of labels, both in XTREME's form."""

    name: str
    predictions: Path
    labels: Path
    rule: str = "0.0"
    seed: int = 13
    replicates: int = REPLICATES


def score(request: FilesRequest, *, report: Reporter) -> list[Result]:
    """The scores of one file: a row for every metric, the headline first."""
    task, metric = _metric(request)
    if request.rule not in TYPES:
        raise unknown_name("chunk rule", request.rule, TYPES)
    needs_language(metric, request.language)
    if request.null_odds and metric != "squad_v2":
        advice = "leave --null-odds out, or score with --metric squad_v2"
        raise UsageError(f'odds of "no answer" mean nothing to {metric}', do=advice)
    odds = read_odds(request.null_odds) if request.null_odds else None
    options = Options(
        language=iso1(request.language) if request.language else "",
        positive=request.positive,
        rule=request.rule,
        null_odds=odds,
        null_threshold=request.null_threshold,
        seed=request.seed,
        replicates=request.replicates,
    )
    found = score_file(metric, request.gold, request.predictions, options, task)
    if found.unanswered:
        report.say(f"{found.unanswered} of {found.n} questions have no prediction; they score 0")
    return _rows(request, metric, found)


def score_folders(request: BenchmarkRequest, *, report: Reporter) -> BenchmarkScore:
    """The scores of a benchmark: rows, means, and what is missing."""
    if request.rule not in TYPES:
        raise unknown_name("chunk rule", request.rule, TYPES)
    options = Options(rule=request.rule, seed=request.seed, replicates=request.replicates)
    found = score_benchmark(request.name, request.predictions, request.labels, options)
    for sentence in _notes(request.name, found):
        report.say(sentence)
    return found


def _metric(request: FilesRequest) -> tuple[Task | None, str]:
    """The task, where one is registered, and the metric."""
    known = [metric.name for metric in metrics.values() if metric.form]
    if not request.task and not request.metric:
        advice = f"add --task, for example --task xnli, or --metric, one of: {', '.join(known)}"
        raise UsageError("nothing says which metric is taken", do=advice)
    task = find_task(request.task) if request.task else None
    metric = request.metric or (task.metric if task else "")
    if request.metric:
        in_files(metric)
    if metric not in known:
        what = f"'{request.task}' has no predictions in files: it is scored by {metric}"
        raise UsageError(what, do="score it with `adapter-stilts eval`")
    return task, metric


def _rows(request: FilesRequest, metric: str, found: Score) -> list[Result]:
    rule = metrics[metric]
    protocol = rule.protocol if rule.protocol != "xtreme" or request.rule == "0.0" else "own"
    settings: dict[str, Any] = {}
    if rule.takes_rule:
        settings["rule"] = request.rule
    if rule.takes_odds:
        settings["null_threshold"] = request.null_threshold
    if found.unanswered:
        settings["unanswered"] = found.unanswered
    language = request.language or NO_LANGUAGE
    name = request.task or metric
    rows = [
        Result(
            *(name, protocol, language, one.metric, one.score, found.n, one.interval),
            split="",
            headline=one.metric == found.headline,
            settings=settings,
        )
        for one in found.measures
    ]
    return sorted(rows, key=lambda row: not row.headline)


def _notes(name: str, found: BenchmarkScore) -> list[str]:
    notes = []
    if found.missing_tasks:
        what = f"no predictions or no labels for {', '.join(found.missing_tasks)}"
        notes.append(f"{name} is not complete: {what}; no mean that needs them is given")
    for task, languages in found.missing_languages.items():
        notes.append(f"the mean of {task} is partial: no labels for {', '.join(languages)}")
    lacking = {(row.task, row.language): row for row in found.rows if "unanswered" in row.settings}
    for (task, language), row in lacking.items():
        number = row.settings["unanswered"]
        notes.append(f"{task} {language}: {number} of {row.n} questions have no prediction; they score 0")
    notes += [f"not scored: {place}" for place in found.not_scored]
    return notes
