"""Queries and candidates for ranking, from files of several shapes.

    SQuAD's JSON        every question looks for the sentence its answer begins in, together with the paragraph; the
                        candidates are all sentences. XQuAD-R says where sentences break; elsewhere sentence_breaks.py
                        does.
    Mewsli-X's lines    a mention looks for the description of its entity (mewsli.py makes plain rows of them)
    SQuAD's flat rows   the same from question, context and answers, as the hub has them
    plain rows          query, positive (and its context), or gold: the id or ids of what it should find among
                        candidates of their own

The candidates of a file of queries are its positives, each once; of SQuAD's rows, all sentences of their paragraphs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import cast

from adapter_stilts.data.columns import Columns, first_called, words
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.sentence_breaks import Breaks, sentence_at, sentence_breaks
from adapter_stilts.data.tables import Row
from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.base import Example
from adapter_stilts.formats.squad import Node, flat_answers, paragraph_questions, paragraphs

COLUMNS = Columns(
    "ranking",
    fields={
        "query": words("query question mention"),
        "positive": words("positive entity answer passage document code"),
        "context": words("context paragraph"),
        "gold": words("gold positive_id entity_id candidate_id gold_ids positives"),
        "answers": ("answers",),
        "id": words("id example_id query_id uid guid idx qid"),
    },
    needed=("query",),
)
# Characters of white space that the hub may have cut off a paragraph without moving its answers' places (XQuAD's: one).
CUT_OFF = 4

CANDIDATE_FIELDS = {
    "id": words("id candidate_id entity_id docid doc_id qid"),
    "text": words("text candidate entity description sentence document passage code body"),
    "context": words("context paragraph"),
    "language": words("language description_language lang"),
}


@dataclass(frozen=True, slots=True)
class Candidate(Example):
    """Something a query may find: a text, or a sentence (`text`) and the paragraph it stands in (`context`)."""

    text: str
    context: str | None = None
    language: str = ""
    answers: tuple[str, ...] = ()  # ids of queries it answers, alike in every language, where the pool says so


@dataclass(frozen=True, slots=True)
class Query(Example):
    """A text that looks for a candidate."""

    text: str
    positive: Candidate | None = None  # what it should find, in training rows
    gold: tuple[str, ...] = ()  # ids of what it should find in a pool; () where candidates say what they answer


def squad_ranking(document: Node, path: Path, layout: Layout) -> Iterator[Query | Candidate]:
    """The questions of SQuAD's JSON, or the sentences of its paragraphs with the ids of the questions they answer.

    A sentence is called language_paragraph_sentence, paragraphs counted from 1 and sentences from 0, as XTREME-R's
    scripts do.
    """
    for number, (paragraph, context, where) in enumerate(paragraphs(document, path), start=1):
        breaks = _breaks(paragraph, context, where)
        sentences = _sentences(breaks, context, str(number), layout)
        answered: dict[str, list[str]] = {}
        for question in paragraph_questions(paragraph, context, where, layout.labelled):
            # the sentence in which the first answer begins, as XTREME-R takes it
            answer = next(iter(question.answers), None)
            place = sentence_at(breaks, answer.start) if answer and answer.is_in(context) else None
            positive = None if place is None else sentences[place]
            if positive is not None:
                answered.setdefault(positive.id, []).append(question.id)
            if not layout.candidates:
                yield Query(question.id, question.question, positive)
        if layout.candidates:
            yield from _with_answers(sentences, answered)


def query_of(row: Row, id: str, layout: Layout) -> Query:
    """One row of named columns; SQuAD's flat rows (question, context, answers) among them."""
    text = row.text("query")
    gold = _ids(row) if "gold" in row.columns else ()
    if _is_flat(row.columns):
        breaks, sentences = _paragraph(row.text("context"), layout)
        place = _flat_place(row, breaks)
        return Query(id, text, None if place is None else sentences[place], gold)
    positive = None
    if sought := row.text("positive") if "positive" in row.columns else "":
        context = row.text("context") if "context" in row.columns else None
        positive = Candidate(gold[0] if gold else _digest(sought, context), sought, context, layout.language)
    elif layout.labelled:
        do = "give every training row the text it should find, in a column 'positive'"
        raise TaskDataError("a query without its positive", where=row.where, do=do)
    return Query(id, text, positive, gold)


def candidates_of(rows: Iterable[Row], layout: Layout, where: str) -> Iterator[Candidate]:
    """The candidates of a file of candidates (id, text, language), or the positives of a file of queries, each once."""
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return
    rows, names = chain([first], rows), list(first.cells)
    if first_called(COLUMNS.fields["query"], names):
        yield from _positives(rows, names, layout, where)
        return
    columns = {field: column for field, usual in CANDIDATE_FIELDS.items() if (column := first_called(usual, names))}
    if "text" not in columns or "id" not in columns:
        ids, texts = (", ".join(CANDIDATE_FIELDS[field]) for field in ("id", "text"))
        what = f"candidates need an id ({ids}) and a text ({texts}); the columns are: {', '.join(names)}"
        raise TaskDataError(what, where=where, do="rename the columns")
    for row in rows:
        row = Row(row.where, row.cells, columns)
        context = row.text("context") if "context" in columns else None
        language = str(row.cells.get(columns["language"], "")) if "language" in columns else layout.language
        yield Candidate(str(row.cell("id")), row.text("text"), context, language)


