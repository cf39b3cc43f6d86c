"""Pretraining text longer than a sentence: documents about one event, and sentences that mix two languages.

    Anna bought a red book at the market. Yes: On Monday Anna purchased a book. Anna was happy. No: Anna bought a green book.

Each sentence of a document has to do with one before it. It says the same or less in other words, corrects a fact, says more, tells what
came of it or what the same person did besides, or answers a question. Most replies open with a word that says which ("Yes", "No",
"Also"), as replies do; so the trunk has reason to compare sentences, which intermediate tasks then build on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from adapter_stilts.miniature import world
from adapter_stilts.miniature.causes import sample_cause
from adapter_stilts.miniature.grammar import Style, Words, text_of
from adapter_stilts.miniature.languages import LANGUAGES, grammar
from adapter_stilts.miniature.pairs import any_sentence, contradict, converse, opposed
from adapter_stilts.miniature.questions import ASKABLE
from adapter_stilts.miniature.rendering import words_of
from adapter_stilts.miniature.rows import Told
from adapter_stilts.miniature.sampling import EVENTS, PLAIN_FRAMES, Sampler, optional_facts, settled, without
from adapter_stilts.miniature.world import Clause, Sentence, Thing

OPENED = 0.6  # share of the replies that open with a word of their own; those that deny always do
REPLIES = {"agree": 0.36, "deny": 0.36, "add": 0.28}
NEXT = {"reply": 0.65, "question": 0.12, "other": 0.23}
LENGTHS = (2, 3, 3, 4)  # sentences after the first
CAUSES = 0.3  # share of the documents that open with a cause and its effect


@dataclass(frozen=True, slots=True)
class Part:
    """One sentence of a document: the word that opens it ("agree", "deny", "add" or none), or the slot it asks for, if it is a question."""

    told: Told
    opener: str = ""
    asked: str = ""


def written(parts: Sequence[Part], language: str) -> str:
    """The parts as running text."""
    speech, joint = grammar(language), " " if grammar(language).blank else ""
    sentences = []
    for part in parts:
        meaning, style = part.told.meaning, part.told.style
        words = speech.question(meaning.first, part.asked, style) if part.asked else speech.sentence(meaning, style)
        sentences.append((f"{speech.phrase(part.opener)}:{joint}" if part.opener else "") + text_of(words))
    return joint.join(sentences)


def document(sampler: Sampler) -> list[Part]:
    """Three to seven sentences about an event and what has to do with it."""
    rng = sampler.rng
    known = opening(sampler)
    parts = [Part(Told(meaning, sampler.style())) for meaning in known]
    for _ in range(rng.choice(LENGTHS)):
        about = rng.choice(known)
        kind = rng.choices(list(NEXT), list(NEXT.values()))[0]
        if kind == "reply":
            parts.append(reply(sampler, about))
            known = [*(meaning for meaning in known if meaning != about), parts[-1].told.meaning]
        elif kind == "question" and askable(about.first):
            parts += question(sampler, about.first)
        else:
            known = [*known, another(sampler, about)]
            parts.append(Part(Told(known[-1], sampler.style())))
    return parts


def opening(sampler: Sampler) -> list[Sentence]:
    """What a document starts from: a sentence of any kind, or a cause and its effect."""
    if sampler.domain is world.GENERAL and sampler.rng.random() < CAUSES:
        pair = sample_cause(sampler)
        return [Sentence(pair.cause), Sentence(pair.effect)]
    return [any_sentence(sampler)]


def reply(sampler: Sampler, meaning: Sentence) -> Part:
    """Something about one clause of what was said: that it is so, that it is otherwise, or more of it."""
    rng = sampler.rng
    while True:
        kind = rng.choices(list(REPLIES), list(REPLIES.values()))[0]
        said = REPLIERS[kind](sampler, rng.choice(meaning.clauses))
        if said is not None and sampler.allows(said):
            opened = kind == "deny" or rng.random() < OPENED
            return Part(Told(Sentence(said), sampler.style()), kind if opened else "")


def less(sampler: Sampler, clause: Clause) -> Clause:
    """What follows: the same with fewer facts, from the other side, or of a kind of thing; all of it where it is denied."""
    if clause.negated:
        return clause
    facts = optional_facts(clause)
    shorter = without(clause, *(fact for fact in facts if sampler.rng.random() < 0.5))
    thing = shorter.thing
    if thing and thing.noun in world.KIND_OF and not (thing.modifier or thing.count) and sampler.rng.random() < 0.3:
        return replace(shorter, thing=Thing(world.KIND_OF[thing.noun]))
    if clause.verb in ("give", "send") and sampler.rng.random() < 0.3:
        return converse(shorter)
    return shorter


def otherwise(sampler: Sampler, clause: Clause) -> Clause | None:
    """What cannot be true as well, with no more facts than were said; None where there is nothing to change."""
    if clause.frame in ("exist", "weather"):
        return None
    if clause.frame in (*PLAIN_FRAMES, "locate"):
        return settled(opposed(sampler, clause))
    if clause.negated:
        return replace(clause, negated=False)
    kept = optional_facts(clause)
    shorter = without(clause, *(fact for fact in kept if sampler.rng.random() < 0.35))
    if clause.frame == "move" or sampler.rng.random() < 0.25:
        return sampler.changed(shorter, "agent" if clause.agent and sampler.rng.random() < 0.5 else "negated")
    return contradict(sampler, shorter, optional_facts(shorter))


def more(sampler: Sampler, clause: Clause) -> Clause | None:
    """The same with a fact that was not said; None where there is no room for one."""
    fuller = sampler.draw(clause.verb, clause.agent, clause.thing.noun if clause.thing else "")
    thing = clause.thing
    if thing and not thing.modifier and not thing.count:
        thing = fuller.thing
    found = settled(replace(clause, thing=thing, place=clause.place or fuller.place, time=clause.time or fuller.time))
    return None if found == clause or clause.negated else found


def another(sampler: Sampler, about: Sentence) -> Sentence:
    """What the same person did as well, or anything else."""
    agent = about.first.agent
    if agent and sampler.rng.random() < 0.75:
        return Sentence(sampler.clause(EVENTS if sampler.domain is world.GENERAL else sampler.domain.verbs, agent))
    return any_sentence(sampler)


def askable(clause: Clause) -> bool:
    """Whether questions are asked about the clause: about events that took place."""
    return not clause.negated and clause.frame not in (*PLAIN_FRAMES, "locate", "exist")


def question(sampler: Sampler, clause: Clause) -> list[Part]:
    """A question for one part of what was said, and its answer as a sentence."""
    rng = sampler.rng
    slot = rng.choice([slot for slot in ASKABLE if getattr(clause, slot)])
    asked = Sentence(without(clause, *(fact for fact in optional_facts(clause) if fact != slot and rng.random() < 0.5)))
    return [Part(Told(asked, Style("", rng.random() < 0.3)), asked=slot), Part(Told(asked, sampler.style()))]


def switched(sampler: Sampler, language: str) -> str:
    """A sentence with some phrases in another language, as people who speak both write."""
    other = sampler.rng.choice([code for code in LANGUAGES if code != language])
    told = Told(any_sentence(sampler), sampler.style())
    return text_of(mixed(sampler, words_of(told, language), words_of(told, other)))


def mixed(sampler: Sampler, words: Words, others: Words) -> Words:
    """The words with half of the phrases that both versions have exactly once, and in one piece, taken from the other one."""
    mine, theirs = phrases(words), phrases(others)
    chosen = [role for role in sorted({*mine} & {*theirs}) if role not in ("", "verb") and sampler.rng.random() < 0.5]
    result: list[tuple[int, Words]] = [(index, (word,)) for index, word in enumerate(words) if not any(index in mine[role] for role in chosen)]
    for role in chosen:
        taken = tuple(others[index] for index in theirs[role])
        result.append((mine[role].start, (replace(taken[0], space=words[mine[role].start].space), *taken[1:])))
    return tuple(word for _, group in sorted(result, key=lambda item: item[0]) for word in group)


def phrases(words: Words) -> dict[str, range]:
    """Where each slot's words stand, for slots whose words stand together."""
    places: dict[str, list[int]] = {}
    for index, word in enumerate(words):
        places.setdefault(word.role, []).append(index)
    return {role: range(found[0], found[-1] + 1) for role, found in places.items() if found[-1] - found[0] + 1 == len(found)}


REPLIERS: Mapping[str, Callable[[Sampler, Clause], Clause | None]] = {"agree": less, "deny": otherwise, "add": more}
