"""German: the finite verb is second in main clauses and last after "weil"; "kein" negates an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from adapter_stilts.miniature.grammar import Context, Grammar, Words
from adapter_stilts.miniature.world import FEMALE, NAMES, Clause

ARTICLES = {
    "m": ("einen", "keinen", "der", "en"),
    "f": ("eine", "keine", "die", "e"),
    "n": ("ein", "kein", "das", "es"),
}


class German(Grammar):
    code = "de"
    because = ", weil"
    conjunction = "und"
    orders: ClassVar[Mapping[str, str]] = {
        "main": "agent subject verb time partner thing giver not place state particle",
        "shift": "agent subject verb partner thing giver time not place state particle",
        "time": "time verb agent subject partner thing giver not place state particle",
        "place": "place verb agent subject time partner thing giver not state particle",
        "sub": "agent subject time partner thing giver not place state last",
        "exist:main": "agent verb time thing place",
        "exist:time": "time verb agent thing place",
        "exist:place": "place verb agent time thing",
        "exist:sub": "agent thing place time verb",
        "ask": "wh verb agent subject time partner thing giver not place state particle",
    }

    def slots(self, clause: Clause, context: Context) -> dict[str, Words]:
        slots = {
            "agent": self.agent(clause, context),
            "time": self.words(self.form("times", clause.time), "NOUN") if clause.time else (),
            "place": self.place(clause, context),
            "not": self.words("nicht", "PART")
            if clause.negated and clause.frame not in ("act", "give", "get", "exist")
            else (),
            **self.verb(clause, context),
        }
        if clause.partner:
            if clause.frame == "give":
                slots["partner"] = self.person(clause.partner, 1, context, "partner")
            else:
                slots["giver"] = self.words("von", "ADP", role="partner") + self.person(
                    clause.partner, 1, context, "partner"
                )
        if clause.frame in ("be", "locate"):
            slots["subject"] = self.subject(clause, context)
        elif clause.thing:
            slots["thing"] = self.thing(clause, context)
        if clause.frame in ("weather", "exist"):
            slots["agent"] = self.words("es", "PRON")
        if context.asked:
            slots["wh"] = self.asked(clause, context.asked)
            if context.asked == "partner" and clause.frame == "get":
                slots["wh"], slots["giver"] = self.words("von", "ADP") + slots["wh"], ()
            slots[context.asked] = ()
        return slots

    def verb(self, clause: Clause, context: Context) -> dict[str, Words]:
        """The finite verb, a separable part, and the form for the end of a subordinate clause."""
        if clause.frame in ("feel", "be"):
            was = self.words("war", "AUX", role="verb")
            return {
                "verb": was,
                "last": was,
                "state": self.words(self.form("states", clause.verb, 0, context), "ADJ", role="verb"),
            }
        if clause.frame in ("exist", "locate"):
            verb = self.words("war/VERB" if clause.frame == "locate" else "gab", "VERB")
            return {"verb": verb, "last": verb}
        forms = self.forms("weather" if clause.frame == "weather" else "verbs", clause.verb, context)
        particle = forms[1] if len(forms) > 1 else ""
        return {
            "verb": self.words(forms[0], "VERB"),
            "particle": self.words(particle, "ADP", role="verb"),
            "last": self.words(particle + forms[0], "VERB", role="verb"),
        }

    def agent(self, clause: Clause, context: Context) -> Words:
        if not clause.agent:
            return ()
        if context.pronoun == "agent":
            return self.words("sie" if clause.agent in FEMALE else "er", "PRON")
        surname = self.words(self.form("surnames", clause.surname), "PROPN", "PER") if clause.surname else ()
        return self.person(clause.agent, 0, context, "agent") + surname

    def person(self, person: str, case: int, context: Context, role: str) -> Words:
        if person in NAMES:
            return self.words(self.form("names", person), "PROPN", "PER", role)
        if case == 0:
            return self.words(self.form("roles", person, 0, context), "NOUN", role=role)
        return self.words(self.form("roles", person, 1, context), "NOUN", role=role)

    def thing(self, clause: Clause, context: Context) -> Words:
        gender, singular, plural = self.forms("things", clause.noun, context)
        if clause.count:
            return self.words(self.form("counts", clause.count), "NUM") + self.words(plural, "NOUN")
        indefinite, negative, _, ending = ARTICLES[gender]
        adjective = self.words(self.form("modifiers", clause.modifier) + ending, "ADJ") if clause.modifier else ()
        return self.words(negative if clause.negated else indefinite, "DET") + adjective + self.words(singular, "NOUN")

    def subject(self, clause: Clause, context: Context) -> Words:
        gender, singular, _ = self.forms("things", clause.noun, context)
        if context.pronoun == "subject":
            return self.words({"m": "er", "f": "sie", "n": "es"}[gender], "PRON")
        adjective = self.words(self.form("modifiers", clause.modifier) + "e", "ADJ") if clause.modifier else ()
        return self.words(ARTICLES[gender][2], "DET") + adjective + self.words(singular, "NOUN")

    def place(self, clause: Clause, context: Context) -> Words:
        if not clause.place:
            return ()
        section = self.place_section(clause.place)
        goal = clause.frame == "move"
        if section == "places":
            return self.words(self.form(section, clause.place, int(goal), context), "NOUN")
        preposition = "bei" if section == "orgs" else "nach" if goal else "in"
        return self.words(preposition, "ADP") + self.words(
            self.form(section, clause.place), "PROPN", "LOC" if section == "cities" else "ORG"
        )


GRAMMAR = German
