"""`study`: a grid of intermediate runs, ways to build on them, targets and seeds, as one command that fills its gaps.

    study(Path("configs/studies/miniature.yaml"), out=Path("studies/miniature"), jobs=2, ...)

    studies/miniature/
      study.json     every stage with its state, seconds and folder; the table
      runs/          a run for every training, shared by all that build on it; scores of a reading in the folder of its run
      logs/          what each stage said
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from adapter_stilts.config.study import StudyConfig
from adapter_stilts.errors import UsageError
from adapter_stilts.reporting import Reporter
from adapter_stilts.study.records import recorded
from adapter_stilts.study.stages import Grid, grid
from adapter_stilts.study.study_file import read_study

HOME = Path("studies")  # where a study lies unless told otherwise


def study(
    file: Path, *, out: Path | None, jobs: int, dry_run: bool, report: Reporter, trunk: str | None = None, data: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Run what is missing of a study; returns what `--json` prints, its failures counted in "failed".

    jobs         stages at once; 1 does them in this process
    trunk, data  in the place of those of the file

    Raises ConfigError for mistakes in the file, UsageError where another process works on it, Interrupted where it was stopped.
    """
    chosen = _chosen(read_study(file), trunk, data)
    found = grid(chosen)
    folder = out or HOME / chosen.name
    if dry_run:
        return _preview(chosen, found, folder, report)
    if jobs < 1:
        raise UsageError(f"--jobs {jobs} is nobody to do the work", do="use 1 or more")
    return _run(chosen, found, folder, jobs, report)


def _chosen(config: StudyConfig, trunk: str | None, data: tuple[str, ...]) -> StudyConfig:
    given = {**({"trunk": config.trunk.model_copy(update={"name": trunk, "revision": None})} if trunk else {}), **({"data": data} if data else {})}
    return config.model_copy(update=given)


def _preview(config: StudyConfig, found: Grid, folder: Path, report: Reporter) -> dict[str, Any]:
    """Every stage with its rows, steps and bytes, how it stands in the study's folder, and their sums; nothing is loaded or written."""
    from adapter_stilts.study.forecast import forecast, sentence, totals

    stages = forecast(config, found)
    known = recorded(folder)
    states = {one.stage.key: str(known.get(one.stage.key, {}).get("state", "new")) for one in stages}
    summed = totals(stages)
    missing = totals([one for one in stages if states[one.stage.key] != "done"])
    report.say(f"{missing['stages']} of {summed['stages']} stages are not done")
    return {
        "study": config.name,
        "out": str(folder),
        "trunk": config.trunk.name,
        "planned": [{**one.document(), "state": states[one.stage.key], "rows_text": ", ".join(rows.text() for rows in one.rows)} for one in stages],
        "totals": {**summed, "sentence": sentence(summed)},
        "missing": {**missing, "sentence": sentence(missing)},
        "results": [],
        "failed": 0,
    }


def _run(config: StudyConfig, found: Grid, folder: Path, jobs: int, report: Reporter) -> dict[str, Any]:
    from adapter_stilts.runs.folder import locked
    from adapter_stilts.study.board import Board, run_all
    from adapter_stilts.study.stage_run import jobs_of
    from adapter_stilts.study.study_table import table
    from adapter_stilts.study.workers import Apart, Here
    from adapter_stilts.training.interrupt import StopSignal

    with ExitStack() as held:
        held.enter_context(locked(folder))
        facts = {"study": config.name, "out": str(folder), "config": config.model_dump(mode="json")}
        board = Board(folder, facts, jobs_of(found.stages, folder))
        stop = held.enter_context(StopSignal()) if jobs > 1 else None
        with report.progress(f"study {config.name}") as advance:
            run_all(board, Apart(jobs) if jobs > 1 else Here(report), lambda: stop is not None and stop.requested, advance)
        document = board.write(**table(found.cells, board))
    failed = sum(count for state, count in document["counts"].items() if state != "done")
    for record in document["stages"]:
        if record["state"] == "failed":
            report.say(f"failed: {record['stage']}: {record['error']}")
    return {**document, "results": document["entries"], "failed": failed}
