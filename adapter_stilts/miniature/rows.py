"""Rows before they are put into a language: meanings, how each is told, and the label. One row has the same id in every language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from adapter_stilts.miniature.grammar import Style
from adapter_stilts.miniature.world import Clause, Sentence


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence and the way it is told."""

    meaning: Sentence
    style: Style


@dataclass(frozen=True, slots=True)
class Labelled:
    """One or two texts of one or more sentences, and a label."""

    first: tuple[Told, ...]
    second: tuple[Told, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question for one slot of a clause, a context, and which of its sentences answers it (-1: none)."""

    clause: Clause
    slot: str
    style: Style
    context: tuple[Told, ...]
    answer: int


@dataclass(frozen=True, slots=True)
class Caused:
    """A sentence, whether its "cause" or "effect" is asked for ("": the candidates go on from it), candidates, and the index of the right one."""

    prompt: Told
    kind: str
    choices: tuple[Told, ...]
    label: int


@dataclass(frozen=True, slots=True)
class Hidden:
    """Two sets of sentences; those at `gold` (source index, target index) mean the same."""

    source: tuple[Told, ...]
    target: tuple[Told, ...]
    gold: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """A sentence that mentions a person by full name, and what is said of that person elsewhere."""

    mention: Told
    described: tuple[Told, ...]


Row: TypeAlias = Labelled | Asked | Caused | Hidden | Linked


def clauses_of(row: Row) -> tuple[Clause, ...]:
    """Every clause a row is made of, for checking that splits are disjoint."""
    if isinstance(row, Labelled):
        sentences = row.first + row.second
    elif isinstance(row, Asked):
        sentences = row.context
    elif isinstance(row, Caused):
        sentences = (row.prompt, *row.choices)
    elif isinstance(row, Linked):
        sentences = (row.mention, *row.described)
    else:
        sentences = row.source + row.target
    own = (row.clause,) if isinstance(row, Asked) else ()
    return own + tuple(clause for sentence in sentences for clause in sentence.meaning.clauses)
