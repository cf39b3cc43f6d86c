"""A study at work: stages become jobs, workers do those that are missing, and the board keeps what came of each.

outcome = run(config, Path("studies/miniature"), jobs=2, report=report)
outcome.entries      # the table: scores, gains and their intervals
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter_stilts.config.study import StudyConfig
from adapter_stilts.reporting import Reporter
from adapter_stilts.runs.folder import locked
from adapter_stilts.study.board import Board, jobs_of
from adapter_stilts.study.stages import grid, retrieval
from adapter_stilts.study.study_table import Entry, table, table_json
from adapter_stilts.study.turns import run_all
from adapter_stilts.study.workers import Apart, Here, Workers
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
) -> Outcome:
    """Do every stage that is missing under `folder`; a failing one does not stop the others.

    threads    of each stage, in a process of its own; None: the processor's, shared out, and one job works in this one
    overwrite  nothing counts as done

    Raises UsageError where another process works on it, Interrupted where it was stopped.
    """
    with ExitStack() as held:
        held.enter_context(locked(folder))
        planned = grid(config)
        facts = {"study": config.name, "out": str(folder), "config": config.model_dump(mode="json")}
        board = Board(folder, facts, jobs_of(planned.stages, folder, overwrite=overwrite))
        apart = jobs > 1 or threads is not None
        stop = held.enter_context(StopSignal()) if apart else None
        workers: Workers = Apart(jobs, threads) if apart else Here(report)
        with report.progress(f"study {config.name}") as advance:
            run_all(board, workers, lambda: stop is not None and stop.requested, advance)
        entries = table(planned.cells, board, config.table)
        targets = {target.label: retrieval(target.task) for target in config.targets}
        document = board.write(**table_json(entries, targets))
    for record in document["stages"]:
        if record["state"] == "failed":
            report.say(f"failed: {record['stage']}: {record['error']}")
    failed = sum(count for state, count in document["counts"].items() if state != "done")
    return Outcome({**document, "results": document["entries"], "failed": failed}, entries)
