"""Rows, as meanings with their wording, and how each becomes an example of one language.

Labels, tags and answer positions are read from the words. A row has the same id in every language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from adapter_stilts.data.mewsli import marked
from adapter_stilts.formats.aligned import Bitext
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.pools import Pools
from adapter_stilts.formats.queries import Candidate, Query
from adapter_stilts.formats.squad import Answer, SpanQuestion
from adapter_stilts.formats.tags import Tagged
from adapter_stilts.miniature.grammar import Style, Styled, Words, starts_of, text_of
from adapter_stilts.miniature.languages import LANGUAGES, grammar
from adapter_stilts.miniature.world import Clause


@dataclass(frozen=True, slots=True)
class Labelled:
    """One or two texts of one or more sentences, and a label."""

    first: tuple[Styled, ...]
    second: tuple[Styled, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question for one slot of a clause, a context, and which of its sentences answers it (-1: none)."""

    clause: Clause
    slot: str
    style: Style
    context: tuple[Styled, ...]
    answer: int


@dataclass(frozen=True, slots=True)
class Caused:
    """A sentence, candidates for its cause or effect, and the index of the right one.

    `kind` is what is asked for, "cause" or "effect"; "" asks nothing: the candidates go on from the sentence.
    """

    prompt: Styled
    kind: str
    choices: tuple[Styled, ...]
    label: int


@dataclass(frozen=True, slots=True)
class Hidden:
    """Two sets of sentences; those at `gold` (source index, target index) mean the same."""

    source: tuple[Styled, ...]
    target: tuple[Styled, ...]
    gold: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """A sentence that mentions a person by full name, and what is said of that person elsewhere."""

    mention: Styled
    described: tuple[Styled, ...]


Row: TypeAlias = Labelled | Asked | Caused | Hidden | Linked


def words_of(sentence: Styled, language: str) -> Words:
    return grammar(language).sentence(sentence.meaning, sentence.style)


def text(sentences: Sequence[Styled], language: str) -> str:
    return grammar(language).text(words_of(sentence, language) for sentence in sentences)


def question_text(row: Asked, language: str) -> str:
    return text_of(grammar(language).question(row.clause, row.slot, row.style))


def prompt_text(row: Caused, language: str) -> str:
    """The sentence, and the question for its cause or effect if one is asked."""
    speech, prompt = grammar(language), text([row.prompt], language)
    return prompt + speech.blank + speech.phrase(row.kind) if row.kind else prompt


def classified(row: Labelled, name: str, language: str) -> Classified:
    return Classified(name, text(row.first, language), text(row.second, language) if row.second else None, row.label)


def parts_of_speech(row: Labelled, name: str, language: str) -> Tagged:
    words = words_of(row.first[0], language)
    return Tagged(name, tuple(word.text for word in words), tuple(word.tag for word in words))


def entities(row: Labelled, name: str, language: str) -> Tagged:
    words = words_of(row.first[0], language)
    tags: list[str] = []
    before = ("", "")
    for word in words:
        inside = before == (word.entity, word.role)
        tags.append(f"{'I' if inside else 'B'}-{word.entity}" if word.entity else "O")
        before = word.entity, word.role
    return Tagged(name, tuple(word.text for word in words), tuple(tags))


def span(row: Asked, name: str, language: str) -> SpanQuestion:
    """A question about a context; the answer is the asked slot's words, without the prepositions around them."""
    question, context = question_text(row, language), text(row.context, language)
    if row.answer < 0:
        return SpanQuestion(name, question, context, ())
    before = text(row.context[: row.answer], language)
    offset = len(before + grammar(language).blank) if before else 0
    words = words_of(row.context[row.answer], language)
    places = [place for place, word in enumerate(words) if word.role == row.slot and word.tag != "ADP"]
    start, end = _characters(words, places[0], places[-1])
    return SpanQuestion(name, question, context, (Answer(context[offset + start : offset + end], offset + start),))


def choice(row: Caused, name: str, language: str) -> MultipleChoice:
    candidates = tuple(text([candidate], language) for candidate in row.choices)
    return MultipleChoice(name, prompt_text(row, language), candidates, row.label)


def bitext(row: Labelled, name: str, language: str) -> Bitext:
    return Bitext(name, text(row.first, language), text(row.second, "en"))


def hidden(row: Hidden, name: str, language: str) -> Pools:
    """Pools with ids as BUCC writes them, "de-000000017"."""
    source_ids, source = _pool(row.source, language)
    target_ids, target = _pool(row.target, "en")
    gold = frozenset((source_ids[source], target_ids[target]) for source, target in row.gold)
    return Pools(name, source_ids, source, target_ids, target, gold)


def _pool(sentences: Sequence[Styled], language: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    ids = tuple(f"{language}-{number:09}" for number in range(1, len(sentences) + 1))
    return ids, tuple(text([sentence], language) for sentence in sentences)


def question(row: Asked, name: str, language: str) -> Query:
    return Query(name, question_text(row, language), paragraph(row, name, language)[row.answer])


def mention(row: Linked, name: str, language: str) -> Query:
    """A mention in its sentence, marked as Mewsli-X's are, with the description in the same language to learn from."""
    words = words_of(row.mention, language)
    start, end = _name_range(words)
    sentence = text_of(words)
    entity = description(row, name, language)
    return Query(name, marked(sentence[:start], sentence[start:end], sentence[end:]), entity, (entity.id,))


def candidates(row: Row, name: str, number: int, language: str) -> tuple[Candidate, ...]:
    """What row `number` of a ranking data set, the one called `name`, adds to the pool in one language."""
    if isinstance(row, Asked):
        return paragraph(row, name, language)
    assert isinstance(row, Linked)
    return (description(row, name, language),) if LANGUAGES[number % len(LANGUAGES)] == language else ()


def paragraph(row: Asked, name: str, language: str) -> tuple[Candidate, ...]:
    """The sentences of a paragraph, one of which answers the question called `name`."""
    whole = text(row.context, language)
    sentences = enumerate(text([sentence], language) for sentence in row.context)
    return tuple(
        Candidate(f"{language}_{name}_{place}", sentence, whole, language, (name,) if place == row.answer else ())
        for place, sentence in sentences
    )


def description(row: Linked, name: str, language: str) -> Candidate:
    return Candidate(f"P-{name}", text(row.described, language), None, language)


def _name_range(words: Words) -> tuple[int, int]:
    first = next(place for place, word in enumerate(words) if word.role == "agent" and word.entity == "PER")
    last = first
    while last + 1 < len(words) and words[last + 1].entity == "PER" and words[last + 1].role in ("", "agent"):
        last += 1
    return _characters(words, first, last)


def _characters(words: Words, first: int, last: int) -> tuple[int, int]:
    """Where the first of some neighbouring words starts in the text, and where the last one ends."""
    starts = starts_of(words)
    return starts[first], starts[last] + len(words[last].text)
