"""XTREME's folder form of predictions, which its own evaluate.py reads:

    predictions/xnli/test-sw.tsv        one label per line, in the order of the examples
    predictions/udpos/test-sw.tsv       one tag per line, an empty line after every sentence
    predictions/xquad/test-zh.json      {"question id": "answer text"}
    predictions/tatoeba/test-sw.tsv     per English line the number, from 0, of the foreign line found for it
    predictions/bucc2018/test-de.tsv    foreign id TAB English id, one mined pair per line
    predictions/xcopa/test-sw.jsonl     {"label": 1} per line, the number from 0 of the choice
    predictions/lareqa/test-de.jsonl    {"id": "question", "candidates": ["best", "second", ...]} per line; its labels
                                        {"id": ..., "gold": [...]}
    predictions/mewslix/test-de.jsonl   the same for mentions; XTREME-R's own {"mention": ["Q1", ...]} in test-de.json
                                        is read as well

XTREME sorts Tatoeba's English side alphabetically and gives the matching labels; we keep the order of the release's
files, in which the right answer of line i is i. The score is the same, but a Tatoeba folder of ours is scored against
labels 0, 1, 2, ...
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

from adapter_stilts.data.tables import broken_json, json_line_rows, suffix
from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.files import from_json, numbered_lines, read_text, write_json, write_text
from adapter_stilts.registry import Registry

Ranked: TypeAlias = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Form:
    """How predictions stand in a file: its endings (the first is written, all are read), a writer and a reader."""

    endings: tuple[str, ...]
    write: Callable[[Path, Any], None]
    read: Callable[[Path], Any]


forms: Registry[Form] = Registry("form of predictions")


def prediction_path(folder: Path, task: str, language: str, form: str, split: str = "test") -> Path:
    """Where the predictions of a task in a language lie under `folder`."""
    for part in (task, language, split):
        if not part or part.startswith(".") or "/" in part or "\\" in part:
            do = "use the task's and the language's plain names"
            raise UsageError(f"'{part}' cannot be part of a file's name", do=do)
    return folder / task / f"{split}-{language}.{forms[form].endings[0]}"


def found_path(folder: Path, task: str, language: str, form: str, split: str = "test") -> Path:
    """The file that is there under any ending the form is read by, or the path where it should be."""
    wanted = prediction_path(folder, task, language, form, split)
    paths = (wanted.with_suffix(f".{ending}") for ending in forms[form].endings)
    return next((path for path in paths if path.is_file()), wanted)


def _in_lines(line: Callable[[Any, Path], str]) -> Callable[[Path, Iterable[Any]], None]:
    """A writer of predictions, each a line or several."""
    return lambda path, predictions: write_text(path, "".join(line(value, path) for value in predictions))


write_lines = _in_lines(lambda value, path: f"{_plain(str(value), path)}\n")
write_tags = _in_lines(lambda sentence, path: "".join(f"{_plain(tag, path)}\n" for tag in sentence) + "\n")
write_pairs = _in_lines(lambda pair, path: "\t".join(_plain(id, path) for id in pair) + "\n")
write_choices = _in_lines(lambda number, path: f'{{"label": {int(number)}}}\n')  # as XTREME-R's evaluate.py reads them


def write_answers(path: Path, predictions: Mapping[str, str]) -> None:
    write_json(path, dict(predictions))


def write_ranked(path: Path, predictions: Ranked) -> None:
    rows = ({"id": question, "candidates": list(candidates)} for question, candidates in predictions.items())
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_lines(path: Path) -> list[str]:
    """One label per line; the file's last line break ends its last line."""
    return [line.strip() for _, line in numbered_lines(path)]


def read_tags(path: Path) -> list[tuple[str, ...]]:
    """Sentences of tags, separated by empty lines; several empty lines separate like one."""
    lines = (line.lstrip("\ufeff").strip(" \t\r") for _, line in numbered_lines(path))
    return [tuple(tags) for full, tags in groupby(lines, key=bool) if full]


def read_answers(path: Path) -> dict[str, str]:
    """{question id: text}; any other shape, or an id that stands there twice, is refused."""
    answers = _object(path)
    if not all(isinstance(text, str) for text in answers.values()):
        raise _no_answers(path)
    return {question: str(text) for question, text in answers.items()}


