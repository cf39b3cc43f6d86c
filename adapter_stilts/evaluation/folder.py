"""XTREME's folder form of predictions, which its own evaluate.py reads:

    predictions/xnli/test-sw.tsv        one label per line, in the order of the examples
    predictions/udpos/test-sw.tsv       one tag per line, an empty line after every sentence
    predictions/xquad/test-zh.json      {"question id": "answer text"}
    predictions/tatoeba/test-sw.tsv     per English line the number, from 0, of the foreign line found for it
    predictions/bucc2018/test-de.tsv    foreign id TAB English id, one mined pair per line

XTREME sorts Tatoeba's English side alphabetically and gives the matching labels; we keep the order of the release's files, in which
the right answer of line i is i. The score is the same, but a Tatoeba folder of ours is scored against labels 0, 1, 2, ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from adapter_stilts.data.examples import Format
from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.evaluation.entities import Tags
from adapter_stilts.evaluation.scoring import Predictions
from adapter_stilts.files import numbered_lines, read_json, write_json, write_text

Form: TypeAlias = Literal["lines", "tags", "answers", "pairs"]

FORMS: dict[Format, Form] = {
    "pair": "lines",
    "single": "lines",
    "choice": "lines",
    "tags": "tags",
    "span": "answers",
    "aligned": "lines",
    "pools": "pairs",
}


def prediction_path(folder: Path, task: str, language: str, form: Form, split: str = "test") -> Path:
    """Where the predictions of a task in a language lie under `folder`."""
    for part in (task, language, split):
        if not part or part.startswith(".") or "/" in part or "\\" in part:
            raise UsageError(f"'{part}' cannot be part of a file's name", do="use the task's and the language's plain names")
    return folder / task / f"{split}-{language}.{'json' if form == 'answers' else 'tsv'}"


def write(path: Path, form: Form, predictions: Predictions | Iterable[tuple[str, str]]) -> None:
    """Predictions in the form of their task."""
    writers: dict[Form, Callable[[Path, Any], None]] = {"lines": write_lines, "tags": write_tags, "answers": write_answers, "pairs": write_pairs}
    writers[form](path, predictions)


def write_lines(path: Path, predictions: Iterable[str | int]) -> None:
    """Labels, choices or line numbers, one a line."""
    write_text(path, "".join(f"{_plain(str(value), path)}\n" for value in predictions))


def write_tags(path: Path, predictions: Iterable[Tags]) -> None:
    """Tags one a line, an empty line after each sentence."""
    write_text(path, "".join("".join(f"{_plain(tag, path)}\n" for tag in sentence) + "\n" for sentence in predictions))


def write_answers(path: Path, predictions: Mapping[str, str]) -> None:
    write_json(path, dict(predictions))


def write_pairs(path: Path, predictions: Iterable[tuple[str, str]]) -> None:
    """Mined pairs of ids."""
    write_text(path, "".join(f"{_plain(source, path)}\t{_plain(target, path)}\n" for source, target in predictions))


def read_lines(path: Path) -> list[str]:
    """One label per line; the file's last line break ends its last line."""
    return [line.strip() for _, line in numbered_lines(path)]


def read_tags(path: Path) -> list[tuple[str, ...]]:
    """Sentences of tags, separated by empty lines; several empty lines separate like one."""
    sentences: list[list[str]] = [[]]
    for _, line in numbered_lines(path):
        if line.strip():
            sentences[-1].append(line.strip())
        elif sentences[-1]:
            sentences.append([])
    return [tuple(sentence) for sentence in sentences if sentence]


def read_answers(path: Path) -> dict[str, str]:
    """{question id: text}; any other shape is refused."""
    value = read_json(path)
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise TaskDataError("not an object of question ids and answer texts", where=str(path), do='write {"id": "text", ...}')
    return {str(question): text for question, text in value.items()}


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Pairs of ids, one a line; empty lines are passed over."""
    pairs = []
    for number, line in numbered_lines(path):
        parts: Sequence[str] = line.strip().split("\t")
        if parts == [""]:
            continue
        if len(parts) != 2:
            raise TaskDataError(f"{len(parts)} columns where two ids were expected", where=f"{path}, line {number}", do="write foreign id TAB English id")
        pairs.append((parts[0], parts[1]))
    return pairs


def _plain(text: str, path: Path) -> str:
    """A value that can stand on a line of its own."""
    if not text or text != text.strip() or any(mark in text for mark in "\t\n\r"):
        raise TaskDataError(f"{text!r} cannot be written as a prediction: it is empty, or holds white space that would be read as a break", where=str(path))
    return text
