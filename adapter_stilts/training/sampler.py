"""Which task of a mixture the next optimiser step learns: shares from the tasks' sizes, and a draw from them.

    shares(Sampler("temperature", temperature=2.0, cap=5000), {"nli": 20000, "qa": 1250})     {"nli": 0.667, "qa": 0.333}

The samplers are jiant's. A draw follows from the seed and the step alone, so every process draws the same task and a resumed run
draws what an unbroken one would have drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from adapter_stilts.errors import UsageError
from adapter_stilts.registry import Registry, unknown_name
from adapter_stilts.seeding import Seeds

HIGHEST = 1 << 63  # Seeds.number is below it


@dataclass(frozen=True)
class Sampler:
    """How often each task is drawn, as a function of its number n of training rows.

    proportional   p ~ n
    uniform        the same for all
    temperature    p ~ min(n, cap) ** (1 / temperature); 1 is proportional, and the higher the more even
    capped         p ~ min(n, cap)
    fixed          p ~ the task's given weight
    """

    name: str = "proportional"
    temperature: float = 2.0
    cap: int | None = None
    weights: Mapping[str, float] = field(default_factory=dict)


Share: TypeAlias = Callable[[Sampler, Mapping[str, int]], dict[str, float]]  # of each task, to any sum

samplers: Registry[Share] = Registry("sampler")


def shares(sampler: Sampler, sizes: Mapping[str, int]) -> dict[str, float]:
    """The probability of each task, in the order of `sizes` (task -> training rows); they sum to 1.

    Raises UnknownName for another sampler, UsageError for weights that name other tasks than there are.
    """
    if sampler.name not in samplers:
        raise unknown_name("sampler", sampler.name, samplers, where="training.sampler.name")
    sizes_or_weights = samplers[sampler.name](sampler, sizes)
    total = sum(sizes_or_weights.values())
    return {task: size / total for task, size in sizes_or_weights.items()}


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
def _proportional(sampler: Sampler, sizes: Mapping[str, int]) -> dict[str, float]:
    return {task: float(size) for task, size in sizes.items()}


@samplers.register("uniform")
def _uniform(sampler: Sampler, sizes: Mapping[str, int]) -> dict[str, float]:
    return dict.fromkeys(sizes, 1.0)


@samplers.register("temperature")
def _tempered(sampler: Sampler, sizes: Mapping[str, int]) -> dict[str, float]:
    capped = _capped(sampler, sizes)
    largest = max(capped.values())  # divided by first, so that a low temperature does not overflow
    return {task: (size / largest) ** (1 / sampler.temperature) for task, size in capped.items()}


@samplers.register("capped")
def _capped(sampler: Sampler, sizes: Mapping[str, int]) -> dict[str, float]:
    return {task: float(size if sampler.cap is None else min(size, sampler.cap)) for task, size in sizes.items()}


@samplers.register("fixed")
def _given(sampler: Sampler, sizes: Mapping[str, int]) -> dict[str, float]:
    where = "training.sampler.weights"
    unknown = sorted(set(sampler.weights) - set(sizes))
    missing = [task for task in sizes if task not in sampler.weights]
    if unknown:
        raise unknown_name("task of this mixture", unknown[0], sizes, where=where)
    if missing:
        what = f"the sampler has no weight for {', '.join(missing)}"
        raise UsageError(what, where=where, do=f"give every task one, for example --set {where}.{missing[0]}=1")
    return {task: sampler.weights[task] for task in sizes}
