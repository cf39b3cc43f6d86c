"""SQuAD's JSON, versions 1.1 and 2.0, as XQuAD, MLQA, TyDiQA and JSQuAD use it too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from adapter_stilts.data.tables import JSON, Bad, Row, json_document, refused, whole_text
from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.base import Example

Node = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer's text and its first character in the context, counted from 0 in code points."""

    text: str
    start: int

    def is_in(self, context: str) -> bool:
        """Whether the context holds it at its place; white space alone is no answer."""
        return bool(self.text.strip()) and self.start >= 0 and context.startswith(self.text, self.start)


@dataclass(frozen=True, slots=True)
class SpanQuestion(Example):
    """A question about a context; no answers means it cannot be answered from the context."""

    question: str
    context: str
    answers: tuple[Answer, ...]


def squad_document(path: Path, kind: str) -> Node | None:
    document = json_document(path) if kind in JSON else None
    return document if isinstance(document, dict) and "data" in document else None


def squad_rows(
    document: Node, path: Path, labelled: bool, gold: bool = True, bad: Bad = refused
) -> Iterator[SpanQuestion]:
    """The questions in file order. One without answers must say `is_impossible`, unless files need not be labelled.

    gold  False: answers are not looked at
    bad   is told of a question that is none
    """
    for paragraph, context, where in paragraphs(document, path):
        for qa in _nodes(paragraph, "qas", where):
            try:
                question = _question(
                    qa if gold else {**qa, "answers": [], "is_impossible": False}, context, where, labelled
                )
            except TaskDataError as error:
                bad(error)
            else:
                yield question


def paragraphs(document: Node, path: Path) -> Iterator[tuple[Node, str, str]]:
    """(paragraph, its text, where it stands) in file order."""
    for a, article in enumerate(_nodes(document, "data", str(path))):
        for p, paragraph in enumerate(_nodes(article, "paragraphs", f"{path}, article {a}")):
            where = f"{path}, article {a}, paragraph {p}"
            yield paragraph, _text(paragraph, "context", where), where


def paragraph_questions(paragraph: Node, context: str, where: str, labelled: bool) -> Iterator[SpanQuestion]:
    for qa in _nodes(paragraph, "qas", where):
        yield _question(qa, context, where, labelled)


def flat_answers(row: Row) -> tuple[Answer, ...]:
    """Answers as {"text": [...], "answer_start": [...]} (the hub) or [{"text": ..., "answer_start": ...}] (SQuAD)."""
    cell = row.cell("answers")
    try:
        if isinstance(cell, dict):
            pairs: Iterable[tuple[Any, Any]] = zip(cell["text"], cell["answer_start"], strict=True)
        else:
            pairs = ((answer["text"], answer["answer_start"]) for answer in cast(list[dict[str, Any]], cell or []))
        return tuple(Answer(str(text), int(start)) for text, start in pairs)
    except (KeyError, TypeError, ValueError) as error:
        what = f"answers need a text and an answer_start each: {str(cell)[:80]}"
        raise TaskDataError(what, where=row.where, do="write them as SQuAD does") from error


def _question(qa: Node, context: str, where: str, labelled: bool) -> SpanQuestion:
    if not (id := str(qa.get("id", ""))):
        do = "give every question an id; predictions are matched by it"
        raise TaskDataError("a question without an id", where=where, do=do)
    where = f"{where}, question '{id}'"
    impossible = bool(qa.get("is_impossible", False))
    if labelled and not impossible and not qa.get("answers"):
        do = "add its answers, or `is_impossible: true` where the context holds none"
        raise TaskDataError("a question without answers", where=where, do=do)
    answers = () if impossible else tuple(_answer(answer, where) for answer in _nodes(qa, "answers", where))
    return SpanQuestion(id, _text(qa, "question", where), context, answers)


def _answer(answer: Node, where: str) -> Answer:
    start = answer.get("answer_start")
    if not isinstance(start, int):
        what = f"answer_start is not a number: {start!r}"
        raise TaskDataError(what, where=where, do="write the character, counted from 0, where the answer begins")
    return Answer(_text(answer, "text", where), start)


def _nodes(node: Node, key: str, where: str) -> list[Node]:
    value = node.get(key, [] if key == "answers" else None)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        what = f"no list '{key}' of objects here, as SQuAD's JSON has"
        raise TaskDataError(what, where=where, do="check that this is a SQuAD file")
    return cast(list[Node], value)


def _text(node: Node, key: str, where: str) -> str:
    if key not in node:
        raise TaskDataError(f"no '{key}' here, as SQuAD's JSON has", where=where, do="check that this is a SQuAD file")
    return whole_text(node[key], key, where)
