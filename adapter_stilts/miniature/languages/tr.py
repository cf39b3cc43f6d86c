"""Turkish: the verb is last; case endings are stored, the copula's follows vowel harmony; negation drops "bir"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from adapter_stilts.miniature.grammar import Context, Grammar, Words
from adapter_stilts.miniature.world import NAMES, Clause


class Turkish(Grammar):
    code = "tr"
    because = ", çünkü"
    conjunction = "ve"
    orders: ClassVar[Mapping[str, str]] = {
        "main": "agent subject time place partner thing verb",
        "shift": "agent subject place time partner thing verb",
        "time": "time agent subject place partner thing verb",
        "place": "place agent subject time partner thing verb",
        "move:main": "agent time place verb",
        "exist:main": "place time thing verb",
        "exist:time": "time place thing verb",
        "locate:main": "subject time where verb",
        "locate:place": "subject time where verb",
        "locate:time": "time subject where verb",
        "locate:shift": "time subject where verb",
        "locate:sub": "subject where verb",
        "weather:main": "place time verb",
        "weather:time": "time place verb",
        "ask": "agent subject time place partner thing verb",
        "locate:ask": "subject time wh verb",
    }

    def slots(self, clause: Clause, context: Context) -> dict[str, Words]:
        slots = {
            "agent": self.agent(clause, context),
            "verb": self.verb(clause, context),
            "place": self.place(clause, context),
            "time": self.words(self.form("times", clause.time), "NOUN") if clause.time else (),
            "partner": self.person(clause.partner, 2 if clause.frame == "get" else 1, context)
            if clause.partner
            else (),
        }
        if clause.frame in ("be", "locate"):
            slots["subject"] = self.subject(clause, context)
        elif clause.thing:
            slots["thing"] = self.thing(clause, context)
        if clause.frame == "locate":
            slots["where"] = self.located(clause, slots["place"])
        if context.asked:
            slots[context.asked] = self.asked(clause, context.asked)
            if context.asked == "partner" and clause.frame == "get":
                slots["partner"] = self.words("kimden", "PRON")
            if clause.frame == "locate" and context.asked == "place":
                slots["wh"] = self.words("neredeydi", "PRON")
        return slots

    def capital(self, letter: str) -> str:
        return "İ" if letter == "i" else letter.upper()

    def verb(self, clause: Clause, context: Context) -> Words:
        column = int(clause.negated)
        if clause.frame in ("feel", "be"):
            return self.words(self.form("states", clause.verb, column, context), "ADJ")
        if clause.frame == "exist":
            return self.words("yoktu" if clause.negated else "vardı", "VERB")
        if clause.frame == "locate":
            return self.words("değildi", "AUX") if clause.negated else ()
        return self.words(
            self.form("weather" if clause.frame == "weather" else "verbs", clause.verb, column, context), "VERB"
        )

    def located(self, clause: Clause, place: Words) -> Words:
        """The place as predicate: "mutfakta" + "ydı"; after a negation the ending is on "değil"."""
        marked = tuple(replace(word, role="place") for word in place)
        if clause.negated or not place:
            return marked
        ending = "ydi" if place[-1].text[-1] in "ei" else "ydı"
        return (*marked[:-1], replace(marked[-1], text=place[-1].text + ending))

    def agent(self, clause: Clause, context: Context) -> Words:
        if not clause.agent or context.pronoun == "agent":
            return ()
        surname = self.words(self.form("surnames", clause.surname), "PROPN", "PER") if clause.surname else ()
        return self.person(clause.agent, 0, context) + surname

    def person(self, person: str, case: int, context: Context) -> Words:
        if person in NAMES:
            return self.words(self.form("names", person, case), "PROPN", "PER")
        return self.words(self.form("roles", person, case, context), "NOUN")

    def thing(self, clause: Clause, context: Context) -> Words:
        noun = self.words(self.form("things", clause.noun, 0, context), "NOUN")
        if clause.count:
            return self.words(self.form("counts", clause.count), "NUM") + noun
        modifier = self.words(self.form("modifiers", clause.modifier, 0, context), "ADJ") if clause.modifier else ()
        article = self.words("bir", "DET") if modifier or not clause.negated else ()
        return modifier + article + noun

    def subject(self, clause: Clause, context: Context) -> Words:
        if context.pronoun == "subject":
            return ()
        modifier = self.words(self.form("modifiers", clause.modifier, 0, context), "ADJ") if clause.modifier else ()
        return modifier + self.words(self.form("things", clause.noun, 0, context), "NOUN")

    def place(self, clause: Clause, context: Context) -> Words:
        if not clause.place:
            return ()
        section = self.place_section(clause.place)
        name = self.form(section, clause.place, int(clause.frame == "move"), context)
        if section == "places":
            return self.words(name, "NOUN")
        return self.words(name, "PROPN", "LOC" if section == "cities" else "ORG")


GRAMMAR = Turkish
