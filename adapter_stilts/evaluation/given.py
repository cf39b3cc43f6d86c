"""Anybody's prediction files: read, checked against the gold file, scored.

    score_file("accuracy", Path("labels.tsv"), Path("predictions.tsv")).score.value  0.81
    score_file("chunk_f1", Path("de_pud-ud-test.conllu"), Path("tags.tsv"), task=find_task("udpos"))

Predictions are in XTREME's folder form (metrics/forms.py), or a table with a column of labels. Gold is in the same
form, or a file of the task's own release; of one that holds several languages, the rows of the language asked for
count. What cannot be a fair comparison is refused: gold that is a placeholder, predictions for other examples, labels
of another naming, several languages as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

from adapter_stilts.data.columns import LABEL, alike, first_called, spelled
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.tables import (
    CSV,
    JSON,
    JSON_LINES,
    TABLES,
    Row,
    first_cells,
    json_line_rows,
    kind_of,
    refused,
    suffix,
    tab_rows,
)
from adapter_stilts.errors import TaskDataError
from adapter_stilts.evaluation import checks
from adapter_stilts.files import numbered_lines
from adapter_stilts.formats.base import Format, formats
from adapter_stilts.formats.pair import without_label
from adapter_stilts.formats.reading import LANGUAGE_COLUMNS, read
from adapter_stilts.formats.tags import Tagged, tags_alone
from adapter_stilts.metrics.base import DEFAULTS, Metric, Options, Score, metrics
from adapter_stilts.metrics.forms import forms, read_lines, read_ranked, read_tags
from adapter_stilts.metrics.tags import OWN_RULE, Tags
from adapter_stilts.registry import unknown_name
from adapter_stilts.statistics.report import Report
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.languages import all_codes, iso1, same_language, serves
from adapter_stilts.tasks.reading.files import of_language

LOOKED_AT = 200  # lines that settle what a file is
ROWS = (*JSON_LINES, *JSON)
ROW_IDS = ("id", "idx")
SAID = LANGUAGE_COLUMNS[:2]  # a third, of a list for every row, is of words
PREDICTED = ("prediction", "predictions", "predicted", "pred", "gold")
HEADERS = {"label", "labels", "gold_label", *PREDICTED}
TRUTH = {"true", "false"}
NO_ROW = Row("", {})


@dataclass(frozen=True)
class Given:
    """The score of a file of predictions, and what it was made of."""

    score: Score
    gold: Any
    predicted: Any
    format: Format[Any]
    options: Options

    @property
    def report(self) -> Report:
        """What the score hides; {} where there is nothing."""
        return self.format.report(self.gold, self.predicted, self.score, self.options)

    @property
    def majority(self) -> tuple[str, float | None]:
        """The measure by which the commonest gold answer alone is compared, and what that gets."""
        return self.format.majority(self.gold)


def score_file(
    metric: str,
    gold: Path,
    predictions: Path,
    options: Options = DEFAULTS,
    task: Task | None = None,
    language: str = "",
    say: Callable[[str], None] = lambda remark: None,
) -> Given:
    """Score one file of predictions against one of gold.

    metric    a name of the registry of metrics
    task      says how a gold file of a task's own release is read; none is needed for gold in the form of predictions
    language  the one to be scored, where a file says of its rows in which they are; "" where none was asked for
    say       where goes, in words, what was decided of a file and does not go without saying

    Raises TaskDataError, naming file and place, for files that cannot be read or do not belong together; UnknownName
    for another metric.
    """
    files = [rule.name for rule in metrics.values() if rule.form]
    if metric not in files:
        raise unknown_name("metric", metric, files)
    rule = metrics[metric]
    try:
        right, guessed = READERS.get(rule.form, _plain)(rule, gold, predictions, options, _Asked(task, language, say))
        scored = rule.score(right, guessed, options)
        fits = task is not None and metric in task.format.metrics
        format = task.format if task is not None and fits else formats[rule.formats[0]]
        return Given(scored, right, guessed, format, options)
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


@dataclass(frozen=True)
class _Asked:
    """Whose gold is read, in which language, and where goes what was decided of it."""

    task: Task | None
    language: str
    say: Callable[[str], None]


def _plain(metric: Metric, gold: Path, predictions: Path, options: Options, asked: _Asked) -> Read:
    read = forms[metric.form].read
    return read(gold), read(predictions)


def _lines(metric: Metric, gold: Path, predictions: Path, options: Options, asked: _Asked) -> Read:
    right, guessed = _labels(gold, asked), _labels(predictions, replace(asked, task=None))
    if TRUTH & {label.casefold() for label in (*right, *guessed)}:
        right, guessed = [alike(label) for label in right], [alike(label) for label in guessed]
    checks.filled(right, gold)
    checks.filled(guessed, predictions)
    checks.same_number(len(right), len(guessed), gold, predictions)
    for key in ROW_IDS:
        ids, said = _row_ids(gold, key), _row_ids(predictions, key)
        if len(ids) == len(said) == len(right):
            checks.same_order(ids, said, gold, predictions)
    if metric.name == "retrieval":
        checks.line_numbers(right, gold)
        checks.line_numbers(guessed, predictions)
    else:
        checks.no_placeholders(right, gold)
        checks.same_case(right, guessed, gold, predictions)
        checks.same_names(right, guessed, gold, predictions)
    return right, guessed


def _tags(metric: Metric, gold: Path, predictions: Path, options: Options, asked: _Asked) -> Read:
    """Tags of both sides. Where a benchmark's rule is taken they stay as they are; else they are brought to IOB2."""
    layout = replace(_layout(metric, asked, labels=None), say=asked.say)
    if asked.task is None and (metric.name == "token_accuracy" or options.rule != OWN_RULE):
        layout = replace(layout, published=True)
    plain = Layout(layout.format, tag_column=layout.tag_column, published=layout.published, say=asked.say)
    (words, right), (said, guessed) = _sentences(gold, layout), _sentences(predictions, plain)
    all_right, all_guessed = (list(chain.from_iterable(sentences)) for sentences in (right, guessed))
    checks.no_placeholders(all_right, gold, constant=False)
    checks.same_case(all_right, all_guessed, gold, predictions)
    if words and said:
        checks.same_words(words, said, gold, predictions)
    return right, guessed


