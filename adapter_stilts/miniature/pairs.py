"""Rows for inference, paraphrase, topics and tags.

Inference rows come three to a hypothesis, one per label, so that the hypothesis alone tells nothing. Sentences are understood to be
about the same event, as in SNLI: a different colour, place or time contradicts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace

from adapter_stilts.miniature import world
from adapter_stilts.miniature.causes import sample_cause
from adapter_stilts.miniature.grammar import Style
from adapter_stilts.miniature.rendering import text
from adapter_stilts.miniature.rows import Labelled, Told
from adapter_stilts.miniature.sampling import EVENTS, PLAIN_FRAMES, Sampler, optional_facts, settled, strip, without
from adapter_stilts.miniature.world import KIND_OF, OPPOSITES, TOPICS, Clause, Sentence, Thing


def inference(sampler: Sampler, build: Callable[[Sampler], tuple[Sentence, Sentence, Sentence, Clause] | None]) -> Iterator[Labelled]:
    """Triples: entailing, contradicting and neutral premises of one hypothesis, for ever."""
    while True:
        found = build(sampler)
        if found is None:
            continue
        *premises, hypothesis = found
        if not sampler.allows(hypothesis, *(clause for premise in premises for clause in premise.clauses)):
            continue
        asserted = Told(Sentence(hypothesis), sampler.style())
        for premise, label in zip(premises, ("entailment", "contradiction", "neutral"), strict=True):
            yield Labelled((Told(premise, sampler.style()),), (asserted,), label)


def one_event(sampler: Sampler) -> tuple[Sentence, Sentence, Sentence, Clause] | None:
    """Premises of one clause: more is said, one fact differs, or one fact is missing."""
    rng = sampler.rng
    full = sampler.clause([verb for verb in EVENTS if sampler.only([verb])])
    stated = optional_facts(full)
    if full.negated:
        return negated_event(sampler, full)
    if len(stated) < 2:
        return None
    said = rng.sample(stated, rng.randrange(1, len(stated)))
    hypothesis = without(full, *(fact for fact in stated if fact not in said))
    entailing = without(full, *(fact for fact in stated if fact not in said and rng.random() < 0.4))
    against = contradict(sampler, entailing, said)
    neutral = without(full, rng.choice(said))  # as long as the others: what is missing here is made up by what they leave out
    if rng.random() < 0.4 and hypothesis.thing and hypothesis.thing.noun in KIND_OF and not {"count", "modifier"} & {*said}:
        general = Thing(KIND_OF[hypothesis.thing.noun])
        if rng.random() < 0.5:
            hypothesis = replace(hypothesis, thing=general)
        else:  # the other way round, the kind does not tell which of its members
            neutral = replace(entailing, thing=general)
    return Sentence(entailing), Sentence(against), Sentence(neutral), hypothesis


def negated_event(sampler: Sampler, full: Clause) -> tuple[Sentence, Sentence, Sentence, Clause] | None:
    """A negated hypothesis follows from itself in other words; nothing follows from another negated event."""
    other = sampler.changed(sampler.changed(full, "verb"), sampler.rng.choice(("time", "place") if full.frame != "move" else ("time",)))
    if not other.negated or other.verb == full.verb:
        return None
    return Sentence(full), Sentence(replace(full, negated=False)), Sentence(other), full


def contradict(sampler: Sampler, clause: Clause, said: list[str]) -> Clause:
    """A premise that cannot be true together with the hypothesis: one fact both state differs."""
    kinds = [fact for fact in said if fact != "modifier" or changeable(sampler, clause)]
    kinds += ["noun"] if sampler.other_nouns(clause) else []
    kinds += ["negated"] if sampler.rng.random() < 0.5 or not kinds else []
    kinds += ["verb"] if clause.verb in OPPOSITES else []
    return sampler.changed(clause, sampler.rng.choice(kinds))


def changeable(sampler: Sampler, clause: Clause) -> bool:
    """Whether the thing's modifier has an alternative that excludes it."""
    thing = clause.thing or Thing("")
    return thing.modifier in world.QUALITIES or len(set(sampler.modifiers(thing.noun)) & set(world.COLOURS)) > 1


