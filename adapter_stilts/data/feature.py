"""Feature: one row of a batch, as token ids and class numbers; an example becomes one feature or several.

A long sentence to tag is cut into pieces and a long context into windows; `example` says which example a feature came
from, and the features of one example follow each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from adapter_stilts.data.pieces import Offsets

IGNORED = -100  # a target that counts in no loss

Ids: TypeAlias = tuple[int, ...]
Target: TypeAlias = int | tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Feature:
    """Token ids and what they should predict."""

    row: int  # index among the features made together
    example: int  # index of the example it came from
    input_ids: Ids | tuple[Ids, ...]  # [T] ids; for choice, C rows of ids
    # pair, single, choice: a class, -100 where unknown
    # tags: a class per token, -100 but at the first sub-word of a word
    # span: (start, end) tokens, both included; (0, 0) where the window holds no answer; (-100, -100) where unknown
    # text: None, since masking makes the target anew for every batch
    # ranking: two numbers by which equal positives are known (formats/ranking.py); None where nothing is learned
    target: Target = None
    words: Ids = ()  # tags: the position of each word's first sub-word
    offsets: Offsets = ()  # span, but in training: each token's characters in the context, (-1, -1) outside it
    window: int = 0  # span: which window of the context, from 0
    candidate: Ids = ()  # ranking, in training: the ids of what the query should find


def token_rows(feature: Feature) -> tuple[Ids, ...]:
    """The rows of ids of one feature: its one row, or one per choice."""
    if isinstance(feature.input_ids[0], tuple):
        return feature.input_ids
    return (feature.input_ids,)


def length(feature: Feature) -> int:
    """Tokens a feature takes in a batch: T, or C times its longest choice; a query and its candidate together."""
    rows = token_rows(feature)
    return len(rows) * max(map(len, rows)) + len(feature.candidate)
