"""Features of texts read whole: one text, two texts, a question with choices, and text for masked language modelling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from adapter_stilts.data.examples import Classified, MultipleChoice, PlainText
from adapter_stilts.data.feature import IGNORED, Feature, Ids
from adapter_stilts.data.pieces import PAIR_SPECIALS, SINGLE_SPECIALS, Marks, marks, pieces, shorten
from adapter_stilts.errors import TaskDataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def classified_features(examples: Sequence[Classified], tokenizer: PreTrainedTokenizerFast, classes: dict[str, int], max_length: int) -> Iterator[Feature]:
    """`<s> a </s>` or `<s> a </s></s> b </s>`, cut longest first."""
    first = pieces(tokenizer, (example.text for example in examples))
    second = pieces(tokenizer, (example.pair or "" for example in examples))
    around = marks(tokenizer)
    for index, example in enumerate(examples):
        target = classes[example.label] if example.label else IGNORED
        if example.pair is None:
            yield Feature(0, index, around.single(first[index][: max_length - SINGLE_SPECIALS]), target)
        else:
            yield Feature(0, index, _pair(around, first[index], second[index], max_length), target)


def choice_features(examples: Sequence[MultipleChoice], tokenizer: PreTrainedTokenizerFast, max_length: int) -> Iterator[Feature]:
    """The prompt with each choice, as C pairs."""
    counts = {len(example.choices) for example in examples}
    if len(counts) > 1:
        raise TaskDataError(f"questions with {min(counts)} and with {max(counts)} choices in one data set", do="give every question the same number of choices")
    prompts = pieces(tokenizer, (example.prompt for example in examples))
    choices = iter(pieces(tokenizer, (choice for example in examples for choice in example.choices)))
    around = marks(tokenizer)
    for index, example in enumerate(examples):
        rows = tuple(_pair(around, prompts[index], next(choices), max_length) for _ in example.choices)
        yield Feature(0, index, rows, example.label if example.label >= 0 else IGNORED)


def text_features(examples: Sequence[PlainText], tokenizer: PreTrainedTokenizerFast, max_length: int) -> Iterator[Feature]:
    """Text in chunks of `max_length`, nothing lost; a text and its translation as one pair, cut longest first."""
    first = pieces(tokenizer, (example.text for example in examples))
    second = pieces(tokenizer, (example.pair or "" for example in examples))
    around = marks(tokenizer)
    room = max_length - SINGLE_SPECIALS
    for index, example in enumerate(examples):
        if example.pair is not None:
            yield Feature(0, index, _pair(around, first[index], second[index], max_length))
        else:
            for start in range(0, len(first[index]), room):
                yield Feature(0, index, around.single(first[index][start : start + room]))


def _pair(around: Marks, first: Sequence[int], second: Sequence[int], max_length: int) -> Ids:
    return around.pair(*shorten(first, second, max_length - PAIR_SPECIALS))
