"""`score`: the metrics alone, on anybody's prediction files; the numbers of XTREME's own evaluate.py, as fractions.

    score(Path("labels.tsv"), Path("predictions.tsv"), Options(), task="xnli", report=Silent())[0].score
    score_folders("xtreme", Path("predictions"), Path("labels"), Options(), report=Silent()).means["all_task"]

No model is loaded and nothing is written. A row's protocol is the benchmark whose evaluation code gives the same
number, "own" where none does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from adapter_stilts.errors import UsageError, refuse
from adapter_stilts.evaluation.benchmark import BenchmarkScore, score_benchmark
from adapter_stilts.evaluation.given import score_file, settings_of
from adapter_stilts.metrics.base import DEFAULTS, Options, metrics
from adapter_stilts.metrics.forms import read_odds
from adapter_stilts.metrics.tags import OWN_RULE, RULES
from adapter_stilts.registry import unknown_name
from adapter_stilts.reporting import Reporter
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.languages import iso1
from adapter_stilts.tasks.user import find_task

NO_LANGUAGE = "und"


def score(
    gold: Path,
    predictions: Path,
    options: Options,
    *,
    task: str = "",
    metric: str = "",
    null_odds: Path | None = None,
    hides: bool = False,
    report: Reporter,
) -> list[Result]:
    """The scores of one file of predictions: a row for every metric, the headline first.

    options    `language` is a code as typed, "" where none was; `rule` is "" where that of the task is meant
    task       whose metric is taken, and whose release the gold file may be; or
    metric     a metric by its own name
    hides      also what the score hides, as the report of the headline
    null_odds  squad_v2: a file {"question id": how much better "no answer" scored}
    """
    known = {rule.name: rule for rule in metrics.values() if rule.form}
    if not task and not metric:
        advice = f"add --task, for example --task xnli, or --metric, one of: {', '.join(known)}"
        raise UsageError("nothing says which metric is taken", do=advice)
    registered = find_task(task) if task else None
    if metric and metric not in known:
        raise unknown_name("metric", metric, known)
    metric = metric or (registered.metric if registered else "")
    if metric not in known:
        what = f"'{task}' has no predictions in files: it is scored by {metric}"
        raise UsageError(what, do="score it with `adapter-stilts eval`")
    options = replace(options, rule=options.rule or (registered.rule if registered else OWN_RULE))
    _check_rule(options)
    rule, language = known[metric], options.language
    without = "mlqa answers are compared by the rules of their language, and none is named"
    refuse(rule.needs_language and not language, without, "add --language, for example --language de")
    strange = null_odds is not None and not rule.takes_odds
    advice = "leave --null-odds out, or score with --metric squad_v2"
    refuse(strange, f'odds of "no answer" mean nothing to {metric}', advice)
    odds = read_odds(null_odds) if null_odds else None
    asked = replace(options, language=iso1(language) if language else "", null_odds=odds)
    given = score_file(metric, gold, predictions, asked, registered, language, report.say)
    scored, (compared, majority), hidden = given.score, given.majority, given.report if hides else {}
    if scored.unanswered:
        report.say(f"{scored.unanswered} of {scored.n} questions have no prediction; they score 0")
    protocol = "own" if rule.takes_rule and asked.rule != DEFAULTS.rule else rule.protocol
    place = (task or metric, protocol, language or NO_LANGUAGE)
    rows = [
        Result(
            *(*place, measure.metric, measure.score, scored.n, measure.interval),
            split="",
            headline=measure.metric == scored.headline,
            settings=settings_of(metric, scored, asked),
        ).with_notes(majority=majority if measure.metric == compared else None)
        for measure in scored.measures
    ]
    rows = [replace(row, report=row.reporting(hidden)) if row.headline and hidden else row for row in rows]
    return sorted(rows, key=lambda row: not row.headline)


def score_folders(name: str, predictions: Path, labels: Path, options: Options, *, report: Reporter) -> BenchmarkScore:
    """A folder of predictions against a folder of labels, both in XTREME's form: rows, means, and what is missing."""
    options = replace(options, rule=options.rule or DEFAULTS.rule)
    _check_rule(options)
    scored = score_benchmark(name, predictions, labels, options)
    for sentence in _notes(name, scored):
        report.say(sentence)
    return scored


def _check_rule(options: Options) -> None:
    if options.rule not in RULES:
        raise unknown_name("chunk rule", options.rule, RULES)


def _notes(name: str, scored: BenchmarkScore) -> Iterator[str]:
    if scored.missing_tasks:
        what = f"no predictions or no labels for {', '.join(scored.missing_tasks)}"
        yield f"{name} is not complete: {what}; no mean that needs them is given"
    for task, languages in scored.missing_languages.items():
        yield f"the mean of {task} is partial: no labels for {', '.join(languages)}"
    for row in {(row.task, row.language): row for row in scored.rows if "unanswered" in row.settings}.values():
        number = row.settings["unanswered"]
        yield f"{row.task} {row.language}: {number} of {row.n} questions have no prediction; they score 0"
    yield from (f"not scored: {place}" for place in scored.not_scored)
