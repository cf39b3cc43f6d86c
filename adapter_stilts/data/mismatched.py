"""Pairs that do not belong together, made from pairs that do: code search as a classification of pairs.

Every row gives two: itself (label "1"), and its first text with the second text of another row (label "0"). Which other row is drawn
once from a fixed seed, so that the same file always gives the same rows.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from adapter_stilts.data.examples import Classified
from adapter_stilts.errors import TaskDataError

SEED = 13
RIGHT, WRONG = "1", "0"


def with_mismatches(examples: Sequence[Classified], where: str) -> list[Classified]:
    """Each row followed by its mismatch; a second text that equals the right one is passed over.

    Raises TaskDataError where all second texts are equal, as in a file of one row.
    """
    if len({example.pair for example in examples}) < 2:
        raise TaskDataError("a pair that does not match takes two different texts, and there is one", where=where, do="give more rows")
    order = list(range(len(examples)))
    random.Random(SEED).shuffle(order)
    next_in_order = dict(zip(order, [*order[1:], order[0]], strict=True))
    made: list[Classified] = []
    for number, example in enumerate(examples):
        other = next_in_order[number]
        while examples[other].pair == example.pair:
            other = next_in_order[other]
        made.append(Classified(f"{example.id}-right", example.text, example.pair, RIGHT))
        made.append(Classified(f"{example.id}-wrong", example.text, examples[other].pair, WRONG))
    return made
