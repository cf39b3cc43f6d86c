"""`eval`: zero-shot scores of a run, and retrieval with a run or a bare trunk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from adapter_stilts.errors import UsageError

from . import progress, render
from .options import (
    RUNS,
    CentringOption,
    ConfigOption,
    DataOption,
    DryRunOption,
    JsonOption,
    MarginOption,
    NeighboursOption,
    PoolOption,
    ProtocolOption,
    SeedOption,
    SetOption,
    TrunkOption,
    configuration,
    given,
    named,
    names,
)

MADX = "MAD-X: the run whose language adapter reads a language (repeatable); others=source."


def evaluate(
    tasks: Annotated[str, given("--tasks", "LIST", "Tasks to score, separated by commas.")],
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="A finished run; leave it out to read a bare trunk.")
    ] = None,
    trunk: TrunkOption = None,
    languages: Annotated[
        str | None,
        given("--languages", "LIST", "Languages to score, separated by commas; all the task has by default."),
    ] = None,
    protocol: ProtocolOption = None,
    layer: Annotated[
        str | None, given("--layer", "N|N,N|all", "Where sentence vectors are read; 0 is the embedding.")
    ] = None,
    pool: PoolOption = None,
    k: NeighboursOption = None,
    margin: MarginOption = None,
    centring: CentringOption = None,
    language_adapter: Annotated[list[str] | None, given("--language-adapter", "LANG=RUN", MADX)] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    seed: SeedOption = None,
    split: Annotated[str, named("--split", "tasks.source:SPLITS", "Which part of the task's data is scored.")] = "test",
    out: Annotated[
        Path | None, given("-o --out", "DIR", "Where scores and predictions go; by default the run's own folder.")
    ] = None,
    overwrite: Annotated[bool, given("--overwrite", None, "Score again what has scores already.")] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score a run, or a bare trunk, in every language.

    A bare trunk can only do retrieval. Only what is missing is computed; predictions are kept in XTREME's folder form.

    \b
    Examples:
      adapter-stilts eval runs/nli-1a2b3c4d --tasks xnli,tatoeba --languages de,sw
      adapter-stilts eval --trunk miniature --tasks tatoeba,bucc2018 --layer all
    """
    from adapter_stilts.runs import evaluate as runs
    from adapter_stilts.runs.subject import Request

    typed = {
        "--trunk": ("trunk.name", trunk),
        "--languages": ("evaluation.languages", names(languages)),
        "--protocol": ("evaluation.protocol", protocol),
        "--layer": ("retrieval.layer", layer),
        "--pool": ("retrieval.pool", pool),
        "-k": ("retrieval.k", k),
        "--margin": ("retrieval.margin", margin),
        "--centring": ("retrieval.centre", centring),
        "--language-adapter": ("evaluation.language_adapters", tuple(language_adapter or ())),
        "--data": ("data.sources", tuple(data or ())),
        "--seed": ("training.seed", seed),
    }
    chosen = configuration(config, settings, typed)
    if not names(tasks):
        advice = "name one or more, for example --tasks xnli,tatoeba; `adapter-stilts list tasks` shows them"
        raise UsageError("--tasks names no task", do=advice)
    request = Request.from_config(chosen, names(tasks), run=run, split=split)
    how: dict[str, Any] = {"out": out, "runs": RUNS, "overwrite": overwrite, "dry_run": dry_run}
    render.finish(runs.evaluate(request, **how, report=progress.reporter()), as_json)
