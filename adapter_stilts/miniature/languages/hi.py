"""Hindi: the verb is last; with most transitive verbs the agent takes "ne" and the verb agrees with the object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from adapter_stilts.miniature.grammar import Context, Grammar, Words
from adapter_stilts.miniature.world import FEMALE, NAMES, Clause

BE = {("m", False): "था", ("f", False): "थी", ("m", True): "थे", ("f", True): "थीं"}


class Hindi(Grammar):
    code = "hi"
    stop = "।"
    because = "क्योंकि"
    conjunction = "और"
    orders: ClassVar[Mapping[str, str]] = {
        "main": "agent subject time place partner thing verb",
        "shift": "agent subject place time thing partner verb",
        "time": "time agent subject place partner thing verb",
        "place": "place agent subject time partner thing verb",
        "move:main": "agent time place verb",
        "exist:main": "place time thing verb",
        "exist:time": "time place thing verb",
        "locate:main": "subject time place verb",
        "locate:place": "subject time place verb",
        "locate:time": "time subject place verb",
        "locate:shift": "time subject place verb",
        "weather:main": "place time verb",
        "weather:time": "time place verb",
        "ask": "agent subject time place partner thing verb",
    }

    def slots(self, clause: Clause, context: Context) -> dict[str, Words]:
        slots = {
            "agent": self.agent(clause, context),
            "verb": self.verb(clause, context),
            "place": self.place(clause, context),
            "time": self.words(self.form("times", clause.time), "NOUN") if clause.time else (),
            "partner": self.partner(clause, context),
        }
        if clause.frame in ("be", "locate"):
            slots["subject"] = self.subject(clause, context)
        elif clause.thing:
            slots["thing"] = self.thing(clause, context)
        if context.asked == "agent":
            slots["agent"] = self.words(
                self.form("ask", "ergative" if self.ergative(clause, context) else "agent"), "PRON"
            )
        elif context.asked == "partner" and clause.frame == "get":
            slots["partner"] = self.words("किससे", "PRON")
        elif context.asked == "partner" and clause.verb == "bring":
            slots["partner"] = self.words("किसके लिए/ADP", "PRON")
        elif context.asked:
            slots[context.asked] = self.asked(clause, context.asked)
        return slots

    def ergative(self, clause: Clause, context: Context) -> bool:
        return (
            clause.frame in ("act", "give", "get", "do", "move") and self.form("verbs", clause.verb, 0, context) in "ex"
        )

    def verb(self, clause: Clause, context: Context) -> Words:
        gender, plural = self.agreement(clause, context)
        if clause.frame in ("feel", "be"):
            state = self.words(self.form("states", clause.verb, int(gender == "f"), context), "ADJ")
            negation = self.words("नहीं", "PART") if clause.negated else ()
            return state + negation + self.words(BE[gender, plural], "AUX")
        if clause.frame in ("exist", "locate"):
            return (self.words("नहीं", "PART") if clause.negated else ()) + self.words(
                f"{BE[gender, plural]}/VERB", "VERB"
            )
        if clause.frame == "weather":
            form = self.form("weather", clause.verb)
        else:
            kind = self.form("verbs", clause.verb, 0, context)
            form = self.form(
                "verbs", clause.verb, 1 if kind == "x" else 1 + int(gender == "f") + 2 * int(plural), context
            )
        before, _, after = form.partition("+") if "+" in form else ("", "", form)
        return self.words(f"{before} {'नहीं' if clause.negated else ''} {after}", "VERB")

    def agreement(self, clause: Clause, context: Context) -> tuple[str, bool]:
        """Gender and plural of what the verb agrees with; a question for the object is masculine singular."""
        if clause.frame in ("be", "locate", "exist") or (clause.thing and self.ergative(clause, context)):
            if context.asked == "thing":
                return "m", False
            return self.form("things", clause.noun, 0, context), bool(clause.count)
        return "f" if clause.agent in FEMALE and context.asked != "agent" else "m", False

    def agent(self, clause: Clause, context: Context) -> Words:
        if not clause.agent:
            return ()
        ergative = self.ergative(clause, context)
        if context.pronoun == "agent":
            return self.words("उसने" if ergative else "वह", "PRON")
        surname = self.words(self.form("surnames", clause.surname), "PROPN", "PER") if clause.surname else ()
        return self.person(clause.agent, ergative, context) + surname + (self.words("ने", "ADP") if ergative else ())

    def partner(self, clause: Clause, context: Context) -> Words:
        if not clause.partner:
            return ()
        marker = "से" if clause.frame == "get" else "के लिए" if clause.verb == "bring" else "को"
        return self.person(clause.partner, True, context) + self.words(marker, "ADP")

    def person(self, person: str, oblique: bool, context: Context) -> Words:
        if person in NAMES:
            return self.words(self.form("names", person), "PROPN", "PER")
        return self.words(self.form("roles", person, int(oblique), context), "NOUN")

    def thing(self, clause: Clause, context: Context) -> Words:
        if clause.count:
            return self.words(self.form("counts", clause.count), "NUM") + self.words(
                self.form("things", clause.noun, 2, context), "NOUN"
            )
        return (() if clause.negated else self.words("एक", "DET")) + self.described(clause, context)

    def subject(self, clause: Clause, context: Context) -> Words:
        return self.words("वह", "PRON") if context.pronoun == "subject" else self.described(clause, context)

    def described(self, clause: Clause, context: Context) -> Words:
        gender, singular, _ = self.forms("things", clause.noun, context)
        modifier = (
            self.words(self.form("modifiers", clause.modifier, int(gender == "f")), "ADJ") if clause.modifier else ()
        )
        return modifier + self.words(singular, "NOUN")

    def place(self, clause: Clause, context: Context) -> Words:
        if not clause.place:
            return ()
        section = self.place_section(clause.place)
        if section == "places":
            return self.words(self.form(section, clause.place, int(clause.frame == "move"), context), "NOUN")
        name = self.words(self.form(section, clause.place), "PROPN", "LOC" if section == "cities" else "ORG")
        return name if clause.frame == "move" else name + self.words("में", "ADP")


GRAMMAR = Hindi
