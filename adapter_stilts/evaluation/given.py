"""Anybody's prediction files: read, checked against the gold file, scored.

    score_file("accuracy", Path("labels.tsv"), Path("predictions.tsv")).value        0.81
    score_file("chunk_f1", Path("de_pud-ud-test.conllu"), Path("tags.tsv"), task=find_task("udpos"))

Predictions are in XTREME's folder form (metrics/forms.py). Gold is in the same form, or a file of the task's own
release. What cannot be a fair comparison is refused: gold that is a placeholder, predictions for other examples, labels
of another naming.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, cast

from adapter_stilts.data.layout import Layout
from adapter_stilts.data.tables import json_line_rows, suffix
from adapter_stilts.errors import TaskDataError
from adapter_stilts.evaluation import checks
from adapter_stilts.files import numbered_lines
from adapter_stilts.formats.base import formats
from adapter_stilts.formats.reading import read
from adapter_stilts.formats.tags import Tagged, tags_alone
from adapter_stilts.metrics.base import DEFAULTS, Metric, Options, Score, metrics
from adapter_stilts.metrics.forms import forms, read_choices, read_lines, read_ranked, read_tags
from adapter_stilts.metrics.tags import OWN_RULE, Tags
from adapter_stilts.registry import unknown_name
from adapter_stilts.tasks.base import Task

LOOKED_AT = 200  # lines that settle what a file is
ROWS = (".jsonl", ".ndjson", ".json")
ROW_IDS = ("id", "idx")


def score_file(
    metric: str,
    gold: Path,
    predictions: Path,
    options: Options = DEFAULTS,
    task: Task | None = None,
    say: Callable[[str], None] = lambda remark: None,
) -> Score:
    """Score one file of predictions against one of gold.

    metric   a name of the registry of metrics
    task     says how a gold file of a task's own release is read; none is needed for gold in the form of predictions
    say      where goes, in words, what was decided of a file and does not go without saying

    Raises TaskDataError, naming file and place, for files that cannot be read or do not belong together; UnknownName
    for another metric.
    """
    files = [rule.name for rule in metrics.values() if rule.form]
    if metric not in files:
        raise unknown_name("metric", metric, files)
    rule = metrics[metric]
    try:
        read_both = partial(_tags, say=say) if rule.form == "tags" else READERS.get(rule.form, _plain)
        right, guessed = read_both(rule, gold, predictions, options, task)
        return rule.score(right, guessed, options)
    except TaskDataError as error:
        if error.where.startswith((str(gold), str(predictions))):
            raise
        where = f"{predictions}, {error.where}" if error.where else str(predictions)
        raise TaskDataError(error.what, where=where, do=error.do) from error


def settings_of(metric: str, score: Score, options: Options) -> dict[str, object]:
    """What a score of files must be reported with."""
    rule = metrics[metric]
    settings: dict[str, object] = {"rule": options.rule} if rule.takes_rule else {}
    settings |= {"null_threshold": options.null_threshold} if rule.takes_odds else {}
    return settings | ({"unanswered": score.unanswered} if score.unanswered else {})


def _plain(metric: Metric, gold: Path, predictions: Path, options: Options, task: Task | None) -> Read:
    read = forms[metric.form].read
    return read(gold), read(predictions)


def _lines(metric: Metric, gold: Path, predictions: Path, options: Options, task: Task | None) -> Read:
    right, guessed = _labels(gold, task), _labels(predictions, None)
    checks.filled(right, gold)
    checks.filled(guessed, predictions)
    checks.same_number(len(right), len(guessed), gold, predictions)
    for key in ROW_IDS:
        checks.same_order(_row_ids(gold, key), _row_ids(predictions, key), gold, predictions)
    if metric.name == "retrieval":
        checks.line_numbers(right, gold)
        checks.line_numbers(guessed, predictions)
    else:
        checks.no_placeholders(right, gold)
        checks.same_names(right, guessed, gold, predictions)
    return right, guessed


def _tags(
    metric: Metric, gold: Path, predictions: Path, options: Options, task: Task | None, say: Callable[[str], None]
) -> Read:
    """Tags of both sides. Where a benchmark's rule is taken they stay as they are; else they are brought to IOB2."""
    layout = _layout(metric, task, labels=None)
    if task is None and (metric.name == "token_accuracy" or options.rule != OWN_RULE):
        layout = replace(layout, published=True)
    plain = Layout(layout.format, tag_column=layout.tag_column, published=layout.published)
    words, right = _sentences(gold, layout, say)
    said, guessed = _sentences(predictions, plain, say)
    checks.no_placeholders([tag for sentence in right for tag in sentence], gold, constant=False)
    if words and said:
        checks.same_words(words, said, gold, predictions)
    return right, guessed


