"""`score`: the metrics alone, on prediction files of anybody's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter_stilts.errors import UsageError, refuse

from . import progress, render
from .options import JsonOption, Text, option

if TYPE_CHECKING:
    from adapter_stilts.statistics.result import Result


PREDICTIONS = "With --benchmark: the folder of predictions."
LABELS = "With --benchmark: the folder of labels, laid out alike."
BENCHMARK = "xtreme or xtreme-r: every task of two folders, and the means."
RULE = "Whose rule finds chunks in tags: XTREME's numbers are 0.0's, and tasks of your own have their own."
ODDS = 'squad_v2: {"question id": how much better "no answer" scored}; gives the best-threshold scores.'
NO_ANSWER = 'squad_v2: odds above which "no answer" is the answer.'
REPORT = "Of one file, also precision, recall and F1 by class, and what was taken for what."
REPLICATES = "0 gives no intervals; they are computed, so that other numbers change nothing."


def score(
    predictions_folder: Annotated[Path | None, typer.Argument(metavar="PREDICTIONS", help=PREDICTIONS)] = None,
    labels_folder: Annotated[Path | None, typer.Argument(metavar="LABELS", help=LABELS)] = None,
    benchmark: Annotated[Text, option("--benchmark", "NAME", BENCHMARK)] = None,
    task: Annotated[Text, option("--task", "TASK", "Whose metric is taken; gold may be a file of its release.")] = None,
    metric: Annotated[Text, option("--metric", "adapter_stilts.metrics:metrics", "Or a metric.")] = None,
    gold: Annotated[Path | None, option("--gold", "FILE", "The right answers.")] = None,
    predictions: Annotated[
        Path | None, option("--predictions", "FILE", "What was predicted, in XTREME's form.")
    ] = None,
    language: Annotated[Text, option("--language", "CODE", "The answers' language; MLQA's rules need it.")] = None,
    seqeval: Annotated[Text, option("--seqeval", "0.0|1.2|own", RULE)] = None,
    positive: Annotated[str, option("--positive", "LABEL", "accuracy_f1: the label whose F1 is taken.")] = "1",
    null_odds: Annotated[Path | None, option("--null-odds", "FILE", ODDS)] = None,
    null_threshold: Annotated[float, option("--null-threshold", "X", NO_ANSWER)] = 0.0,
    replicates: Annotated[int, option("--replicates", "N", REPLICATES, min=0)] = 1000,
    report: Annotated[bool, option("--report", None, REPORT)] = False,
    as_json: JsonOption = False,
) -> None:
    """Score prediction files of anybody's, as XTREME's evaluate.py does.

    One file against one gold file, or a whole benchmark: two folders in XTREME's form, with the mean of each task,
    group and all. Predictions: a label a line; a tag a line, an empty line after each sentence; {"question id":
    "answer"}; for BUCC foreign id TAB English id; for LAReQA and Mewsli-X {"id": ..., "candidates": [...]} a line.

    \b
    Examples:
      adapter-stilts score --task xnli --gold labels.tsv --predictions mine.tsv
      adapter-stilts score --task mlqa --language de --gold test-context-de-question-de.json --predictions test-de.json
      adapter-stilts score --benchmark xtreme predictions labels
    """
    from adapter_stilts.evaluation import score as scoring
    from adapter_stilts.metrics.base import Options

    options = Options(rule=seqeval or "", intervals=replicates > 0)
    if benchmark is not None:
        one_file = ("task", "metric", "gold", "predictions", "language", "null-odds", "report")
        values = (task, metric, gold, predictions, language, null_odds, report or None)
        for name, value in zip(one_file, values, strict=True):
            wrong = f"--{name} goes with one file, --benchmark with two folders"
            refuse(value is not None, wrong, do="keep one of them")
        if predictions_folder is None or labels_folder is None:
            raise UsageError("--benchmark needs two folders", do=f"score --benchmark {benchmark} PREDICTIONS LABELS")
        folders = (predictions_folder, labels_folder)
        scored = scoring.score_folders(benchmark, *folders, options, report=progress.reporter())
        missing = {"tasks": scored.missing_tasks, "languages": scored.missing_languages}
        facts = {"benchmark": benchmark, "complete": scored.complete, "missing": missing}
        _show({**facts, "not_scored": scored.not_scored}, scored.rows, as_json, scored.means)
        return
    if predictions_folder is not None:
        advice = "name files with --gold and --predictions, or folders with --benchmark xtreme PREDICTIONS LABELS"
        raise UsageError(f"'{predictions_folder}' stands alone", do=advice)
    if gold is None or predictions is None:
        missing_file = "--gold" if gold is None else "--predictions"
        raise UsageError(f"no {missing_file}", do="name both files: --gold FILE --predictions FILE")
    named: dict[str, Any] = {"task": task or "", "metric": metric or ""}
    options = replace(options, language=language or "", null_threshold=null_threshold, positive=positive)
    named |= {"null_odds": null_odds, "hides": report, "report": progress.reporter()}
    rows = scoring.score(gold, predictions, options, **named)
    _show({"gold": gold, "predictions": predictions}, rows, as_json, report=report)


def _show(
    facts: Mapping[str, Any],
    rows: Sequence[Result],
    as_json: bool,
    means: Mapping[str, float] | None = None,
    report: bool = False,
) -> None:
    reports = [row.report for row in rows if row.report]
    if report and not reports:
        progress.reporter().say(f"no report: a score of {rows[0].metric} has no classes and no answers")
    if as_json:
        document = {**facts, "results": [row.to_json() for row in rows]}
        document |= {"reports": reports} if reports else {}
        render.document(document if means is None else {**document, "means": means})
        return
    render.results(rows)
    if reports:
        from .report import detail

        detail(reports[0])
    if means:
        render.table("means", ("mean of", "score"), [(name, render.percent(mean)) for name, mean in means.items()])
