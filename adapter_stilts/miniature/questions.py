"""Rows for questions: about spans and causes, and those of the ranking data sets, the miniature's LAReQA and Mewsli-X.

questions   one slot of one of three sentences is asked for; beside the answer stand a sentence with the same event
            and one with the same person
answers     the same; the candidates are the sentences of all paragraphs
choices     which of several clauses was the cause or the effect
mentions    a person by full name, doing something somewhere, and two sentences that describe one of that name who
            was there too, each in one language alone; no person of the test is in the training rows
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from adapter_stilts.miniature import world
from adapter_stilts.miniature.causes import Cause, draw_cause, plausible, sample_cause
from adapter_stilts.miniature.grammar import Styled
from adapter_stilts.miniature.rendering import Asked, Caused, Linked
from adapter_stilts.miniature.sampling import EVENTS, Sampler, optional_facts, split_of_name, without
from adapter_stilts.miniature.world import Clause, Sentence

SENTENCES = 3  # of a paragraph
ASKABLE = ("agent", "thing", "partner", "place", "time")
STILL = [verb for verb in EVENTS if world.FRAMES[verb] != "move"]  # what happens at a place, not on the way to one
ATTEMPTS = 60  # at wrong candidates for one cause


def questions(sampler: Sampler, answerable: float = 1.0) -> Iterator[Asked]:
    """A question about one of three sentences; beside it stand one with the same event and one with the same person."""
    rng = sampler.rng
    while True:
        target = replace(sampler.clause(EVENTS), negated=False)
        near = distractors(sampler, target)
        slot = rng.choice([slot for slot in ASKABLE if getattr(target, slot)])
        if near is None or not sampler.allows(target, *near) or any(fits(clause, target, slot) for clause in near):
            continue
        asked = without(target, *(fact for fact in optional_facts(target) if fact != slot and rng.random() < 0.4))
        if any(fits(clause, asked, slot) for clause in near):
            continue
        place = answer = rng.randrange(SENTENCES)
        if rng.random() >= answerable:
            target, answer = sampler.clause(EVENTS), -1
            if any(fits(clause, asked, slot) for clause in (target, *near)):
                continue
        context = tuple(sampler.styled(Sentence(clause)) for clause in (*near[:place], target, *near[place:]))
        yield Asked(asked, slot, sampler.plain_style(), context, answer)


def answers(sampler: Sampler) -> Iterator[Asked]:
    """Questions as above; in validation and test none can be answered by a sentence of another paragraph."""
    asked: list[Asked] = []
    for row in questions(sampler):
        if sampler.split == "train" or not any(_answers(row, other) or _answers(other, row) for other in asked):
            asked.append(row)
            yield row


def _answers(row: Asked, other: Asked) -> bool:
    """Whether a sentence of the one's paragraph answers the question of the other."""
    return any(fits(sentence.meaning.first, other.clause, other.slot) for sentence in row.context)


def distractors(sampler: Sampler, target: Clause) -> list[Clause] | None:
    """Two sentences that share something with the target, in random order."""
    rng = sampler.rng
    same_person = replace(sampler.clause(EVENTS, agent=target.agent), negated=False)
    same_event = sampler.changed(target, "agent")
    for fact, present in (("place", target.place), ("time", target.time), ("noun", sampler.other_nouns(target))):
        if present and rng.random() < 0.7:
            same_event = sampler.changed(same_event, fact)
    pair = [same_person, same_event]
    rng.shuffle(pair)
    return pair if same_person.verb != target.verb else None


def fits(clause: Clause, asked: Clause, slot: str) -> bool:
    """Whether a sentence could answer the question: nothing but the asked slot speaks against it."""
    if clause.verb != asked.verb:
        return False
    sought = "noun" if slot == "thing" else slot
    for fact in ("agent", "partner", "place", "time", "noun"):
        wanted, stated = getattr(asked, fact), getattr(clause, fact)
        if fact != sought and wanted and stated and wanted != stated:
            return False
    return bool(getattr(clause, slot)) or slot in ("agent", "thing", "partner")


def endings(sampler: Sampler) -> Iterator[Caused]:
    """A sentence and four ways to go on, one of them what came of it; no question is asked (as in HellaSwag)."""
    return (replace(row, kind="") for row in choices(sampler, 4, kinds=("effect",)))


def choices(sampler: Sampler, count: int = 2, kinds: Sequence[str] = ("cause", "effect")) -> Iterator[Caused]:
    """A sentence, the question for its cause or effect, and `count` candidates, one of them plausible (as in COPA)."""
    while True:
        pair = sample_cause(sampler)
        kind = sampler.rng.choice(kinds)
        clauses = wrong_candidates(sampler, pair, kind, count - 1)
        if len(clauses) < count - 1:
            continue
        label = sampler.rng.randrange(count)
        prompt, right = (pair.effect, pair.cause) if kind == "cause" else (pair.cause, pair.effect)
        clauses.insert(label, right)
        first, *candidates = (Styled(Sentence(clause), sampler.plain_style()) for clause in (prompt, *clauses))
        yield Caused(first, kind, tuple(candidates), label)


def wrong_candidates(sampler: Sampler, pair: Cause, kind: str, count: int) -> list[Clause]:
    """Implausible causes or effects, each with a verb of its own; fewer than `count` where few are met."""
    wrong: list[Clause] = []
    verbs = {getattr(pair, kind).verb}
    for _ in range(ATTEMPTS):
        clause = candidate(sampler, pair, kind)
        if clause is None or not sampler.allows(clause) or clause.verb in verbs:
            continue
        if not plausible(replace(pair, **{kind: clause})):
            wrong.append(clause)
            verbs.add(clause.verb)
        if len(wrong) == count:
            break
    return wrong


def candidate(sampler: Sampler, pair: Cause, kind: str) -> Clause | None:
    """A cause or effect from another rule, about the same person or thing as the right one."""
    other = draw_cause(sampler)
    if other is None:
        return None
    right, clause = (pair.cause, other.cause) if kind == "cause" else (pair.effect, other.effect)
    if bool(right.agent) != bool(clause.agent):
        return None
    if clause.agent:
        partner = clause.agent if clause.partner == right.agent else clause.partner
        return replace(clause, agent=right.agent, partner=partner)
    if right.thing and clause.thing:
        return replace(clause, thing=right.thing) if right.noun in sampler.nouns(clause.verb) else None
    return clause


def mentions(sampler: Sampler) -> Iterator[Linked]:
    rng = sampler.rng
    known: set[tuple[str, str, str]] = set()
    while True:
        name, surname = rng.choice(sampler.only(world.NAMES)), rng.choice(world.SURNAMES)
        place = rng.choice(sampler.only(world.PLACES))
        person = (name, surname, place)
        if person in known or split_of_name("/".join(person)) != sampler.split:
            continue
        known.add(person)
        events = []
        for _ in range(3):
            event = replace(sampler.clause(STILL, agent=name), surname=surname, place=place, negated=False)
            events.append(Styled(Sentence(event), replace(sampler.style(), front="")))
        yield Linked(events[0], tuple(events[1:]))