def _answers(metric: Metric, gold: Path, predictions: Path, options: Options, task: Task | None) -> Read:
    layout = replace(_layout(metric, task), labelled=not metric.takes_odds)
    right = formats[layout.format].gold(read(gold, layout))
    checks.no_withheld_answers(right, gold)
    guessed, odds = forms[metric.form].read(predictions), options.null_odds or {}
    for asked in (guessed, odds):
        checks.known_ids(right, asked, gold, predictions)
    checks.every_odds(odds, guessed, predictions)
    return right, guessed


def _pairs(metric: Metric, gold: Path, predictions: Path, options: Options, task: Task | None) -> Read:
    right, guessed = _plain(metric, gold, predictions, options, task)
    checks.same_pools(right, guessed, gold, predictions)
    return right, guessed


def _ranked(metric: Metric, gold: Path, predictions: Path, options: Options, task: Task | None) -> Read:
    right, guessed = read_ranked(gold, "gold"), read_ranked(predictions)
    checks.known_ids(right, guessed, gold, predictions)
    many = next((question for question, ids in right.items() if len(set(ids)) > 1), "")
    if many and not metric.pooled:  # answers in several languages are averaged over all of them
        what = f"mention '{many}' has {len(right[many])} gold ids"
        raise TaskDataError(what, where=str(gold), do="give one gold id a mention, or score with map20")
    return right, guessed


Read = tuple[Any, Any]  # gold and predictions, as the metric takes them
READERS: Mapping[str, Callable[[Metric, Path, Path, Options, Task | None], Read]] = {
    "lines": _lines,
    "answers": _answers,
    "pairs": _pairs,
    "ranked": _ranked,
}


def _layout(metric: Metric, task: Task | None, **changed: Any) -> Layout:
    """How gold of a task's release is read; of no task, as the metric's own format is."""
    return task.layout(**changed) if task and metric.name in task.format.metrics else Layout(metric.formats[0])


def _labels(path: Path, task: Task | None) -> list[str]:
    """A label a line, {"label": ...} a line, or the labels of a file of the task."""
    if suffix(path) in ROWS[:2]:
        first = next(json_line_rows(path), None)
        if first is not None and set(first.cells) <= {*ROW_IDS, "label"}:
            whole = isinstance(first.cells.get("label"), int)
            return read_choices(path) if whole else [str(row.cells.get("label", "")) for row in json_line_rows(path)]
    elif suffix(path) not in ROWS and not any("\t" in line for _, line in islice(numbered_lines(path), LOOKED_AT)):
        return read_lines(path)
    if task is None or "accuracy" not in task.format.metrics:
        what = "rows of several columns where one label a line was expected"
        do = "write the labels alone, one a line; a gold file of a task is read with --task"
        raise TaskDataError(what, where=str(path), do=do)
    return [label for row in read(path, task.layout()) for label in task.format.labels_of(row)]


def _row_ids(path: Path, key: str) -> list[str]:
    """The ids of JSON lines; none where a row has none, or the file is of another kind."""
    ids = [row.cells.get(key) for row in json_line_rows(path)] if suffix(path) in ROWS[:2] else []
    return [] if None in ids else list(map(str, ids))


def _sentences(path: Path, layout: Layout, say: Callable[[str], None]) -> tuple[list[Tags], list[Tags]]:
    """(words, tags) by sentence; no words where the file has tags alone, one a line."""
    layout = replace(layout, say=lambda remark: say(f"{path}: {remark}"))
    lines = [line.strip(" \t\r") for _, line in numbered_lines(path)]
    if suffix(path) in (".conllu", *ROWS) or any((" " in line or "\t" in line) for line in lines):
        rows = cast(list[Tagged], read(path, layout))
        return [row.words for row in rows], [row.tags for row in rows]
    sentences = read_tags(path)
    if not sentences:
        what = "the file is empty"
        raise TaskDataError(what, where=str(path), do="give one tag a line and an empty line after every sentence")
    return [], list(tags_alone(sentences, layout, str(path)))