def two_clauses(sampler: Sampler) -> tuple[Sentence, Sentence, Sentence, Clause] | None:
    """Premises of two clauses joined by "and" or "because", of states and handovers; the hypothesis is about one of them."""
    rng = sampler.rng
    if rng.random() < 0.3:
        return handover(sampler)
    if rng.random() < 0.5:
        pair = sample_cause(sampler)
        first, second, link = pair.effect, pair.cause, "because"
    else:
        first, second, link = sampler.clause((*world.FEELINGS, *EVENTS), bare=True), sampler.clause((*world.STATES, "locate", "exist")), "and"
    about_second = rng.random() < 0.5
    hypothesis = second if about_second else first
    if hypothesis.frame == "weather" or not {hypothesis.verb} & {*world.FEELINGS, *world.STATES, "locate", *OPPOSITES}:
        return None
    unrelated = sampler.clause(world.FEELINGS if hypothesis.frame == "feel" else EVENTS if hypothesis.agent else world.STATES, hypothesis.agent, bare=True)
    if unrelated.verb in (hypothesis.verb, OPPOSITES.get(hypothesis.verb)):
        return None
    told = (hypothesis, settled(opposed(sampler, hypothesis)), unrelated)
    entailing, against, neutral = (Sentence(first, link, clause) if about_second else Sentence(clause, link, second) for clause in told)
    return entailing, against, neutral, hypothesis


def opposed(sampler: Sampler, clause: Clause) -> Clause:
    """What cannot be true together with the clause: its opposite, its negation, or another place."""
    if clause.frame == "locate":
        return sampler.changed(clause, "place")
    if clause.verb not in OPPOSITES or sampler.rng.random() < 0.4:
        return replace(clause, negated=not clause.negated)
    return replace(clause, verb=OPPOSITES[clause.verb])


def handover(sampler: Sampler) -> tuple[Sentence, Sentence, Sentence, Clause] | None:
    """Who gives is not who gets, and who is shown a thing need not get it: "Anna gave Peter a book" says "Peter got a book from Anna"."""
    given = replace(sampler.clause(("give", "send")), negated=False)
    swapped = replace(given, agent=given.partner, partner=given.agent)
    return Sentence(given), Sentence(swapped), Sentence(replace(given, verb="show")), converse(strip(given))


def converse(clause: Clause) -> Clause:
    """The same handover from the other side."""
    return replace(clause, verb="get", agent=clause.partner, partner=clause.agent, surname="")


def paraphrases(sampler: Sampler) -> Iterator[Labelled]:
    """Pairs that mean the same in other words or order ("1"), and pairs that differ in one fact or in who did what ("0").

    The two labels take turns, each pair with one of the other label that shares as large a part of its words: overlap tells nothing.
    """
    waiting: dict[tuple[int, str], list[Labelled]] = defaultdict(list)
    while True:
        for label in ("0", "1"):
            row = paraphrase(sampler, label)
            part = overlap(row)
            waiting[part, label].append(row)
            if waiting[part, "0"] and waiting[part, "1"]:
                yield waiting[part, "0"].pop(0)
                yield waiting[part, "1"].pop(0)


def overlap(row: Labelled) -> int:
    """Tenths of the English words that both texts have."""
    first, second = (set(text(side, "en").lower().rstrip(".").split()) for side in (row.first, row.second))
    return round(10 * len(first & second) / len(first | second))


def paraphrase(sampler: Sampler, label: str) -> Labelled:
    """One pair of different texts, both of the split."""
    while True:
        meaning = some_events(sampler)
        other = same(sampler, meaning) if label == "1" else different(sampler, meaning)
        if other is None or not sampler.allows(*other.clauses):
            continue
        styles = other_styles(sampler) if label == "1" else (sampler.style(), sampler.style())
        first, second = (Told(sentence, style) for sentence, style in zip((meaning, other), styles, strict=True))
        if text([first], "en") != text([second], "en"):
            return Labelled((first,), (second,), label)


def other_styles(sampler: Sampler) -> tuple[Style, Style]:
    """Two ways of telling that differ wherever the sentence lets them."""
    rng = sampler.rng
    front, other, shift = rng.choice(("", "time", "place")), rng.random() < 0.5, rng.random() < 0.5
    return Style(front, other, shift), Style("" if front else rng.choice(("time", "place")), not other, not shift)


