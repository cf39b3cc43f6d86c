"""Spanish: no subject pronoun; adjectives follow and agree; "le" doubles a recipient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from adapter_stilts.miniature.grammar import Context, Grammar, Words, glued
from adapter_stilts.miniature.world import FEMALE, NAMES, Clause


class Spanish(Grammar):
    code = "es"
    because = "porque"
    conjunction = "y"
    orders: ClassVar[Mapping[str, str]] = {
        "main": "agent subject no verb thing partner place time",
        "shift": "agent subject no verb thing partner time place",
        "time": "time agent subject no verb thing partner place",
        "place": "place agent subject no verb thing partner time",
        "sub": "agent subject no verb thing partner place time",
        "locate:place": "place no verb subject time",
        "exist:main": "no verb thing place time",
        "exist:time": "time no verb thing place",
        "exist:place": "place no verb thing time",
        "ask": "open wh no verb agent subject thing partner place time",
        "feel:ask": "open wh no verb agent place time",
        "locate:ask": "open wh no verb subject time",
    }

    def slots(self, clause: Clause, context: Context) -> dict[str, Words]:
        slots = {
            "agent": self.agent(clause, context),
            "no": self.words("no", "ADV") if clause.negated else (),
            "verb": self.verb(clause, context),
            "partner": self.partner(clause, context),
            "place": self.place(clause, context),
            "time": self.words(self.form("times", clause.time), "NOUN") if clause.time else (),
        }
        if clause.frame in ("be", "locate"):
            slots["subject"] = self.subject(clause, context)
        elif clause.thing:
            slots["thing"] = self.thing(clause, context)
        if context.asked:
            question = self.asked(clause, context.asked)
            if context.asked == "partner" and clause.frame == "get":
                question = self.words("de", "ADP") + question[1:]
            slots["open"] = self.words("¿", "PUNCT")
            slots["wh"] = glued(question)
            slots[context.asked] = ()
        return slots

    def verb(self, clause: Clause, context: Context) -> Words:
        if clause.frame == "feel":
            return self.words(self.form("states", clause.verb, int(clause.agent in FEMALE), context), "ADJ")
        if clause.frame == "be":
            return self.words(
                self.form("states", clause.verb, int(self.gender(clause, context) == "f"), context), "ADJ"
            )
        if clause.frame in ("exist", "locate"):
            return self.words("había" if clause.frame == "exist" else "estaba/VERB", "VERB")
        if clause.frame == "weather":
            return self.words(self.form("weather", clause.verb), "VERB")
        clitic = self.words("le", "PRON") if clause.frame == "give" else ()
        return clitic + self.words(self.form("verbs", clause.verb, 0, context), "VERB")

    def gender(self, clause: Clause, context: Context) -> str:
        return self.form("things", clause.noun, 0, context)

    def agent(self, clause: Clause, context: Context) -> Words:
        if not clause.agent or context.pronoun == "agent":
            return ()
        if clause.agent in NAMES:
            surname = self.words(self.form("surnames", clause.surname), "PROPN", "PER") if clause.surname else ()
            return self.words(self.form("names", clause.agent), "PROPN", "PER") + surname
        return self.words(self.form("roles", clause.agent, 0, context), "NOUN")

    def partner(self, clause: Clause, context: Context) -> Words:
        if not clause.partner:
            return ()
        preposition = "de" if clause.frame == "get" else "a"
        if clause.partner in NAMES:
            return self.words(preposition, "ADP") + self.words(self.form("names", clause.partner), "PROPN", "PER")
        return self.words(contracted(preposition, self.form("roles", clause.partner, 0, context)), "NOUN")

    def thing(self, clause: Clause, context: Context) -> Words:
        gender, singular, plural = self.forms("things", clause.noun, context)
        if clause.count:
            return self.words(self.form("counts", clause.count), "NUM") + self.words(plural, "NOUN")
        articles = ("ningún", "ninguna") if clause.negated else ("un", "una")
        return self.words(articles[gender == "f"], "DET") + self.words(singular, "NOUN") + self.modifier(clause, gender)

    def subject(self, clause: Clause, context: Context) -> Words:
        if context.pronoun == "subject":
            return ()
        gender, singular, _ = self.forms("things", clause.noun, context)
        return (
            self.words("la" if gender == "f" else "el", "DET")
            + self.words(singular, "NOUN")
            + self.modifier(clause, gender)
        )

    def modifier(self, clause: Clause, gender: str) -> Words:
        modifier = clause.modifier
        return self.words(self.form("modifiers", modifier, int(gender == "f")), "ADJ") if modifier else ()

    def place(self, clause: Clause, context: Context) -> Words:
        if not clause.place:
            return ()
        section = self.place_section(clause.place)
        preposition = "a" if clause.frame == "move" else "en"
        name = self.form(section, clause.place, 0, context)
        if section == "places":
            return self.words(contracted(preposition, name), "NOUN")
        return self.words(preposition, "ADP") + self.words(name, "PROPN", "LOC" if section == "cities" else "ORG")


def contracted(preposition: str, phrase: str) -> str:
    """ "a" and "de" melt with the article "el"."""
    if phrase.startswith("el ") and preposition in ("a", "de"):
        return f"{preposition}l {phrase[3:]}"
    return f"{preposition} {phrase}"


GRAMMAR = Spanish
