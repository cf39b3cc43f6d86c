"""From a meaning to words: what all ten grammars share.

Each file in `languages/` fills the slots of a clause and says their order. A slot is a phrase: agent, subject (a thing
that is described), thing, partner, place, time, verb and a few of a language's own. Each word knows its part of speech,
the slot it came from and, in names, its entity type; gold labels are read from these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import ClassVar, TypeAlias

from adapter_stilts.miniature.world import CITIES, ORGS, Clause, Sentence


@dataclass(frozen=True, slots=True)
class Word:
    """One word; `space` says whether a blank separates it from the word before."""

    text: str
    tag: str
    role: str = ""
    entity: str = ""
    space: bool = True


Words: TypeAlias = tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Style:
    """How a meaning is worded: `front` moves "time" or "place" first, `other` prefers synonyms, `shift` reorders."""

    front: str = ""
    other: bool = False
    shift: bool = False


@dataclass(frozen=True, slots=True)
class Styled:
    """A sentence and the way it is worded."""

    meaning: Sentence
    style: Style


@dataclass(frozen=True, slots=True)
class Context:
    """What a clause's words depend on besides its meaning."""

    style: Style = Style()
    mode: str = "main"  # "main", "sub" (after because) or "ask"
    asked: str = ""  # the slot a question asks for
    pronoun: str = ""  # the slot, "agent" or "subject", that was named in the clause before


class Grammar:
    """One language. Subclasses give `orders` (slot names by mode or fronting, optionally by frame) and fill slots."""

    code: ClassVar[str]
    blank: ClassVar[str] = " "  # between words and between sentences
    stop: ClassVar[str] = "."
    mark: ClassVar[str] = "?"
    because: ClassVar[str]
    conjunction: ClassVar[str]
    orders: ClassVar[Mapping[str, str]]

    def __init__(self) -> None:
        self.entries, self.tags = lexicon(self.code)

    # -- whole sentences

    def sentence(self, meaning: Sentence, style: Style) -> Words:
        return self.finish(self.body(meaning, style), self.stop)

    def question(self, clause: Clause, asked: str, style: Style) -> Words:
        """A question for one slot of a clause: "agent", "thing", "partner", "place" or "time"."""
        return self.finish(self.clause(clause, Context(style, "ask", asked)), self.mark)

    def phrase(self, name: str) -> str:
        """A fixed question, "cause" or "effect"."""
        return self.form("phrases", name)

    def text(self, sentences: Iterable[Words]) -> str:
        return self.blank.join(text_of(words) for words in sentences)

    def body(self, meaning: Sentence, style: Style) -> Words:
        first = self.clause(meaning.first, Context(style))
        if meaning.second is None:
            return first
        plain = replace(style, front="")
        if meaning.link == "and":
            return first + self.words(self.conjunction, "CCONJ") + self.clause(meaning.second, Context(plain))
        second = Context(plain, "sub", pronoun=shared(meaning.first, meaning.second))
        return first + self.words(self.because, "SCONJ") + self.clause(meaning.second, second)

    def finish(self, words: Words, mark: str) -> Words:
        first = next(index for index, word in enumerate(words) if word.tag != "PUNCT")
        start = words[first]
        capital = replace(start, text=self.capital(start.text[:1]) + start.text[1:])
        return glued((*words[:first], capital, *words[first + 1 :])) + (Word(mark, "PUNCT", space=False),)

    def capital(self, letter: str) -> str:
        return letter.upper()

    # -- clauses

    def clause(self, clause: Clause, context: Context) -> Words:
        """The words of one clause, each marked with the slot it stands in."""
        slots = self.slots(clause, context)
        return tuple(
            word if word.role else Word(word.text, word.tag, slot, word.entity, word.space)
            for slot in self.order(clause, context).split()
            for word in slots.get(slot, ())
        )

    def order(self, clause: Clause, context: Context) -> str:
        kind, style = context.mode, context.style
        if kind == "main":
            if style.front == "time" and clause.time:
                kind = "time"
            elif style.front == "place" and clause.place and clause.frame != "move":
                kind = "place"
            elif style.shift:
                kind = "shift"
        for name in (f"{clause.frame}:{kind}", f"{clause.frame}:main" if kind == "shift" else "", kind):
            if name in self.orders:
                return self.orders[name]
        return self.orders["main"]

    def slots(self, clause: Clause, context: Context) -> dict[str, Words]:
        """Phrases by slot name; empty ones vanish from the order."""
        raise NotImplementedError

    # -- words

    def form(self, section: str, concept: str, column: int = 0, context: Context | None = None) -> str:
        """One form of a concept; the last one where it has no such column."""
        forms = self.forms(section, concept, context)
        return forms[min(column, len(forms) - 1)]

    def forms(self, section: str, concept: str, context: Context | None = None) -> tuple[str, ...]:
        """All forms of a concept; those of its synonym where the style asks for other words and there is one."""
        concepts = self.entries[section]
        synonym = f"{concept}~" if context and context.style.other else concept
        return concepts.get(synonym, concepts[concept])

    def words(self, phrase: str, tag: str, entity: str = "", role: str = "") -> Words:
        """A phrase's words: "word/TAG" has its own tag, function words the lexicon's, the others `tag`."""
        words: list[Word] = []
        for part in phrase.split():
            text, _, own_tag = part.partition("/")
            kind = own_tag or self.tags.get(text, tag)
            named = entity if kind == tag or own_tag == "PROPN" else ""
            comma = text in ",、"
            words.append(Word(text, "PUNCT" if comma else kind, role, named, bool(self.blank) and not comma))
        return tuple(words)

    def place_section(self, place: str) -> str:
        return "cities" if place in CITIES else "orgs" if place in ORGS else "places"

    def asked(self, clause: Clause, slot: str) -> Words:
        return self.words(self.form("ask", "goal" if slot == "place" and clause.frame == "move" else slot), "PRON")


