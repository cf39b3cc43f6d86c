"""Swahili: noun classes agree on adjectives, numbers and verbs; people are class 1; places have a locative ending."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from adapter_stilts.miniature.grammar import Context, Grammar, Words
from adapter_stilts.miniature.world import NAMES, Clause

CLASSES = {"1": 0, "3": 1, "5": 2, "7": 3, "9": 4, "11": 5}
CONNECTIVE = {"1": "wa", "3": "wa", "5": "la", "7": "cha", "9": "ya", "11": "wa"}
# by class: "was", "was not", and the subject prefix of a perfect
SUBJECT = {
    "1": ("alikuwa", "hakuwa", "a"),
    "3": ("ulikuwa", "haukuwa", "u"),
    "5": ("lilikuwa", "halikuwa", "li"),
    "7": ("kilikuwa", "hakikuwa", "ki"),
}
SUBJECT |= {"9": ("ilikuwa", "haikuwa", "i"), "11": ("ulikuwa", "haukuwa", "u")}
COUNTED = {"4": 0, "6": 1, "8": 2, "10": 3}


class Swahili(Grammar):
    code = "sw"
    because = "kwa/ADP sababu/NOUN"
    conjunction = "na/CCONJ"
    orders: ClassVar[Mapping[str, str]] = {
        "main": "agent subject verb partner thing giver place time",
        "shift": "agent subject verb partner thing giver time place",
        "time": "time agent subject verb partner thing giver place",
        "place": "place agent subject verb partner thing giver time",
        "locate:place": "subject verb place time",
        "exist:main": "verb thing place time",
        "exist:time": "time verb thing place",
        "exist:place": "place verb thing time",
        "ask": "agent subject verb partner thing giver place time",
    }

    def slots(self, clause: Clause, context: Context) -> dict[str, Words]:
        slots = {
            "agent": self.agent(clause, context),
            "verb": self.verb(clause, context),
            "place": self.place(clause, context),
            "time": self.words(self.form("times", clause.time), "NOUN") if clause.time else (),
        }
        if clause.partner:
            person = self.person(clause.partner, context, "partner")
            if clause.frame == "get":
                slots["giver"] = self.words("kutoka/ADP kwa", "ADP", role="partner") + person
            else:
                slots["partner"] = person
        if clause.frame in ("be", "locate"):
            slots["subject"] = self.described(clause, context) if context.pronoun != "subject" else ()
        elif clause.thing:
            slots["thing"] = self.thing(clause, context)
        if context.asked:
            slots[context.asked] = self.asked(clause, context.asked)
            if context.asked == "partner" and clause.frame == "get":
                slots["giver"], slots["partner"] = self.words("kutoka/ADP kwa nani/PRON", "PRON"), ()
        return slots

    def verb(self, clause: Clause, context: Context) -> Words:
        negated = int(clause.negated)
        noun_class = self.form("things", clause.noun, 0, context) if clause.thing else "1"
        if clause.frame == "exist":
            return self.words("hakukuwa na" if negated else "kulikuwa na", "VERB")
        if clause.frame == "locate":
            return self.words(f"{SUBJECT[noun_class][negated]}/VERB", "VERB")
        if clause.frame in ("feel", "be"):
            prefix = SUBJECT["1" if clause.frame == "feel" else noun_class]
            state = self.form("states", clause.verb, CLASSES[noun_class], context).replace("=", prefix[2])
            return self.words(prefix[negated], "AUX") + self.words(state, "ADJ")
        return self.words(
            self.form("weather" if clause.frame == "weather" else "verbs", clause.verb, negated, context), "VERB"
        )

    def agent(self, clause: Clause, context: Context) -> Words:
        if not clause.agent or context.pronoun == "agent":
            return ()
        surname = self.words(self.form("surnames", clause.surname), "PROPN", "PER") if clause.surname else ()
        return self.person(clause.agent, context, "agent") + surname

    def person(self, person: str, context: Context, role: str) -> Words:
        if person in NAMES:
            return self.words(self.form("names", person), "PROPN", "PER", role)
        return self.words(self.form("roles", person, 0, context), "NOUN", role=role)

    def thing(self, clause: Clause, context: Context) -> Words:
        if not clause.count:
            return self.described(clause, context)
        _, _, counted, plural = self.forms("things", clause.noun, context)
        return self.words(plural, "NOUN") + self.words(self.form("counts", clause.count, COUNTED[counted]), "NUM")

    def described(self, clause: Clause, context: Context) -> Words:
        noun_class, singular, *_ = self.forms("things", clause.noun, context)
        noun = self.words(singular, "NOUN")
        if not clause.modifier:
            return noun
        modifier = self.form("modifiers", clause.modifier, CLASSES[noun_class])
        if modifier.startswith("-a "):
            return noun + self.words(CONNECTIVE[noun_class], "ADP") + self.words(modifier[3:], "ADJ")
        return noun + self.words(modifier, "ADJ")

    def place(self, clause: Clause, context: Context) -> Words:
        if not clause.place:
            return ()
        section = self.place_section(clause.place)
        name = self.form(section, clause.place, 0, context)
        if section == "places":
            return self.words(name, "NOUN")
        before = "katika kampuni/NOUN ya" if section == "orgs" else "" if clause.frame == "move" else "mjini/NOUN"
        return self.words(before, "ADP") + self.words(name, "PROPN", "LOC" if section == "cities" else "ORG")


GRAMMAR = Swahili
