"""SQuAD's JSON, versions 1.1 and 2.0, as XQuAD, MLQA, TyDiQA and JSQuAD use it too."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from adapter_stilts.data.tables import JSON, Bad, Row, json_document, refused, whole_text
from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.base import Example

Node = Mapping[str, object]
TRUTH = {"true": True, "1": True, "false": False, "0": False, "": False}


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
    cell, where = row.cell("answers"), f"{row.where}, column '{row.columns['answers']}'"
    listed = cell
    if isinstance(cell, Mapping):
        texts, starts = cell.get("text"), cell.get("answer_start")
        if isinstance(texts, list | tuple) and isinstance(starts, list | tuple) and len(texts) == len(starts):
            pairs = zip(texts, starts, strict=True)
            listed = [{"text": text, "answer_start": start} for text, start in pairs]
    if cell is None or cell == "":
        listed = []
    whole = isinstance(listed, list | tuple) and all(isinstance(answer, Mapping) for answer in listed)
    if not whole or not all({"text", "answer_start"} <= set(answer) for answer in cast(list[Node], listed)):
        what = f"answers need a text and an answer_start each: {str(cell)[:80]}"
        raise TaskDataError(what, where=where, do="write them as SQuAD does")
    answers = tuple(_answer(answer, where) for answer in cast(list[Node], listed))
    return () if _impossible(row.cells, answers, row.where) else answers


def _question(qa: Node, context: str, where: str, labelled: bool) -> SpanQuestion:
    if (id := qa.get("id")) is None or id == "" or id != id:
        do = "give every question an id; predictions are matched by it"
        raise TaskDataError("a question without an id", where=where, do=do)
    where = f"{where}, question '{id}'"
    if qa.get("answers") is None:
        qa = {**qa, "answers": []}
    answers = tuple(_answer(answer, where) for answer in _nodes(qa, "answers", where))
    impossible = _impossible(qa, answers, where)
    if labelled and not impossible and not answers:
        do = "add its answers, or `is_impossible: true` where the context holds none"
        raise TaskDataError("a question without answers", where=where, do=do)
    return SpanQuestion(str(id), _text(qa, "question", where), context, () if impossible else answers)


def _impossible(cells: Node, answers: Collection[Answer], where: str) -> bool:
    """Whether a question says that its context holds no answer. Raises TaskDataError for what is neither true nor
    false, and for a question that has answers all the same."""
    value = cells.get("is_impossible")
    said = TRUTH.get(str(value).strip().casefold()) if isinstance(value, str | int) else None
    if value is not None and said is None:
        do = "write true where the context holds no answer, and false elsewhere"
        raise TaskDataError(f"is_impossible is neither true nor false: {value!r:.40}", where=where, do=do)
    if said and any(answer.text for answer in answers):
        what = f"is_impossible is {value!r} and there are answers"
        raise TaskDataError(what, where=where, do="keep one: the answers, or `is_impossible: true`")
    return bool(said)


def _answer(answer: Node, where: str) -> Answer:
    start = answer.get("answer_start")
    if isinstance(start, str) and start.strip().removeprefix("-").isdecimal():
        start = int(start)
    if isinstance(start, bool) or not isinstance(start, int | float) or start != start // 1:
        what = f"answer_start is not a whole number: {start!r}"
        raise TaskDataError(what, where=where, do="write the character, counted from 0, where the answer begins")
    return Answer(_text(answer, "text", where), int(start))


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
