"""`score`: the metrics alone, on anybody's prediction files; the numbers are those of XTREME's own evaluate.py, as fractions.

    score(FilesRequest(Path("labels.tsv"), Path("predictions.tsv"), task="xnli"), report=Silent())["results"][0]["score"]
    score_folders(BenchmarkRequest("xtreme", Path("predictions"), Path("labels")), report=Silent())["means"]["all_task"]

No model is loaded and nothing is written. A row's protocol is the benchmark whose evaluation code gives the same number, "own" where none does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter_stilts.errors import UsageError
from adapter_stilts.evaluation import benchmarks
from adapter_stilts.evaluation.benchmark import BenchmarkScore, score_benchmark
from adapter_stilts.evaluation.entities import TYPES
from adapter_stilts.evaluation.folder import read_odds
from adapter_stilts.evaluation.given import METRICS, needs_language, score_file
from adapter_stilts.evaluation.scoring import Options, Score
from adapter_stilts.registry import unknown_name
from adapter_stilts.reporting import Reporter
from adapter_stilts.statistics.intervals import REPLICATES
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.base import Task, tasks
from adapter_stilts.tasks.languages import iso1
from adapter_stilts.tasks.user import find_task

XTREME = ("accuracy", "retrieval", "chunk_f1", "token_accuracy", "squad", "mlqa", "mining")
XTREME_R = ("map20", "mrr20")
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


def score(request: FilesRequest, *, report: Reporter) -> dict[str, Any]:
    """The document of one scored file: a row for every metric, the headline first."""
    task, metric = _metric(request)
    if request.rule not in TYPES:
        raise unknown_name("chunk rule", request.rule, TYPES)
    needs_language(metric, request.language)
    if request.null_odds and metric != "squad_v2":
        raise UsageError(f"odds of \"no answer\" mean nothing to {metric}", do="leave --null-odds out, or score with --metric squad_v2")
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
    return {"gold": str(request.gold), "predictions": str(request.predictions), "results": _rows(request, metric, found)}


def score_folders(request: BenchmarkRequest, *, report: Reporter) -> dict[str, Any]:
    """The document of a scored benchmark: rows, means, and what is missing."""
    if request.rule not in TYPES:
        raise unknown_name("chunk rule", request.rule, TYPES)
    options = Options(rule=request.rule, seed=request.seed, replicates=request.replicates)
    found = score_benchmark(request.name, request.predictions, request.labels, options)
    for sentence in _notes(request.name, found):
        report.say(sentence)
    return {
        "benchmark": request.name,
        "complete": found.complete,
        "missing": {"tasks": list(found.missing_tasks), "languages": {task: list(codes) for task, codes in found.missing_languages.items()}},
        "not_scored": list(found.not_scored),
        "results": [row.to_json() for row in found.rows],
        "means": found.means,
    }


def _metric(request: FilesRequest) -> tuple[Task | None, str]:
    """The task, where one is registered, and the metric."""
    if not request.task and not request.metric:
        raise UsageError("nothing says which metric is taken", do=f"add --task, for example --task xnli, or --metric, one of: {', '.join(METRICS)}")
    task = None
    if request.task and (request.task in tasks or request.task not in benchmarks.METRICS):
        task = find_task(request.task)
    metric = request.metric or (task.metric if task else benchmarks.METRICS[request.task])
    if metric not in METRICS and request.metric:
        raise unknown_name("metric", metric, METRICS)
    if metric not in METRICS:
        raise UsageError(f"'{request.task}' has no predictions in files: it is scored by {metric}", do="score it with `adapter-stilts eval`")
    return task, metric


def _rows(request: FilesRequest, metric: str, found: Score) -> list[dict[str, Any]]:
    protocol = "xtreme-r" if metric in XTREME_R else "xtreme" if metric in XTREME and request.rule == "0.0" else "own"
    settings: dict[str, Any] = {}
    if METRICS[metric] == "tags":
        settings["rule"] = request.rule
    if metric == "squad_v2":
        settings["null_threshold"] = request.null_threshold
    if found.unanswered:
        settings["unanswered"] = found.unanswered
    language = request.language or NO_LANGUAGE
    name = request.task or metric
    rows = [Result(name, protocol, language, one.metric, one.score, found.n, one.interval, split="", settings=settings) for one in found.measures]
    ordered = sorted(rows, key=lambda row: row.metric != found.headline)
    return [{**row.to_json(), "headline": row.metric == found.headline} for row in ordered]


def _notes(name: str, found: BenchmarkScore) -> list[str]:
    notes = []
    if found.missing_tasks:
        notes.append(f"{name} is not complete: no predictions or no labels for {', '.join(found.missing_tasks)}; no mean that needs them is given")
    for task, languages in found.missing_languages.items():
        notes.append(f"the mean of {task} is partial: no labels for {', '.join(languages)}")
    unanswered = {(row.task, row.language): (row.settings["unanswered"], row.n) for row in found.rows if "unanswered" in row.settings}
    notes += [f"{task} {language}: {number} of {n} questions have no prediction; they score 0" for (task, language), (number, n) in unanswered.items()]
    notes += [f"not scored: {place}" for place in found.not_scored]
    return notes
