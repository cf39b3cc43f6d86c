"""Accuracy on masked tokens; "gold" are the units [N, 2] of each text, (right, masked), which only a model can
count."""

from __future__ import annotations

from typing import Any

from adapter_stilts.metrics.base import Options, Score, metrics, scored


@metrics.register("masked_accuracy", formats=("text",))
def masked_accuracy(gold: Any, predicted: Any, options: Options) -> Score:
    return scored("masked_accuracy", [("masked_accuracy", gold, "ratio")], int(gold[:, 1].sum()), options)
