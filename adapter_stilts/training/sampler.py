"""Which task of a mixture the next optimiser step learns: shares from the tasks' sizes, and a draw from them.

    shares(Sampler(name="temperature", cap=5000), {"nli": 20000, "qa": 1250})     {"nli": 0.667, "qa": 0.333}

The samplers are jiant's. A draw follows from the seed and the step alone, so every process draws the same task and a
resumed run draws what an unbroken one would have drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from adapter_stilts.config.schema import Sampler
from adapter_stilts.errors import UsageError
from adapter_stilts.registry import Registry, unknown_name
from adapter_stilts.seeding import Seeds

HIGHEST = 1 << 63  # Seeds.number is below it


Sizes: TypeAlias = Mapping[str, int]  # task -> training rows
samplers: Registry[Callable[[Sampler, Sizes], dict[str, float]]] = Registry("sampler")


def shares(sampler: Sampler, sizes: Sizes) -> dict[str, float]:
    """The probability of each task, in the order of `sizes`; they sum to 1.

    Raises UnknownName for another sampler, UsageError for weights that name other tasks than there are.
    """
    if sampler.name not in samplers:
        raise unknown_name("sampler", sampler.name, samplers, where="training.sampler.name")
    parts = samplers[sampler.name](sampler, sizes)
    total = sum(parts.values())
    return {task: part / total for task, part in parts.items()}


def draw(chances: Mapping[str, float], seed: int, step: int) -> str:
    """The task of a step, by the chances of each."""
    point = Seeds(seed).number(f"sampler/{step}") / HIGHEST  # in [0, 1)
    below = 0.0
    for task, chance in chances.items():
        below += chance
        if point < below:
            return task
    return [task for task, chance in chances.items() if chance > 0][-1]  # the shares sum to a rounding below 1


@samplers.register("proportional")
def proportional(sampler: Sampler, sizes: Sizes) -> dict[str, float]:
    """p ~ n"""
    return {task: float(size) for task, size in sizes.items()}


@samplers.register("uniform")
def uniform(sampler: Sampler, sizes: Sizes) -> dict[str, float]:
    """The same for all."""
    return dict.fromkeys(sizes, 1.0)


@samplers.register("temperature")
def tempered(sampler: Sampler, sizes: Sizes) -> dict[str, float]:
    """p ~ min(n, cap) ** (1 / temperature); 1 is proportional, and the higher the more even."""
    rows = capped(sampler, sizes)
    largest = max(rows.values())  # divided by first, so that a low temperature does not overflow
    return {task: (size / largest) ** (1 / sampler.temperature) for task, size in rows.items()}


@samplers.register("capped")
def capped(sampler: Sampler, sizes: Sizes) -> dict[str, float]:
    """p ~ min(n, cap)"""
    return {task: float(size if sampler.cap is None else min(size, sampler.cap)) for task, size in sizes.items()}


@samplers.register("fixed")
def fixed(sampler: Sampler, sizes: Sizes) -> dict[str, float]:
    """p ~ the task's given weight."""
    unknown = sorted(set(sampler.weights) - set(sizes))
    missing = [task for task in sizes if task not in sampler.weights]
    if unknown:
        raise unknown_name("task of this mixture", unknown[0], sizes, where="training.sampler.weights")
    if missing:
        what = f"the sampler has no weight for {', '.join(missing)}"
        advice = f"give every task one, for example --set training.sampler.weights.{missing[0]}=1"
        raise UsageError(what, where="training.sampler.weights", do=advice)
    return {task: sampler.weights[task] for task in sizes}
