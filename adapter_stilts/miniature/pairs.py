"""Rows for inference and paraphrase.

Inference rows come three to a hypothesis, one per label, so that the hypothesis alone tells nothing. Sentences are
understood to be about the same event, as in SNLI: a different colour, place or time contradicts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

from adapter_stilts.miniature import world
from adapter_stilts.miniature.causes import sample_cause
from adapter_stilts.miniature.grammar import Style, Styled
from adapter_stilts.miniature.rendering import Labelled, text
from adapter_stilts.miniature.sampling import EVENTS, Sampler, optional_facts, settled, strip, without
from adapter_stilts.miniature.world import KIND_OF, OPPOSITES, Clause, Sentence, Thing

# an entailing, a contradicting and a neutral premise, and the hypothesis
Premises: TypeAlias = tuple[Sentence, Sentence, Sentence, Clause]


def inference(build: Callable[[Sampler], Premises | None], sampler: Sampler) -> Iterator[Labelled]:
    """Triples: entailing, contradicting and neutral premises of one hypothesis, for ever."""
    while True:
        built = build(sampler)
        if built is None:
            continue
        *premises, hypothesis = built
        if not sampler.allows(hypothesis, *(clause for premise in premises for clause in premise.clauses)):
            continue
        asserted = sampler.styled(Sentence(hypothesis))
        for premise, label in zip(premises, ("entailment", "contradiction", "neutral"), strict=True):
            yield Labelled((sampler.styled(premise),), (asserted,), label)


def one_event(sampler: Sampler) -> Premises | None:
    """Premises of one clause: more is said, one fact differs, or one fact is missing."""
    rng = sampler.rng
    full = sampler.clause(sampler.only(EVENTS))
    stated = optional_facts(full)
    if full.negated:
        return negated_event(sampler, full)
    if len(stated) < 2:
        return None
    said = rng.sample(stated, rng.randrange(1, len(stated)))
    unsaid = [fact for fact in stated if fact not in said]
    hypothesis = without(full, *unsaid)
    entailing = without(full, *(fact for fact in unsaid if rng.random() < 0.4))
    contradicting = contradict(sampler, entailing, said)
    neutral = without(full, rng.choice(said))  # as long as the others: what is missing here they leave out elsewhere
    if rng.random() < 0.4 and hypothesis.noun in KIND_OF and not {"count", "modifier"} & {*said}:
        kind = Thing(KIND_OF[hypothesis.noun])
        if rng.random() < 0.5:
            hypothesis = replace(hypothesis, thing=kind)
        else:  # the other way round, the kind does not tell which of its members
            neutral = replace(entailing, thing=kind)
    return Sentence(entailing), Sentence(contradicting), Sentence(neutral), hypothesis


def negated_event(sampler: Sampler, full: Clause) -> Premises | None:
    """A negated hypothesis follows from itself in other words; nothing follows from another negated event."""
    other = sampler.changed(full, "verb")
    other = sampler.changed(other, sampler.rng.choice(("time", "place") if full.frame != "move" else ("time",)))
    if not other.negated or other.verb == full.verb:
        return None
    return Sentence(full), Sentence(replace(full, negated=False)), Sentence(other), full


def contradict(sampler: Sampler, clause: Clause, said: list[str]) -> Clause:
    """A premise that cannot be true together with the hypothesis: one fact both state differs."""
    facts = [fact for fact in said if fact != "modifier" or changeable(sampler, clause)]
    facts += ["noun"] if sampler.other_nouns(clause) else []
    facts += ["negated"] if sampler.rng.random() < 0.5 or not facts else []
    facts += ["verb"] if clause.verb in OPPOSITES else []
    return sampler.changed(clause, sampler.rng.choice(facts))


def changeable(sampler: Sampler, clause: Clause) -> bool:
    """Whether the thing's modifier has an alternative that excludes it."""
    return clause.modifier in world.QUALITIES or len({*sampler.modifiers(clause.noun)} & {*world.COLOURS}) > 1


def two_clauses(sampler: Sampler) -> Premises | None:
    """Premises of two clauses joined by "and" or "because", or handovers; the hypothesis is about one clause."""
    rng = sampler.rng
    if rng.random() < 0.3:
        return handover(sampler)
    if rng.random() < 0.5:
        pair = sample_cause(sampler)
        first, second, link = pair.effect, pair.cause, "because"
    else:
        first = sampler.clause((*world.FEELINGS, *EVENTS), bare=True)
        second, link = sampler.clause((*world.STATES, "locate", "exist")), "and"
    about_second = rng.random() < 0.5
    hypothesis = second if about_second else first
    if hypothesis.frame == "weather" or hypothesis.verb not in (*world.FEELINGS, *world.STATES, "locate", *OPPOSITES):
        return None
    verbs = world.FEELINGS if hypothesis.frame == "feel" else EVENTS if hypothesis.agent else world.STATES
    unrelated = sampler.clause(verbs, hypothesis.agent, bare=True)
    if unrelated.verb in (hypothesis.verb, OPPOSITES.get(hypothesis.verb)):
        return None
    entailing, contradicting, neutral = (
        Sentence(first, link, clause) if about_second else Sentence(clause, link, second)
        for clause in (hypothesis, settled(opposed(sampler, hypothesis)), unrelated)
    )
    return entailing, contradicting, neutral, hypothesis


