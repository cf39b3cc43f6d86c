"""Rows for span questions, causes and effects, and bitext pools."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from adapter_stilts.miniature.causes import RULES, Cause, build, plausible, sample_cause
from adapter_stilts.miniature.grammar import Style
from adapter_stilts.miniature.pairs import any_sentence
from adapter_stilts.miniature.rows import Asked, Caused, Hidden, Told
from adapter_stilts.miniature.sampling import EVENTS, Sampler, optional_facts, without
from adapter_stilts.miniature.world import Clause, Sentence

SENTENCES = 3
ASKABLE = ("agent", "thing", "partner", "place", "time")


def questions(sampler: Sampler, answerable: float = 1.0) -> Iterator[Asked]:
    """A question about one of three sentences; beside it stand one with the same event and one with the same person."""
    rng = sampler.rng
    while True:
        target = replace(sampler.clause(EVENTS), negated=False)
        near = distractors(sampler, target)
        slots = [slot for slot in ASKABLE if getattr(target, slot)]
        slot = rng.choice(slots)
        if near is None or not sampler.allows(target, *near) or any(fits(clause, target, slot) for clause in near):
            continue
        asked = without(target, *(fact for fact in optional_facts(target) if fact != slot and rng.random() < 0.4))
        if any(fits(clause, asked, slot) for clause in near):
            continue
        place = rng.randrange(SENTENCES)
        context = [*near[:place], target, *near[place:]]
        answer = place
        if rng.random() >= answerable:
            third = sampler.clause(EVENTS)
            if any(fits(clause, asked, slot) for clause in (third, *near)):
                continue
            context[place], answer = third, -1
        sentences = tuple(Told(Sentence(clause), sampler.style()) for clause in context)
        yield Asked(asked, slot, Style("", rng.random() < 0.3), sentences, answer)


def distractors(sampler: Sampler, target: Clause) -> list[Clause] | None:
    """Two sentences that share something with the target, in random order."""
    rng = sampler.rng
    same_person = sampler.clause(EVENTS, agent=target.agent)
    same_event = sampler.changed(target, "agent")
    present = {"place": bool(target.place), "time": bool(target.time), "noun": bool(sampler.other_nouns(target))}
    for fact in present:
        if present[fact] and rng.random() < 0.7:
            same_event = sampler.changed(same_event, fact)
    found = [replace(same_person, negated=False), same_event]
    rng.shuffle(found)
    return found if same_person.verb != target.verb else None


def fits(clause: Clause, asked: Clause, slot: str) -> bool:
    """Whether a sentence could answer the question: nothing but the asked slot speaks against it."""
    if clause.verb != asked.verb:
        return False
    for name in ("agent", "partner", "place", "time"):
        wanted, found = getattr(asked, name), getattr(clause, name)
        if name != slot and wanted and found and wanted != found:
            return False
    if slot != "thing" and asked.thing and clause.thing and asked.thing.noun != clause.thing.noun:
        return False
    return bool(getattr(clause, slot)) or slot in ("agent", "thing", "partner")


def endings(sampler: Sampler) -> Iterator[Caused]:
    """A sentence and four ways to go on, one of them what came of it; no question is asked (as in HellaSwag)."""
    return (replace(row, kind="") for row in choices(sampler, 4, kinds=("effect",)))


def choices(sampler: Sampler, count: int = 2, kinds: Sequence[str] = ("cause", "effect")) -> Iterator[Caused]:
    """A sentence, the question for its cause or effect, and `count` candidates, one of them plausible (as in COPA)."""
    rng = sampler.rng
    while True:
        pair = sample_cause(sampler)
        kind = rng.choice(kinds)
        right = pair.cause if kind == "cause" else pair.effect
        wrong: list[Clause] = []
        for _ in range(60):
            clause = candidate(sampler, pair, kind)
            if clause is None or not sampler.allows(clause) or any(clause.verb == other.verb for other in (*wrong, right)):
                continue
            effect, cause = (pair.effect, clause) if kind == "cause" else (clause, pair.cause)
            if not plausible(effect, cause):
                wrong.append(clause)
            if len(wrong) == count - 1:
                break
        if len(wrong) < count - 1:
            continue
        label = rng.randrange(count)
        ordered = [*wrong[:label], right, *wrong[label:]]
        prompt = pair.effect if kind == "cause" else pair.cause
        yield Caused(told(prompt, rng), kind, tuple(told(clause, rng) for clause in ordered), label)


def candidate(sampler: Sampler, pair: Cause, kind: str) -> Clause | None:
    """A cause or effect from another rule, about the same person or thing as the right one."""
    effect_verb, cause_verb, share = sampler.rng.choice(RULES)
    other = build(sampler, effect_verb, cause_verb, share)
    if other is None:
        return None
    right, found = (pair.cause, other.cause) if kind == "cause" else (pair.effect, other.effect)
    if bool(right.agent) != bool(found.agent):
        return None
    if found.agent:
        found = replace(found, agent=right.agent, partner=found.partner if found.partner != right.agent else found.agent)
    elif right.thing and found.thing:
        if right.thing.noun not in sampler.nouns(found.verb):
            return None
        found = replace(found, thing=right.thing)
    return found


def told(clause: Clause, rng: random.Random) -> Told:
    return Told(Sentence(clause), Style("", rng.random() < 0.3))


def pools(sampler: Sampler, size: int, share: float = 0.15) -> Hidden:
    """Two sets of `size` sentences; `share` of them have a partner, and each partner two look-alikes that differ in one fact."""
    rng = sampler.rng
    seen: set[Sentence] = set()

    def fresh(make: Sentence) -> bool:
        if make in seen or not sampler.holds(make):
            return False
        seen.add(make)
        return True

    def filled(meanings: list[Sentence], wanted: int) -> list[Sentence]:
        while len(meanings) < wanted:
            meaning = any_sentence(sampler)
            if fresh(meaning):
                meanings.append(meaning)
        return meanings

    shared = filled([], int(size * share))
    sides = [[*shared], [*shared]]
    for meaning in shared:
        for side in sides:
            facts = optional_facts(meaning.first) or ["negated"]
            changed = replace(meaning, first=sampler.changed(meaning.first, rng.choice(facts))) if meaning.first.frame != "exist" else meaning
            if fresh(changed):
                side.append(changed)
    source, target = (shuffled(rng, [Told(meaning, sampler.style()) for meaning in filled(side, size)]) for side in sides)
    where = {item.meaning: index for index, item in enumerate(target)}
    gold = tuple((index, where[item.meaning]) for index, item in enumerate(source) if item.meaning in where)
    return Hidden(source, target, gold)


def shuffled(rng: random.Random, items: list[Told]) -> tuple[Told, ...]:
    rng.shuffle(items)
    return tuple(items)
