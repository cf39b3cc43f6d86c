"""Questions and the sentences that answer them, mentions of people and what is said of them: the miniature's LAReQA and Mewsli-X.

    answers     a question and a paragraph of three sentences, as in `qa`; the candidates are the sentences of all paragraphs, and beside
                an answer stand a sentence with the same event and one with the same person
    mentions    a person by full name, doing something somewhere, and two sentences that describe one of that name who was there too;
                each person is described in one language alone, and no person of the test is in the training rows

In validation and test no question can be answered by a sentence of another paragraph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from adapter_stilts.data.mewsli import marked
from adapter_stilts.formats.queries import Candidate, Query
from adapter_stilts.miniature import world
from adapter_stilts.miniature.grammar import Words, starts_of, text_of
from adapter_stilts.miniature.languages import LANGUAGES, grammar
from adapter_stilts.miniature.questions import fits, questions
from adapter_stilts.miniature.rendering import text, words_of
from adapter_stilts.miniature.rows import Asked, Linked, Row, Told
from adapter_stilts.miniature.sampling import EVENTS, Sampler, split_of_name
from adapter_stilts.miniature.world import Clause, Sentence

STILL = [verb for verb in EVENTS if world.FRAMES[verb] != "move"]  # what happens at a place, not on the way to one


def answers(sampler: Sampler) -> Iterator[Asked]:
    """Questions as in `qa`; outside training each with its answer in its own paragraph alone."""
    asked: list[Asked] = []
    for row in questions(sampler):
        clear = sampler.split == "train" or not any(_confused(row, other) for other in asked)
        if clear:
            asked.append(row)
            yield row


def mentions(sampler: Sampler) -> Iterator[Linked]:
    """People of this split, each mentioned once."""
    known: set[tuple[str, str, str]] = set()
    while True:
        rng = sampler.rng
        name, surname, place = rng.choice(sampler.only(world.NAMES)), rng.choice(world.SURNAMES), rng.choice(sampler.only(world.PLACES))
        person = (name, surname, place)
        if person in known or split_of_name("/".join(person)) != sampler.split:
            continue
        known.add(person)
        told = [Told(Sentence(_event(sampler, *person)), replace(sampler.style(), front="")) for _ in range(3)]
        yield Linked(told[0], (told[1], told[2]))


def question(row: Asked, name: str, language: str) -> Query:
    """A question and the sentence that answers it."""
    asked = text_of(grammar(language).question(row.clause, row.slot, row.style))
    return Query(name, asked, sentences(row, name, language)[row.answer])


def sentences(row: Asked, name: str, language: str) -> tuple[Candidate, ...]:
    """The sentences of a paragraph, one of which answers the question called `name`."""
    paragraph = text(row.context, language)
    return tuple(
        Candidate(f"{language}_{name}_{place}", text([told], language), paragraph, language, (name,) if place == row.answer else ())
        for place, told in enumerate(row.context)
    )


def mention(row: Linked, name: str, language: str) -> Query:
    """A mention in its sentence, marked as Mewsli-X's are, with the description in the same language to learn from."""
    words = words_of(row.mention, language)
    start, end = _name_in(words)
    sentence = text_of(words)
    entity = described(row, name, language)
    return Query(name, marked(sentence[:start], sentence[start:end], sentence[end:]), entity, (entity.id,))


def described(row: Linked, name: str, language: str) -> Candidate:
    """What is said of the person that the mention called `name` is about."""
    return Candidate(f"P-{name}", text(row.described, language), None, language)


def candidates(name: str, split: str, row: Row, number: int, language: str) -> tuple[Candidate, ...]:
    """What row `number` of a data set adds to the pool in one language."""
    called = f"{name}-{split}-{number}"
    if isinstance(row, Asked):
        return sentences(row, called, language)
    assert isinstance(row, Linked)
    return (described(row, called, language),) if LANGUAGES[number % len(LANGUAGES)] == language else ()


def _confused(one: Asked, other: Asked) -> bool:
    """Whether a sentence of one paragraph answers the question about the other."""
    pairs = ((one, other), (other, one))
    return any(fits(told.meaning.first, asked.clause, asked.slot) for asked, found in pairs for told in found.context)


def _event(sampler: Sampler, name: str, surname: str, place: str) -> Clause:
    return replace(sampler.clause(STILL, agent=name), surname=surname, place=place, negated=False)


def _name_in(words: Words) -> tuple[int, int]:
    """First and last character of the person's full name."""
    first = next(index for index, word in enumerate(words) if word.role == "agent" and word.entity == "PER")
    last = first
    while last + 1 < len(words) and words[last + 1].entity == "PER" and words[last + 1].role in ("", "agent"):
        last += 1
    starts = starts_of(words)
    return starts[first], starts[last] + len(words[last].text)