def some_events(sampler: Sampler) -> Sentence:
    """One event, or two of different people joined by "and"."""
    first = sampler.clause([verb for verb in EVENTS if sampler.only([verb])])
    if sampler.rng.random() < 0.35:
        second = sampler.clause([verb for verb in EVENTS if sampler.only([verb])])
        if second.agent != first.agent:
            return Sentence(without(first, "time"), "and", without(second, "time"))
    return Sentence(first)


def same(sampler: Sampler, meaning: Sentence) -> Sentence | None:
    """The same meaning, from the other side or in the other order where there is one."""
    if meaning.second is not None:
        return Sentence(meaning.second, meaning.link, meaning.first)
    if meaning.first.verb in ("give", "send") and not meaning.first.negated and sampler.rng.random() < 0.7:
        return Sentence(converse(meaning.first))
    return meaning


def different(sampler: Sampler, meaning: Sentence) -> Sentence | None:
    """One fact differs, or two clauses or people exchange theirs."""
    first, second = meaning.first, meaning.second
    if second is not None and sampler.rng.random() < 0.6:
        return exchanged(first, second)
    if first.partner and sampler.rng.random() < 0.6:
        swapped = replace(first, agent=first.partner, partner=first.agent)
        from_other_side = first.verb in ("give", "send") and not first.negated and sampler.rng.random() < 0.5
        return Sentence(converse(swapped) if from_other_side else swapped)
    facts = [fact for fact in optional_facts(first) if fact != "modifier" or changeable(sampler, first)]
    changed = sampler.changed(first, sampler.rng.choice([*facts, "negated", "agent", "noun" if sampler.other_nouns(first) else "verb"]))
    return Sentence(changed) if second is None else Sentence(second, meaning.link, changed)


def exchanged(first: Clause, second: Clause) -> Sentence | None:
    """The two clauses in the other order, with each other's places or people."""
    if first.place and second.place and first.place != second.place and "move" not in (first.frame, second.frame):
        return Sentence(replace(second, place=first.place), "and", replace(first, place=second.place))
    if {first.agent, second.agent} & {first.partner, second.partner}:
        return None
    return Sentence(replace(second, agent=first.agent), "and", replace(first, agent=second.agent))


def topics(sampler: Sampler) -> Iterator[Labelled]:
    """Single sentences by topic."""
    while True:
        for topic, verbs in TOPICS.items():
            meaning = None
            while meaning is None or not sampler.holds(meaning):
                meaning = Sentence(sampler.clause([verb for verb in verbs if sampler.only([verb])]))
            yield Labelled((Told(meaning, sampler.style()),), label=topic)


def tagged(sampler: Sampler) -> Iterator[Labelled]:
    """Sentences of all kinds for word tags; a few people have surnames."""
    rng = sampler.rng
    while True:
        meaning = any_sentence(sampler)
        first = meaning.first
        if first.agent in world.NAMES and rng.random() < 0.4:
            first = replace(first, surname=rng.choice(world.SURNAMES))
        yield Labelled((Told(replace(meaning, first=first), sampler.style()),))


def any_sentence(sampler: Sampler) -> Sentence:
    """A sentence of any kind: one clause, a cause, or two clauses joined by "and"."""
    while True:
        meaning = some_sentence(sampler)
        if sampler.holds(meaning):
            return meaning


def some_sentence(sampler: Sampler) -> Sentence:
    rng = sampler.rng
    chance = rng.random()
    if chance < 0.15 and sampler.domain is world.GENERAL:
        cause = sample_cause(sampler)
        return Sentence(cause.effect, "because", cause.cause)
    verbs = [verb for verb in sampler.domain.verbs if sampler.only([verb])]
    likely = [verb for verb in verbs if world.FRAMES[verb] not in PLAIN_FRAMES] * 3 + verbs
    first = sampler.clause(likely)
    if chance < 0.35:
        second = sampler.clause(likely)
        if second.agent != first.agent:
            return Sentence(first, "and", second)
    return Sentence(first)
