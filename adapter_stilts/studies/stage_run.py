"""One stage of a study at work: a call of `train` or `evaluate`, and whether what it left behind still stands.

A finished stage is skipped without loading a model: its manifest is whole, it builds on the parents that are there
now, and the files its rows came from have the bytes they had. Anything less, and `train` or `evaluate` look again;
they know how to go on, and what to refuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig, Trunk
from adapter_stilts.errors import StiltsError
from adapter_stilts.files import sha256
from adapter_stilts.miniature.datasets import VERSION
from adapter_stilts.reporting import Reporter
from adapter_stilts.runs.evaluate import evaluate
from adapter_stilts.runs.record import Trained
from adapter_stilts.runs.results import read_results
from adapter_stilts.runs.subject import Request
from adapter_stilts.runs.task_data import SHUFFLED_LABELS
from adapter_stilts.runs.train import train
from adapter_stilts.sharing.bundle import verify_files
from adapter_stilts.sharing.manifest import read_manifest
from adapter_stilts.sharing.places import files_of
from adapter_stilts.studies.board import Job
from adapter_stilts.studies.evidence import of_reading, of_training
from adapter_stilts.training import checkpoint


def perform(job: Job, report: Reporter) -> dict[str, Any]:
    """Do what is missing of the work; returns what study.json keeps. Raises what `train` and `evaluate` raise."""
    return _train(job, report) if job.stage.work == "train" else _read(job, report)


def stands(job: Job, record: Mapping[str, Any]) -> bool:
    """Whether a stage that was done is still done; `record` is what `perform` returned then."""
    try:
        if _checksums(job.after) != record["parents"]:
            return False
        if job.stage.work == "train":
            manifest = read_manifest(job.folder)
            verify_files(job.folder, manifest)
            origins = [origin.model_dump(mode="json") for origin in manifest.data]
            return manifest.checksum == record["checksum"] and _unchanged(origins, files_of(job.folder))
        rows = {row.key: row for row in read_results(job.folder)}
        wanted = [tuple(key) for key in record["rows"]]
        there = bool(wanted) and all(key in rows for key in wanted)
        return there and _unchanged((rows[key].data for key in wanted), files_of(job.folder))
    except (StiltsError, KeyError, TypeError):
        return False


def _train(job: Job, report: Reporter) -> dict[str, Any]:
    config = _resolved(job)
    here: dict[str, Any] = {"out": job.folder, "runs": job.runs, "overwrite": job.overwrite}
    trained = train(config, job.stage.tasks, **here, resume=True, dry_run=False, report=report, limit_gb=job.limit_gb)
    assert isinstance(trained, Trained)
    checkpoint.clear(job.folder / "checkpoints")  # four times the size of what is kept, and of no use any more
    checksum, steps = trained.manifest.checksum, trained.manifest.training.steps
    facts = {"checksum": checksum, "parents": _checksums(job.after), "steps": steps}
    return facts | of_training(trained.manifest)


def _resolved(job: Job) -> RunConfig:
    """The stage's configuration with what only the runs it waits for can tell."""
    config = job.stage.config
    if config.control != SHUFFLED_LABELS:
        return config.model_copy(update={"after": tuple(str(folder) for folder in job.after)})
    facts = read_manifest(job.after[0]).training
    return with_settings(config, {"training.keep_step": facts.best_step or facts.steps})


def _read(job: Job, report: Reporter) -> dict[str, Any]:
    run = job.after[0] if job.after else None
    config = job.stage.config
    # a run is read on the trunk that it was trained on
    trunk = Trunk(precision=config.trunk.precision) if run else config.trunk
    asked = config.evaluation.model_copy(update={"languages": job.stage.languages})
    config = config.model_copy(update={"trunk": trunk, "evaluation": asked})
    request = Request(config, job.stage.tasks, run, job.stage.split, save_vectors=False, limit_gb=job.limit_gb)
    here: dict[str, Any] = {"out": None if run else job.folder, "runs": job.runs, "overwrite": job.overwrite}
    scored = evaluate(request, **here, dry_run=False, report=report)
    return {**of_reading(scored.results), "parents": _checksums(job.after)}


def _checksums(folders: Iterable[Path]) -> list[str]:
    """Of finished runs: whether they are the ones that were built on."""
    return [read_manifest(folder).checksum for folder in folders]


def _unchanged(origins: Iterable[Any], places: Mapping[str, str]) -> bool:
    """Whether rows would be read from the same bytes now: files by their hashes, the miniature by its version.

    places  sha256 -> where the file lay
    """
    for origin in origins:
        facts = origin if isinstance(origin, Mapping) else {"kind": "files", "files": origin}
        if facts["kind"] == "miniature" and facts["revision"] != VERSION:
            return False
        files = [(places.get(file["sha256"], file["path"]), file["sha256"]) for file in facts.get("files", ())]
        if not all(_hash(place) == expected for place, expected in files):
            return False
    return True


@cache
def _hash(path: str) -> str:
    """Each file once for a whole study."""
    return sha256(Path(path)) if Path(path).is_file() else ""
