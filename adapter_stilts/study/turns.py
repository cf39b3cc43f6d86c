"""Whose turn it is: gives jobs to workers until all are done, one must stop the others, or somebody asks to stop.

    whole = take_turns(plan, workers, stopping=lambda: stop.requested)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

from adapter_stilts.study.workers import Ended, W, Workers


class Placed(Protocol):
    """Work that is done in a folder."""

    @property
    def folder(self) -> Path: ...


P = TypeVar("P", bound=Placed)


class Plan(Protocol[W]):
    """What is to be done, in which order, and what becomes of it."""

    def ready(self, busy: Sequence[W]) -> list[W]:
        """Those whose turn it may be while `busy` are at work, first come first; each stays here until it has begun."""

    def begin(self, job: W, busy: Sequence[W]) -> None:
        """A job is about to be given out; `busy` has it."""

    def settle(self, ended: Ended[W]) -> bool:
        """Take in how a job ended; False stops the others."""


def one_a_folder(due: Iterable[P], busy: Iterable[P]) -> list[P]:
    """Those in whose folder nobody works, first come first, no two in one folder."""
    taken = {job.folder for job in busy}
    found = []
    for job in due:
        if job.folder not in taken:
            taken.add(job.folder)
            found.append(job)
    return found


def take_turns(plan: Plan[W], workers: Workers[W], stopping: Callable[[], bool]) -> bool:
    """Give out everything and leave nobody at work; returns whether the plan came to its end.

    stopping  whether someone asked to stop

    Once somebody asked to stop, or one job stopped the others, what ends other than done counts as interrupted: a process that is told to
    end, or that gets the signal of its whole group as it is born, ends in ways that look like a failure.
    """
    busy: list[W] = []
    going = True
    try:
        while going and not stopping():
            for job in plan.ready(busy)[: workers.limit - len(busy)]:
                busy.append(job)
                plan.begin(job, busy)
                workers.start(job)
            if not busy:
                return True
            going = _settle(plan, workers, busy, stopping)
        if busy:
            workers.stop()
        while busy:
            going = _settle(plan, workers, busy, lambda: True) and going
        return going and not plan.ready(busy)
    finally:
        workers.close()
        for job in busy:
            plan.settle(Ended(job, "interrupted", {}, "", 0, 0.0))


def _settle(plan: Plan[W], workers: Workers[W], busy: list[W], stopping: Callable[[], bool]) -> bool:
    """Take in those that ended; whether the others may go on."""
    going = True
    for ended in workers.finished():
        busy.remove(ended.job)
        late = not going or stopping()
        going = plan.settle(replace(ended, state="interrupted") if late and ended.state == "failed" else ended) and going
    return going
