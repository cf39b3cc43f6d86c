"""`eval`: zero-shot scores of a run, and retrieval with a run or a bare trunk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from adapter_stilts.errors import UsageError

from . import options, progress, render
from .options import named, names, option

MADX = "MAD-X: the run whose language adapter reads a language (repeatable); others=source."
RUN = "A finished run; leave it out to read a bare trunk."
LANGUAGES = "Languages to score, separated by commas; all the task has by default."
LAYER = "Where sentence vectors are read; 0 is the embedding."
SPLIT = "Which part of the task's data is scored."
ALL_METRICS = "Of several layers, print every metric of every language instead of one table by layer."
REPORT = "Also precision, recall and F1 by class, confusions, scores by length, the most confident mistakes."
LIMIT = "Score the first N rows of each language alone; the scores are marked so and kept apart."
OUT = "Where scores and predictions go; by default the run's own folder."


def evaluate(
    tasks: Annotated[str, option("--tasks", "LIST", "Tasks to score, separated by commas.")],
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help=RUN)] = None,
    trunk: options.TrunkOption = None,
    languages: Annotated[str | None, option("--languages", "LIST", LANGUAGES)] = None,
    protocol: options.ProtocolOption = None,
    layer: Annotated[str | None, option("--layer", "N|N,N|all", LAYER)] = None,
    pool: options.PoolOption = None,
    k: options.NeighboursOption = None,
    margin: options.MarginOption = None,
    centring: options.CentringOption = None,
    language_adapter: Annotated[list[str] | None, option("--language-adapter", "LANG=RUN", MADX)] = None,
    data: options.DataOption = None,
    config: options.ConfigOption = None,
    settings: options.SetOption = None,
    seed: options.SeedOption = None,
    split: Annotated[str, named("--split", "tasks.source:SPLITS", SPLIT)] = "test",
    out: Annotated[Path | None, option("-o --out", "DIR", OUT)] = None,
    report: Annotated[bool, option("--report", None, REPORT)] = False,
    limit: Annotated[int | None, option("--limit", "N", LIMIT, min=1)] = None,
    limit_gb: options.LimitOption = None,
    overwrite: Annotated[bool, option("--overwrite", None, "Score again what has scores already.")] = False,
    all_metrics: Annotated[bool, option("--all-metrics", None, ALL_METRICS)] = False,
    dry_run: options.DryRunOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Score a run, or a bare trunk, in every language.

    A bare trunk can only do retrieval. Only what is missing is computed; predictions are kept in XTREME's folder form.

    \b
    Examples:
      adapter-stilts eval runs/nli-1a2b3c4d --tasks xnli,tatoeba --languages de,sw
      adapter-stilts eval runs/nli-1a2b3c4d --tasks nli --data test=labelled.tsv --report
      adapter-stilts eval --trunk miniature --tasks tatoeba,bucc2018 --layer all
    """
    from adapter_stilts.runs import evaluate as runs
    from adapter_stilts.runs.subject import Request

    read: dict[str, Any] = {"layer": layer, "pool": pool, "k": k, "margin": margin, "centring": centring}
    read |= {"languages": names(languages), "protocol": protocol, "language_adapter": language_adapter}
    chosen = options.configuration(config, settings, trunk=trunk, **read, data=data, seed=seed)
    if not names(tasks):
        advice = "name one or more, for example --tasks xnli,tatoeba; `adapter-stilts list tasks` shows them"
        raise UsageError("--tasks names no task", do=advice)
    request = Request(chosen, names(tasks), run, split, report=report, limit=limit, limit_gb=limit_gb)
    where: dict[str, Any] = {"out": out, "runs": options.RUNS, "overwrite": overwrite, "dry_run": dry_run}
    render.finish(runs.evaluate(request, **where, report=progress.reporter()), as_json, all_metrics=all_metrics)