def read_odds(path: Path) -> dict[str, float]:
    """{question id: how much better "no answer" scored}, as SQuAD 2.0's script takes them."""
    odds: dict[str, float] = {}
    for question, value in _object(path).items():
        if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
            what = f"the odds of question '{question}' are no number: {value!r}"
            raise TaskDataError(what, where=str(path), do='write {"question id": 0.7, ...}')
        odds[question] = float(value)
    return odds


def read_choices(path: Path) -> list[str]:
    """The choice of each line: {"label": 1}, or the number alone in a file that is no JSON lines."""
    if suffix(path) == ".tsv":
        return read_lines(path)
    labels = []
    for row in json_line_rows(path):
        label = row.cells.get("label")
        if not isinstance(label, int):
            do = 'write {"label": 0}, counting choices from 0'
            raise TaskDataError(f"no number under 'label': {label!r}", where=row.where, do=do)
        labels.append(str(int(label)))
    return labels


def read_ranked(path: Path, field: str = "candidates") -> dict[str, tuple[str, ...]]:
    """Ids by question or mention; field: "candidates", or "gold" for labels. In .json files: {"id": ["first", ...]}."""
    if suffix(path) == ".json":
        return {question: _ids(value, f"{path}, '{question}'") for question, value in _object(path).items()}
    entries: dict[str, tuple[str, ...]] = {}
    for row in json_line_rows(path):
        question = row.cells.get("id")
        if not isinstance(question, str) or not question:
            do = f'write {{"id": "...", "{field}": ["...", ...]}}'
            raise TaskDataError("a row without an id", where=row.where, do=do)
        if question in entries:
            raise TaskDataError(f"id '{question}' occurs twice", where=row.where, do="give every question one row")
        entries[question] = _ids(row.cells.get(field), f"{row.where}, field '{field}'")
    return entries


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Pairs of ids, one a line; empty lines are passed over."""
    pairs = []
    for number, line in numbered_lines(path):
        parts: Sequence[str] = line.strip().split("\t")
        if parts == [""]:
            continue
        if len(parts) != 2:
            what = f"{len(parts)} columns where two ids were expected"
            raise TaskDataError(what, where=f"{path}, line {number}", do="write foreign id TAB English id")
        pairs.append((parts[0], parts[1]))
    return pairs


def _object(path: Path) -> dict[str, object]:
    """A file's one JSON object; json.loads would keep the last of two equal keys and say nothing."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        entries: dict[str, object] = {}
        for key, value in pairs:
            if key in entries:
                raise TaskDataError(f"id '{key}' occurs twice", where=str(path), do="give every question one answer")
            entries[key] = value
        return entries

    try:
        value = from_json(read_text(path), object_pairs_hook=once)
    except ValueError as error:
        raise broken_json(error, f"{path}, line {getattr(error, 'lineno', 1)}") from error
    if not isinstance(value, dict):
        raise _no_answers(path)
    return value


def _no_answers(path: Path) -> TaskDataError:
    what = "not an object of question ids and answer texts"
    return TaskDataError(what, where=str(path), do='write {"id": "text", ...}')


def _ids(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TaskDataError(f"no list of ids: {value!r:.60}", where=where, do="write the ids as texts, best first")
    return tuple(value)


def _plain(text: str, path: Path) -> str:
    """A value that can stand on a line of its own."""
    if not text or text != text.strip() or any(mark in text for mark in "\t\n\r"):
        why = "it is empty, or holds white space that would be read as a break"
        raise TaskDataError(f"{text!r} cannot be written as a prediction: {why}", where=str(path))
    return text


forms.add("lines", Form(("tsv",), write_lines, read_lines))
forms.add("tags", Form(("tsv",), write_tags, read_tags))
forms.add("answers", Form(("json",), write_answers, read_answers))
forms.add("pairs", Form(("tsv",), write_pairs, read_pairs))
forms.add("choices", Form(("jsonl", "tsv"), write_choices, read_choices))
forms.add("ranked", Form(("jsonl", "json"), write_ranked, read_ranked))
