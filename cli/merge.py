"""`merge`: several runs to one, by arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options, progress, render
from .options import named, option

SOURCES = "Finished runs of one trunk whose adapters, of one kind, are merged."
WEIGHTS = "One number for each run, in their order; negative ones subtract. By default the method's own."
HEAD = "RUN takes that run's head; `merge` the mean of heads with the same labels; `none`. By default none of several."
START = "A run whose adapter all of them continued: changes are then relative to it."
SPLIT = "--method layers: the layers at which the next run begins."
SEARCH = "Choose weights and density on the validation rows of a task that the head answers; never on test rows."
LANGUAGES = "Of --search: whose validation rows count, with commas; by default all that are there."
BAKE = "Write a copy of the trunk's folder with the merged adapter in its weights, in the place of a run."
AGAIN = "Write the folder again where it holds another merge."
METHOD = "How."


def merge(
    sources: Annotated[list[Path], typer.Argument(metavar="RUN", help=SOURCES)],
    method: Annotated[str | None, named("--method", "merging.methods:methods", METHOD)] = None,
    weights: Annotated[str | None, option("--weights", options.NUMBERS, WEIGHTS)] = None,
    density: Annotated[float | None, option("--density", "SHARE", "Methods that drop entries: what is kept.")] = None,
    scale: Annotated[float | None, option("--scale", "N", "Multiplies the merged change.")] = None,
    rank: Annotated[int | None, option("--rank", "N", "Low-rank kinds: re-compress the result to this rank.")] = None,
    split: Annotated[str | None, option("--split", options.NUMBERS, SPLIT)] = None,
    start: Annotated[str | None, option("--start", "RUN", START)] = None,
    head: Annotated[str, option("--head", "RUN|merge|none", HEAD)] = "",
    search: Annotated[str, option("--search", "dev:TASK", SEARCH)] = "",
    data: options.DataOption = None,
    languages: Annotated[str | None, option("--languages", "LIST", LANGUAGES)] = None,
    bake: Annotated[bool, option("--bake", None, BAKE)] = False,
    config: options.ConfigOption = None,
    settings: options.SetOption = None,
    seed: options.SeedOption = None,
    out: options.OutOption = None,
    overwrite: Annotated[bool, option("--overwrite", None, AGAIN)] = False,
    dry_run: options.DryRunOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Merge finished runs into one, by arithmetic on what their adapters change.

    Nothing is trained. The result is a run: score it, encode with it, build on it, merge it again.

    \b
    Examples:
      adapter-stilts merge runs/nli-1a2b3c4d runs/qa-5e6f7a8b
      adapter-stilts merge runs/task runs/de runs/en --method task_arithmetic --weights 1 1 -1 --head runs/task
      adapter-stilts merge runs/a runs/b runs/c --method ties --density 0.2 --rank 16 -o runs/merged
      adapter-stilts merge runs/a runs/b --head runs/a --search dev:xnli --languages en,de
      adapter-stilts merge runs/merged --bake -o trunks/merged
    """
    from adapter_stilts.runs.merges import merge as runs

    asked: dict[str, Any] = {"method": method, "weights": weights, "density": density, "scale": scale, "rank": rank}
    built = {"merging": "merge", "sources": [str(run) for run in sources], **asked, "split": split, "start": start}
    rows: dict[str, Any] = {"data": data, "languages": options.names(languages)}
    chosen = options.configuration(config, settings, **built, **rows, seed=seed)
    where: dict[str, Any] = {"out": out, "runs": options.RUNS, "overwrite": overwrite, "dry_run": dry_run}
    made = runs.merge(tuple(sources), chosen, head=head, bake=bake, search=search, **where, report=progress.reporter())
    render.finish(made, as_json)
