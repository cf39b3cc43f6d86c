"""`predict`: what a run's head says of rows without labels, a row at a time, however many there are.

    predict(Asked(RunConfig(), Path("runs/single-1a2b3c4d")), Path("new.csv"), out=Path("labels.jsonl"), ...)
    {"id": "0", "text": "...", "label": "sports", "probability": 0.97, "probabilities": {"politics": 0.03, ...}}

A file is read twice, once to count its rows and find every mistake in it before anything is loaded, and once to be
predicted; a stream of lines is read as it comes. Labels that a file may have are not looked at. The columns, the labels
and the language are those the run was trained with.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, groupby, islice
from pathlib import Path
from typing import IO, Any

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.data.cells import csv_line
from adapter_stilts.data.feature import token_rows
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.tables import Bad, Row, refused, whole_text
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.errors import StiltsError, TaskDataError, UsageError, refuse
from adapter_stilts.evaluation.predict import logits
from adapter_stilts.files import atomic_write
from adapter_stilts.formats.base import Cut, Example, Rules, formats
from adapter_stilts.formats.reading import examples_of, stream
from adapter_stilts.reporting import Reporter, Silent
from adapter_stilts.runs.folder import config_of
from adapter_stilts.runs.rows import Reading
from adapter_stilts.runs.subject import Request, Subject, head_for, subject_of
from adapter_stilts.sharing.bundle import Bundle, Part, load_bundle
from adapter_stilts.sharing.manifest import CONFIG, TASK_FILE
from adapter_stilts.tasks.base import Task, task_of, under
from adapter_stilts.tasks.languages import iso1
from adapter_stilts.tasks.user import find_task

STDIN = "-"
AT_ONCE = 256  # examples that are held at once
JSON_LINES, CSV, TSV = (".jsonl", ".ndjson"), ".csv", ".tsv"
WRITTEN = (*JSON_LINES, CSV, TSV)
SKIP = "correct it, or leave such rows out with --skip-bad"


@dataclass(frozen=True)
class Asked:
    """Which run predicts, and what of it.

    config  its trunk, where the run's own lies elsewhere now, and task.columns of the file
    task    whose head answers; "": the run's own task, where it has one
    limit_gb  memory that it must fit in
    """

    config: RunConfig
    run: Path
    task: str = ""
    limit_gb: float | None = None


@dataclass
class LeftOut:
    """What --skip-bad leaves out, each named once; without it the first is refused."""

    report: Reporter
    skip: bool
    rows: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, error: TaskDataError) -> None:
        if not self.skip:
            raise TaskDataError(error.what, where=error.where, do=SKIP) from error
        self.rows.append({"where": error.where, "what": error.what})
        self.report.say(f"left out: {error.where}: {error.what}")


@dataclass(frozen=True)
class Source:
    """Whose rows these are: the task, its head, and the layout its files have, told from the run alone."""

    bundle: Bundle
    task: Task
    head: Part
    layout: Layout

    @classmethod
    def of(cls, asked: Asked) -> Source:
        """Raises UsageError for a task that no head of the run answers, and for one whose rows answer nothing alone."""
        bundle = load_bundle(asked.run)
        trained = config_of(asked.run) if (asked.run / CONFIG).is_file() else RunConfig()
        task = _task(bundle, asked, trained)
        head = head_for(bundle, task, asked.config.evaluation.head)
        if not task.format.answer_columns:
            what = f"a run of format '{task.format.name}' ({head.facts['task']}) predicts nothing of a row by itself"
            raise UsageError(what, where=str(asked.run), do="score it with `eval`, or read vectors with `encode`")
        remembered = {**task.source.columns, **trained.task.columns}
        columns, language = _fields(task, asked.config.task.columns), bundle.manifest.language.split(",")[0]
        how: dict[str, Any] = {"labelled": False, "gold": False, "labels": None, "ignore_labels": ()}
        layout = task.layout(columns=columns, usual=_fields(task, remembered), language=iso1(language), **how)
        return cls(bundle, task, head, layout)

    def labelled(self) -> Source:
        """The same rows, of which each must have a label that the head knows."""
        labels = tuple(self.head.facts["labels"]) or None
        return replace(self, layout=replace(self.layout, gold=True, labelled=True, labels=labels))

    def examples(self, rows: Path | Iterable[Mapping[str, object] | str], bad: Bad = refused) -> Iterator[Example]:
        """The examples of a file, of rows with named columns, or of lines (which must not be mixed)."""
        where = str(rows) if isinstance(rows, Path) else "rows"
        for example in stream(rows, self.layout, bad=bad) if isinstance(rows, Path) else self._of_rows(rows, bad):
            yield from self._whole(example, f"{where}, row '{example.id}'", bad)

    def lines(self, lines: Iterable[str | bytes], bad: Bad = refused, where: str = STDIN) -> Iterator[Example]:
        """A line each; its id is the line's number, from 1, and blank lines are passed over."""
        format = self.task.format
        for number, line in enumerate(lines, start=1):
            place = f"{where}, line {number}"
            try:
                text = _text(line, place).rstrip("\r\n")
                example = format.of_line(text.split("\t"), str(number), place) if text.strip() else None
            except TaskDataError as error:
                bad(error)
                continue
            if example is not None:
                yield from self._whole(example, place, bad)

    def _of_rows(self, rows: Iterable[Mapping[str, object] | str], bad: Bad) -> Iterator[Example]:
        given = iter(rows)
        first = next(given, None)
        every: Iterable[Any] = () if first is None else chain([first], given)
        if isinstance(first, str):
            return self.lines(every, bad, "rows")
        return examples_of(
            (_mapping(number, cells) for number, cells in enumerate(every)), self.layout, "rows", bad=bad
        )

    def _whole(self, example: Example, where: str, bad: Bad) -> Iterator[Example]:
        if what := self.task.format.lacking(example):
            bad(TaskDataError(f"nothing can be predicted of it: {what}", where=where))
        else:
            yield example


