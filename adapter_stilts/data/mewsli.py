"""Mewsli-X's JSON lines to plain rows: a mention in its sentence, and the description of an entity, as XTREME-R's
baseline writes them.

    {"context": {...}, "mentions": [...]}           one row per mention: id, query, gold, language
    {"contextual_mention": {...}, "entity": {...}}  one row: id, query, positive, gold, language
    {"entity_id": ..., "description": ..., ...}     one row: id, text, language

A query is `mention: left { mention } right`: one sentence, the mention in braces, and before it once more, since what
is too long is cut at its end. Rows of any other shape are left as they are.
Ruder et al. (2021), https://aclanthology.org/2021.emnlp-main.802
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from adapter_stilts.data.tables import Row
from adapter_stilts.errors import TaskDataError

Node = Mapping[str, Any]

BRACES = re.compile(r"{(.*?)}")  # in the text itself they become parentheses
AS_RELEASED = "fetch the release again; its lines hold context, mentions and sentence_spans"


def plain_rows(row: Row) -> Iterator[Row]:
    """The rows of one line of Mewsli-X, or the row itself. Raises TaskDataError for a line of another build."""
    cells = row.cells
    try:
        if "contextual_mention" in cells and "entity" in cells:
            line: Any = cells["contextual_mention"]
            positive = _description(cast(Node, cells["entity"]))
            yield Row(row.where, {**_mention(line, line["mention"], row.where), "positive": positive})
        elif "mentions" in cells and "context" in cells:
            for mention in cast(list[Node], cells["mentions"]):
                yield Row(row.where, _mention(cells, mention, row.where))
        elif "sentence_spans" in cells and "description" in cells:
            language = cells["description_language"]
            yield Row(row.where, {"id": cells["entity_id"], "text": _description(cells), "language": language})
        else:
            yield row
    except (KeyError, TypeError, AttributeError) as error:
        what = f"this line is not as Mewsli-X has them: {error!r}"
        raise TaskDataError(what, where=row.where, do=AS_RELEASED) from error


def marked(left: str, name: str, right: str) -> str:
    """A mention as a query: itself, then its sentence with braces around it."""
    before, behind = (BRACES.sub(r"(\1)", part) for part in (left, right))
    return _one_line(f"{name}: {before} {{ {name} }} {behind}")


def _mention(line: Node, mention: Node, where: str) -> dict[str, object]:
    context, span = line["context"], mention["mention_span"]
    id, text = str(mention["example_id"]), str(context["text"])
    start, end, name = span["start"], span["end"], str(span["text"])
    where = f"{where}, mention '{id}'"
    if not text:
        do = "run the release's get-mewsli-x.sh, which puts it in"
        raise TaskDataError("the articles' text is missing", where=where, do=do)
    if text[start:end] != name:
        what = f"the mention is '{name}', but its place holds '{text[start:end]}'"
        raise TaskDataError(what, where=where, do=AS_RELEASED)
    sentences = ((place["start"], place["end"]) for place in context["sentence_spans"])
    left, right = next((pair for pair in sentences if pair[0] <= start < pair[1] and end <= pair[1]), (0, 0))
    if not right:
        raise TaskDataError("no sentence holds the whole mention", where=where, do=AS_RELEASED)
    return {
        "id": id,
        "query": marked(text[left:start], name, text[end:right]),
        "gold": str(mention["entity_id"]),
        "language": str(context["language"]),
    }


def _description(entity: Node) -> str:
    text = str(entity["description"])
    return _one_line(" ".join(text[span["start"] : span["end"]] for span in entity["sentence_spans"]))


def _one_line(text: str) -> str:
    """As the baseline does it: line breaks become spaces, and two spaces one, once."""
    return " ".join(text.splitlines()).replace("  ", " ").strip()
