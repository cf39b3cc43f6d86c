"""Finnish: a whole object is in the genitive, others in the partitive; "ei" with a participle negates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from adapter_stilts.miniature.grammar import Context, Grammar, Words
from adapter_stilts.miniature.world import NAMES, Clause

NOMINATIVE, GENITIVE, PARTITIVE = range(3)
UNFINISHED = ("carry",)  # "kantoi kirjaa": an activity without an end


class Finnish(Grammar):
    code = "fi"
    because = ", koska"
    conjunction = "ja"
    orders: ClassVar[Mapping[str, str]] = {
        "main": "agent subject verb thing partner place time",
        "shift": "agent subject verb partner thing time place",
        "time": "time agent subject verb thing partner place",
        "place": "place agent subject verb thing partner time",
        "locate:place": "place verb subject time",
        "exist:main": "place verb time thing",
        "exist:time": "time place verb thing",
        "exist:shift": "time place verb thing",
        "weather:main": "place verb time",
        "weather:time": "time place verb",
        "ask": "wh agent subject verb thing partner place time",
        "locate:ask": "wh subject verb time",
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
        if context.asked:
            slots["wh"] = (
                self.words("keneltä", "PRON")
                if context.asked == "partner" and clause.frame == "get"
                else self.asked(clause, context.asked)
            )
            slots[context.asked] = ()
        return slots

    def verb(self, clause: Clause, context: Context) -> Words:
        negation = self.words("ei", "AUX") if clause.negated else ()
        if clause.frame in ("feel", "be"):
            return (
                negation
                + self.words("ollut" if clause.negated else "oli", "AUX")
                + self.words(self.form("states", clause.verb, 0, context), "ADJ")
            )
        if clause.frame in ("exist", "locate"):
            return negation + self.words("ollut/VERB" if clause.negated else "oli/VERB", "VERB")
        section = "weather" if clause.frame == "weather" else "verbs"
        return negation + self.words(self.form(section, clause.verb, int(clause.negated), context), "VERB")

    def agent(self, clause: Clause, context: Context) -> Words:
        if not clause.agent:
            return ()
        if context.pronoun == "agent":
            return self.words("hän", "PRON")
        surname = self.words(self.form("surnames", clause.surname), "PROPN", "PER") if clause.surname else ()
        return self.person(clause.agent, 0, context) + surname

    def person(self, person: str, case: int, context: Context) -> Words:
        if person in NAMES:
            return self.words(self.form("names", person, case), "PROPN", "PER")
        return self.words(self.form("roles", person, case, context), "NOUN")

    def thing(self, clause: Clause, context: Context) -> Words:
        if clause.count:
            return self.words(self.form("counts", clause.count), "NUM") + self.words(
                self.form("things", clause.noun, PARTITIVE, context), "NOUN"
            )
        if clause.negated or clause.verb in UNFINISHED:
            return self.described(clause, PARTITIVE, context)
        return self.described(clause, NOMINATIVE if clause.frame == "exist" else GENITIVE, context)

    def subject(self, clause: Clause, context: Context) -> Words:
        if context.pronoun == "subject":
            return self.words("se", "PRON")
        return self.described(clause, NOMINATIVE, context)

    def described(self, clause: Clause, case: int, context: Context) -> Words:
        modifier = self.words(self.form("modifiers", clause.modifier, case, context), "ADJ") if clause.modifier else ()
        return modifier + self.words(self.form("things", clause.noun, case, context), "NOUN")

    def place(self, clause: Clause, context: Context) -> Words:
        if not clause.place:
            return ()
        section = self.place_section(clause.place)
        name = self.form(section, clause.place, int(clause.frame == "move"), context)
        if section == "places":
            return self.words(name, "NOUN")
        return self.words(name, "PROPN", "LOC" if section == "cities" else "ORG")


GRAMMAR = Finnish
