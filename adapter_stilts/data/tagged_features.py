"""Features of sentences to tag: every word is cut on its own and its first sub-word carries the tag.

A sentence of more than `max_length` tokens becomes several features, cut between words, so that no word goes without a prediction:
XTREME does the same, with one more end mark in each row; jiant truncates and leaves the cut words out of the score. `Rows` says which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapter_stilts.data.examples import Tagged
from adapter_stilts.data.feature import IGNORED, Feature
from adapter_stilts.data.pieces import SINGLE_SPECIALS, Marks, marks, pieces

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Rows:
    """How a sentence becomes rows.

    end_marks  `</s>` at the end of a row; XTREME puts two for XLM-R, which leaves a row of 128 tokens room for 125
    truncate   keep what fits in one row, the last word perhaps in part, in place of going on in the next
    """

    end_marks: int = 1
    truncate: bool = False


def tagged_features(
    examples: Sequence[Tagged], tokenizer: PreTrainedTokenizerFast, classes: dict[str, int], max_length: int, rows: Rows | None = None
) -> Iterator[Feature]:
    """A tag that the head does not know has no class: nothing is learned from it, and it is scored as wrong."""
    around, rows = marks(tokenizer), rows or Rows()
    room = max_length - SINGLE_SPECIALS - (rows.end_marks - 1)
    cut = iter(pieces(tokenizer, (word for example in examples for word in example.words)))
    for index, example in enumerate(examples):
        # A word that leaves no piece, or more than a whole row, becomes one unknown token (XTREME's rule).
        words = [ids if 0 < len(ids) <= room else [around.unknown] for ids in (next(cut) for _ in example.words)]
        targets = [classes.get(tag, IGNORED) for tag in example.tags] or [IGNORED] * len(words)
        if rows.truncate:
            words = _beginning(words, room)
        for first, last in _runs([len(ids) for ids in words], room):
            yield _feature(index, words[first:last], targets[first:last], around, rows.end_marks)


def _beginning(words: Sequence[list[int]], room: int) -> list[list[int]]:
    """The words whose first sub-word is among the first `room`, the last of them cut there."""
    kept: list[list[int]] = []
    for word in words:
        if not room:
            break
        kept.append(word[:room])
        room -= len(kept[-1])
    return kept


def _runs(lengths: Sequence[int], room: int) -> Iterator[tuple[int, int]]:
    """Where to cut: (first, last) word numbers of runs of at most `room` sub-words."""
    first, used = 0, 0
    for number, size in enumerate(lengths):
        if used + size > room:
            yield first, number
            first, used = number, 0
        used += size
    if first < len(lengths):
        yield first, len(lengths)


def _feature(example: int, words: Sequence[Sequence[int]], targets: Sequence[int], around: Marks, end_marks: int) -> Feature:
    ids: list[int] = []
    target = [IGNORED]
    starts = []
    for word, wanted in zip(words, targets, strict=True):
        starts.append(len(ids) + 1)  # + 1 for <s>
        ids.extend(word)
        target.extend([wanted] + [IGNORED] * (len(word) - 1))
    more = end_marks - 1
    return Feature(0, example, (*around.single(ids), *[around.end] * more), (*target, *[IGNORED] * end_marks), tuple(starts))
