"""Labels, choices and line numbers, one an example: accuracy, and accuracy with F1 of one label as GLUE scores QQP.
Masked tokens, of which only a model can count the right ones: their accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adapter_stilts.errors import TaskDataError
from adapter_stilts.metrics import base
from adapter_stilts.metrics.base import DEFAULTS, Array, Options, Score, metrics, scored, units_of

PLACEHOLDERS = 100  # gold labels from which on a single repeated one cannot be meant


@metrics.register("retrieval", formats=("aligned",), form="lines", protocol="xtreme", averaged=("accuracy",))
@metrics.register("accuracy", formats=("pair", "single", "choice"), form="lines", protocol="xtreme")
def score_labels(gold: Sequence[object], predicted: Any, options: Options = DEFAULTS) -> Score:
    """Accuracy of labels, choices or line numbers, one per example, compared as texts.

    Raises TaskDataError where many gold labels are all alike: a released test file without its labels often repeats
    one, and scoring against it gives 0.33 and looks like a result.
    """
    right, guesses = [str(label) for label in gold], [str(label) for label in base.one_each(predicted)]
    if len(right) >= PLACEHOLDERS and len(set(right)) == 1:
        what = f"all {len(right)} gold labels are '{right[0]}': these are placeholders"
        raise TaskDataError(what, do="fetch the file that has the labels")
    return scored("accuracy", [("accuracy", accuracy_units(right, guesses), "ratio")], len(right), options)


@metrics.register("accuracy_f1", formats=("pair", "single"), form="lines")
def score_positive(gold: Sequence[str], predicted: Any, options: Options = DEFAULTS) -> Score:
    """Accuracy, F1 of the label `options.positive`, and their mean, as GLUE scores QQP."""
    accuracy = score_labels(gold, predicted, options)
    if options.positive not in gold:
        known = ", ".join(sorted(set(gold)))
        what = f"no example is labelled '{options.positive}', whose F1 is asked for"
        raise TaskDataError(what, do=f"name the positive label, one of: {known}")
    positives = positive_units(gold, [str(label) for label in predicted], options.positive)
    both = np.concatenate([accuracy.units, positives], axis=1)
    measured = [("accuracy", accuracy.units, "ratio"), ("f1", positives, "f1"), ("accuracy_f1", both, "accuracy_f1")]
    return scored("accuracy_f1", measured, len(gold), options)


@metrics.register("masked_accuracy", formats=("text",))
def masked_accuracy(gold: Array, predicted: Any, options: Options) -> Score:
    """gold: the units [N, 2] of each text, (right, masked)."""
    return scored("masked_accuracy", [("masked_accuracy", gold, "ratio")], int(gold[:, 1].sum()), options)


def accuracy_units(gold: Sequence[object], predicted: Sequence[object]) -> Array:
    """[N, 2]: right, counted. Also for multiple choice (indexes) and retrieval (line numbers)."""
    base.same_number(len(gold), len(predicted))
    return units_of(2, ((right == guess, 1) for right, guess in zip(gold, predicted, strict=True)))


def positive_units(gold: Sequence[str], predicted: Sequence[str], positive: str) -> Array:
    """[N, 3]: correct, predicted and gold occurrences of the label `positive`; their F1 is the binary F1."""
    pairs = zip(gold, predicted, strict=True)
    return units_of(3, ((right == guess == positive, guess == positive, right == positive) for right, guess in pairs))
