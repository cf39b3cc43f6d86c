"""Features of queries and of what they look for: `<s> query </s>`, and `<s> text </s>` or `<s> sentence </s></s> paragraph </s>`.

Both sides go through the same encoder. In training a feature holds a query and its positive; the positives of the other rows of a
batch are its negatives, so equal ones must be known: `target` is (number of the positive's id, number of its tokens), and two rows that
agree in either have the same positive.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from adapter_stilts.data.examples import Candidate, Query
from adapter_stilts.data.feature import Feature, Ids
from adapter_stilts.data.pieces import PAIR_SPECIALS, SINGLE_SPECIALS, marks, pieces, shorten

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def query_features(
    examples: Sequence[Query], tokenizer: PreTrainedTokenizerFast, query_length: int, max_length: int, training: bool
) -> Iterator[Feature]:
    """A feature for every query; in training with its positive, and none for a query without one."""
    kept = [(index, example) for index, example in enumerate(examples) if not training or example.positive is not None]
    queries = pieces(tokenizer, (example.text for _, example in kept))
    around = marks(tokenizer)
    rows = [around.single(ids[: query_length - SINGLE_SPECIALS]) for ids in queries]
    if not training:
        yield from (Feature(0, index, row) for (index, _), row in zip(kept, rows, strict=True))
        return
    positives = cast(list[Candidate], [example.positive for _, example in kept])
    found = candidate_rows(positives, tokenizer, max_length)
    same_id, same_tokens = _numbered([one.id for one in positives]), _numbered(found)
    for place, (index, _) in enumerate(kept):
        yield Feature(0, index, rows[place], (same_id[place], same_tokens[place]), candidate=found[place])


def candidate_features(candidates: Sequence[Candidate], tokenizer: PreTrainedTokenizerFast, max_length: int) -> list[Feature]:
    """A feature for every candidate, to be read as a query is."""
    return [Feature(row, row, ids) for row, ids in enumerate(candidate_rows(candidates, tokenizer, max_length))]


def candidate_rows(candidates: Sequence[Candidate], tokenizer: PreTrainedTokenizerFast, max_length: int) -> list[Ids]:
    """Token ids of each; a sentence and its paragraph are cut longest first."""
    first = pieces(tokenizer, (candidate.text for candidate in candidates))
    second = pieces(tokenizer, (candidate.context or "" for candidate in candidates))
    around = marks(tokenizer)
    return [
        around.single(text[: max_length - SINGLE_SPECIALS])
        if candidate.context is None
        else around.pair(*shorten(text, context, max_length - PAIR_SPECIALS))
        for candidate, text, context in zip(candidates, first, second, strict=True)
    ]


def _numbered(values: Sequence[Hashable]) -> list[int]:
    """Equal values by one number."""
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(value, len(numbers)) for value in values]
