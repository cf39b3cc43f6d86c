"""`study`: a grid of intermediate runs, ways to build on them, targets and seeds, as one command that fills its gaps.

study(Path("configs/studies/miniature.yaml"), out=Path("studies/miniature"), jobs=2, ...)

studies/miniature/
  study.json     every stage with its state, seconds and folder; the table
  runs/          a run for every training, shared by all that build on it; scores of a reading in the folder of its run
  logs/          what each stage said
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapter_stilts.config.study import StudyConfig
from adapter_stilts.errors import StudyFailed, UsageError
from adapter_stilts.planning.fit import limit_of
from adapter_stilts.reporting import Reporter
from adapter_stilts.runs.material import refuse_unnamed
from adapter_stilts.studies.board import recorded
from adapter_stilts.studies.forecast import forecast, totals
from adapter_stilts.studies.stages import grid
from adapter_stilts.studies.study_file import read_study

HOME = Path("studies")  # where a study lies unless told otherwise


def study(
    file: Path,
    *,
    out: Path | None,
    jobs: int,
    dry_run: bool,
    report: Reporter,
    trunk: str | None = None,
    data: tuple[str, ...] = (),
    limit_gb: float | None = None,
) -> dict[str, Any]:
    """Run what is missing of a study; returns what `--json` prints, its failures counted in "failed".

    jobs         stages at once; 1 does them in this process
    trunk, data  in the place of those of the file
    limit_gb     memory that all stages at once must fit in

    Raises ConfigError for mistakes in the file, UsageError where another process works on it, Interrupted when stopped.
    """
    config = chosen(read_study(file), trunk, data)
    folder = out or HOME / config.name
    if dry_run:
        return _preview(config, folder, report)
    if jobs < 1:
        raise UsageError(f"--jobs {jobs} is nobody to do the work", do="use 1 or more")
    from adapter_stilts.studies.run import run  # what only plans does not wait for faiss and the rest

    limit_of(limit_gb)
    share = None if limit_gb is None else limit_gb / jobs
    return run(config, folder, jobs=jobs, report=report, limit_gb=share).document


def failure(document: Mapping[str, Any]) -> StudyFailed:
    """What to raise once a study with failed stages has shown its table."""
    advice = f"see {document['out']}/study.json and logs/; the same command does what is missing"
    return StudyFailed(f"{document['failed']} of {len(document['stages'])} stages are not done", do=advice)


def chosen(config: StudyConfig, trunk: str | None, data: tuple[str, ...]) -> StudyConfig:
    """The study with another trunk and data; UsageError where none is named for a user's own files."""
    if trunk is None:
        refuse_unnamed(config.trunk, data or config.data)
    named = {"trunk": config.trunk.model_copy(update={"name": trunk, "revision": None})} if trunk else {}
    return config.model_copy(update={**named, **({"data": data} if data else {})})


def _preview(config: StudyConfig, folder: Path, report: Reporter) -> dict[str, Any]:
    """Every stage with its rows, steps, bytes and state in the study's folder, and their sums; nothing is written."""
    stages, known = forecast(config, grid(config)), recorded(folder)
    states = [str(known.get(plan.stage.key, {}).get("state", "new")) for plan in stages]
    missing = totals([plan for plan, state in zip(stages, states, strict=True) if state != "done"])
    report.say(f"{missing['stages']} of {len(stages)} stages are not done")
    planned = [{**plan.document(), "state": state} for plan, state in zip(stages, states, strict=True)]
    return {
        "study": config.name,
        "out": str(folder),
        "trunk": config.trunk.name,
        "planned": planned,
        "totals": totals(stages),
        "missing": missing,
        "results": [],
        "failed": 0,
    }
