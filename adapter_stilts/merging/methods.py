"""Merging methods as data: how much of each adapter's change is taken, or which of its entries.

Two families. Methods that *weigh* give each adapter one number at each place, so the sum stays exact whatever the kind.
Methods that *choose* look at every entry: they prune each change (by magnitude, or at random) and may elect a sign.

    average          sum w_i d_i, the weights made to sum to 1
    linear           sum w_i d_i
    task_arithmetic  the same with weights of 1; negative ones subtract: forgetting, task + target - source language
    ties             largest entries; the sign with more weight; the mean of those that have it
    dare             entries dropped at random, the rest scaled up; then as linear
    dare_ties        dropped at random, then the election of ties
    magnitude        largest entries; then as linear
    slerp            from one to another along the arc between them
    model_stock      towards their mean, the further the more they agree
    layers           the low layers of one, the high layers of another
    concatenate      side by side: exactly the weighted sum of what each adds
    svd              as linear, re-compressed to the rank of the largest
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from adapter_stilts.errors import UsageError
from adapter_stilts.registry import Registry

PARALLEL = 1e-6  # the sine of an angle too small for an arc


@dataclass(frozen=True)
class Place:
    """What a method that weighs may look at: one place of all adapters.

    layer   counted from 0; -1 where it belongs to none
    splits  the layers at which the next adapter begins
    angles  inner products of the changes [A, A]
    """

    layer: int
    splits: Sequence[int]
    angles: Callable[[], Tensor]


@dataclass(frozen=True)
class Method:
    """One way to merge.

    weigh    what each adapter counts at a place, from the weights asked for
    prune    "" or what is dropped of each change: "magnitude" or "random"
    elect    whether the adapters elect the sign of each entry, and those that lost it do not count
    density  of the entries that are kept, where none is asked for
    ones     weights are 1 where none are asked for; otherwise they share 1
    fewest   adapters it needs
    most     adapters it can take; 0: any number
    fixed    whether it takes no weights
    ordered  whether the order of the adapters means something
    joins    whether the changes stand side by side rather than being added parameter by parameter
    compresses  whether the sum has the rank of the largest, where none is asked for
    """

    summary: str
    paper: str
    weigh: Callable[[Sequence[float], Place], Sequence[float]]
    prune: str = ""
    elect: bool = False
    density: float = 1.0
    ones: bool = False
    fewest: int = 1
    most: int = 0
    fixed: bool = False
    ordered: bool = False
    joins: bool = False
    compresses: bool = False


methods: Registry[Method] = Registry("merging method")


def _as_given(weights: Sequence[float], place: Place) -> Sequence[float]:
    return weights


def _summing_to_one(weights: Sequence[float], place: Place) -> Sequence[float]:
    total = math.fsum(weights)
    if abs(total) < 1e-9 * sum(map(abs, weights)):
        what = f"weights {', '.join(f'{weight:g}' for weight in weights)} sum to 0, so they have no average"
        raise UsageError(what, do="use --method linear, which takes them as they are")
    return [weight / total for weight in weights]


def _arc(weights: Sequence[float], place: Place) -> Sequence[float]:
    """From the first (1, 0) to the second (0, 1) at a constant angular speed; a line where they are parallel."""
    if min(weights) < 0:
        raise UsageError("slerp goes from one adapter to another, and a weight is negative", do="give 0 or more")
    first, second = _summing_to_one(weights, place)
    angles = place.angles()
    norms = (angles[0, 0] * angles[1, 1]).sqrt()
    if norms == 0:
        return [first, second]
    angle = math.acos(max(-1.0, min(1.0, float(angles[0, 1] / norms))))
    if (sine := math.sin(angle)) < PARALLEL:
        return [first, second]
    return [math.sin(first * angle) / sine, math.sin(second * angle) / sine]


def _stock(weights: Sequence[float], place: Place) -> Sequence[float]:
    """t / A for each, with t = A cos / (1 + (A - 1) cos) of the mean angle between two changes."""
    angles, count = place.angles(), len(weights)
    norms = torch.outer(angles.diagonal().sqrt(), angles.diagonal().sqrt())
    cosines = (angles / norms.clamp(min=torch.finfo(norms.dtype).tiny))[torch.triu_indices(count, count, 1).unbind()]
    cosine = max(0.0, float(cosines.mean()))
    return [cosine / (1 + (count - 1) * cosine)] * count


def _by_layer(weights: Sequence[float], place: Place) -> Sequence[float]:
    if len(place.splits) != len(weights) - 1:
        what = f"{len(weights)} adapters change at {len(weights) - 1} layers, and {len(place.splits)} are given"
        raise UsageError(what, do="for two adapters name one layer: --split 6 gives layers 0 to 5 to the first")
    chosen = sum(place.layer >= split for split in place.splits)
    return [weight if number == chosen else 0.0 for number, weight in enumerate(weights)]


methods.add("average", Method("the mean of the changes", "https://arxiv.org/abs/2203.05482", _summing_to_one))
methods.add("linear", Method("the weighted sum of the changes", "https://arxiv.org/abs/2203.05482", _as_given))
methods.add(
    "task_arithmetic",
    Method(
        "changes added and, with negative weights, subtracted", "https://arxiv.org/abs/2212.04089", _as_given, ones=True
    ),
)
methods.add(
    "ties",
    Method(
        "the largest entries; each sign elected; the mean of those that have it",
        "https://arxiv.org/abs/2306.01708",
        _as_given,
        prune="magnitude",
        elect=True,
        density=0.2,
        ones=True,
    ),
)
methods.add(
    "dare",
    Method(
        "entries dropped at random and the rest scaled up, then summed",
        "https://arxiv.org/abs/2311.03099",
        _as_given,
        prune="random",
        density=0.5,
    ),
)
methods.add(
    "dare_ties",
    Method(
        "entries dropped at random, then the election of TIES",
        "https://arxiv.org/abs/2311.03099",
        _as_given,
        prune="random",
        elect=True,
        density=0.5,
        ones=True,
    ),
)
methods.add(
    "magnitude",
    Method(
        "the largest entries of each, summed",
        "https://arxiv.org/abs/1506.02626",
        _as_given,
        prune="magnitude",
        density=0.5,
    ),
)
methods.add(
    "slerp", Method("along the arc between two", "https://doi.org/10.1145/325165.325242", _arc, fewest=2, most=2)
)
methods.add(
    "model_stock",
    Method(
        "towards the mean, the further the more the changes agree",
        "https://arxiv.org/abs/2403.19522",
        _stock,
        fewest=2,
        fixed=True,
    ),
)
methods.add(
    "layers",
    Method(
        "low layers of one, high layers of another",
        "https://arxiv.org/abs/2410.01335",
        _by_layer,
        ones=True,
        fewest=2,
        ordered=True,
    ),
)
methods.add(
    "concatenate",
    Method(
        "side by side: the weighted sum of what each adds, exactly",
        "https://arxiv.org/abs/2205.12410",
        _as_given,
        joins=True,
    ),
)
methods.add(
    "svd",
    Method(
        "the weighted sum, re-compressed to the largest rank",
        "https://doi.org/10.1007/BF02288367",
        _as_given,
        compresses=True,
    ),
)


def pruned(change: Tensor, density: float, prune: str, draw: Callable[[], torch.Generator]) -> Tensor:
    """A change with some of its entries set to 0.

    magnitude  the largest are kept, so many as the density says, at least one
    random     each is kept with that probability and scaled up by its inverse, so that the mean stays what it was
    """
    if density >= 1 or not prune:
        return change
    if prune == "random":
        kept = torch.rand(change.shape, generator=draw(), dtype=torch.float32) < density
        return torch.where(kept, change / density, torch.zeros_like(change))
    flat = change.flatten()
    largest = flat.abs().topk(max(1, round(density * flat.numel()))).indices
    return torch.zeros_like(flat).scatter(0, largest, flat[largest]).view_as(change)


def elected(changes: Tensor, weights: Tensor) -> Tensor:
    """[A, ...] to [...]: the sign of each entry is that of the weighted sum, the value the weighted mean of the changes
    that have it (Yadav et al. 2023, section 4)."""
    weight = weights.to(changes.dtype).view(-1, *[1] * (changes.dim() - 1))
    pulled = changes * weight
    agree = (pulled.sign() == pulled.sum(0).sign()) & (pulled != 0)
    counted = (agree * weight.abs()).sum(0)
    return torch.where(counted > 0, (pulled * agree).sum(0) / counted.clamp(min=torch.finfo(weight.dtype).tiny), 0.0)
