"""Russian: past verbs agree in gender, objects are in the accusative, counted things in the genitive; no articles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from adapter_stilts.miniature.grammar import Context, Grammar, Words
from adapter_stilts.miniature.world import FEMALE, NAMES, Clause

BE = {"m": "был", "f": "была", "n": "было"}
COLUMN = {"m": 0, "f": 1, "n": 2}


class Russian(Grammar):
    code = "ru"
    because = ", потому/ADV что/SCONJ"
    conjunction = ", а"
    orders: ClassVar[Mapping[str, str]] = {
        "main": "agent subject not verb partner thing giver place time",
        "shift": "time agent subject not verb thing partner giver place",
        "time": "time agent subject not verb partner thing giver place",
        "place": "place agent subject not verb partner thing giver time",
        "locate:place": "place not verb subject time",
        "exist:main": "place time not verb thing",
        "exist:time": "time place not verb thing",
        "exist:shift": "time place not verb thing",
        "weather:main": "place time not verb",
        "weather:place": "place time not verb",
        "weather:time": "time place not verb",
        "weather:shift": "time place not verb",
        "locate:ask": "wh not verb subject time",
        "ask": "wh agent subject not verb partner thing giver place time",
    }

    def slots(self, clause: Clause, context: Context) -> dict[str, Words]:
        slots = {
            "agent": self.agent(clause, context),
            "not": self.words("не", "PART") if clause.negated and clause.frame != "weather" else (),
            "verb": self.verb(clause, context),
            "place": self.place(clause, context),
            "time": self.words(self.form("times", clause.time), "NOUN") if clause.time else (),
        }
        if clause.partner and clause.frame == "give":
            slots["partner"] = self.person(clause.partner, 1, context, "partner")
        elif clause.partner:
            slots["giver"] = self.words("от", "ADP", role="partner") + self.person(
                clause.partner, 2, context, "partner"
            )
        if clause.frame in ("be", "locate"):
            slots["subject"] = self.subject(clause, context)
        elif clause.thing:
            slots["thing"] = self.thing(clause, context)
        if context.asked:
            slots["wh"] = (
                self.words("от кого/PRON", "PRON")
                if context.asked == "partner" and clause.frame == "get"
                else self.asked(clause, context.asked)
            )
            slots["giver" if context.asked == "partner" else context.asked] = ()
            slots[context.asked] = ()
        return slots

    def verb(self, clause: Clause, context: Context) -> Words:
        gender = self.gender(clause, context)
        if clause.frame in ("feel", "be"):
            return self.words(BE[gender], "AUX") + self.words(
                self.form("states", clause.verb, COLUMN[gender], context), "ADJ"
            )
        if clause.frame in ("exist", "locate"):
            return self.words(f"{BE[gender]}/VERB", "VERB")
        if clause.frame == "weather":
            return self.words(self.form("weather", clause.verb, int(clause.negated)), "NOUN")
        return self.words(self.form("verbs", clause.verb, COLUMN[gender], context), "VERB")

    def gender(self, clause: Clause, context: Context) -> str:
        """Of the grammatical subject; a counted one is neuter, and so is "who" masculine."""
        if clause.frame in ("be", "locate", "exist"):
            return (
                "n"
                if clause.count or (clause.negated and clause.frame == "exist")
                else self.form("things", clause.noun, 0, context)
            )
        return "f" if clause.agent in FEMALE and context.asked != "agent" else "m"

    def agent(self, clause: Clause, context: Context) -> Words:
        if not clause.agent:
            return ()
        if context.pronoun == "agent":
            return self.words("она" if clause.agent in FEMALE else "он", "PRON")
        surname = self.words(self.form("surnames", clause.surname), "PROPN", "PER") if clause.surname else ()
        return self.person(clause.agent, 0, context, "agent") + surname

    def person(self, person: str, case: int, context: Context, role: str) -> Words:
        if person in NAMES:
            return self.words(self.form("names", person, case), "PROPN", "PER", role)
        return self.words(self.form("roles", person, case, context), "NOUN", role=role)

    def thing(self, clause: Clause, context: Context) -> Words:
        gender, nominative, accusative, genitive, many = self.forms("things", clause.noun, context)
        if clause.count:
            number = self.form("counts", clause.count, int(gender == "f"))
            return self.words(number, "NUM") + self.words(
                genitive if clause.count in ("two", "three") else many, "NOUN"
            )
        if clause.frame == "exist" and clause.negated:
            return self.words(genitive, "NOUN")
        if clause.frame == "exist":
            return self.modifier(clause, COLUMN[gender]) + self.words(nominative, "NOUN")
        return self.modifier(clause, 3 if gender == "f" else COLUMN[gender]) + self.words(accusative, "NOUN")

    def subject(self, clause: Clause, context: Context) -> Words:
        gender, nominative, *_ = self.forms("things", clause.noun, context)
        if context.pronoun == "subject":
            return self.words({"m": "он", "f": "она", "n": "оно"}[gender], "PRON")
        return self.modifier(clause, COLUMN[gender]) + self.words(nominative, "NOUN")

    def modifier(self, clause: Clause, column: int) -> Words:
        modifier = clause.modifier
        return self.words(self.form("modifiers", modifier, column), "ADJ") if modifier else ()

    def place(self, clause: Clause, context: Context) -> Words:
        if not clause.place:
            return ()
        section = self.place_section(clause.place)
        if section == "orgs":
            return self.words("в компании/NOUN", "NOUN") + self.words(self.form(section, clause.place), "PROPN", "ORG")
        name = self.form(section, clause.place, int(clause.frame == "move"), context)
        return (
            self.words(name, "NOUN")
            if section == "places"
            else self.words("в", "ADP") + self.words(name, "PROPN", "LOC")
        )


GRAMMAR = Russian
