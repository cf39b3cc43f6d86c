"""Labels, choices and line numbers, one an example: accuracy, and accuracy with F1 of one label as GLUE scores QQP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adapter_stilts.errors import TaskDataError
from adapter_stilts.metrics.base import Array, Options, Score, metrics, one_each, same_number, scored

PLACEHOLDERS = 100  # gold labels from which on a single repeated one cannot be meant


def score_labels(gold: Sequence[object], predicted: Sequence[object], options: Options | None = None) -> Score:
    """Accuracy of labels, choices or line numbers, one per example."""
    _refuse_placeholders(gold)
    return scored("accuracy", [("accuracy", accuracy_units(gold, predicted), "ratio")], len(gold), options or Options())


def score_positive(gold: Sequence[str], predicted: Sequence[str], options: Options | None = None) -> Score:
    """Accuracy, F1 of the label `options.positive`, and their mean, as GLUE scores QQP."""
    options = options or Options()
    accuracy = score_labels(gold, predicted, options)
    if options.positive not in gold:
        known = ", ".join(sorted(set(gold)))
        what = f"no example is labelled '{options.positive}', whose F1 is asked for"
        raise TaskDataError(what, do=f"name the positive label, one of: {known}")
    positives = positive_units(gold, predicted, options.positive)
    both = np.concatenate([accuracy.units, positives], axis=1)
    measured = [("accuracy", accuracy.units, "ratio"), ("f1", positives, "f1"), ("accuracy_f1", both, "accuracy_f1")]
    return scored("accuracy_f1", measured, len(gold), options)


@metrics.register("accuracy", formats=("pair", "single", "choice"), form="lines", protocol="xtreme")
def _accuracy(gold: Any, predicted: Any, options: Options) -> Score:
    return score_labels(*_texts(gold, predicted), options)


@metrics.register("accuracy_f1", formats=("pair", "single"), form="lines")
def _accuracy_f1(gold: Any, predicted: Any, options: Options) -> Score:
    return score_positive(*_texts(gold, predicted), options)


@metrics.register("retrieval", formats=("aligned",), form="lines", protocol="xtreme", averaged=("accuracy",))
def _retrieval(gold: Any, predicted: Any, options: Options) -> Score:
    return score_labels(*_texts(gold, predicted), options)


def accuracy_units(gold: Sequence[object], predicted: Sequence[object]) -> Array:
    """[N, 2]: right, counted. Also for multiple choice (indexes) and retrieval (line numbers)."""
    same_number(len(gold), len(predicted))
    return np.array(
        [(right == guess, 1) for right, guess in zip(gold, predicted, strict=True)], dtype=np.float64
    ).reshape(-1, 2)


def positive_units(gold: Sequence[str], predicted: Sequence[str], positive: str) -> Array:
    """[N, 3]: correct, predicted and gold occurrences of the label `positive`; their F1 is the binary F1."""
    same_number(len(gold), len(predicted))
    rows = [
        (right == guess == positive, guess == positive, right == positive)
        for right, guess in zip(gold, predicted, strict=True)
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def _texts(gold: Any, predicted: Any) -> tuple[list[str], list[str]]:
    return [str(label) for label in gold], [str(label) for label in one_each(predicted)]


def _refuse_placeholders(gold: Sequence[object]) -> None:
    """A released test file without its labels often repeats one: scoring against it gives 0.33 and looks like a
    result."""
    if len(gold) >= PLACEHOLDERS and len(set(gold)) == 1:
        what = f"all {len(gold)} gold labels are '{gold[0]}': these are placeholders"
        raise TaskDataError(what, do="fetch the file that has the labels")