def shared(first: Clause, second: Clause) -> str:
    """Which slot of the second clause was named in the first, so that a pronoun (or nothing) can stand for it."""
    if second.agent and second.agent == first.agent:
        return "agent"
    if second.frame == "be" and second.noun and second.noun == first.noun:
        return "subject"
    return ""


def glued(words: Words) -> Words:
    return (replace(words[0], space=False), *words[1:])


def text_of(words: Words) -> str:
    return "".join(f" {word.text}" if word.space else word.text for word in words).strip()


def starts_of(words: Words) -> tuple[int, ...]:
    """Where each word starts in `text_of`, in code points."""
    return tuple(len(text_of(words[: index + 1])) - len(word.text) for index, word in enumerate(words))


def lexicon(code: str) -> tuple[Mapping[str, Mapping[str, tuple[str, ...]]], Mapping[str, str]]:
    """Word forms by section and concept, and the fixed part of speech of function words, from `lexicons/<code>.txt`.

    [things] gender sg pl          a section and its columns
    apple: m | Apfel | Äpfel       a concept and its forms; several on one line are separated by ";"
    car~: m | Wagen | Wagen        a synonym, used where a sentence is put in other words
    [tags]                         words that have one part of speech wherever they stand
    DET: der die das
    """
    text = resources.files("adapter_stilts.miniature").joinpath("lexicons", f"{code}.txt").read_text(encoding="utf-8")
    entries: dict[str, dict[str, tuple[str, ...]]] = {}
    section = ""
    for line in text.split("\n"):
        if line.startswith("["):
            section = line[1 : line.index("]")]
            entries.setdefault(section, {})
        elif line and not line.startswith("#"):
            for concept, _, forms in (part.partition(":") for part in line.split(";") if part.strip()):
                entries[section][concept.strip()] = tuple(form.strip() for form in forms.split("|"))
    tags = {word: tag for tag, listed in entries.pop("tags").items() for word in listed[0].split()}
    return entries, tags
