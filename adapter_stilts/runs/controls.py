"""Runs that should learn nothing, to compare gains with.

    shuffled-labels   the same inputs under labels dealt out at random: what is left when there is nothing to learn
    random-adapter    the parent's adapter with its entries permuted, nothing trained: what an adapter of that size does by being there
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar, cast

import torch

from adapter_stilts.data.examples import (
    Answer,
    Classified,
    Example,
    Format,
    MultipleChoice,
    Query,
    SpanQuestion,
    Tagged,
)
from adapter_stilts.errors import UsageError
from adapter_stilts.runs.lineage import Lineage
from adapter_stilts.seeding import Seeds

T = TypeVar("T")

RANDOM_ADAPTER = "random-adapter"
SHUFFLED_LABELS = "shuffled-labels"


def check_control(control: str, how: str, format: Format) -> None:
    """Refuse a control that has no meaning for this run."""
    if control == SHUFFLED_LABELS and format not in SHUFFLES:
        raise UsageError(f"--control {control} needs a task with labels", do="leave it out for masked language modelling")
    if control == RANDOM_ADAPTER and how != "sequential":
        advice = "make the random adapter by --how sequential --after RUN --control random-adapter; then build on that run as on any other"
        raise UsageError(f"--control {control} permutes the adapter of a run, and --how {how} continues none", do=advice)


def shuffled_labels(format: Format, examples: Sequence[Example], seeds: Seeds) -> list[Example]:
    """The same inputs, the same number of each label, in another order.

    pair, single: labels permuted among rows. choice: right answers permuted among rows with as many choices. tags: all tags permuted
    among all words. ranking: what they should find permuted among the queries. span: the answers' lengths (none for an unanswerable
    question) permuted among rows, each placed anew in its context.
    """
    return SHUFFLES[format](examples, seeds.python("shuffled labels"))


def random_adapter(lineage: Lineage, seeds: Seeds) -> Lineage:
    """The same lineage with the entries of each starting tensor permuted: as large as trained weights, and nothing of what was learned."""
    assert lineage.start is not None
    generator = seeds.torch("random adapter")
    tensors = {
        name: tensor.flatten()[torch.randperm(tensor.numel(), generator=generator)].reshape(tensor.shape)
        for name, tensor in sorted(lineage.start.tensors.items())
    }
    return replace(lineage, start=replace(lineage.start, tensors=tensors))


def _classes(examples: Sequence[Example], draw: random.Random) -> list[Example]:
    rows = cast(Sequence[Classified], examples)
    return [replace(row, label=label) for row, label in zip(rows, _dealt([row.label for row in rows], draw), strict=True)]


def _choices(examples: Sequence[Example], draw: random.Random) -> list[Example]:
    rows = cast(Sequence[MultipleChoice], examples)
    dealt: dict[int, int] = {}
    for size in sorted({len(row.choices) for row in rows}):
        alike = [number for number, row in enumerate(rows) if len(row.choices) == size]
        dealt |= dict(zip(alike, _dealt([rows[number].label for number in alike], draw), strict=True))
    return [replace(row, label=dealt[number]) for number, row in enumerate(rows)]


def _tags(examples: Sequence[Example], draw: random.Random) -> list[Example]:
    rows = cast(Sequence[Tagged], examples)
    dealt = iter(_dealt([tag for row in rows for tag in row.tags], draw))
    return [replace(row, tags=tuple(next(dealt) for _ in row.tags)) for row in rows]


def _positives(examples: Sequence[Example], draw: random.Random) -> list[Example]:
    rows = cast(Sequence[Query], examples)
    dealt = _dealt([(row.positive, row.gold) for row in rows], draw)
    return [replace(row, positive=positive, gold=gold) for row, (positive, gold) in zip(rows, dealt, strict=True)]


def _answers(examples: Sequence[Example], draw: random.Random) -> list[Example]:
    rows = cast(Sequence[SpanQuestion], examples)
    lengths = _dealt([len(row.answers[0].text) if row.answers else 0 for row in rows], draw)
    return [replace(row, answers=_placed(row.context, length, draw) if length else ()) for row, length in zip(rows, lengths, strict=True)]


def _placed(context: str, length: int, draw: random.Random) -> tuple[Answer, ...]:
    """A span of the context, of this length where it is long enough, beginning and ending with something that is not white space."""
    starts = [start for start in range(max(1, len(context) - length + 1)) if not context[start : start + 1].isspace()]
    start = draw.choice(starts)
    return (Answer(context[start : start + length].rstrip(), start),)


def _dealt(values: Sequence[T], draw: random.Random) -> list[T]:
    dealt = list(values)
    draw.shuffle(dealt)
    return dealt


SHUFFLES: dict[Format, Callable[[Sequence[Example], random.Random], list[Example]]] = {
    "pair": _classes,
    "single": _classes,
    "choice": _choices,
    "tags": _tags,
    "span": _answers,
    "ranking": _positives,
}
