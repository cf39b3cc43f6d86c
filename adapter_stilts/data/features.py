"""Examples and a tokenizer to features, and features to padded tensors.

rows = features("pair", examples, tokenizer, labels=("contradiction", "entailment", "neutral"), max_length=128, training=True)
batch = collate(rows[:32], tokenizer.pad_token_id, "pair")     # input_ids [B, T], attention_mask [B, T], labels [B], rows [B]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from adapter_stilts.data.examples import (
    Classified,
    Example,
    Format,
    MultipleChoice,
    PlainText,
    Query,
    SpanQuestion,
    Tagged,
)
from adapter_stilts.data.feature import IGNORED, Feature, Ids, length, token_rows
from adapter_stilts.data.labels import wrong_label
from adapter_stilts.data.ranking_features import query_features
from adapter_stilts.data.sentence_features import choice_features, classified_features, text_features
from adapter_stilts.data.span_features import Windows, is_misplaced, span_features
from adapter_stilts.data.tagged_features import Rows, tagged_features
from adapter_stilts.errors import TaskDataError, UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["IGNORED", "Feature", "collate", "features", "length", "misplaced_answers", "token_rows"]


def features(
    format: Format,
    examples: Sequence[Example],
    tokenizer: PreTrainedTokenizerFast,
    *,
    labels: Sequence[str] | None = None,
    max_length: int,
    query_length: int = 64,
    window_step: int = 128,
    rows: Rows | None = None,
    training: bool,
) -> list[Feature]:
    """The features of `examples`, in their order.

    labels        pair, single, tags: the classes; a class number is a position in it
    max_length    tokens of the longest row, special tokens included
    query_length  span, ranking: tokens of a question; for ranking special tokens included, and max_length is that of a candidate
    window_step   span: tokens by which the start of a context window advances
    rows          tags: what becomes of a long sentence; None: it goes on in another row
    training      every example must carry its gold answer; span questions whose answer is not at its place are left out

    Raises TaskDataError for a label outside `labels`, and in training for an example without one.
    """
    if training:
        _require_gold(format, examples)
    made = _made(format, examples, tokenizer, labels, max_length, Windows(max_length, query_length, window_step), rows, training)
    return [replace(feature, row=row) for row, feature in enumerate(made)]


def misplaced_answers(examples: Sequence[Example]) -> int:
    """How many questions training leaves out because their answer is not where the data say."""
    lost = (is_misplaced(example) if isinstance(example, SpanQuestion) else isinstance(example, Query) and example.positive is None for example in examples)
    return sum(lost)


def collate(features: Sequence[Feature], pad_id: int, format: Format) -> dict[str, Tensor]:
    """One padded batch, int64: input_ids and attention_mask [B, T] ([B, C, T] for choice), rows [B], and labels but for text.

    labels is [B] for pair, single and choice, [B, T] for tags, [B, 2] for span; -100 where nothing is to be predicted. For ranking
    they are [B, 2] as well, what tells equal positives, with candidate_ids and candidate_mask [B, T'] beside the queries; rows that
    are only to be read have neither.
    """
    rows = [row for feature in features for row in token_rows(feature)]
    shape = (len(features), -1, max(map(len, rows))) if format == "choice" else (len(features), max(map(len, rows)))
    batch = {
        "input_ids": _padded(rows, pad_id).view(shape),
        "attention_mask": _padded([(1,) * len(row) for row in rows], 0).view(shape),
        "rows": torch.tensor([feature.row for feature in features]),
    }
    if format == "tags":
        batch["labels"] = _padded([cast(Ids, feature.target) for feature in features], IGNORED)
    elif format == "ranking" and features[0].candidate:
        candidates = [feature.candidate for feature in features]
        batch["candidate_ids"] = _padded(candidates, pad_id)
        batch["candidate_mask"] = _padded([(1,) * len(row) for row in candidates], 0)
        batch["labels"] = torch.tensor([feature.target for feature in features])
    elif format not in ("text", "ranking"):
        batch["labels"] = torch.tensor([feature.target for feature in features])
    return batch


def _padded(rows: Sequence[Ids], filler: int) -> Tensor:
    """Rows of different length as one [N, T], filled up at the end."""
    table = np.full((len(rows), max(map(len, rows))), filler, dtype=np.int64)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return torch.from_numpy(table)


def _made(
    format: Format,
    examples: Sequence[Example],
    tokenizer: PreTrainedTokenizerFast,
    labels: Sequence[str] | None,
    max_length: int,
    windows: Windows,
    rules: Rows | None,
    training: bool,
) -> Iterator[Feature]:
    match format:
        case "pair" | "single":
            rows = cast(Sequence[Classified], examples)
            return classified_features(rows, tokenizer, _classes(labels, (row.label for row in rows if row.label)), max_length)
        case "tags":
            sentences = cast(Sequence[Tagged], examples)
            return tagged_features(sentences, tokenizer, _classes(labels, (tag for row in sentences for tag in row.tags if training)), max_length, rules)
        case "span":
            return span_features(cast(Sequence[SpanQuestion], examples), tokenizer, windows, training)
        case "choice":
            return choice_features(cast(Sequence[MultipleChoice], examples), tokenizer, max_length)
        case "ranking":
            return query_features(cast(Sequence[Query], examples), tokenizer, min(windows.query_length, windows.max_length), windows.max_length, training)
        case "text":
            return text_features(cast(Sequence[PlainText], examples), tokenizer, max_length)
        case _:
            raise UsageError(f"a task of format '{format}' is not trained: its sentences are compared as they are", do="name it with --tasks of `eval`")


def _classes(labels: Sequence[str] | None, used: Iterator[str]) -> dict[str, int]:
    classes = {label: number for number, label in enumerate(labels or ())}
    for label in used:
        if label not in classes:
            raise wrong_label(label, classes)
    return classes


def _require_gold(format: Format, examples: Sequence[Example]) -> None:
    for example in examples:
        match example:
            case Classified(label="") | MultipleChoice(label=-1) | Tagged(tags=()):
                raise TaskDataError("an example without a label cannot be trained on", where=f"example '{example.id}'", do="fill in its label or leave it out")

