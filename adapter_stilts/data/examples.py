"""The shapes of a row: what a reader yields and everything above consumes.

Every example has an `id`, unique within its file, by which predictions are matched with gold. The formats:

    pair, single   Classified       one or two texts and a label
    tags           Tagged           words and one tag each
    span           SpanQuestion     a question, a context, and where the answer stands in it
    choice         MultipleChoice   a prompt and several endings, one of them right
    ranking        Query            a text and what answers it; in evaluation, found among many a Candidate
    text           PlainText        text for masked language modelling
    aligned        Bitext           a sentence and its translation (retrieval with a known partner)
    pools          Pools            two unaligned sets of sentences that hide translation pairs (mining)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Format = str


@dataclass(frozen=True, slots=True)
class Classified:
    """One text, or a pair, and its label; label "" where the file has none."""

    id: str
    text: str
    pair: str | None
    label: str


@dataclass(frozen=True, slots=True)
class Tagged:
    """Words and one tag per word; tags is empty where the file has none."""

    id: str
    words: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer's text and its first character in the context, counted from 0 in code points."""

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class SpanQuestion:
    """A question about a context; no answers means it cannot be answered from the context."""

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class MultipleChoice:
    """A prompt and its possible endings; `label` is the index of the right one, -1 where unknown."""

    id: str
    prompt: str
    choices: tuple[str, ...]
    label: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something a query may find: a text, or a sentence (`text`) and the paragraph it stands in (`context`).

    answers  the ids of the queries it is an answer to, where the pool says so and not the query; the same id in every language
    """

    id: str
    text: str
    context: str | None = None
    language: str = ""
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A text that looks for a candidate.

    positive  what it should find, in training rows
    gold      ids of what it should find in a pool; () where the pool's candidates say what they answer
    """

    id: str
    text: str
    positive: Candidate | None = None
    gold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlainText:
    """Text without a label; `pair` holds its translation where the two are modelled together."""

    id: str
    text: str
    pair: str | None = None


@dataclass(frozen=True, slots=True)
class Bitext:
    """A foreign sentence (`source`) and its English translation (`target`), line by line."""

    id: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Pools:
    """Two sets of sentences and the pairs hidden in them, by id; source is the foreign side, target English."""

    id: str
    source_ids: tuple[str, ...]
    source: tuple[str, ...]
    target_ids: tuple[str, ...]
    target: tuple[str, ...]
    gold: frozenset[tuple[str, str]]


Example: TypeAlias = Classified | Tagged | SpanQuestion | MultipleChoice | Candidate | Query | PlainText | Bitext | Pools