def _answers(metric: Metric, gold: Path, predictions: Path, options: Options, asked: _Asked) -> Read:
    layout = replace(_layout(metric, asked), labelled=not metric.takes_odds)
    questions, answers = read(gold, layout), forms[metric.form].read(predictions)
    odds = options.null_odds or {}
    prefixes = asked.task.source.id_prefixes if asked.task else {}
    there = [code for code, prefix in prefixes.items() if any(row.id.startswith(prefix) for row in questions)]
    if there and asked.task:
        meant = [code for code in there if not asked.language or same_language(code, asked.language)]
        checks.one_language(meant, asked.language, gold, there)
        questions = of_language(asked.task, questions, meant[0], Counter(), named=True)
        others = tuple(prefix for code, prefix in prefixes.items() if code != meant[0])
        answers = {question: answer for question, answer in answers.items() if not question.startswith(others)}
        odds = {question: value for question, value in odds.items() if not question.startswith(others)}
    right = formats[layout.format].gold(questions)
    checks.no_withheld_answers(right, gold)
    for given in (answers, odds):
        checks.known_ids(right, given, gold, predictions)
    checks.every_odds(odds, answers, predictions)
    return right, answers


def _pairs(metric: Metric, gold: Path, predictions: Path, options: Options, asked: _Asked) -> Read:
    right, guessed = _plain(metric, gold, predictions, options, asked)
    checks.same_pools(right, guessed, gold, predictions)
    return right, guessed


def _ranked(metric: Metric, gold: Path, predictions: Path, options: Options, asked: _Asked) -> Read:
    right, guessed = read_ranked(gold, "gold"), read_ranked(predictions)
    checks.known_ids(right, guessed, gold, predictions)
    many = next((question for question, ids in right.items() if len(set(ids)) > 1), "")
    if many and not metric.pooled:  # answers in several languages are averaged over all of them
        what = f"mention '{many}' has {len(right[many])} gold ids"
        raise TaskDataError(what, where=str(gold), do="give one gold id a mention, or score with map20")
    return right, guessed


Read = tuple[Any, Any]  # gold and predictions, as the metric takes them
READERS: Mapping[str, Callable[[Metric, Path, Path, Options, _Asked], Read]] = {
    "lines": _lines,
    "tags": _tags,
    "answers": _answers,
    "pairs": _pairs,
    "ranked": _ranked,
}


