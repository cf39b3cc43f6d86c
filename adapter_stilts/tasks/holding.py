"""A validation split for tasks that have none: held out of the training rows, by content, so that it never moves."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from adapter_stilts.data.examples import Classified, Example, MultipleChoice, PlainText, Query, SpanQuestion, Tagged


def kept_for(split: str, examples: Sequence[Example], one_in: int) -> list[Example]:
    """The rows of "validation" (one group in `one_in`) or of "train" (all others).

    A group is what would leak across the cut: all questions of a context, all hypotheses of a premise, equal sentences; what several
    queries look for, or the paragraph it stands in.
    """
    return [example for example in examples if (_share(group_of(example)) % one_in == 0) == (split == "validation")]


def group_of(example: Example) -> str:
    match example:
        case SpanQuestion(context=context):
            return context
        case Classified(text=text) | PlainText(text=text):
            return text
        case Tagged(words=words):
            return " ".join(words)
        case MultipleChoice(prompt=prompt):
            return prompt
        case Query(positive=positive) if positive is not None:
            return positive.context or positive.text
    return example.id


def _share(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
