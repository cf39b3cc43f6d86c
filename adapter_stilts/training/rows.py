"""Tokenised features as training data: lengths, collation, and fresh masks for masked language modelling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from adapter_stilts.data.batches import collate, mask_tokens
from adapter_stilts.data.feature import Feature, length
from adapter_stilts.formats.base import Format
from adapter_stilts.training.plan import Batch, Prepare, TrainingData


def feature_data(
    features: Sequence[Feature], format: Format[Any], pad_id: int, prepare: Prepare | None = None
) -> TrainingData:
    """Training data from tokenised features; text features need a `masker` to prepare them."""

    def rows(numbers: Sequence[int]) -> Batch:
        return collate([features[number] for number in numbers], pad_id)

    return TrainingData([length(feature) for feature in features], rows, prepare, format.rows_needed)


def masker(vocabulary: int, mask_id: int, special_ids: Sequence[int], rate: float) -> Prepare:
    """A `prepare` that masks `input_ids` and sets `labels` to what stood there."""
    special = torch.tensor(special_ids)

    def prepare(batch: Batch, generator: torch.Generator) -> Batch:
        ids = batch["input_ids"]
        inputs, labels = mask_tokens(ids, torch.isin(ids, special), vocabulary, mask_id, rate, generator)
        return {**batch, "input_ids": inputs, "labels": labels}

    return prepare
