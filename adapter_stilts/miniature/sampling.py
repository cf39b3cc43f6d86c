"""Meanings drawn from the world, each belonging to one split.

An event belongs to train, validation or test by a hash of its core (verb, agent and thing, or verb, thing and place),
so a combination seen in one split never occurs in another, whatever else is said of it. Feelings, states and the
weather are too few for that and may occur in any split beside an event; a sentence of nothing else belongs to a split
as a whole. Words of `world.HELD_OUT` are drawn for test only.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from adapter_stilts.miniature import world
from adapter_stilts.miniature.grammar import Style, Styled
from adapter_stilts.miniature.world import GENERAL, HELD_OUT, OPPOSITES, Clause, Domain, Sentence, Thing, concepts

OPTIONAL = ("modifier", "count", "place", "time")
EVENTS = (*world.ACTIONS, *world.TRANSFERS, "get", *world.ACTIVITIES, *world.MOTIONS)
PLAIN_FRAMES = ("feel", "be", "weather")
PLACED_FRAMES = ("move", "locate", "exist")  # with them the place is never left out


@cache
def split_of(clause: Clause) -> str:
    """The split a clause belongs to; "" for feelings, states and weather, which belong to all."""
    if clause.frame in PLAIN_FRAMES:
        return ""
    core = f"{clause.verb}/{clause.agent}/{clause.noun}"
    return split_of_name(f"{core}/{clause.place}" if clause.frame in ("locate", "exist") else core)


def split_of_name(name: str) -> str:
    """Three quarters of all names belong to train, an eighth each to validation and test."""
    bucket = hashlib.sha256(name.encode()).digest()[0]
    return "train" if bucket < 192 else "validation" if bucket < 224 else "test"


@cache
def _without_held_out(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in HELD_OUT)


def stream(name: str) -> random.Random:
    """Random numbers of a name's own, the same in every process."""
    return random.Random(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))


