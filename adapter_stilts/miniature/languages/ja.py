"""Japanese: no blanks, particles and counters after the noun; the cause comes first, linked clauses end in -te."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from adapter_stilts.miniature.grammar import Context, Grammar, Style, Words, glued, shared
from adapter_stilts.miniature.world import ANIMALS, NAMES, Clause, Sentence

ANIMATE = (*ANIMALS, "animal")


class Japanese(Grammar):
    code = "ja"
    blank = ""
    stop = "。"
    mark = "。"
    because = "ので"
    conjunction = "て"
    orders: ClassVar[Mapping[str, str]] = {
        "main": "agent subject time place partner thing count verb",
        "shift": "agent subject place time thing count partner verb",
        "time": "time agent subject place partner thing count verb",
        "place": "place agent subject time partner thing count verb",
        "exist:main": "place time thing count verb",
        "exist:time": "time place thing count verb",
        "weather:main": "place time verb",
        "weather:time": "time place verb",
        "ask": "agent subject time place partner thing count verb end",
    }

    def body(self, meaning: Sentence, style: Style) -> Words:
        """The cause stands first and names what the main clause then leaves out."""
        if meaning.second is None:
            return self.clause(meaning.first, Context(style))
        if meaning.link == "and":
            first, second = (
                self.clause(meaning.first, Context(style)),
                self.clause(meaning.second, Context(replace(style, front=""))),
            )
            return linked(first) + self.words("、", "PUNCT") + second
        omitted = shared(meaning.first, meaning.second)
        cause = self.clause(meaning.second, Context(replace(style, front=""), "main" if omitted == "agent" else "sub"))
        main = self.clause(meaning.first, Context(style, pronoun="agent" if omitted == "agent" else ""))
        return cause + self.words("ので", "SCONJ") + self.words("、", "PUNCT") + main

    def slots(self, clause: Clause, context: Context) -> dict[str, Words]:
        slots = {
            "agent": self.agent(clause, context),
            "verb": self.verb(clause, context),
            "place": self.place(clause, context),
            "time": self.words(self.form("times", clause.time, 0, context), "NOUN") if clause.time else (),
            "partner": self.partner(clause, context),
        }
        topic = "が" if context.mode == "sub" else "は"
        if clause.frame in ("be", "locate"):
            slots["subject"] = self.described(clause, context) + self.words(topic, "ADP")
        elif clause.thing:
            slots["thing"] = self.described(clause, context) + self.words(self.particle(clause), "ADP")
            slots["count"] = self.counted(clause, context)
        if context.asked:
            slots[context.asked] = self.asked(clause, context.asked) + self.words(
                self.asking(clause, context.asked), "ADP"
            )
            slots["end"] = self.words("の/SCONJ です/AUX か/PART", "PART")
            if context.asked == "thing":
                slots["count"] = ()
        return slots

    def asking(self, clause: Clause, asked: str) -> str:
        """The particle after a question word."""
        if asked == "place":
            return "に" if clause.frame in ("move", "locate", "exist") else "で"
        return {
            "agent": "が",
            "thing": self.particle(clause),
            "partner": "から" if clause.frame == "get" else "に",
            "time": "",
        }[asked]

    def particle(self, clause: Clause) -> str:
        if clause.frame == "exist":
            return "は" if clause.negated else "が"
        return "に" if clause.verb == "sign" else "を"

    def verb(self, clause: Clause, context: Context) -> Words:
        column = int(clause.negated)
        if clause.frame in ("feel", "be"):
            return self.words(self.form("states", clause.verb, column, context), "ADJ")
        if clause.frame in ("exist", "locate"):
            animate = clause.noun in ANIMATE
            forms = ("い た", "い なかっ た") if animate else ("あっ た", "なかった/ADJ")
            return self.words(forms[column], "VERB")
        return self.words(
            self.form("weather" if clause.frame == "weather" else "verbs", clause.verb, column, context), "VERB"
        )

    def agent(self, clause: Clause, context: Context) -> Words:
        if not clause.agent or context.pronoun == "agent":
            return ()
        surname = self.words(f"・{self.form('surnames', clause.surname)}", "PROPN", "PER") if clause.surname else ()
        particle = (
            "が"
            if context.mode == "sub" or (context.style.shift and context.mode == "main" and clause.frame != "feel")
            else "は"
        )
        return self.person(clause.agent, context) + surname + self.words(particle, "ADP")

    def partner(self, clause: Clause, context: Context) -> Words:
        if not clause.partner:
            return ()
        return self.person(clause.partner, context) + self.words("から" if clause.frame == "get" else "に", "ADP")

    def person(self, person: str, context: Context) -> Words:
        if person in NAMES:
            return self.words(self.form("names", person), "PROPN", "PER")
        return self.words(self.form("roles", person, 0, context), "NOUN")

    def described(self, clause: Clause, context: Context) -> Words:
        modifier = self.words(self.form("modifiers", clause.modifier, 0, context), "ADJ") if clause.modifier else ()
        return modifier + self.words(self.form("things", clause.noun, 0, context), "NOUN")

    def counted(self, clause: Clause, context: Context) -> Words:
        if not clause.count:
            return ()
        return self.words(self.form("counts", clause.count), "NUM", role="thing") + self.words(
            self.form("things", clause.noun, 1, context), "NOUN", role="thing"
        )

    def place(self, clause: Clause, context: Context) -> Words:
        if not clause.place:
            return ()
        section = self.place_section(clause.place)
        name = self.form(section, clause.place, 0, context)
        particle = self.words("に" if clause.frame in ("move", "locate", "exist") else "で", "ADP")
        if section == "places":
            return self.words(name, "NOUN") + particle
        return self.words(name, "PROPN", "LOC" if section == "cities" else "ORG") + particle


def linked(words: Words) -> Words:
    """A clause that goes on: the past "ta" becomes "te", "katta" becomes "kute"."""
    *rest, last = words
    if last.text == "た" and rest[-1].text == "だっ":
        return (*rest[:-1], replace(last, text="で"))
    if last.text == "た" and rest[-1].text.endswith("かっ"):
        return (*rest[:-1], replace(rest[-1], text=f"{rest[-1].text[:-2]}く"), replace(last, text="て", tag="SCONJ"))
    if last.text == "なかった":
        return (*rest, replace(last, text="なく"), *glued((replace(last, text="て", tag="SCONJ"),)))
    return (*rest, replace(last, text="で" if last.text == "だ" else "て", tag="SCONJ"))


GRAMMAR = Japanese
