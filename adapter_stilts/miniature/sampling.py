"""Meanings drawn from the world, each belonging to one split.

An event belongs to train, validation or test by a hash of its core (verb, agent and thing, or verb, thing and place), so a combination
seen in one split never occurs in another, whatever else is said of it. Feelings, states and the weather are too few for that and may
occur in any split beside an event; a sentence of nothing else belongs to a split as a whole. Words of `world.HELD_OUT` are drawn for
test only.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from adapter_stilts.miniature import world
from adapter_stilts.miniature.grammar import Style
from adapter_stilts.miniature.world import GENERAL, HELD_OUT, OPPOSITES, Clause, Domain, Sentence, Thing, concepts

SPLITS = ("train", "validation", "test")
OPTIONAL = ("modifier", "count", "place", "time")
EVENTS = (*world.ACTIONS, *world.TRANSFERS, "get", *world.ACTIVITIES, *world.MOTIONS)
PLAIN_FRAMES = ("feel", "be", "weather")


@cache
def split_of(clause: Clause) -> str:
    """The split a clause belongs to; "" for feelings, states and weather, which belong to all."""
    if clause.frame in PLAIN_FRAMES:
        return ""
    thing = clause.thing.noun if clause.thing else ""
    core = f"{clause.verb}/{clause.agent}/{thing}" + (f"/{clause.place}" if clause.frame in ("locate", "exist") else "")
    return split_of_name(core)


def split_of_name(name: str) -> str:
    """Three quarters of all names belong to train, an eighth each to validation and test."""
    bucket = hashlib.sha256(name.encode()).digest()[0]
    return "train" if bucket < 192 else "validation" if bucket < 224 else "test"


def named_seed(name: str) -> int:
    """A seed for a name, the same in every process."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


