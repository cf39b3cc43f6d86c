"""Rows to examples: the same meanings put into one language, with labels, tags and answer positions read from the words."""

from __future__ import annotations

from collections.abc import Sequence

from adapter_stilts.formats.aligned import Bitext
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.pools import Pools
from adapter_stilts.formats.squad import Answer, SpanQuestion
from adapter_stilts.formats.tags import Tagged
from adapter_stilts.miniature.grammar import Words, starts_of, text_of
from adapter_stilts.miniature.languages import grammar
from adapter_stilts.miniature.rows import Asked, Caused, Hidden, Labelled, Told


def words_of(told: Told, language: str) -> Words:
    """A sentence's words in a language."""
    return grammar(language).sentence(told.meaning, told.style)


def text(sentences: Sequence[Told], language: str) -> str:
    """Several sentences as running text."""
    joint = " " if grammar(language).blank else ""
    return joint.join(text_of(words_of(told, language)) for told in sentences)


def classified(row: Labelled, name: str, language: str) -> Classified:
    return Classified(name, text(row.first, language), text(row.second, language) if row.second else None, row.label)


def parts_of_speech(row: Labelled, name: str, language: str) -> Tagged:
    """Words with universal part-of-speech tags."""
    words = words_of(row.first[0], language)
    return Tagged(name, tuple(word.text for word in words), tuple(word.tag for word in words))


def entities(row: Labelled, name: str, language: str) -> Tagged:
    """Words with B- and I- tags of people, places and organisations."""
    words = words_of(row.first[0], language)
    tags: list[str] = []
    for index, word in enumerate(words):
        before = words[index - 1] if index else None
        inside = before is not None and word.entity and (before.entity, before.role) == (word.entity, word.role)
        tags.append(f"{'I' if inside else 'B'}-{word.entity}" if word.entity else "O")
    return Tagged(name, tuple(word.text for word in words), tuple(tags))


def span(row: Asked, name: str, language: str) -> SpanQuestion:
    """A question about a context; the answer is the asked slot's words, without the prepositions around them."""
    language_grammar = grammar(language)
    question = text_of(language_grammar.question(row.clause, row.slot, row.style))
    context = text(row.context, language)
    if row.answer < 0:
        return SpanQuestion(name, question, context, ())
    before = text(row.context[: row.answer], language)
    offset = len(before) + (1 if before and language_grammar.blank else 0)
    words = words_of(row.context[row.answer], language)
    start, end = answer_range(words, row.slot)
    position = offset + start
    return SpanQuestion(name, question, context, (Answer(context[position : offset + end], position),))


def answer_range(words: Words, slot: str) -> tuple[int, int]:
    """First and last character of a slot's words in their sentence."""
    chosen = [index for index, word in enumerate(words) if word.role == slot]
    while words[chosen[0]].tag == "ADP":
        del chosen[0]
    while words[chosen[-1]].tag == "ADP":
        del chosen[-1]
    starts = starts_of(words)
    return starts[chosen[0]], starts[chosen[-1]] + len(words[chosen[-1]].text)


def choice(row: Caused, name: str, language: str) -> MultipleChoice:
    """The sentence and the question for its cause or effect, if one is asked, are the prompt."""
    language_grammar = grammar(language)
    joint = " " if language_grammar.blank else ""
    prompt = text([row.prompt], language) + (joint + language_grammar.phrase(row.kind) if row.kind else "")
    return MultipleChoice(name, prompt, tuple(text([candidate], language) for candidate in row.choices), row.label)


def bitext(row: Labelled, name: str, language: str) -> Bitext:
    return Bitext(name, text(row.first, language), text(row.second, "en"))


def hidden(row: Hidden, name: str, language: str) -> Pools:
    """Pools with ids as BUCC writes them, "de-000000017"."""
    source_ids = tuple(f"{language}-{index:09}" for index in range(1, len(row.source) + 1))
    target_ids = tuple(f"en-{index:09}" for index in range(1, len(row.target) + 1))
    gold = frozenset((source_ids[source], target_ids[target]) for source, target in row.gold)
    return Pools(name, source_ids, tuple(text([told], language) for told in row.source), target_ids, tuple(text([told], "en") for told in row.target), gold)
