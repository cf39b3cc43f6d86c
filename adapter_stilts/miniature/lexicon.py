"""Word forms of one language, read from `lexicons/<code>.txt`.

[things] gender sg pl          a section and its columns
apple: m | Apfel | Äpfel       a concept and its forms; several on one line are separated by ";"
car~: m | Wagen | Wagen        a synonym, used where a sentence is put in other words
[tags]                         words that have one part of speech wherever they stand
DET: der die das
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Lexicon:
    """Forms by section and concept; `tags` gives the fixed part of speech of function words."""

    code: str
    entries: Mapping[str, Mapping[str, tuple[str, ...]]]
    tags: Mapping[str, str]

    def forms(self, section: str, concept: str, other: bool = False) -> tuple[str, ...]:
        """All forms of a concept; those of its synonym where `other` is wanted and there is one."""
        concepts = self.entries[section]
        return concepts.get(f"{concept}~", concepts[concept]) if other else concepts[concept]


@cache
def load(code: str) -> Lexicon:
    """The lexicon of a language, by its ISO code."""
    text = resources.files("adapter_stilts.miniature").joinpath("lexicons", f"{code}.txt").read_text(encoding="utf-8")
    entries: dict[str, dict[str, tuple[str, ...]]] = {}
    section = ""
    for line in text.split("\n"):
        if line.startswith("["):
            section = line[1 : line.index("]")]
            entries.setdefault(section, {})
        elif line and not line.startswith("#"):
            entries[section].update(_entry(part) for part in line.split(";") if part.strip())
    tags = {word: tag for tag, forms in entries.pop("tags").items() for word in forms[0].split()}
    return Lexicon(code, entries, tags)


def _entry(text: str) -> tuple[str, tuple[str, ...]]:
    concept, _, forms = text.partition(":")
    return concept.strip(), tuple(form.strip() for form in forms.split("|"))
