"""`demo`: the whole job on the embedded miniature."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import progress, render
from .options import DryRunOption, JsonOption, option

JOBS = "Stages at once; by default one a core, up to four."
RESUME = "Go on where it stopped, or do everything again."
RUNS = Path("runs/demo")


def demo(
    out: Annotated[Path, option("-o --out", "DIR", "Where its runs and report go.")] = RUNS,
    seed: Annotated[int, option("--seed", "N", "Everything random follows from it.", min=0)] = 13,
    repeats: Annotated[int, option("--repeats", "N", "Seeds, from --seed on.", min=1)] = 1,
    jobs: Annotated[int | None, option("--jobs", "N", JOBS, min=1)] = None,
    resume: Annotated[bool, option("--resume/--overwrite", None, RESUME)] = True,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Do the main job on the embedded miniature, offline.

    Intermediate adapters, stack, fuse, zero-shot scores in every language, Tatoeba and BUCC, and a report.

    The miniature is generated text and a tiny XLM-R, so its scores say that everything works and nothing about XLM-R.

    \b
    Example:
      adapter-stilts demo
    """
    from adapter_stilts.study import demo as study

    report = progress.reporter()
    document = study.demo(
        out=out, seed=seed, repeats=repeats, jobs=jobs, overwrite=not resume, dry_run=dry_run, report=report
    )
    if as_json:
        render.document(document)
    else:
        typer.echo(f"run  {document['run']}")  # people have read the table; rows are for programs
