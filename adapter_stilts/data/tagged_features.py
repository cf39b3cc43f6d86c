"""Features of sentences to tag: every word is cut on its own and its first sub-word carries the tag.

A sentence of more than `max_length` tokens becomes several features, cut between words, so that no word goes without a prediction:
XTREME does the same; jiant truncates and leaves the cut words out of the score.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from adapter_stilts.data.examples import Tagged
from adapter_stilts.data.feature import IGNORED, Feature
from adapter_stilts.data.pieces import SINGLE_SPECIALS, Marks, marks, pieces

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def tagged_features(examples: Sequence[Tagged], tokenizer: PreTrainedTokenizerFast, classes: dict[str, int], max_length: int) -> Iterator[Feature]:
    """A tag that the head does not know has no class: nothing is learned from it, and it is scored as wrong."""
    around = marks(tokenizer)
    room = max_length - SINGLE_SPECIALS
    cut = iter(pieces(tokenizer, (word for example in examples for word in example.words)))
    for index, example in enumerate(examples):
        # A word that leaves no piece, or more than a whole row, becomes one unknown token (XTREME's rule).
        words = [ids if 0 < len(ids) <= room else [around.unknown] for ids in (next(cut) for _ in example.words)]
        targets = [classes.get(tag, IGNORED) for tag in example.tags] or [IGNORED] * len(words)
        for first, last in _runs([len(ids) for ids in words], room):
            yield _feature(index, words[first:last], targets[first:last], around)


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


def _feature(example: int, words: Sequence[Sequence[int]], targets: Sequence[int], around: Marks) -> Feature:
    ids: list[int] = []
    target = [IGNORED]
    starts = []
    for word, wanted in zip(words, targets, strict=True):
        starts.append(len(ids) + 1)  # + 1 for <s>
        ids.extend(word)
        target.extend([wanted] + [IGNORED] * (len(word) - 1))
    return Feature(0, example, around.single(ids), (*target, IGNORED), tuple(starts))
