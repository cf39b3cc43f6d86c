"""Whose turn it is: gives the stages that are missing to workers, those they build on first.

run_all(board, workers, stopping=lambda: stop.requested, advance=advance)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from adapter_stilts.reporting import Advance
from adapter_stilts.study.board import Board, Job
from adapter_stilts.study.stage_run import stands
from adapter_stilts.study.workers import Ended, Workers


def run_all(board: Board, workers: Workers, stopping: Callable[[], bool], advance: Advance) -> None:
    """Do every stage that is missing; raises Interrupted once all at work have saved.

    stopping  whether someone asked to stop
    """
    if not take_turns(Stages(board, _missing(board), advance), workers, stopping):
        raise board.stopped()


class Stages:
    """The stages that are missing, as turns: those whose parents are done, no two in one folder."""

    def __init__(self, board: Board, missing: Sequence[Job], advance: Advance) -> None:
        self._board = board
        self._waiting = list(missing)
        self._advance = advance
        self._total = len(board.jobs)
        self._settled = self._total - len(missing)
        advance(self._settled, self._total, "")

    def ready(self, busy: Sequence[Job]) -> list[Job]:
        """Those whose turn it may be while `busy` are at work, first come first; each stays here until it has begun."""
        self._block()
        taken = {job.folder for job in busy}
        due = []
        for job in self._waiting:
            if job.folder not in taken and all(self._board.state(key) == "done" for key in job.stage.parents):
                taken.add(job.folder)
                due.append(job)
        return due

    def begin(self, job: Job, busy: Sequence[Job]) -> None:
        """A job is about to be given out; `busy` has it."""
        self._waiting.remove(job)
        self._board.note(job.stage.key, state="running", error="")
        self._advance(self._settled, self._total, f"at {', '.join(other.label for other in busy)}")

    def settle(self, ended: Ended) -> bool:
        """Take in how a job ended; False stops the others, which only an interrupted one does."""
        stage = ended.job.stage
        how = {"state": ended.state, "seconds": ended.seconds, "error": ended.error, "exit_code": ended.exit_code}
        self._board.note(stage.key, **how, **ended.facts)
        self._settled += 1
        self._advance(self._settled, self._total, stage.label)
        return ended.state != "interrupted"

    def _block(self) -> None:
        """What builds on a failed stage is blocked, and waits no more."""
        for job in list(self._waiting):
            broken = next((key for key in job.stage.parents if self._board.state(key) in ("failed", "blocked")), "")
            if broken:
                error = f"{self._board.records[broken]['stage']} {self._board.state(broken)}"
                self._board.note(job.stage.key, state="blocked", error=error)
                self._waiting.remove(job)
                self._settled += 1


def take_turns(stages: Stages, workers: Workers, stopping: Callable[[], bool]) -> bool:
    """Give out everything and leave nobody at work; returns whether the stages came to their end.

    Once somebody asked to stop, or one job stopped the others, what ends other than done counts as interrupted: a
    process that is told to end, or that gets the signal of its whole group as it is born, seems to fail.
    """
    busy: list[Job] = []
    going = True
    try:
        while going and not stopping():
            for job in stages.ready(busy)[: workers.limit - len(busy)]:
                busy.append(job)
                stages.begin(job, busy)
                workers.start(job)
            if not busy:
                return True
            going = _settle(stages, workers, busy, stopping)
        if busy:
            workers.stop()
        while busy:
            going = _settle(stages, workers, busy, lambda: True) and going
        return going and not stages.ready(busy)
    finally:
        workers.close()
        for job in busy:
            stages.settle(Ended(job, "interrupted", {}, "", 0, 0.0))


def _settle(stages: Stages, workers: Workers, busy: list[Job], stopping: Callable[[], bool]) -> bool:
    """Take in those that ended; whether the others may go on."""
    going = True
    for ended in workers.finished():
        busy.remove(ended.job)
        late = not going or stopping()
        going = (
            stages.settle(replace(ended, state="interrupted") if late and ended.state == "failed" else ended) and going
        )
    return going


def _missing(board: Board) -> list[Job]:
    """Stages that were never done, or whose work no longer stands; what builds on a missing run is missing as well."""
    missing: list[Job] = []
    redone: set[str] = set()
    for job in board.jobs:
        record = board.records[job.stage.key]
        fresh = not job.overwrite and record["state"] == "done" and not redone & set(job.stage.parents)
        if fresh and stands(job, record):
            continue
        record["state"] = "waiting"
        missing.append(job)
        if job.stage.work == "train":
            redone.add(job.stage.key)
    board.write()
    return missing