def merged(queries: Iterable[Query], where: str = "") -> list[Candidate]:
    """The positives of queries, each once, with the ids of the queries that look for it.

    Raises TaskDataError where one id stands for two texts.
    """
    kept: dict[str, Candidate] = {}
    for query in queries:
        if (positive := query.positive) is not None:
            known = kept.setdefault(positive.id, positive)
            if (known.text, known.context) != (positive.text, positive.context):
                what = f"candidate id '{known.id}' stands for two texts: {known.text[:40]!r} and {positive.text[:40]!r}"
                raise TaskDataError(what, where=where, do="give every candidate an id of its own")
            kept[known.id] = replace(known, answers=(*known.answers, query.id))
    return list(kept.values())


def _positives(rows: Iterable[Row], names: Sequence[str], layout: Layout, where: str) -> Iterator[Candidate]:
    columns = COLUMNS.find(names, layout.columns, where)
    numbered = ((str(number), Row(row.where, row.cells, columns)) for number, row in enumerate(rows))
    if "id" in columns:
        numbered = ((str(row.cell("id")), row) for _, row in numbered)
    if not _is_flat(columns):
        labelled = replace(layout, labelled=True)
        yield from merged((query_of(row, id, labelled) for id, row in numbered), where)
        return
    of_context: dict[str, tuple[Breaks, list[Candidate]]] = {}
    answered: dict[str, list[str]] = {}
    for id, row in numbered:
        context = row.text("context")
        if context not in of_context:
            of_context[context] = _paragraph(context, layout)
        breaks, sentences = of_context[context]
        if (place := _flat_place(row, breaks)) is not None:
            answered.setdefault(sentences[place].id, []).append(id)
    for _, sentences in of_context.values():
        yield from _with_answers(sentences, answered)


def _is_flat(columns: Mapping[str, str]) -> bool:
    return "positive" not in columns and "answers" in columns and "context" in columns


def _with_answers(sentences: Iterable[Candidate], answered: Mapping[str, Sequence[str]]) -> Iterator[Candidate]:
    return (replace(sentence, answers=tuple(answered.get(sentence.id, ()))) for sentence in sentences)


def _paragraph(context: str, layout: Layout) -> tuple[Breaks, list[Candidate]]:
    """The sentences of a flat row's paragraph; named by its language and text, since rows do not number paragraphs."""
    breaks = sentence_breaks(context)
    return breaks, _sentences(breaks, context, _digest(context, None), layout)


def _sentences(breaks: Breaks, context: str, paragraph: str, layout: Layout) -> list[Candidate]:
    name = "_".join(filter(None, (layout.language, paragraph)))
    return [
        Candidate(f"{name}_{place}", context[start:end], context, layout.language)
        for place, (start, end) in enumerate(breaks)
    ]


def _flat_place(row: Row, breaks: Breaks) -> int | None:
    """The sentence in which the first answer of a flat row begins, perhaps a little before its place; see CUT_OFF."""
    context = row.text("context")
    for answer in flat_answers(row)[:1]:
        for start in range(answer.start, answer.start - CUT_OFF - 1, -1):
            if replace(answer, start=start).is_in(context):
                return sentence_at(breaks, start)
    return None


def _breaks(paragraph: Node, context: str, where: str) -> Breaks:
    breaks = paragraph.get("sentence_breaks")
    if breaks is None:
        return sentence_breaks(context)
    if not isinstance(breaks, list) or not all(_is_break(pair, len(context)) for pair in breaks):
        what = "sentence_breaks are not pairs of characters of the context"
        raise TaskDataError(what, where=where, do="fetch the file again; it may belong to other text")
    return tuple((start, end) for start, end in breaks)


def _is_break(pair: object, size: int) -> bool:
    whole = isinstance(pair, list) and len(pair) == 2 and all(isinstance(place, int) for place in pair)
    return whole and 0 <= cast(list[int], pair)[0] < cast(list[int], pair)[1] <= size


def _ids(row: Row) -> tuple[str, ...]:
    cell = row.cell("gold")
    several = isinstance(cell, list | tuple) or (isinstance(cell, str) and cell.startswith("["))
    ids = row.items("gold") if several else [] if cell in (None, "") else [cell]
    return tuple(dict.fromkeys(map(str, ids)))


def _digest(text: str, context: str | None) -> str:
    return hashlib.sha256(json.dumps([text, context]).encode()).hexdigest()[:16]