@dataclass(frozen=True)
class Sampler:
    """Draws clauses of one split and domain. `everything` also allows held-out words (pretraining text)."""

    rng: random.Random
    split: str
    domain: Domain = GENERAL
    everything: bool = False

    def allows(self, *clauses: Clause) -> bool:
        """Whether all clauses belong to this split and use only its words."""
        free = self.everything or self.split == "test"
        return all(split_of(clause) in ("", self.split) and (free or not concepts(clause) & HELD_OUT) for clause in clauses)

    def holds(self, meaning: Sentence) -> bool:
        """Whether a sentence standing alone belongs to this split."""
        if not self.allows(*meaning.clauses):
            return False
        return any(split_of(clause) for clause in meaning.clauses) or split_of_name(repr(meaning)) == self.split

    def clause(self, verbs: Sequence[str] = EVENTS, agent: str = "", noun: str = "", bare: bool = False) -> Clause:
        """A clause with one of the verbs, and with the agent or noun given; `bare` leaves out what can be left out."""
        while True:
            found = self.draw(self.rng.choice(verbs), agent, noun)
            found = strip(found) if bare else found
            if self.allows(found):
                return found

    def draw(self, verb: str, agent: str = "", noun: str = "") -> Clause:
        frame, rng = world.FRAMES[verb], self.rng
        thing = None
        if frame in ("act", "give", "get", "be", "locate", "exist"):
            thing = self.thing(noun or rng.choice(self.nouns(verb)))
        if frame in ("act", "give", "get", "do", "move", "feel"):
            agent = agent or self.person()
        clause = Clause(verb, agent, thing, negated=frame not in ("locate", "exist") and rng.random() < 0.1)
        if frame in ("give", "get"):
            clause = replace(clause, partner=rng.choice([person for person in self.people() if person != agent]))
        if frame in ("move", "locate", "exist") or (frame not in PLAIN_FRAMES and rng.random() < 0.55) or (frame == "weather" and rng.random() < 0.7):
            clause = replace(clause, place=self.place(verb))
        if frame not in ("feel", "be", "locate") and rng.random() < 0.45:
            clause = replace(clause, time=rng.choice(self.only(world.TIMES)))
        return settled(clause)

    def only(self, names: Sequence[str]) -> list[str]:
        """The names this split may use."""
        free = self.everything or self.split == "test"
        return [name for name in names if free or name not in HELD_OUT]

    def people(self) -> list[str]:
        return self.only((*world.NAMES, *self.domain.roles))

    def person(self) -> str:
        names, roles = self.only(world.NAMES), self.only(self.domain.roles)
        share = 0.6 if self.domain is GENERAL else 0.3
        return self.rng.choice(names if self.rng.random() < share else roles)

    def nouns(self, verb: str) -> list[str]:
        frame = world.FRAMES[verb]
        found: Sequence[str] = world.OBJECTS.get(verb, self.domain.nouns)
        if verb == "broken":
            found = (*world.MACHINES, "cup")
        elif frame in ("be", "locate", "exist"):
            found = self.domain.nouns
        if self.domain is not GENERAL and verb not in ("sign", "cancel", "prescribe"):
            found = self.domain.nouns
        return self.only(found)

    def place(self, verb: str) -> str:
        if verb == "travel":
            return self.rng.choice(self.only(world.CITIES))
        places = self.domain.places if self.rng.random() < 0.8 or self.domain is GENERAL else world.CITIES
        if self.domain is GENERAL:
            kinds = (world.PLACES, world.CITIES) if world.FRAMES[verb] in ("move", "locate", "exist", "weather") else (world.PLACES, world.CITIES, world.ORGS)
            places = self.rng.choices(kinds, (0.6, 0.28, 0.12)[: len(kinds)])[0]
        if world.FRAMES[verb] == "weather":
            places = world.CITIES
        return self.rng.choice(self.only(places))

    def thing(self, noun: str) -> Thing:
        chance = self.rng.random()
        if chance < 0.4:
            return Thing(noun, modifier=self.rng.choice(self.modifiers(noun)))
        if chance < 0.6 and countable(noun):
            return Thing(noun, count=self.rng.choice(self.only(world.COUNTS)))
        return Thing(noun)

    def modifiers(self, noun: str) -> list[str]:
        return self.only(world.FITTING.get(noun, (*world.COLOURS, *world.QUALITIES)))

    def style(self) -> Style:
        """A way of telling: half with something fronted, a third with other words, a third in another order."""
        rng = self.rng
        return Style(rng.choice(("", "", "time", "place")), rng.random() < 0.35, rng.random() < 0.35)

    def changed(self, clause: Clause, fact: str) -> Clause:
        """The clause with one fact replaced by another that excludes it; the result may belong to another split."""
        rng, thing = self.rng, clause.thing or Thing("")
        if fact == "negated":
            return settled(replace(clause, negated=not clause.negated))
        if fact == "modifier":
            colours = [name for name in self.modifiers(thing.noun) if name in world.COLOURS and name != thing.modifier]
            other = world.QUALITIES.get(thing.modifier) or rng.choice(colours)
            return replace(clause, thing=replace(thing, modifier=other))
        if fact == "count":
            return replace(clause, thing=replace(thing, count=rng.choice([name for name in self.only(world.COUNTS) if name != thing.count])))
        if fact == "noun":
            return settled(replace(clause, thing=replace(thing, noun=rng.choice(self.other_nouns(clause)))))
        if fact == "verb":
            return self.other_verb(clause)
        names = {"agent": self.people(), "partner": self.people(), "time": self.only(world.TIMES), "place": []}[fact]
        taken = (clause.agent, clause.partner, clause.time, clause.place)
        if fact == "place":
            other = clause.place
            while other == clause.place:
                other = self.place(clause.verb)
        else:
            other = rng.choice([name for name in names if name not in taken])
        return Clause(
            clause.verb, other if fact == "agent" else clause.agent, clause.thing, other if fact == "partner" else clause.partner,
            other if fact == "place" else clause.place, other if fact == "time" else clause.time, clause.negated,
        )  # fmt: skip

    def other_nouns(self, clause: Clause) -> list[str]:
        """Nouns that could stand instead and mean something else: none of the same kind, so that "a fruit" is not said again."""
        thing = clause.thing
        if thing is None:
            return []
        kind = world.KIND_OF.get(thing.noun, thing.noun)
        found = [noun for noun in self.nouns(clause.verb) if noun != thing.noun and world.KIND_OF.get(noun) != kind]
        return [noun for noun in found if not thing.modifier or thing.modifier in self.modifiers(noun)]

    def other_verb(self, clause: Clause) -> Clause:
        """An opposite where there is one, else another verb that fits the same words."""
        noun = clause.thing.noun if clause.thing else ""
        same_frame = [verb for verb in self.only(self.domain.verbs) if world.FRAMES[verb] == clause.frame and verb != clause.verb]
        fits = [verb for verb in same_frame if (not noun or noun in self.nouns(verb)) and (verb != "travel" or clause.place in world.CITIES)]
        opposite = OPPOSITES.get(clause.verb, "")
        if opposite in fits:
            return replace(clause, verb=opposite)
        return replace(clause, verb=self.rng.choice(fits)) if fits else replace(clause, negated=not clause.negated)


def countable(noun: str) -> bool:
    return noun not in world.ANIMALS and noun not in world.KINDS and noun != "will"


def settled(clause: Clause) -> Clause:
    """Without what the grammars do not put together: a number under negation, an unfitting modifier, a counted subject."""
    thing = clause.thing
    if thing is None:
        return clause
    if clause.negated or clause.frame in ("be", "locate") or not countable(thing.noun):
        thing = replace(thing, count="")
    if thing.modifier and thing.modifier not in world.FITTING.get(thing.noun, (thing.modifier,)):
        thing = replace(thing, modifier="")
    return replace(clause, thing=thing)


def optional_facts(clause: Clause) -> list[str]:
    """Which facts are stated that could be left out."""
    thing = clause.thing or Thing("")
    place = "" if clause.frame in ("move", "locate", "exist") else clause.place
    stated = {"modifier": thing.modifier, "count": thing.count, "place": place, "time": clause.time}
    return [fact for fact in OPTIONAL if stated[fact]]


def without(clause: Clause, *facts: str) -> Clause:
    """The clause with some optional facts left unsaid."""
    thing = clause.thing
    if thing is not None:
        thing = Thing(thing.noun, "" if "modifier" in facts else thing.modifier, "" if "count" in facts else thing.count)
    return replace(clause, thing=thing, place="" if "place" in facts else clause.place, time="" if "time" in facts else clause.time)


def strip(clause: Clause) -> Clause:
    """The clause with nothing optional said."""
    return without(clause, *optional_facts(clause))
