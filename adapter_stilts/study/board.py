"""study.json: how far a study is, written anew after every stage, and the loop that gives stages to workers.

    {"study": "paper", "state": "running", "stages": [{"stage": "mnli-s13", "state": "done", "seconds": 812.4, "folder": "...", ...}], ...}

A stage is waiting, running, done, failed, blocked (by one it builds on) or interrupted. What failed or was left is tried again by the same
command; what is done and still stands is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from adapter_stilts.errors import Interrupted
from adapter_stilts.files import write_json
from adapter_stilts.reporting import Advance
from adapter_stilts.study.records import STUDY, recorded
from adapter_stilts.study.stage_run import Job, stands
from adapter_stilts.study.turns import one_a_folder, take_turns
from adapter_stilts.study.workers import Ended, Workers

OPEN = ("waiting", "running", "interrupted")


class Board:
    """The records of all stages by their keys, on disk after every change."""

    def __init__(self, out: Path, facts: Mapping[str, Any], jobs: Sequence[Job]) -> None:
        self._path = out / STUDY
        before = recorded(out)
        self._facts = dict(facts)
        self.jobs = list(jobs)
        self.records = {job.stage.key: _record(job, before.get(job.stage.key, {})) for job in jobs}

    def state(self, key: str) -> str:
        return str(self.records[key]["state"])

    def note(self, key: str, **facts: Any) -> None:
        self.records[key].update(facts)
        self.write()

    def write(self, **more: Any) -> dict[str, Any]:
        """Put everything on disk; `more` is kept from then on."""
        self._facts.update(more)
        counted = [record["state"] for record in self.records.values()]
        counts = {state: counted.count(state) for state in ("done", "failed", "blocked", *OPEN) if state in counted}
        document = {**self._facts, "counts": counts, "stages": list(self.records.values())}
        write_json(self._path, document)
        return document


def run_all(board: Board, workers: Workers[Job], stopping: Callable[[], bool], advance: Advance) -> None:
    """Give every stage that is missing to the workers, those it builds on first; raises Interrupted once all have saved.

    stopping  whether someone asked to stop
    """
    if not take_turns(_Stages(board, _missing(board), advance), workers, stopping):
        raise _stopped(board)


class _Stages:
    """The stages that are missing, as turns: those whose parents are done, no two in one folder. Only an interrupted one stops the others."""

    def __init__(self, board: Board, missing: Sequence[Job], advance: Advance) -> None:
        self._board = board
        self._waiting = list(missing)
        self._advance = advance
        self._total = len(board.jobs)
        self._settled = self._total - len(missing)
        advance(self._settled, self._total, "")

    def ready(self, busy: Sequence[Job]) -> list[Job]:
        left = _without_blocked(self._board, self._waiting)
        self._settled += len(self._waiting) - len(left)
        self._waiting = left
        return one_a_folder((job for job in left if all(self._board.state(key) == "done" for key in job.stage.parents)), busy)

    def begin(self, job: Job, busy: Sequence[Job]) -> None:
        self._waiting.remove(job)
        self._board.note(job.stage.key, state="running", error="")
        self._advance(self._settled, self._total, job.stage.label)

    def settle(self, ended: Ended[Job]) -> bool:
        stage = ended.job.stage
        self._board.note(stage.key, state=ended.state, seconds=ended.seconds, error=ended.error, exit_code=ended.exit_code, **ended.facts)
        self._settled += 1
        self._advance(self._settled, self._total, stage.label)
        return ended.state != "interrupted"


def _missing(board: Board) -> list[Job]:
    """Stages that were never done, or whose work no longer stands; what builds on a missing run is missing as well."""
    missing: list[Job] = []
    redone: set[str] = set()
    for job in board.jobs:
        record = board.records[job.stage.key]
        if record["state"] == "done" and not redone & set(job.stage.parents) and stands(job, record):
            continue
        record["state"] = "waiting"
        missing.append(job)
        if job.stage.work == "train":
            redone.add(job.stage.key)
    board.write()
    return missing


def _without_blocked(board: Board, waiting: Sequence[Job]) -> list[Job]:
    """Those that can still be done; what builds on a failed stage is blocked."""
    left = []
    for job in waiting:
        broken = next((key for key in job.stage.parents if board.state(key) in ("failed", "blocked")), "")
        if broken:
            board.note(job.stage.key, state="blocked", error=f"{board.records[broken]['stage']} {board.state(broken)}")
        else:
            left.append(job)
    return left


def _stopped(board: Board) -> Interrupted:
    done = sum(record["state"] == "done" for record in board.records.values())
    return Interrupted(f"stopped; {done} of {len(board.records)} stages are done, and progress is saved", do="run the same command again to go on")


def _record(job: Job, before: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a stage: what it is, and how it went before."""
    stage = job.stage
    facts = {"stage": stage.label, "key": stage.key, "work": stage.work, "tasks": list(stage.tasks), "how": stage.how, "seed": stage.seed}
    fresh = {"state": "waiting", "seconds": 0.0, "error": "", "exit_code": 0}
    kept = {name: value for name, value in before.items() if name not in facts}
    return {**facts, "after": list(stage.parents), **fresh, **kept, "folder": str(job.folder)}
