"""Features of questions about a context: windows `<s> question </s></s> context </s>` whose START advances by `window_step`.

This is XTREME's and SQuAD's "doc stride". The `stride` of transformers' tokenizers is the overlap of two windows instead; passing
128 there gives other windows and other scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from adapter_stilts.data.examples import Answer, SpanQuestion
from adapter_stilts.data.feature import IGNORED, Feature
from adapter_stilts.data.pieces import PAIR_SPECIALS, Marks, Offsets, marks, pieces, pieces_with_offsets
from adapter_stilts.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

OUTSIDE = (-1, -1)
NO_ANSWER_HERE = (0, 0)  # the <s> token
UNKNOWN = (IGNORED, IGNORED)


@dataclass(frozen=True)
class Windows:
    """How a context is cut, in tokens: the longest row, the longest question, and how far a window's start advances."""

    max_length: int
    query_length: int
    step: int


def span_features(examples: Sequence[SpanQuestion], tokenizer: PreTrainedTokenizerFast, windows: Windows, training: bool) -> Iterator[Feature]:
    """All windows of every question; in training without offsets, and without questions whose answer is not where they say."""
    around = marks(tokenizer)
    questions = pieces(tokenizer, (example.question for example in examples))
    contexts = pieces_with_offsets(tokenizer, (example.context for example in examples))
    for index, example in enumerate(examples):
        if not (training and is_misplaced(example)):
            for feature in _features(index, example, questions[index][: windows.query_length], contexts[index], around, windows):
                yield replace(feature, offsets=()) if training else feature


def is_misplaced(example: SpanQuestion) -> bool:
    """Whether the context does not hold the first answer at the place the data give (or the answer is white space)."""
    if not example.answers:
        return False
    answer = example.answers[0]
    return not answer.text.strip() or answer.start < 0 or not example.context.startswith(answer.text, answer.start)


def covering(offsets: Offsets, start: int, end: int) -> tuple[int, int] | None:
    """The smallest run of tokens over characters [start, end), as (first, last) tokens; None where the tokens do not reach that far.

    Several tokens may stand over one character (a lone word mark, the pieces of a compatibility character), so the latest possible
    first token and then the earliest possible last one are taken.
    """
    first = max((token for token, (left, right) in enumerate(offsets) if left <= start < right), default=None)
    if first is None:
        return None
    last = next((token for token in range(first, len(offsets)) if offsets[token][0] < end <= offsets[token][1]), None)
    return None if last is None else (first, last)


def _features(
    index: int, example: SpanQuestion, question: Sequence[int], context: tuple[list[int], Offsets], around: Marks, windows: Windows
) -> Iterator[Feature]:
    ids, offsets = context
    room = windows.max_length - len(question) - PAIR_SPECIALS
    if room < 1:
        raise UsageError(
            f"a row of {windows.max_length} tokens has no room for a context beside a question of {len(question)}",
            where=f"question '{example.id}'",
            do="raise max_length or lower query_length",
        )
    lead = len(question) + PAIR_SPECIALS - 1  # <s> question </s></s>
    for window, start in enumerate(_starts(len(ids), room, min(windows.step, room))):
        inside = offsets[start : start + room]
        target = _target(example, inside, lead)
        spans = (*[OUTSIDE] * lead, *inside, OUTSIDE)
        yield Feature(0, index, around.pair(question, ids[start : start + room]), target, offsets=spans, window=window)


def _starts(tokens: int, room: int, step: int) -> Iterator[int]:
    """First tokens of the windows: 0, step, 2 step, ... up to the first window that reaches the end."""
    start = 0
    while start + room < tokens:
        yield start
        start += step
    yield start


def _target(example: SpanQuestion, inside: Offsets, lead: int) -> tuple[int, int]:
    if not example.answers:
        return NO_ANSWER_HERE
    if is_misplaced(example):
        return UNKNOWN
    found = covering(inside, *_bounds(example.answers[0]))
    return (found[0] + lead, found[1] + lead) if found else NO_ANSWER_HERE


def _bounds(answer: Answer) -> tuple[int, int]:
    """The answer's characters [start, end), white space at its ends left out as it is in the offsets."""
    start = answer.start + len(answer.text) - len(answer.text.lstrip())
    return start, start + len(answer.text.strip())
