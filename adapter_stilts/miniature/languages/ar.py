"""Arabic: the verb comes first and agrees in gender; three to ten take the other gender; "wa" and "li" are prefixes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from adapter_stilts.miniature.grammar import Context, Grammar, Style, Words, glued, shared
from adapter_stilts.miniature.world import FEMALE, NAMES, Clause, Sentence


class Arabic(Grammar):
    code = "ar"
    mark = "؟"
    because = "لأن"
    conjunction = "و"
    orders: ClassVar[Mapping[str, str]] = {
        "main": "not verb agent subject state thing partner place time",
        "shift": "agent subject not verb state thing partner place time",
        "time": "time not verb agent subject state thing partner place",
        "place": "place not verb agent subject state thing partner time",
        "sub": "agent subject not verb state thing partner place time",
        "exist:main": "not verb there thing place time",
        "exist:time": "time not verb there thing place",
        "exist:place": "place not verb there thing time",
        "exist:sub": "not verb there thing place time",
        "ask": "wh not verb agent subject state thing partner place time",
    }

    def body(self, meaning: Sentence, style: Style) -> Words:
        """As elsewhere, but "wa" is written with the word that follows and a pronoun with "because"."""
        first = self.clause(meaning.first, Context(style))
        if meaning.second is None:
            return first
        plain = replace(style, front="")
        if meaning.link == "and":
            return first + self.words(self.conjunction, "CCONJ") + glued(self.clause(meaning.second, Context(plain)))
        pronoun = shared(meaning.first, meaning.second)
        second = self.clause(meaning.second, Context(plain, "sub", pronoun=pronoun))
        return first + self.words(self.because, "SCONJ") + (glued(second) if pronoun else second)

    def slots(self, clause: Clause, context: Context) -> dict[str, Words]:
        slots = {
            "agent": self.agent(clause, context),
            "not": self.words("لم", "PART", role="verb") if clause.negated else (),
            "partner": self.partner(clause, context),
            "place": self.place(clause, context),
            "time": self.words(self.form("times", clause.time), "NOUN") if clause.time else (),
            "there": self.words("هناك", "ADV"),
        }
        feminine = self.feminine(clause, context)
        if clause.frame == "weather":
            subject, past, jussive = self.forms("weather", clause.verb, context)
            slots["verb"], slots["agent"] = (
                self.words(jussive if clause.negated else past, "VERB"),
                self.words(subject, "NOUN", role="verb"),
            )
        elif clause.frame in ("feel", "be", "locate", "exist"):
            was = ("يكن", "تكن") if clause.negated else ("كان", "كانت")
            slots["verb"] = self.words(was[feminine], "AUX")
            if clause.frame in ("feel", "be"):
                slots["state"] = self.words(
                    self.form("states", clause.verb, int(feminine), context), "ADJ", role="verb"
                )
        else:
            slots["verb"] = self.words(
                self.form("verbs", clause.verb, int(feminine) + 2 * int(clause.negated), context), "VERB"
            )
        if clause.frame in ("be", "locate"):
            slots["subject"] = self.subject(clause, context)
        elif clause.thing:
            slots["thing"] = self.thing(clause, context)
        if context.asked:
            slots["wh"] = (
                self.words("ممن", "PRON")
                if context.asked == "partner" and clause.frame == "get"
                else self.asked(clause, context.asked)
            )
            slots[context.asked] = ()
        return slots

    def feminine(self, clause: Clause, context: Context) -> bool:
        """Whether the grammatical subject is feminine; "who" is not."""
        if clause.frame in ("be", "locate", "exist"):
            return self.form("things", clause.noun, 0, context) == "f"
        return clause.agent in FEMALE and context.asked != "agent"

    def agent(self, clause: Clause, context: Context) -> Words:
        if not clause.agent:
            return ()
        if context.pronoun == "agent":
            return self.words("ها" if clause.agent in FEMALE else "ه", "PRON")
        if clause.agent in NAMES:
            surname = self.words(self.form("surnames", clause.surname), "PROPN", "PER") if clause.surname else ()
            return self.words(self.form("names", clause.agent), "PROPN", "PER") + surname
        return self.words(self.form("roles", clause.agent, 0, context), "NOUN")

    def partner(self, clause: Clause, context: Context) -> Words:
        """Recipients carry the prefix "li" (in "show" the word "upon"), givers follow "from"."""
        if not clause.partner:
            return ()
        section, tag = ("names", "PROPN") if clause.partner in NAMES else ("roles", "NOUN")
        person = self.form(section, clause.partner, 0, context)
        entity = "PER" if tag == "PROPN" else ""
        if clause.frame == "get" or clause.verb == "show":
            return self.words("من" if clause.frame == "get" else "على", "ADP") + self.words(person, tag, entity)
        if tag == "NOUN" and person.startswith("ال"):
            return self.words(f"لل{person[2:]}", tag)
        return self.words(f"ل{person}", tag, entity)

    def thing(self, clause: Clause, context: Context) -> Words:
        gender, nominative, accusative, dual, plural = self.forms("things", clause.noun, context)
        exists = clause.frame == "exist"
        if clause.count == "two":
            return self.words(f"{dual[:-2]}ان" if exists else dual, "NOUN")
        if clause.count:
            return self.words(self.form("counts", clause.count, int(gender == "f")), "NUM") + self.words(plural, "NOUN")
        noun = self.words(nominative if exists else accusative, "NOUN")
        if not clause.modifier:
            return noun
        return noun + self.words(
            self.form("modifiers", clause.modifier, 2 if gender == "f" else int(not exists)), "ADJ"
        )

    def subject(self, clause: Clause, context: Context) -> Words:
        gender, nominative, *_ = self.forms("things", clause.noun, context)
        if context.pronoun == "subject":
            return self.words("ها" if gender == "f" else "ه", "PRON")
        definite = self.words(" ".join(f"ال{part}" for part in nominative.split()), "NOUN")
        if not clause.modifier:
            return definite
        return definite + self.words(f"ال{self.form('modifiers', clause.modifier, 2 if gender == 'f' else 0)}", "ADJ")

    def place(self, clause: Clause, context: Context) -> Words:
        if not clause.place:
            return ()
        section = self.place_section(clause.place)
        name = self.form(section, clause.place, int(clause.frame == "move"), context)
        if section == "places":
            return self.words(name, "NOUN")
        before = "في شركة/NOUN" if section == "orgs" else "إلى" if clause.frame == "move" else "في"
        return self.words(before, "ADP") + self.words(name, "PROPN", "LOC" if section == "cities" else "ORG")


GRAMMAR = Arabic
