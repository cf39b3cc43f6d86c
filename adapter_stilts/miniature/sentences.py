"""Sentences of any kind, and the rows made of them: topics, tags, translations, and pools that hide translations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from adapter_stilts.miniature import world
from adapter_stilts.miniature.causes import sample_cause
from adapter_stilts.miniature.grammar import Styled
from adapter_stilts.miniature.rendering import Hidden, Labelled
from adapter_stilts.miniature.sampling import PLAIN_FRAMES, Sampler, optional_facts
from adapter_stilts.miniature.world import Sentence

POOL_SIZE = 400  # sentences of either side
POOL_SHARE = 0.15  # of them have a partner on the other side


def any_sentence(sampler: Sampler) -> Sentence:
    """A sentence of any kind: one clause, a cause, or two clauses joined by "and"."""
    while True:
        meaning = _some_sentence(sampler)
        if sampler.holds(meaning):
            return meaning


def _some_sentence(sampler: Sampler) -> Sentence:
    chance = sampler.rng.random()
    if chance < 0.15 and sampler.domain is world.GENERAL:
        pair = sample_cause(sampler)
        return Sentence(pair.effect, "because", pair.cause)
    verbs = sampler.only(sampler.domain.verbs)
    likely = (*[verb for verb in verbs if world.FRAMES[verb] not in PLAIN_FRAMES] * 3, *verbs)
    first = sampler.clause(likely)
    if chance < 0.35:
        second = sampler.clause(likely)
        if second.agent != first.agent:
            return Sentence(first, "and", second)
    return Sentence(first)


def topics(sampler: Sampler) -> Iterator[Labelled]:
    while True:
        for topic, verbs in world.TOPICS.items():
            meaning = None
            while meaning is None or not sampler.holds(meaning):
                meaning = Sentence(sampler.clause(sampler.only(verbs)))
            yield Labelled((sampler.styled(meaning),), label=topic)


def tagged(sampler: Sampler) -> Iterator[Labelled]:
    """Sentences of all kinds for word tags; a few people have surnames."""
    while True:
        meaning = any_sentence(sampler)
        first = meaning.first
        if first.agent in world.NAMES and sampler.rng.random() < 0.4:
            first = replace(first, surname=sampler.rng.choice(world.SURNAMES))
        yield Labelled((sampler.styled(replace(meaning, first=first)),))


def aligned(sampler: Sampler) -> Iterator[Labelled]:
    """Sentences of all kinds, worded in one way in the source and perhaps another in English; no meaning twice."""
    seen: set[Sentence] = set()
    while True:
        meaning = any_sentence(sampler)
        if meaning not in seen:
            seen.add(meaning)
            yield Labelled((sampler.styled(meaning),), (sampler.styled(meaning),))


def pools(sampler: Sampler) -> Iterator[Hidden]:
    """Two sets of sentences, once; every shared sentence has two look-alikes in either, which differ in one fact."""
    rng = sampler.rng
    seen: set[Sentence] = set()

    def add(meaning: Sentence, meanings: list[Sentence]) -> None:
        if meaning not in seen and sampler.holds(meaning):
            seen.add(meaning)
            meanings.append(meaning)

    def filled(meanings: list[Sentence], size: int) -> list[Sentence]:
        while len(meanings) < size:
            add(any_sentence(sampler), meanings)
        return meanings

    shared = filled([], int(POOL_SIZE * POOL_SHARE))
    sides = [[*shared], [*shared]]
    for meaning in shared:
        for side in sides:
            facts = optional_facts(meaning.first) or ["negated"]
            if meaning.first.frame != "exist":
                add(replace(meaning, first=sampler.changed(meaning.first, rng.choice(facts))), side)
    source, target = (_shuffled(sampler, filled(side, POOL_SIZE)) for side in sides)
    places = {sentence.meaning: place for place, sentence in enumerate(target)}
    gold = ((place, places[sentence.meaning]) for place, sentence in enumerate(source) if sentence.meaning in places)
    yield Hidden(source, target, tuple(gold))


def _shuffled(sampler: Sampler, meanings: list[Sentence]) -> tuple[Styled, ...]:
    sentences = [sampler.styled(meaning) for meaning in meanings]
    sampler.rng.shuffle(sentences)
    return tuple(sentences)
