"""Rows before they are put into a language: meanings, how each is worded, and the label.

A row has the same id in every language.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from adapter_stilts.miniature.grammar import Style
from adapter_stilts.miniature.world import Clause, Sentence


@dataclass(frozen=True, slots=True)
class Styled:
    """A sentence and the way it is worded."""

    meaning: Sentence
    style: Style


@dataclass(frozen=True, slots=True)
class Labelled:
    """One or two texts of one or more sentences, and a label."""

    first: tuple[Styled, ...]
    second: tuple[Styled, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question for one slot of a clause, a context, and which of its sentences answers it (-1: none)."""

    clause: Clause
    slot: str
    style: Style
    context: tuple[Styled, ...]
    answer: int


@dataclass(frozen=True, slots=True)
class Caused:
    """A sentence, candidates for its cause or effect, and the index of the right one.

    `kind` is what is asked for, "cause" or "effect"; "" asks nothing: the candidates go on from the sentence.
    """

    prompt: Styled
    kind: str
    choices: tuple[Styled, ...]
    label: int


@dataclass(frozen=True, slots=True)
class Hidden:
    """Two sets of sentences; those at `gold` (source index, target index) mean the same."""

    source: tuple[Styled, ...]
    target: tuple[Styled, ...]
    gold: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """A sentence that mentions a person by full name, and what is said of that person elsewhere."""

    mention: Styled
    described: tuple[Styled, ...]


Row: TypeAlias = Labelled | Asked | Caused | Hidden | Linked
