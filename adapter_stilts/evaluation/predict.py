"""A model and the features of a split to predictions, in example order.

Features are read longest first in batches of a token budget; what comes back stands in the order of the features, and
the format makes predictions of it. Batches differ in padding only, so they change a logit by rounding (1e-5 in
float32).

    predictions = predict(model, examples, features, Rules(labels=("no", "yes")), token_budget=8192)   ["yes", "no",
    ...]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch

from adapter_stilts.data.batches import collate, length_sorted_batches
from adapter_stilts.data.feature import Feature, length
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.formats.base import Example, Logits, Rules

T = TypeVar("T")


def predict(
    model: TaskModel,
    examples: Sequence[Example],
    features: Sequence[Feature],
    rules: Rules,
    token_budget: int = 8192,
    answers: list[dict[str, Any]] | None = None,
) -> Any:
    """Predictions as the format's metrics and prediction files take them.

    answers  is filled with what `answers` of the format says of each example, from the same logits

    Raises UsageError for a format that makes no predictions, or for labels that do not match the head.
    """
    trunk = model.encoder.trunk
    rules = replace(rules, pieces=lambda ids: trunk.tokenizer.convert_ids_to_tokens(list(ids)))
    if answers is None:
        kept = read(model, features, token_budget, lambda row, feature: model.format.kept(row, feature, rules))
    else:
        rows = logits(model, features, token_budget)
        answers += model.format.answers(examples, features, rows, rules)
        kept = [model.format.kept(*pair, rules) for pair in zip(rows, features, strict=True)]
    return model.format.decode(examples, features, kept, rules)


def logits(model: TaskModel, features: Sequence[Feature], token_budget: int = 8192) -> list[Logits]:
    """The logits of each feature without padding, in their order: [C], or [T, C] where the head reads every token."""
    return read(model, features, token_budget, lambda row, feature: row)


@torch.inference_mode()
def read(
    model: TaskModel, features: Sequence[Feature], token_budget: int, keep: Callable[[Logits, Feature], T]
) -> list[T]:
    """What `keep` makes of each feature's logits; the model is left in the mode it was in."""
    device = next(model.parameters()).device
    kept_of: dict[int, T] = {}
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        for rows in length_sorted_batches([length(feature) for feature in features], token_budget):
            batch = collate([features[row] for row in rows], model.encoder.trunk.config.pad_token_id)
            made = model({name: tensor.to(device) for name, tensor in batch.items()}).cpu().numpy()
            by_token = made.ndim > 2
            for row, of_row in zip(rows, made, strict=True):
                kept_of[row] = keep(of_row[: length(features[row])] if by_token else of_row, features[row])
    finally:
        for module, training in modes:
            module.training = training
    return [kept_of[row] for row in range(len(features))]
