"""A study at work: stages become jobs, workers do those that are missing, and the board keeps what came of each.

outcome = run(config, Path("studies/miniature"), jobs=2, report=report)
outcome.entries      # the table: scores, gains and their intervals
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapter_stilts.config.study import StudyConfig
from adapter_stilts.errors import Interrupted
from adapter_stilts.reporting import Advance, Reporter
from adapter_stilts.runs.folder import locked
from adapter_stilts.studies.board import Board, Job, jobs_of
from adapter_stilts.studies.stage_run import stands
from adapter_stilts.studies.stages import grid, retrieval
from adapter_stilts.studies.study_table import Entry, table, table_json
from adapter_stilts.studies.workers import Apart, Ended, Here
from adapter_stilts.training.interrupt import StopSignal


@dataclass(frozen=True)
class Outcome:
    """A study that came to its end: what `--json` prints, and the table it holds."""

    document: dict[str, Any]
    entries: list[Entry]


def run(
    config: StudyConfig,
    folder: Path,
    *,
    jobs: int,
    report: Reporter,
    threads: int | None = None,
    overwrite: bool = False,
    limit_gb: float | None = None,
) -> Outcome:
    """Do every stage that is missing under `folder`; a failing one does not stop the others.

    threads    of each stage, in a process of its own; None: the processor's, shared out, and one job works in this one
    overwrite  nothing counts as done
    limit_gb   memory that each stage must fit in

    Raises UsageError where another process works on it, Interrupted where it was stopped.
    """
    with ExitStack() as held:
        held.enter_context(locked(folder))
        planned = grid(config)
        facts = {"study": config.name, "out": str(folder), "config": config.model_dump(mode="json")}
        board = Board(folder, facts, jobs_of(planned.stages, folder, overwrite=overwrite, limit_gb=limit_gb))
        apart = jobs > 1 or threads is not None
        stop = held.enter_context(StopSignal()) if apart else None
        workers = Apart(jobs, threads) if apart else Here(report)
        with report.progress(f"study {config.name}") as advance:
            Turns(board, workers, lambda: stop is not None and stop.requested, advance).take()
        entries = table(planned.cells, board, config.table)
        targets = {target.label: retrieval(target.task) for target in config.targets}
        document = board.write(**table_json(entries, targets))
    for record in document["stages"]:
        if record["state"] == "failed":
            report.say(f"failed: {record['stage']}: {record['error']}")
    failed = sum(count for state, count in document["counts"].items() if state != "done")
    return Outcome({**document, "results": document["entries"], "failed": failed}, entries)


class Turns:
    """Gives the missing stages to workers: those whose parents are done, no two at once in one folder.

    stopping  whether someone asked to stop
    """

    def __init__(self, board: Board, workers: Here | Apart, stopping: Callable[[], bool], advance: Advance) -> None:
        self._board = board
        self._workers = workers
        self._stopping = stopping
        self._advance = advance
        self._waiting = _missing(board)
        self._busy: list[Job] = []
        self._show("")

    def take(self) -> None:
        """Give out everything and leave nobody at work; raises Interrupted once all at work have saved.

        Once somebody asked to stop, or one job was stopped, what fails counts as interrupted: a process that is told
        to end, or that gets the signal of its whole group as it is born, seems to fail.
        """
        try:
            while not self._stopped():
                for job in self._ready()[: self._workers.limit - len(self._busy)]:
                    self._start(job)
                if not self._busy:
                    return
                self._settle()
            if self._busy:
                self._workers.stop()
            while self._busy:
                self._settle()
            if self._board.count("interrupted") or self._ready():
                done, every = self._board.count("done"), len(self._board.jobs)
                what = f"stopped; {done} of {every} stages are done, and progress is saved"
                raise Interrupted(what, do="run the same command again to go on")
        finally:
            self._workers.close()
            for job in list(self._busy):
                self._end(Ended(job, "interrupted", {}, "", 0, 0.0))

    def _stopped(self) -> bool:
        return self._board.count("interrupted") > 0 or self._stopping()

    def _ready(self) -> list[Job]:
        """Those whose turn it may be, first come first; what builds on a failed stage is blocked, and waits no more."""
        taken = {job.folder for job in self._busy}
        due = []
        for job in list(self._waiting):
            parents = [self._board.records[key] for key in job.stage.parents]
            broken = next((parent for parent in parents if parent["state"] in ("failed", "blocked")), None)
            if broken:
                error = f"{broken['stage']} {broken['state']}"
                self._board.note(job.stage.key, state="blocked", error=error)
                self._waiting.remove(job)
            elif job.folder not in taken and all(parent["state"] == "done" for parent in parents):
                taken.add(job.folder)
                due.append(job)
        return due

    def _start(self, job: Job) -> None:
        self._waiting.remove(job)
        self._busy.append(job)
        self._board.note(job.stage.key, state="running", error="")
        self._show(f"at {', '.join(busy.label for busy in self._busy)}")
        self._workers.start(job)

    def _settle(self) -> None:
        for ended in self._workers.finished():
            late = ended.state == "failed" and self._stopped()
            self._end(replace(ended, state="interrupted") if late else ended)

    def _end(self, ended: Ended) -> None:
        self._busy.remove(ended.job)
        how = {"state": ended.state, "seconds": ended.seconds, "error": ended.error, "exit_code": ended.exit_code}
        self._board.note(ended.job.stage.key, **how, **ended.facts)
        self._show(ended.job.label)

    def _show(self, detail: str) -> None:
        every = len(self._board.jobs)
        self._advance(every - len(self._waiting) - len(self._busy), every, detail)


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
