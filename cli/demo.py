"""`demo`: the whole job on the embedded miniature."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import progress, render
from .options import DryRunOption, JsonOption


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Where its runs and report go.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Everything random follows from it.", min=0)] = 13,
    resume: Annotated[bool, typer.Option("--resume/--overwrite", help="Go on where it stopped, or do everything again.")] = True,
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

    found = study.demo(out=out, seed=seed, overwrite=not resume, dry_run=dry_run, report=progress.reporter())
    if as_json:
        render.document(found)
    else:
        typer.echo(f"run  {found['run']}")  # people have read the table; rows are for programs