@dataclass(frozen=True)
class Predictor:
    """A run's model for one of its heads, loaded. max_length: tokens of an input, as it was trained."""

    source: Source
    model: TaskModel
    labels: tuple[str, ...] | None
    max_length: int
    token_budget: int

    @classmethod
    def of(cls, source: Source, subject: Subject) -> Predictor:
        head = source.head
        reading = Reading(tuple(head.facts["labels"]) or None, head.facts["max_length"], subject.token_budget)
        model = subject.models[head.name]
        length = reading.length(model.format, model.encoder.trunk)
        return cls(source, model, reading.labels, length, subject.token_budget)

    def answers(
        self, examples: Iterable[Example], at_once: int = AT_ONCE, cut: list[str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """What the head says of each, in their order, `at_once` of them read together. cut: ids of rows that are longer
        than the model reads."""
        task, given = self.source.task, iter(examples)
        how = Cut(self.max_length, None, task.query_length, training=False)
        tokenizer = self.model.encoder.trunk.tokenizer
        names = partial(_pieces, tokenizer)
        rules = Rules(self.labels, task.unanswerable, language=self.source.layout.language, pieces=names)
        while batch := list(islice(given, at_once)):
            for some in (list(group) for _, group in groupby(batch, key=task.format.read_together)):
                features = task.format.features(some, tokenizer, how)
                if cut is not None and task.format.whole:
                    full = (feature for feature in features if max(map(len, token_rows(feature))) >= self.max_length)
                    cut += [some[feature.example].id for feature in full]
                read = logits(self.model, features, self.token_budget)
                yield from task.format.answers(some, features, read, rules)

    def notes(self, cut: Sequence[str]) -> Iterator[str]:
        """What a person should know of the answers: that the run did not learn, and how many rows were cut."""
        yield from self.source.bundle.manifest.unlearned_sentences
        if cut:
            yield f"{len(cut)} rows are longer than the {self.max_length} tokens that are read; their ends were cut"


def predict(
    asked: Asked,
    file: Path | Iterable[bytes],
    *,
    out: Path | None,
    screen: IO[str] | None = None,
    json_lines: bool = False,
    skip_bad: bool = False,
    overwrite: bool = False,
    runs: Path,
    report: Reporter,
) -> dict[str, Any]:
    """Predict a file's rows, or lines as they come, and write them; returns what was written and what was left out.

    out         .jsonl, .csv or .tsv; None: `screen`, as JSON lines or tab-separated under a header
    json_lines  JSON lines whatever `out` is called, unless it says .csv or .tsv
    skip_bad    a row that cannot be read is named and left out; else it is refused before anything is predicted

    Raises UsageError for what cannot be written, TaskDataError for a row that cannot be read.
    """
    kind = _kind(out, json_lines)
    _refuse_occupied(out, file, overwrite=overwrite)
    source, left_out = Source.of(asked), LeftOut(report, skip_bad)
    total = 0
    if isinstance(file, Path):
        total = sum(1 for _ in source.examples(file, left_out))
        if not total:
            raise TaskDataError("no row that can be predicted", where=str(file), do="check the file and its columns")
        examples = source.examples(file, LeftOut(Silent(), skip=True))
    else:
        examples = source.lines(file, left_out)
    subject = subject_of(Request(asked.config, (), asked.run, limit_gb=asked.limit_gb), None, runs)
    predictor, cut, count = Predictor.of(source, subject), list[str](), 0
    waiting = not isinstance(file, Path) and os.isatty(0)  # a person who types wants an answer to each line
    with _opened(out, screen) as target, report.progress(f"predicting {source.task.name}") as progress:
        writer = _Writer(target, kind, source.task.format.name)
        for count, answer in enumerate(predictor.answers(examples, 1 if waiting else AT_ONCE, cut), start=1):
            writer.write(answer)
            if out is None:
                target.flush()
            progress(count, total)
    for line in predictor.notes(cut):
        report.say(line)
    if writer.changed:
        report.say(f"{writer.changed} cells had tabs or line breaks, which are spaces in the file; .jsonl keeps them")
    if left_out.rows:
        report.say(f"{len(left_out.rows)} rows are left out, {count} are predicted")
    facts = {"run": str(asked.run), "task": source.task.name, "head": source.head.name, "rows": count}
    return {**facts, "out": str(out) if out else None, "cut": len(cut), "left_out": left_out.rows}


class _Writer:
    """Answers as JSON lines, or as rows of a table under a header. changed: cells that could not be written as is."""

    def __init__(self, target: IO[str], kind: str, format: str) -> None:
        self._target, self._kind, self._format, self.changed = target, kind, formats[format], 0
        if kind not in JSON_LINES:
            self._row(self._format.answer_columns)

    def write(self, answer: Mapping[str, Any]) -> None:
        if self._kind in JSON_LINES:
            self._target.write(json.dumps(answer, ensure_ascii=False) + "\n")
        else:
            for row in self._format.in_table(answer):
                self._row(["" if cell is None else cell for cell in row])

    def _row(self, cells: Sequence[object]) -> None:
        if self._kind == CSV:
            self._target.write(csv_line(cells))
            return
        texts = [str(cell) for cell in cells]
        whole = [re.sub(r"[\t\r\n]+", " ", text) for text in texts]
        self.changed += sum(before != after for before, after in zip(texts, whole, strict=True))
        self._target.write("\t".join(whole) + "\n")


def _task(bundle: Bundle, asked: Asked, trained: RunConfig) -> Task:
    """The task that was asked for, or that the run's only head was trained for, as the run read it."""
    heads, named = bundle.of("head"), asked.task
    if not named and len(heads) > 1:
        tasks = ", ".join(str(head.facts["task"]) for head in heads)
        what = f"the run has {len(heads)} heads: {tasks}"
        raise UsageError(what, where=str(bundle.folder), do="name the task: --task")
    settings = trained.task.model_dump(exclude_none=True, exclude={"labels", "hub"})
    facts, described = heads[0].facts if heads else {"task": bundle.manifest.task}, asked.run / TASK_FILE
    if described.is_file() and named in ("", facts["task"]):
        return under(find_task(str(described), settings), "own")
    if named or not heads:
        return under(find_task(named or facts["task"], settings), "own")
    try:
        return under(find_task(facts["task"], settings), "own")
    except StiltsError:  # described by a file that is elsewhere now; the head says what its rows are
        return task_of(facts["task"], facts["format"], "")


def _fields(task: Task, columns: Mapping[str, str]) -> dict[str, str]:
    """Our field -> column, whichever of its usual names a field was given by."""
    of_format = task.format.columns
    return {of_format.field_called(field) if of_format else field: column for field, column in columns.items()}


def _kind(out: Path | None, json_lines: bool) -> str:
    if out is None:
        return JSON_LINES[0] if json_lines else TSV
    suffix = out.suffix.lower()
    if suffix not in WRITTEN and not json_lines:
        what = f"predictions are written as {', '.join(WRITTEN)}, and the file ends in '{suffix}'"
        raise UsageError(what, where=str(out), do="name it so, for example -o predictions.csv")
    return suffix if suffix in WRITTEN else JSON_LINES[0]


def _refuse_occupied(out: Path | None, file: object, *, overwrite: bool) -> None:
    if out is None:
        return
    same = isinstance(file, Path) and out.resolve() == file.resolve()
    refuse(same, "the predictions would take the place of the file that is read", "name another file with -o")
    if out.exists() and not (overwrite and out.is_file()):
        what = "the file is there already" if out.is_file() else "not a file"
        raise UsageError(what, where=str(out), do="name another file with -o, or replace it with --overwrite")


@contextmanager
def _opened(out: Path | None, stream: IO[str] | None) -> Iterator[IO[str]]:
    """The stream, or a text file that appears whole or not at all."""
    if out is None:
        assert stream is not None
        yield stream
        return
    with atomic_write(out) as file:
        text = io.TextIOWrapper(file, "utf-8", "backslashreplace", newline="")
        yield text
        text.flush()
        text.detach()


def _mapping(number: int, cells: object) -> Row:
    if not isinstance(cells, Mapping):
        what = f"a row with named columns was expected, not {str(cells)[:40]!r}"
        raise TaskDataError(what, where=f"row {number}", do="give dictionaries alone, or lines of text alone")
    return Row(f"row {number}", cells)


def _text(line: object, where: str) -> str:
    if isinstance(line, bytes):
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as error:
            what = f"not UTF-8: byte {error.object[error.start]:#04x} at position {error.start}"
            raise TaskDataError(what, where=where, do="convert the text to UTF-8") from error
    return whole_text(line, "line", where)


def _pieces(tokenizer: Any, ids: Sequence[int]) -> Sequence[str]:
    names: Sequence[str] = tokenizer.convert_ids_to_tokens(list(ids))
    return names