@dataclass(frozen=True)
class Sampler:
    """Draws clauses of one split and domain. `everything` also allows held-out words (pretraining text)."""

    rng: random.Random
    split: str
    domain: Domain = GENERAL
    everything: bool = False

    @property
    def unrestricted(self) -> bool:
        return self.everything or self.split == "test"

    def only(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return names if self.unrestricted else _without_held_out(names)

    def allows(self, *clauses: Clause) -> bool:
        """Whether all clauses belong to this split and use only its words."""
        if not all(split_of(clause) in ("", self.split) for clause in clauses):
            return False
        return self.unrestricted or not any(concepts(clause) & HELD_OUT for clause in clauses)

    def holds(self, meaning: Sentence) -> bool:
        """Whether a sentence standing alone belongs to this split."""
        own = any(split_of(clause) for clause in meaning.clauses)
        return self.allows(*meaning.clauses) and (own or split_of_name(repr(meaning)) == self.split)

    # -- ways of wording

    def style(self) -> Style:
        """Half with something fronted, a third with other words, a third in another order."""
        return Style(self.rng.choice(("", "", "time", "place")), self.rng.random() < 0.35, self.rng.random() < 0.35)

    def plain_style(self) -> Style:
        """A third with other words, nothing moved."""
        return Style(other=self.rng.random() < 0.3)

    def styled(self, meaning: Sentence) -> Styled:
        return Styled(meaning, self.style())

    # -- clauses and what they are made of

    def clause(self, verbs: Sequence[str] = EVENTS, agent: str = "", noun: str = "", bare: bool = False) -> Clause:
        """A clause with one of the verbs, and with the agent or noun given; `bare` leaves out what can be left out."""
        while True:
            clause = self.draw(self.rng.choice(verbs), agent, noun)
            if bare:
                clause = strip(clause)
            if self.allows(clause):
                return clause

    def draw(self, verb: str, agent: str = "", noun: str = "") -> Clause:
        """A clause with this verb, of whatever split."""
        frame, rng = world.FRAMES[verb], self.rng
        thing, partner, place, time = None, "", "", ""
        if frame in ("act", "give", "get", "be", "locate", "exist"):
            thing = self.thing(noun or rng.choice(self.nouns(verb)))
        if frame in ("act", "give", "get", "do", "move", "feel"):
            agent = agent or self.person()
        negated = frame not in ("locate", "exist") and rng.random() < 0.1
        if frame in ("give", "get"):
            partner = rng.choice([person for person in self.people() if person != agent])
        likely = 0.7 if frame == "weather" else 0.55
        if frame in PLACED_FRAMES or (frame not in ("feel", "be") and rng.random() < likely):
            place = self.place(verb)
        if frame not in ("feel", "be", "locate") and rng.random() < 0.45:
            time = rng.choice(self.only(world.TIMES))
        return settled(Clause(verb, agent, thing, partner, place, time, negated))

    def people(self) -> tuple[str, ...]:
        return self.only((*world.NAMES, *self.domain.roles))

    def person(self) -> str:
        names, roles = self.only(world.NAMES), self.only(self.domain.roles)
        share = 0.6 if self.domain is GENERAL else 0.3
        return self.rng.choice(names if self.rng.random() < share else roles)

    def nouns(self, verb: str) -> tuple[str, ...]:
        nouns = self.domain.nouns
        if self.domain is GENERAL or verb in ("sign", "cancel", "prescribe"):
            if verb == "broken":
                nouns = (*world.MACHINES, "cup")
            elif world.FRAMES[verb] not in ("be", "locate", "exist"):
                nouns = world.OBJECTS.get(verb, nouns)
        return self.only(nouns)

    def place(self, verb: str) -> str:
        if verb == "travel":
            return self.rng.choice(self.only(world.CITIES))
        frame, places = world.FRAMES[verb], self.domain.places
        if self.rng.random() >= 0.8:  # drawn in the general domain too, to no effect
            places = world.CITIES
        if self.domain is GENERAL:
            kinds = [world.PLACES, world.CITIES, world.ORGS][: 2 if frame in (*PLACED_FRAMES, "weather") else 3]
            places = self.rng.choices(kinds, (0.6, 0.28, 0.12)[: len(kinds)])[0]
        return self.rng.choice(self.only(world.CITIES if frame == "weather" else places))

    def thing(self, noun: str) -> Thing:
        chance = self.rng.random()
        if chance < 0.4:
            return Thing(noun, modifier=self.rng.choice(self.modifiers(noun)))
        if chance < 0.6 and countable(noun):
            return Thing(noun, count=self.rng.choice(self.only(world.COUNTS)))
        return Thing(noun)

    def modifiers(self, noun: str) -> tuple[str, ...]:
        return self.only(world.FITTING.get(noun, (*world.COLOURS, *world.QUALITIES)))

    # -- clauses that differ from one that is there

    def changed(self, clause: Clause, fact: str) -> Clause:
        """The clause with one fact replaced by another that excludes it; the result may belong to another split."""
        rng, thing = self.rng, clause.thing or Thing("")
        if fact == "negated":
            return settled(replace(clause, negated=not clause.negated))
        if fact == "verb":
            return self.other_verb(clause)
        if fact == "noun":
            return settled(replace(clause, thing=replace(thing, noun=rng.choice(self.other_nouns(clause)))))
        if fact == "modifier":
            colours = [name for name in self.modifiers(thing.noun) if name in world.COLOURS and name != thing.modifier]
            modifier = world.QUALITIES.get(thing.modifier) or rng.choice(colours)
            return replace(clause, thing=replace(thing, modifier=modifier))
        if fact == "count":
            counts = [name for name in self.only(world.COUNTS) if name != thing.count]
            return replace(clause, thing=replace(thing, count=rng.choice(counts)))
        if fact == "place":
            other = clause.place
            while other == clause.place:
                other = self.place(clause.verb)
        else:
            names = self.only(world.TIMES) if fact == "time" else self.people()
            used = (clause.agent, clause.partner, clause.time, clause.place)
            other = rng.choice([name for name in names if name not in used])
        change: dict[str, Any] = {fact: other}
        return replace(clause, surname="", **change)

    def other_nouns(self, clause: Clause) -> list[str]:
        """Nouns that could stand instead and mean something else: none of its kind, or "a fruit" is said again."""
        if clause.thing is None:
            return []
        kind = world.KIND_OF.get(clause.noun, clause.noun)
        return [
            noun for noun in self.nouns(clause.verb)
            if noun != clause.noun and world.KIND_OF.get(noun) != kind
            and (not clause.modifier or clause.modifier in self.modifiers(noun))
        ]  # fmt: skip

    def other_verb(self, clause: Clause) -> Clause:
        """An opposite where there is one, else another verb that fits the same words, else the negation."""
        others = [verb for verb in self.only(self.domain.verbs) if world.FRAMES[verb] == clause.frame]
        fitting = [verb for verb in others if not clause.noun or clause.noun in self.nouns(verb)]
        unfit = (clause.verb, "" if clause.place in world.CITIES else "travel")
        verbs = [verb for verb in fitting if verb not in unfit]
        if OPPOSITES.get(clause.verb) in verbs:
            return replace(clause, verb=OPPOSITES[clause.verb])
        return replace(clause, verb=self.rng.choice(verbs)) if verbs else replace(clause, negated=not clause.negated)


def countable(noun: str) -> bool:
    return noun not in world.ANIMALS and noun not in world.KINDS and noun != "will"


def settled(clause: Clause) -> Clause:
    """Without what no grammar puts together: a number under negation, an unfitting modifier, a counted subject."""
    thing = clause.thing
    if thing is None:
        return clause
    if thing.count and (clause.negated or clause.frame in ("be", "locate") or not countable(thing.noun)):
        thing = replace(thing, count="")
    if thing.modifier and thing.modifier not in world.FITTING.get(thing.noun, (thing.modifier,)):
        thing = replace(thing, modifier="")
    return clause if thing is clause.thing else replace(clause, thing=thing)


def optional_facts(clause: Clause) -> list[str]:
    needed = "place" if clause.frame in PLACED_FRAMES else ""
    return [fact for fact in OPTIONAL if getattr(clause, fact) and fact != needed]


def without(clause: Clause, *facts: str) -> Clause:
    unsaid: dict[str, Any] = {fact: "" for fact in facts if fact in ("place", "time")}
    if clause.thing is not None:
        unsaid["thing"] = replace(clause.thing, **{fact: "" for fact in facts if fact in ("modifier", "count")})
    return replace(clause, **unsaid)


def strip(clause: Clause) -> Clause:
    return without(clause, *optional_facts(clause))
