"""Rows with named columns to examples; the same for a JSON lines file, a TSV and a data set of the hub.

build = row_builder(layout, ["premise", "hypothesis", "label"], where="train.jsonl")
build(Row("train.jsonl, line 1", {"premise": ..., ...}), "0")      # Classified("0", ...)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from adapter_stilts.data.columns import LABEL, find_columns, nearest, numbered_choices
from adapter_stilts.data.examples import (
    Bitext,
    Classified,
    Example,
    Format,
    MultipleChoice,
    PlainText,
    SpanQuestion,
    Tagged,
)
from adapter_stilts.data.labels import spelled
from adapter_stilts.data.layout import Layout
from adapter_stilts.data.ranking_rows import query_of
from adapter_stilts.data.squad_rows import flat_answers
from adapter_stilts.data.tables import Row, cell_of, whole_text
from adapter_stilts.data.tags import NO_TAG, clean_tags
from adapter_stilts.errors import TaskDataError

Builder = Callable[[Row, str], Example]

# What XTREME-R writes after a premise of COPA and XCOPA, in English for every language.
COPA_QUESTIONS: Mapping[str, str] = {"cause": "What was the cause?", "effect": "What was the effect?"}


def row_builder(layout: Layout, names: Sequence[str], where: str) -> Builder:
    """A function from a row and its number to an example, with the columns found once."""
    found = find_columns(layout.format, names, layout.columns, where)
    _require_labels(layout, names, found, where)
    make = BUILDERS[layout.format]
    if layout.format == "choice" and "choices" not in found:
        given = [found[field] for field in numbered_choices(found)]
        found |= {f"choice {number}": column for number, column in enumerate(given or numbered_choices(names))}

    def build(row: Row, number: str) -> Example:
        id = str(cell_of(row, found["id"])) if "id" in found else number
        return make(row, id, found, layout)

    return build


def _require_labels(layout: Layout, names: Sequence[str], found: Mapping[str, str], where: str) -> None:
    field = {"pair": "label", "single": "label", "choice": "label", "tags": "tags", "span": "answers"}.get(layout.format)
    if field is None or field in found:
        return
    near = next((advice for name in (field, *LABEL) if (advice := nearest(name, names))), "")
    if layout.labelled or near:
        do = f"{near}name the column with task.columns.{field}=..."
        raise TaskDataError(f"no column for '{field}'; the columns are: {', '.join(names)}", where=where, do=do)


def _pair(row: Row, id: str, found: Mapping[str, str], layout: Layout) -> Classified:
    return Classified(id, _string(row, found["text"]), _string(row, found["pair"]), _label(row, found, layout))


def _single(row: Row, id: str, found: Mapping[str, str], layout: Layout) -> Classified:
    return Classified(id, _string(row, found["text"]), None, _label(row, found, layout))


def _tagged(row: Row, id: str, found: Mapping[str, str], layout: Layout) -> Tagged:
    words = [str(word) for word in _list(row, found["words"])]
    tags = [str(tag) for tag in _list(row, found["tags"])] if "tags" in found else []
    if tags and len(tags) != len(words):
        raise TaskDataError(f"{len(words)} words and {len(tags)} tags", where=row.where, do="give every word one tag")
    if tags:
        kept = [number for number, tag in enumerate(tags) if layout.label_names.get(tag, tag) != NO_TAG]
        words, tags = [words[number] for number in kept], [tags[number] for number in kept]
    return Tagged(id, tuple(words), clean_tags(tags, layout, row.where))


def _span(row: Row, id: str, found: Mapping[str, str], layout: Layout) -> SpanQuestion:
    answers = flat_answers(row, found["answers"]) if "answers" in found else ()
    return SpanQuestion(id, _string(row, found["question"]), _string(row, found["context"]), answers)


def _choice(row: Row, id: str, found: Mapping[str, str], layout: Layout) -> MultipleChoice:
    question = _string(row, found["question"]) if "question" in found else ""
    prompt = [_string(row, found["prompt"]) if "prompt" in found else "", COPA_QUESTIONS.get(question, question)]
    names, choices = _choices(row, found)
    if "lead" in found:
        lead = _string(row, found["lead"])
        choices = [f"{lead} {choice}".strip() for choice in choices]
    return MultipleChoice(id, " ".join(filter(None, prompt)), tuple(choices), _choice_label(row, found, layout, names))


def _text(row: Row, id: str, found: Mapping[str, str], layout: Layout) -> PlainText:
    return PlainText(id, _string(row, found["text"]), _string(row, found["pair"]) if "pair" in found else None)


def _aligned(row: Row, id: str, found: Mapping[str, str], layout: Layout) -> Bitext:
    return Bitext(id, _string(row, found["source"]).strip(), _string(row, found["target"]).strip())


def _label(row: Row, found: Mapping[str, str], layout: Layout) -> str:
    if "label" not in found:
        return ""
    label = spelled(cell_of(row, found["label"]), None, layout.label_names, row.where)
    if not label and layout.labelled and "" not in layout.ignore_labels:
        raise TaskDataError("a row without a label", where=row.where, do="fill in its label or leave the row out")
    return label if label in layout.ignore_labels else spelled(label, layout.labels, {}, row.where)


def _choices(row: Row, found: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The names by which a label may call the choices ("A", "B"; none where it counts) and their texts."""
    if "choices" not in found:
        return [], [_string(row, column) for field, column in found.items() if field.startswith("choice ")]
    cell = cell_of(row, found["choices"])
    if isinstance(cell, dict) and "text" in cell:
        return [str(name) for name in cell.get("label", [])], [str(text) for text in cell["text"]]
    return [], [str(choice) for choice in _list(row, found["choices"])]


def _choice_label(row: Row, found: Mapping[str, str], layout: Layout, names: Sequence[str]) -> int:
    text = spelled(cell_of(row, found["label"]), None, layout.label_names, row.where) if "label" in found else ""
    if text in ("", "-1"):
        return -1
    count = len(names) or len(_choices(row, found)[1])
    allowed = list(names) or [str(number) for number in range(count)]
    letters = [chr(ord("A") + number) for number in range(count)]
    for spelling in (allowed, letters):
        if text in spelling:
            return spelling.index(text)
    raise TaskDataError(
        f"label '{text}' is not one of: {', '.join(allowed)}", where=row.where, do="count the choices from 0, or map the label with `label_names`"
    )


BUILDERS: Mapping[Format, Callable[[Row, str, Mapping[str, str], Layout], Example]] = {
    "pair": _pair,
    "single": _single,
    "tags": _tagged,
    "span": _span,
    "choice": _choice,
    "ranking": query_of,
    "text": _text,
    "aligned": _aligned,
}


def _list(row: Row, column: str) -> list[object]:
    cell = cell_of(row, column)
    if isinstance(cell, str) and cell.startswith("["):
        try:
            cell = json.loads(cell)
        except json.JSONDecodeError as error:
            raise TaskDataError(f"'{column}' is not a list: {cell[:40]!r}", where=row.where, do="write a JSON list") from error
    if not isinstance(cell, list | tuple):
        raise TaskDataError(f"'{column}' is not a list: {str(cell)[:40]!r}", where=row.where, do="write a JSON list")
    return list(cell)


def _string(row: Row, column: str) -> str:
    cell = cell_of(row, column)
    if column.endswith("_tokens") and isinstance(cell, list | tuple):
        cell = " ".join(map(str, cell))  # CodeXGLUE keeps code and comments as lists of tokens
    return whole_text(cell, column, row.where)
