"""`predict`: what a run says of text without labels."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from . import options, progress, render
from .options import Text, option

RUN = "A finished run with a head."
FILE = "Rows in any layout that `train` reads, with or without labels; `-` reads a line each from stdin."
OUT = "Where predictions go: .jsonl, .csv or .tsv. By default they are printed, tab-separated."
TASK = "The task whose head answers, where the run has several."
SKIP = "Leave out rows that cannot be read, and name each of them."


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help=RUN)],
    file: Annotated[Path, typer.Argument(metavar="FILE|-", help=FILE)],
    out: Annotated[Path | None, option("-o --out", "FILE", OUT)] = None,
    task: Annotated[Text, option("--task", "TASK", TASK)] = None,
    skip_bad: Annotated[bool, option("--skip-bad", None, SKIP)] = False,
    trunk: options.TrunkOption = None,
    limit: options.LimitOption = None,
    config: options.ConfigOption = None,
    settings: options.SetOption = None,
    overwrite: Annotated[bool, option("--overwrite", None, "Replace a FILE that is there.")] = False,
    as_json: Annotated[
        bool, option("--json", None, "Print JSON lines; with -o, one document of what was done.")
    ] = False,
) -> None:
    """Predict rows without labels: a label with its probability, tags by word, answers with offsets.

    Columns, labels and language are the run's. Every row of the file is in the output, in its order, or is refused or
    named. A file is checked from end to end before the first prediction.

    \b
    Examples:
      adapter-stilts predict runs/single-1a2b3c4d new.csv -o labels.csv
      echo "A text to classify." | adapter-stilts predict runs/single-1a2b3c4d -
    """
    from adapter_stilts.runs import predict as runs

    chosen = options.configuration(config, settings, trunk=trunk)
    given = sys.stdin.buffer if str(file) == runs.STDIN else file
    where: dict[str, Any] = {"out": out, "screen": render.Screen(), "runs": options.RUNS, "overwrite": overwrite}
    asked = runs.Asked(chosen, run, task or "", limit)
    made = runs.predict(asked, given, **where, json_lines=as_json, skip_bad=skip_bad, report=progress.reporter())
    if out is None:
        return
    if as_json:
        render.document({**made, "results": []})
    else:
        render.facts({"rows": made["rows"], "left out": len(made["left_out"]), "file": out})
