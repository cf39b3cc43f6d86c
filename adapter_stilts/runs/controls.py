"""Runs that should learn nothing, to compare gains with.

shuffled-labels   the same inputs under labels dealt out at random: what is left when there is nothing to learn
random-adapter    the parent's adapter with its entries permuted, nothing trained: what an adapter of that size does
                  by being there
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from adapter_stilts.errors import UsageError
from adapter_stilts.formats.base import Example, Format
from adapter_stilts.runs.lineage import Lineage
from adapter_stilts.seeding import Seeds

RANDOM_ADAPTER = "random-adapter"
SHUFFLED_LABELS = "shuffled-labels"


def check_control(control: str, how: str, format: Format[Any]) -> None:
    """Refuse a control that has no meaning for this run."""
    if control == SHUFFLED_LABELS and not format.deals:
        what = f"--control {control} needs a task with labels"
        raise UsageError(what, do="leave it out for masked language modelling")
    if control == RANDOM_ADAPTER and how != "sequential":
        advice = "make the random adapter by --how sequential --after RUN --control random-adapter"
        advice += "; then build on that run as on any other"
        what = f"--control {control} permutes the adapter of a run, and --how {how} continues none"
        raise UsageError(what, do=advice)


def shuffled_labels(format: Format[Any], examples: Sequence[Example], seeds: Seeds) -> list[Example]:
    """The same inputs, the same number of each label, in another order."""
    return format.shuffled(examples, seeds.python("shuffled labels"))


def random_adapter(lineage: Lineage, seeds: Seeds) -> Lineage:
    """The same lineage with the entries of each starting tensor permuted: as large as trained weights, and nothing of
    what was learned."""
    assert lineage.start is not None
    generator = seeds.torch("random adapter")
    tensors = {
        name: tensor.flatten()[torch.randperm(tensor.numel(), generator=generator)].reshape(tensor.shape)
        for name, tensor in sorted(lineage.start.tensors.items())
    }
    return replace(lineage, start=replace(lineage.start, tensors=tensors))
