"""Settings under which a run fits a limit of memory: fewer tokens at once, recomputed activations.

    choice = fit(work, accumulation=1, limit=4e9)      the first that fits, or DoesNotFit saying what would
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from adapter_stilts.environment import memory_there_is
from adapter_stilts.errors import DoesNotFit, refuse
from adapter_stilts.planning.memory import Work, memory, peak

GB = 1e9
SURE = 1.08  # what is foreseen is right within this much
SHARE = 0.9  # of the memory there is, where no limit is given
EFFICIENT = 512  # tokens at once: with fewer, recomputing activations costs less time than smaller products


@dataclass(frozen=True)
class Choice:
    """How the work is done, `accumulation` passes a step, and what it holds then."""

    work: Work
    accumulation: int

    @property
    def bytes(self) -> int:
        return peak(self.work)

    def told(self, asked: Work) -> str:
        """What was changed of what was asked for; "" where nothing was."""
        made, changed = self.work, []
        if made.tokens != asked.tokens:
            changed.append(f"{made.tokens} tokens at once" + (f", {self.accumulation} times a step" * made.training))
        if made.checkpointing != asked.checkpointing:
            changed.append("activations computed again in the backward pass")
        return ", ".join(changed)


def fit(work: Work, *, accumulation: int, limit: float | None, fixed: bool = False) -> Choice:
    """The first of `choices` that fits.

    limit  bytes; None: nine tenths of the memory of this machine, or of what its control group may have
    fixed  the batches stay as they are: their rows are compared with each other

    Raises DoesNotFit where nothing does, with what is needed, by cause, and what would fit.
    """
    most = SHARE * memory_there_is(work.device) if limit is None else limit
    tried = list(choices(work, accumulation, fixed))
    for choice in tried:
        if SURE * choice.bytes <= most:
            return choice
    least = min(tried, key=lambda choice: choice.bytes)
    needed = SURE * least.bytes / GB
    parts = ", ".join(f"{cause} {size / GB:.2f}" for cause, size in memory(least.work).items())
    whose = f"the limit is {most / GB:.2f} GB" if limit is not None else f"this machine has {most / SHARE / GB:.2f} GB"
    what = f"at least {needed:.2f} GB are needed ({parts}), and {whose}"
    raise DoesNotFit(what, where=_described(least), do=_advice(least.work, needed, most))


def limit_of(limit_gb: float | None) -> float | None:
    """A limit in bytes; UsageError for one that is no number above 0."""
    if limit_gb is None:
        return None
    what = f"--limit-gb {limit_gb:g}: a limit is a number above 0"
    refuse(not 0 < limit_gb < float("inf"), what, "give the memory that it must fit in, in GB")
    return limit_gb * GB


def choices(work: Work, accumulation: int, fixed: bool = False) -> Iterator[Choice]:
    """What may be tried, the least costly first; a batch holds at least one row."""
    ways = [work] if work.checkpointing or not work.training else [work, replace(work, checkpointing=True)]
    for way in ways:
        last = way is ways[-1] or not way.training
        tokens, times = way.tokens, accumulation
        while True:
            yield Choice(replace(way, tokens=max(tokens, way.length)), times)
            if fixed or tokens <= way.length or (tokens < 2 * EFFICIENT and not last):
                break
            tokens, times = tokens // 2, 2 * times


def _described(choice: Choice) -> str:
    work = choice.work
    again = " with recomputed activations" if work.checkpointing else ""
    return f"{work.kind} on a trunk in {work.precision}, rows of {work.length} tokens one by one{again}"


def _advice(work: Work, needed: float, most: float) -> str:
    ways = [f"--limit-gb {math.ceil(100 * needed) / 100:g} or more"]
    length = work.length
    while length > 16:
        length //= 2
        if SURE * peak(replace(work, tokens=length, length=length)) <= most:
            ways.append(f"training.max_length={length}" if work.training else f"rows of at most {length} tokens")
            break
    smaller = [kind for kind in ("seq_bn", "lora", "ia3") if kind != work.kind and not work.fused]
    fits = [kind for kind in smaller if SURE * peak(replace(work, kind=kind, settings={})) <= most]
    ways += [f"--kind {fits[0]}"] if fits else []
    return "; ".join(("use " + ways[0], *ways[1:], "or a smaller trunk"))
