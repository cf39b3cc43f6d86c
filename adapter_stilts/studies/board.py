"""A study's folder: where each stage works, and study.json: how far all are, written anew after every change.

    {"study": "paper", "stages": [{"stage": "mnli-s13", "state": "done", "seconds": 812.4, ...}, ...], ...}

A stage is waiting, running, done, failed, blocked (by one it builds on) or interrupted. What failed or was left is
tried again by the same command; what is done and still stands is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.errors import ArtefactError
from adapter_stilts.files import from_json, read_bytes, write_json
from adapter_stilts.studies.stages import Stage

STUDY = "study.json"
STATES = ("done", "failed", "blocked", "waiting", "running", "interrupted")


@dataclass(frozen=True)
class Job:
    """A stage and its place on disk.

    folder  train: of its run; read: of the run that is read, or of the trunk's scores; one stage at a time works in it
    after   folders of the runs it builds on, as `stage.parents` has them
    log     where its talk goes
    limit_gb  memory that it must fit in
    """

    stage: Stage
    folder: Path
    after: tuple[Path, ...]
    runs: Path
    log: Path
    overwrite: bool = False
    limit_gb: float | None = None

    @property
    def label(self) -> str:
        return self.stage.label


def jobs_of(
    stages: Sequence[Stage], out: Path, *, overwrite: bool = False, limit_gb: float | None = None
) -> list[Job]:
    """Every stage with its folders under `out`; a run keeps the folder it has, whatever it was called then."""
    runs = out / "runs"
    there = {path.name.rpartition("-")[2]: path for path in sorted(runs.iterdir())} if runs.is_dir() else {}
    folders = {stage.key: there.get(stage.key, runs / _file_name(stage)) for stage in stages if stage.work == "train"}
    jobs = []
    for stage in stages:
        after = tuple(folders[key] for key in stage.parents)
        read = after[0] if after else runs / f"trunk-{fingerprint(stage.config.trunk)}"
        folder = folders[stage.key] if stage.work == "train" else read
        log = out / "logs" / f"{_file_name(stage)}.txt"
        jobs.append(Job(stage, folder, after, runs, log, overwrite, limit_gb))
    return jobs


def _file_name(stage: Stage) -> str:
    """Its label, as far as that can name a file (a task may be a path), and its key."""
    return f"{re.sub(r'[^A-Za-z0-9.+_-]+', '-', stage.label)}-{stage.key}"


def recorded(out: Path) -> dict[str, dict[str, Any]]:
    """The record of every stage by its key, {} where there is no study yet; ArtefactError for a damaged file."""
    path = out / STUDY
    if not path.is_file():
        return {}
    try:
        return {record["key"]: record for record in from_json(read_bytes(path))["stages"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        advice = "remove it: finished runs are found again"
        raise ArtefactError(f"{STUDY} is damaged", where=str(path), do=advice) from error


class Board:
    """The records of all stages by their keys, on disk after every change."""

    def __init__(self, out: Path, facts: Mapping[str, Any], jobs: Sequence[Job]) -> None:
        self._path, self._facts, self.jobs = out / STUDY, dict(facts), list(jobs)
        before = recorded(out)
        self.records = {job.stage.key: _record(job, before.get(job.stage.key, {})) for job in jobs}

    def count(self, state: str) -> int:
        return sum(record["state"] == state for record in self.records.values())

    def note(self, key: str, **facts: Any) -> None:
        self.records[key].update(facts)
        self.write()

    def write(self, **more: Any) -> dict[str, Any]:
        """Put everything on disk; `more` is kept from then on."""
        self._facts.update(more)
        counts = {state: count for state in STATES if (count := self.count(state))}
        document = {**self._facts, "counts": counts, "stages": list(self.records.values())}
        write_json(self._path, document)
        return document


def _record(job: Job, before: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a stage: what it is, and how it went before."""
    facts, fresh = job.stage.to_json(), {"state": "waiting", "seconds": 0.0, "error": "", "exit_code": 0}
    return {**facts, **fresh, **before, **facts, "folder": str(job.folder)}
