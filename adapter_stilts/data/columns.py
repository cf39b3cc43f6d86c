"""Which column holds what: found by the names that releases use, or given.

A field of ours ("text") may also be called by any of its usual names ("premise") where columns are given:

    columns={"premise": "prämisse", "label": "klasse"}
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

from adapter_stilts.data.examples import Format
from adapter_stilts.errors import TaskDataError
from adapter_stilts.registry import unknown_name

# Two texts that belong together; the first couple a file has both of is taken.
COUPLES: Mapping[Format, tuple[tuple[str, str], ...]] = {
    "pair": (
        ("premise", "hypothesis"),
        ("premise", "hypo"),
        ("sentence1", "sentence2"),
        ("sentence_1", "sentence_2"),
        ("sentence_a", "sentence_b"),
        ("text_a", "text_b"),
        ("text1", "text2"),
        ("sent1", "sent2"),
        ("question1", "question2"),
        ("context", "hypothesis"),
        ("question", "sentence"),
        ("question", "passage"),
        ("query", "passage"),
        ("query", "document"),
        ("query", "code"),
        ("doc", "code"),
        ("func1", "func2"),
        ("text", "pair"),
    ),
    "aligned": (("source", "target"), ("source_sentence", "target_sentence"), ("src", "tgt"), ("sentence1", "sentence2"), ("foreign", "english")),
    "text": (("text", "pair"), ("source", "target")),
}
COUPLE_FIELDS: Mapping[Format, tuple[str, str]] = {"pair": ("text", "pair"), "aligned": ("source", "target"), "text": ("text", "pair")}

LABEL = ("label", "gold_label", "labels", "class", "category", "target", "relation", "intent", "sentiment", "is_duplicate")
ID = ("id", "uid", "guid", "idx", "index", "ind", "example_id", "qid")
FIELDS: Mapping[Format, Mapping[str, tuple[str, ...]]] = {
    "pair": {"label": LABEL, "id": ID},
    "single": {
        "text": ("text", "sentence", "content", "review", "review_body", "utterance", "query", "question", "func", "code", "title"),
        "label": LABEL,
        "id": ID,
    },
    "tags": {
        "words": ("tokens", "words", "word", "token", "form"),
        "tags": ("tags", "ner_tags", "pos_tags", "upos", "ner", "pos", "chunk_tags", "labels"),
        "id": ID,
    },
    "span": {"question": ("question",), "context": ("context", "passage", "paragraph"), "answers": ("answers", "answer"), "id": ID},
    "choice": {
        "prompt": ("premise", "ctx_a", "context", "ctx", "prompt", "article", "passage", "sentence", "goal"),
        "question": ("question", "ask-for", "ask_for", "asks-for", "question_type"),
        "lead": ("ctx_b",),
        "choices": ("choices", "endings", "options", "answers"),
        "label": ("label", "gold_label", "answerkey", "answer_key", "answer", "correct", "gold"),
        "id": ID,
    },
    "ranking": {
        "query": ("query", "question", "mention"),
        "positive": ("positive", "entity", "answer", "passage", "document", "code"),
        "context": ("context", "paragraph"),
        "gold": ("gold", "positive_id", "entity_id", "candidate_id", "gold_ids", "positives"),
        "answers": ("answers",),
        "id": ("id", "example_id", "query_id", "uid", "guid", "idx", "qid"),
    },
    "text": {"text": ("text", "sentence", "content", "line", "code", "document"), "id": ID},
    "aligned": {"id": ID},
}
NEEDED: Mapping[Format, tuple[str, ...]] = {
    "pair": ("text", "pair"),
    "single": ("text",),
    "tags": ("words",),
    "span": ("question", "context"),
    "choice": ("prompt", "choices"),
    "ranking": ("query",),
    "text": ("text",),
    "aligned": ("source", "target"),
}
LANGUAGE_COLUMN = re.compile(r"[a-z]{2,3}([_-][A-Z][A-Za-z]{1,3})?")
ENGLISH = re.compile(r"eng?([_-][A-Z][A-Za-z]{1,3})?")


def find_columns(format: Format, names: Sequence[str], given: Mapping[str, str], where: str) -> dict[str, str]:
    """Our field -> the file's column, for every field of the format that the file has.

    Raises TaskDataError for a needed column that is not there, with the columns found and the nearest, and UnknownName for a field
    that the format does not have.
    """
    found = {field_called(format, key): _existing(column, names, where) for key, column in given.items()}
    _add_couple(format, names, found)
    _add_languages(format, names, found)
    for field, usual in FIELDS[format].items():
        column = _first(usual, names, found.values())
        if field not in found and column is not None:
            found[field] = column
    _require(format, names, found, where)
    return found


def field_called(format: Format, key: str) -> str:
    """Our field for one of its usual names."""
    known = {field: field for field in FIELDS[format]}
    for first, second in COUPLES.get(format, ()):
        known |= dict(zip((first, second), COUPLE_FIELDS[format], strict=True))
    known |= {name: field for field, usual in FIELDS[format].items() for name in usual if name not in known}
    known |= {field: field for field in COUPLE_FIELDS.get(format, ())}
    if NUMBERED.fullmatch(key):
        return key
    if key.lower() not in known:
        raise unknown_name(f"field of a '{format}' task", key, known, where="columns")
    return known[key.lower()]


NUMBERED = re.compile(r"(choice|hypothesis|ending|answer|option|sol|alternative)_?([0-9]|[a-e])", re.IGNORECASE)


def is_header(format: Format, cells: Sequence[str]) -> bool:
    """Whether the first line of a file names the needed columns."""
    try:
        return bool(find_columns(format, cells, {}, ""))
    except TaskDataError:
        return False


def numbered_choices(names: Iterable[str]) -> list[str]:
    """Columns choice1, choice2, ... (or hypothesis1, ending0, answerA, ...) in order; the name with the most columns wins."""
    groups: dict[str, list[str]] = {}
    for name in names:
        if match := NUMBERED.fullmatch(name):
            groups.setdefault(match[1].lower(), []).append(name)
    largest: list[str] = max(groups.values(), key=len, default=[])
    return sorted(largest)


def nearest(wrong: str, names: Iterable[str]) -> str:
    """ "did you mean 'x'? " or nothing."""
    near = difflib.get_close_matches(wrong.lower(), list(names), n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'? " if near else ""


def _existing(column: str, names: Sequence[str], where: str) -> str:
    if column in names:
        return column
    raise TaskDataError(f"no column '{column}'; the columns are: {', '.join(names)}", where=where, do=f"{nearest(column, names)}correct `columns`")


def _first(usual: Iterable[str], names: Sequence[str], taken: Iterable[str]) -> str | None:
    taken = set(taken)
    spelled = {name.lower(): name for name in reversed(names)}
    return next((spelled[name] for name in usual if name in spelled and spelled[name] not in taken), None)


def _add_couple(format: Format, names: Sequence[str], found: dict[str, str]) -> None:
    fields = COUPLE_FIELDS.get(format, ())
    if any(field in found for field in fields):
        return
    spelled = {name.lower(): name for name in names}
    for couple in COUPLES.get(format, ()):
        if all(name in spelled for name in couple):
            found |= {field: spelled[name] for field, name in zip(fields, couple, strict=True)}
            return


def _add_languages(format: Format, names: Sequence[str], found: dict[str, str]) -> None:
    """Columns named by languages, one of them English: the other is the foreign side. "id" is Indonesian only where nothing else is foreign."""
    fields = COUPLE_FIELDS.get(format, ())
    if format not in ("aligned", "text") or any(field in found for field in fields):
        return
    english = [name for name in names if ENGLISH.fullmatch(name)]
    foreign = [name for name in names if LANGUAGE_COLUMN.fullmatch(name) and name not in english]
    if len(foreign) > 1:
        foreign = [name for name in foreign if name not in ID]
    if len(english) == 1 and len(foreign) == 1:
        found |= dict(zip(fields, (foreign[0], english[0]), strict=True))


def _require(format: Format, names: Sequence[str], found: Mapping[str, str], where: str) -> None:
    missing = [field for field in NEEDED[format] if field not in found and not _stands_in(field, format, names, found)]
    if not missing:
        return
    field = missing[0]
    usual = _usual(format, field)
    near = next((advice for name in (field, *usual) if (advice := nearest(name, names))), "")
    raise TaskDataError(
        f"no column for '{field}' (usual names: {', '.join(usual)}); the columns are: {', '.join(names)}",
        where=where,
        do=f"{near}name the column with task.columns.{field}=...",
    )


def _stands_in(field: str, format: Format, names: Sequence[str], found: Mapping[str, str]) -> bool:
    """Numbered columns make up the choices, and a question alone may be the prompt."""
    return format == "choice" and ((field == "prompt" and "question" in found) or (field == "choices" and bool(numbered_choices(names))))


def _usual(format: Format, field: str) -> list[str]:
    if field in FIELDS[format]:
        return list(FIELDS[format][field])
    side = COUPLE_FIELDS[format].index(field)
    return list(dict.fromkeys(couple[side] for couple in COUPLES[format]))
