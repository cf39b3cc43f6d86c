"""A model and the features of a split to predictions, in example order.

Features are read longest first in batches of a token budget; what comes back stands in the order of the features, then of the
examples: the tags of a cut sentence are joined again, and a question's answer is the best over its windows. Batches differ in
padding only, so they change a logit by rounding (1e-5 in float32).

    predictions = predict(model, examples, features, labels=("no", "yes"), token_budget=8192)   ["yes", "no", ...]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray

from adapter_stilts.data.batches import length_sorted_batches
from adapter_stilts.data.examples import Example, SpanQuestion
from adapter_stilts.data.feature import Ids
from adapter_stilts.data.features import Feature, collate, length
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.errors import UsageError
from adapter_stilts.evaluation.answers import Answers, Span, Window, best_span, most_context
from adapter_stilts.evaluation.protocols import Decoding
from adapter_stilts.evaluation.scoring import Predictions
from adapter_stilts.evaluation.word_answers import word_answer

Logits: TypeAlias = NDArray[np.float32]
T = TypeVar("T")

WORD_MARK = "\u2581"  # in front of a piece that begins a word


def predict(
    model: TaskModel,
    examples: Sequence[Example],
    features: Sequence[Feature],
    *,
    labels: Sequence[str] | None = None,
    token_budget: int = 8192,
    unanswerable: bool = False,
    decoding: Decoding | None = None,
    language: str = "",
) -> Predictions:
    """Predictions as `score` and `folder.write` take them: labels, choice numbers, tags per sentence, or Answers by question id.

    labels        what the head's classes mean; for pair, single and tags
    unanswerable  questions may be answered with ""; the odds are kept in `Answers.spans`
    decoding      span: how logits become an answer; None: as "own" does. `language` is that of the context

    A sentence whose features were truncated has as many tags as words were kept.

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
            rules = decoding or Decoding()
            return Answers(_spans(model, examples, features, token_budget, rules, language), rules.null_threshold if unanswerable else None)
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


def _spans(
    model: TaskModel, examples: Sequence[Example], features: Sequence[Feature], token_budget: int, decoding: Decoding, language: str
) -> dict[str, Span]:
    rows: dict[int, list[tuple[Feature, Logits]]] = {}
    for feature, row in zip(features, logits(model, features, token_budget), strict=True):
        rows.setdefault(feature.example, []).append((feature, row))
    found = {}
    for number, of_one in rows.items():
        question = cast(SpanQuestion, examples[number])
        windows = _windows(of_one, decoding)
        span = best_span(question.context, windows, n_best=decoding.n_best, longest=decoding.longest, whole_row=decoding.whole_row)
        if decoding.text == "words" and span.tokens is not None:
            span = replace(span, text=_in_words(model, question.context, span.tokens, [feature for feature, _ in of_one], language in decoding.unaligned))
        found[question.id] = span
    return found


def _windows(rows: Sequence[tuple[Feature, Logits]], decoding: Decoding) -> list[Window]:
    """The windows of one context, and where an answer may start in each."""
    windows = [Window(row, feature.offsets) for feature, row in rows]
    if not decoding.most_context:
        return windows
    sizes = [sum(start >= 0 for start, _ in window.offsets) for window in windows]
    lead = next((place for place, (start, _) in enumerate(windows[0].offsets) if start >= 0), 0)
    marked = []
    for window, may in zip(windows, most_context(sizes, min(decoding.window_step, sizes[0])), strict=True):
        place = np.zeros(len(window.offsets), dtype=np.bool_)
        place[lead : lead + len(may)] = may
        marked.append(replace(window, may_start=place))
    return marked


def _in_words(model: TaskModel, context: str, tokens: tuple[int, int, int], features: Sequence[Feature], unaligned: bool) -> str:
    """The answer by white-space words, or its sub-words' own text."""
    number, first, last = tokens
    feature = features[number]
    names = model.encoder.trunk.tokenizer.convert_ids_to_tokens(list(cast(Ids, feature.input_ids)[first : last + 1]))
    pieces = " ".join("".join(names).replace(WORD_MARK, " ").split())
    return pieces if unaligned else word_answer(context, feature.offsets[first], feature.offsets[last], pieces)


def _names(labels: Sequence[str] | None, row: Logits) -> Sequence[str]:
    if labels is None or len(labels) != len(row):
        raise UsageError(f"{len(labels or ())} labels for a head of {len(row)} classes", do="give the labels the head was trained with, in that order")
    return labels