def _layout(metric: Metric, asked: _Asked, **changed: Any) -> Layout:
    """How gold of a task's release is read; of no task, as the metric's own format is."""
    task, language = asked.task, asked.language
    if task is None or metric.name not in task.format.metrics:
        return Layout(metric.formats[0])
    if language and not task.format.ranking:
        tagged = task.format.classes and not task.format.texts
        changed |= {"language": iso1(language), "codes": all_codes(language) if tagged else ()}
    return task.layout(**changed)


def _labels(path: Path, asked: _Asked) -> list[str]:
    """A label a line, a table with a column of labels and no texts, or the labels of a file of the task."""
    kind = kind_of(path)
    separators = "\t,;" if kind == CSV else "\t"
    looked = [line for _, line in islice(numbered_lines(path), LOOKED_AT)] if kind not in ROWS else []
    if looked and not any(mark in line for line in looked for mark in separators):
        return _label_lines(path)
    if not looked and kind not in ROWS:
        return []
    rows = TABLES[kind](path, refused) if kind in TABLES else tab_rows(path, None)
    names = list(next(TABLES[kind](path, refused), NO_ROW).cells) if kind in TABLES else first_cells(path)
    column = first_called((*LABEL, *PREDICTED), names, str(path))
    if column and {name.casefold() for name in names} <= {column.casefold(), *ROW_IDS, *SAID, ""}:
        labelled = list(rows)
        keep = _spoken(labelled, asked.language, path)
        kept = (row for row in labelled if all(str(row.cells.get(name)) in codes for name, codes in keep.items()))
        return [_label_cell(row, column) for row in kept]
    if asked.task is None or "accuracy" not in asked.task.format.metrics:
        what = "rows of several columns where one label a line was expected"
        do = "write the labels alone, one a line; a gold file of a task is read with --task"
        raise TaskDataError(what, where=str(path), do=do)
    keep = _spoken(list(rows), asked.language, path) if column else {}
    examples = read(path, _layout(metrics["accuracy"], asked, keep=keep))
    return [label for row in examples for label in asked.task.format.labels_of(row)]


def _label_lines(path: Path) -> list[str]:
    """A label a line, perhaps under the name of the column."""
    lines = read_lines(path)
    headed = len(lines) > 1 and lines[0].casefold() in HEADERS and lines[0] not in lines[1:]
    labels = [spelled(label, None, {}, f"{path}, line {number}") for number, label in enumerate(lines, start=1)]
    return labels[1:] if headed else labels


def _label_cell(row: Row, column: str) -> str:
    where = f"{row.where}, column '{column}'"
    label = spelled(row.cells.get(column), None, {}, where)
    if not label:
        raise without_label(str(row.cells.get(column, "")), where)
    return label


def _spoken(rows: Sequence[Row], language: str, path: Path) -> dict[str, list[str]]:
    """Column -> the codes in it that mean the language asked for, where rows say in which they are."""
    keep = {}
    for column in SAID:
        there = list(dict.fromkeys(str(row.cells[column]) for row in rows if column in row.cells))
        if there:
            meant = [code for code in there if not language or serves(code, language)]
            keep[column] = [code for code in meant if code == language] or meant
            checks.one_language(keep[column], language, path, there)
    return keep


def _row_ids(path: Path, key: str) -> list[str]:
    """The ids of JSON lines; none where a row has none, or the file is of another kind."""
    ids = [row.cells.get(key) for row in json_line_rows(path)] if suffix(path) in JSON_LINES else []
    return [] if None in ids else list(map(str, ids))


def _sentences(path: Path, layout: Layout) -> tuple[list[Tags], list[Tags]]:
    """(words, tags) by sentence; no words where the file has tags alone, one a line."""
    said = layout.say
    layout = replace(layout, say=lambda remark: said(f"{path}: {remark}"))
    lines = [line.strip(" \t\r") for _, line in numbered_lines(path)]
    if kind_of(path) in (".conllu", *TABLES) or any((" " in line or "\t" in line) for line in lines):
        rows = cast(list[Tagged], read(path, layout))
        return [row.words for row in rows], [row.tags for row in rows]
    sentences = read_tags(path)
    if not sentences:
        what = "the file is empty"
        raise TaskDataError(what, where=str(path), do="give one tag a line and an empty line after every sentence")
    return [], list(tags_alone(sentences, layout, str(path)))
