"""A model and the features of a split to predictions, in example order.

Features are read longest first in batches of a token budget; what comes back stands in the order of the features, then of the
examples: the tags of a cut sentence are joined again, and a question's answer is the best over its windows. Batches differ in
padding only, so they change a logit by rounding (1e-5 in float32).

    predictions = predict(model, examples, features, labels=("no", "yes"), token_budget=8192)   ["yes", "no", ...]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray

from adapter_stilts.data.batches import length_sorted_batches
from adapter_stilts.data.examples import Example, SpanQuestion
from adapter_stilts.data.features import Feature, collate, length
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.errors import UsageError
from adapter_stilts.evaluation.answers import Answers, Span, Window, best_span
from adapter_stilts.evaluation.scoring import Predictions

Logits: TypeAlias = NDArray[np.float32]
T = TypeVar("T")

NULL_THRESHOLD = 0.0  # of SQuAD v2: a question is answered unless "no answer" scored higher


def predict(
    model: TaskModel,
    examples: Sequence[Example],
    features: Sequence[Feature],
    *,
    labels: Sequence[str] | None = None,
    token_budget: int = 8192,
    unanswerable: bool = False,
) -> Predictions:
    """Predictions as `score` and `folder.write` take them: labels, choice numbers, tags per sentence, or Answers by question id.

    labels        what the head's classes mean; for pair, single and tags
    unanswerable  questions may be answered with ""; the odds are kept in `Answers.spans`

    Raises UsageError for a format that makes no predictions, or for labels that do not match the head.
    """
    match model.format:
        case "pair" | "single":
            return [_names(labels, row)[int(row.argmax())] for row in logits(model, features, token_budget)]
        case "choice":
            return [int(row.argmax()) for row in logits(model, features, token_budget)]
        case "tags":
            return _tags(model, len(examples), features, labels, token_budget)
        case "span":
            return Answers(_spans(model, examples, features, token_budget), NULL_THRESHOLD if unanswerable else None)
        case _:
            raise UsageError(f"a head for '{model.format}' makes no predictions", do="score it with its own task")


def logits(model: TaskModel, features: Sequence[Feature], token_budget: int = 8192) -> list[Logits]:
    """The logits of each feature, padding cut off, in feature order: [C] for pair, single and choice, [T, C] for tags, [T, 2] for span."""
    return _read(model, features, token_budget, lambda row, feature: row)


@torch.inference_mode()
def _read(model: TaskModel, features: Sequence[Feature], token_budget: int, keep: Callable[[Logits, Feature], T]) -> list[T]:
    """What `keep` makes of each feature's logits; the model is left in the mode it was in."""
    device = next(model.parameters()).device
    by_token = model.format in ("tags", "span")
    found: dict[int, T] = {}
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        for rows in length_sorted_batches([length(feature) for feature in features], token_budget):
            batch = collate([features[row] for row in rows], model.encoder.trunk.pad_id, model.format)
            read = model({name: tensor.to(device) for name, tensor in batch.items()}).cpu().numpy()
            found |= {row: keep(one[: length(features[row])] if by_token else one, features[row]) for row, one in zip(rows, read, strict=True)}
    finally:
        for module, training in modes:
            module.training = training
    return [found[row] for row in range(len(features))]


def _tags(model: TaskModel, examples: int, features: Sequence[Feature], labels: Sequence[str] | None, token_budget: int) -> list[tuple[str, ...]]:
    """The tag at the first sub-word of every word; the pieces of a cut sentence follow each other."""

    def at_words(row: Logits, feature: Feature) -> list[str]:
        names = _names(labels, row[0])
        return [names[number] for number in row[list(feature.words)].argmax(-1).tolist()]

    sentences: list[list[str]] = [[] for _ in range(examples)]
    for feature, tags in zip(features, _read(model, features, token_budget, at_words), strict=True):
        sentences[feature.example].extend(tags)
    return [tuple(tags) for tags in sentences]


def _spans(model: TaskModel, examples: Sequence[Example], features: Sequence[Feature], token_budget: int) -> dict[str, Span]:
    windows: dict[int, list[Window]] = {}
    for feature, row in zip(features, logits(model, features, token_budget), strict=True):
        windows.setdefault(feature.example, []).append(Window(row, feature.offsets))
    questions = cast(Sequence[SpanQuestion], examples)
    return {questions[number].id: best_span(questions[number].context, of_one) for number, of_one in windows.items()}


def _names(labels: Sequence[str] | None, row: Logits) -> Sequence[str]:
    if labels is None or len(labels) != len(row):
        raise UsageError(f"{len(labels or ())} labels for a head of {len(row)} classes", do="give the labels the head was trained with, in that order")
    return labels
