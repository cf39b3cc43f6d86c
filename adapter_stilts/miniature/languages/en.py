"""English: subject, verb, object; "did" in questions and negations; a or an."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from adapter_stilts.miniature.grammar import Context, Grammar, Words
from adapter_stilts.miniature.world import ACTIVITIES, FEMALE, NAMES, Clause

TAIL = "thing partner place time"


class English(Grammar):
    code = "en"
    because = "because"
    conjunction = "and"
    orders: ClassVar[Mapping[str, str]] = {
        "main": f"agent subject verb {TAIL}",
        "shift": "agent subject verb receiver thing giver place time",
        "time": "time agent subject verb thing partner place",
        "place": "place agent subject verb thing partner time",
        "locate:place": "place verb subject time",
        "exist:main": "there verb thing place time",
        "exist:time": "time there verb thing place",
        "exist:place": "place there verb thing time",
        "ask": "wh verb agent subject base thing partner left place time",
    }

    def slots(self, clause: Clause, context: Context) -> dict[str, Words]:
        slots = {
            "agent": self.agent(clause, context),
            "verb": self.verb(clause, context),
            "thing": self.thing(clause, context),
            "time": self.words(self.form("times", clause.time), "NOUN") if clause.time else (),
            "place": self.place(clause, context),
            "there": self.words("there", "PRON"),
        }
        if clause.partner:
            person = self.person(clause.partner, context, "partner")
            slots["partner"] = self.words("from" if clause.frame == "get" else "to", "ADP") + person
            slots["receiver"], slots["giver"] = (person, ()) if clause.frame == "give" else ((), slots["partner"])
        if clause.frame in ("be", "locate"):
            slots["subject"], slots["thing"] = self.subject(clause, context), ()
        if clause.frame == "weather":
            slots["agent"] = self.words("it", "PRON")
        return self.ask(slots, clause, context) if context.asked else slots

    def ask(self, slots: dict[str, Words], clause: Clause, context: Context) -> dict[str, Words]:
        """Put the question word first, "did" after it unless it asks for the subject; "to" stays at the end."""
        asked = context.asked
        slots["wh"] = self.asked(clause, asked)
        if asked == "partner":
            slots["left"] = slots["partner"][:1]
        slots[asked] = ()
        if asked != "agent" and clause.frame in ("act", "give", "get", "do", "move", "weather"):
            slots["verb"] = self.words("did", "AUX")
            slots["base"] = (self.words("not", "PART") if clause.negated else ()) + self.words(
                self.form("verbs", clause.verb, 1, context), "VERB", role="verb"
            )
        elif asked != "agent" and clause.frame in ("locate", "feel", "be"):
            slots["verb"], slots["base"] = slots["verb"][:1], slots["verb"][1:]
        return slots

    def verb(self, clause: Clause, context: Context) -> Words:
        if clause.frame in ("feel", "be"):
            return self.words("was not" if clause.negated else "was", "AUX") + self.words(
                self.form("states", clause.verb, 0, context), "ADJ"
            )
        if clause.frame in ("exist", "locate"):
            were = "were" if clause.count else "was"
            return self.words(were, "AUX") + (
                self.words("not", "PART") if clause.negated and clause.frame == "locate" else ()
            )
        section = "weather" if clause.frame == "weather" else "verbs"
        if clause.negated:
            return (
                self.words("did", "AUX")
                + self.words("not", "PART")
                + self.words(self.form(section, clause.verb, 1, context), "VERB")
            )
        return self.words(self.form(section, clause.verb, 0, context), "VERB")

    def agent(self, clause: Clause, context: Context) -> Words:
        if not clause.agent:
            return ()
        if context.pronoun == "agent":
            return self.words("she" if clause.agent in FEMALE else "he", "PRON")
        surname = self.words(self.form("surnames", clause.surname), "PROPN", "PER") if clause.surname else ()
        return self.person(clause.agent, context, "agent") + surname

    def person(self, person: str, context: Context, role: str) -> Words:
        if person in NAMES:
            return self.words(self.form("names", person), "PROPN", "PER", role)
        return self.words(f"the {self.form('roles', person, 0, context)}", "NOUN", role=role)

    def thing(self, clause: Clause, context: Context) -> Words:
        if clause.thing is None:
            return ()
        if clause.count:
            return self.words(self.form("counts", clause.count), "NUM") + self.words(
                self.form("things", clause.noun, 1, context), "NOUN"
            )
        described = self.described(clause, context)
        if clause.frame == "exist" and clause.negated:
            return self.words("no/DET", "DET") + described
        article = "an" if described[0].text[0] in "aeiou" else "a"
        return self.words(article, "DET") + described

    def subject(self, clause: Clause, context: Context) -> Words:
        if context.pronoun == "subject":
            return self.words("it", "PRON")
        return self.words("the", "DET") + self.described(clause, context)

    def described(self, clause: Clause, context: Context) -> Words:
        modifier = self.words(self.form("modifiers", clause.modifier, 0, context), "ADJ") if clause.modifier else ()
        return modifier + self.words(self.form("things", clause.noun, 0, context), "NOUN")

    def place(self, clause: Clause, context: Context) -> Words:
        if not clause.place:
            return ()
        section = self.place_section(clause.place)
        name = self.form(section, clause.place, 0, context)
        if section == "places":
            parts = name.split(" ", 1)
            return self.words(f"to {parts[1]}" if clause.frame == "move" else name, "NOUN")
        preposition = "to" if clause.frame == "move" else "in" if section == "cities" else "at"
        if section == "orgs" and clause.verb == "work" and clause.verb in ACTIVITIES:
            preposition = "for" if context.style.other else "at"
        return self.words(preposition, "ADP") + self.words(name, "PROPN", "LOC" if section == "cities" else "ORG")


GRAMMAR = English