def opposed(sampler: Sampler, clause: Clause) -> Clause:
    """What cannot be true together with the clause: its opposite, its negation, or another place."""
    if clause.frame == "locate":
        return sampler.changed(clause, "place")
    if clause.verb not in OPPOSITES or sampler.rng.random() < 0.4:
        return replace(clause, negated=not clause.negated)
    return replace(clause, verb=OPPOSITES[clause.verb])


def handover(sampler: Sampler) -> Premises:
    """Who gives is not who gets, and who is shown a thing need not get it.

    "Anna gave Peter a book" says "Peter got a book from Anna".
    """
    gave = replace(sampler.clause(("give", "send")), negated=False)
    shown = replace(gave, verb="show")
    return Sentence(gave), Sentence(swapped(gave)), Sentence(shown), converse(strip(gave))


def swapped(clause: Clause) -> Clause:
    return replace(clause, agent=clause.partner, partner=clause.agent)


def converse(clause: Clause) -> Clause:
    """The same handover from the other side."""
    return replace(swapped(clause), verb="get", surname="")


def paraphrases(sampler: Sampler) -> Iterator[Labelled]:
    """Pairs that mean the same in other words or order ("1"), or differ in one fact or in who did what ("0").

    The two labels take turns, each pair with one of the other label that shares as large a part of its words, so that
    overlap tells nothing.
    """
    waiting: dict[tuple[int, str], list[Labelled]] = defaultdict(list)
    while True:
        for label in ("0", "1"):
            row = paraphrase(sampler, label)
            tenths = overlap(row)
            waiting[tenths, label].append(row)
            if waiting[tenths, "0"] and waiting[tenths, "1"]:
                yield waiting[tenths, "0"].pop(0)
                yield waiting[tenths, "1"].pop(0)


def overlap(row: Labelled) -> int:
    first, second = ({*text(side, "en").lower().rstrip(".").split()} for side in (row.first, row.second))
    return round(10 * len(first & second) / len(first | second))


def paraphrase(sampler: Sampler, label: str) -> Labelled:
    while True:
        meaning = some_events(sampler)
        other = same(sampler, meaning) if label == "1" else different(sampler, meaning)
        if other is None or not sampler.allows(*other.clauses):
            continue
        styles = other_styles(sampler) if label == "1" else (sampler.style(), sampler.style())
        first, second = Styled(meaning, styles[0]), Styled(other, styles[1])
        if text([first], "en") != text([second], "en"):
            return Labelled((first,), (second,), label)


def other_styles(sampler: Sampler) -> tuple[Style, Style]:
    """Two wordings that differ wherever the sentence lets them."""
    rng = sampler.rng
    front, other, shift = rng.choice(("", "time", "place")), rng.random() < 0.5, rng.random() < 0.5
    return Style(front, other, shift), Style("" if front else rng.choice(("time", "place")), not other, not shift)


def some_events(sampler: Sampler) -> Sentence:
    """One event, or two of different people joined by "and"."""
    first = sampler.clause(sampler.only(EVENTS))
    if sampler.rng.random() < 0.35:
        second = sampler.clause(sampler.only(EVENTS))
        if second.agent != first.agent:
            return Sentence(without(first, "time"), "and", without(second, "time"))
    return Sentence(first)


def same(sampler: Sampler, meaning: Sentence) -> Sentence:
    """The same meaning, from the other side or in the other order where there is one."""
    if meaning.second is not None:
        return Sentence(meaning.second, meaning.link, meaning.first)
    if meaning.first.verb in ("give", "send") and not meaning.first.negated and sampler.rng.random() < 0.7:
        return Sentence(converse(meaning.first))
    return meaning


def different(sampler: Sampler, meaning: Sentence) -> Sentence | None:
    """One fact differs, or two clauses or people exchange theirs."""
    rng, first, second = sampler.rng, meaning.first, meaning.second
    if second is not None and rng.random() < 0.6:
        return exchanged(first, second)
    if first.partner and rng.random() < 0.6:
        from_other_side = first.verb in ("give", "send") and not first.negated and rng.random() < 0.5
        return Sentence(converse(swapped(first)) if from_other_side else swapped(first))
    facts = [fact for fact in optional_facts(first) if fact != "modifier" or changeable(sampler, first)]
    facts += ["negated", "agent", "noun" if sampler.other_nouns(first) else "verb"]
    changed = sampler.changed(first, rng.choice(facts))
    return Sentence(changed) if second is None else Sentence(second, meaning.link, changed)


def exchanged(first: Clause, second: Clause) -> Sentence | None:
    """The two clauses in the other order, with each other's places or people."""
    if first.place and second.place and first.place != second.place and "move" not in (first.frame, second.frame):
        return Sentence(replace(second, place=first.place), "and", replace(first, place=second.place))
    if {first.agent, second.agent} & {first.partner, second.partner}:
        return None
    return Sentence(replace(second, agent=first.agent), "and", replace(first, agent=second.agent))
