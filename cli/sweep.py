"""`sweep`: the settings of retrieval chosen on dev."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from adapter_stilts.errors import refuse

from . import options, progress, render
from .options import Text, option

SRC = "Sentences of your own, with --gold, in place of tasks."
RUN = "A finished run; leave it out to choose for a bare trunk."
GOLD = "The pairs of SRC and TGT, as ids or line numbers."
DEV = "Other files to choose on; without them one half of SRC chooses and the other is scored."
LANGUAGES = "Languages to choose over; all the task has by default."
LAYERS = "Layers to try; by default seven from the middle to the last."
POOLS = "Poolings to try, one reading of the text each; by default the protocol's."
MARGINS = "Margins to try; by default the protocol's. `all` is ratio,distance,absolute."
MEAN = "Whether each language's mean vector is subtracted; by default as the protocol says."
TEST = "Score the choice on test, once, or leave test alone."
OUT = "Where the record goes; by default the run's own folder."
CENTRING = {"no": (False,), "yes": (True,), "both": (False, True)}


def sweep(
    tasks: Annotated[Text, option("--tasks", "LIST", "Tasks to choose for, each by itself: tatoeba,bucc2018.")] = None,
    source: Annotated[Path | None, typer.Argument(metavar="SRC", help=SRC)] = None,
    target: Annotated[Path | None, typer.Argument(metavar="TGT", help=options.TARGET)] = None,
    run: Annotated[Path | None, option("--run", "RUN", RUN)] = None,
    trunk: options.TrunkOption = None,
    gold: Annotated[Path | None, option("--gold", "FILE", GOLD)] = None,
    dev: Annotated[tuple[Path, Path, Path] | None, option("--dev", "SRC TGT GOLD", DEV)] = None,
    layout: options.LayoutOption = None,
    column: options.ColumnOption = None,
    target_column: options.TargetColumnOption = None,
    languages: Annotated[Text, option("--languages", "LIST", LANGUAGES)] = None,
    protocol: options.ProtocolOption = None,
    layers: Annotated[Text, option("--layers", "N,N|all", LAYERS)] = None,
    pools: Annotated[Text, option("--pools", "LIST|all", POOLS)] = None,
    margins: Annotated[Text, option("--margins", "LIST|all", MARGINS)] = None,
    centring: Annotated[Text, option("--centring", "yes|no|both", MEAN)] = None,
    k: options.NeighboursOption = None,
    test: Annotated[bool, option("--test/--no-test", None, TEST)] = True,
    data: options.DataOption = None,
    config: options.ConfigOption = None,
    settings: options.SetOption = None,
    seed: options.SeedOption = None,
    out: Annotated[Path | None, option("-o --out", "DIR", OUT)] = None,
    overwrite: Annotated[bool, option("--overwrite", None, "Choose again what was chosen already.")] = False,
    dry_run: options.DryRunOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Choose layer, pooling, margin and centring on dev.

    The choice is scored once, beside the protocol's default, on data it was not made on.
    Without a clear winner the default stays. A configuration for eval, encode and mine is left under sweep/.
    A few layers are tried at first; --layers all --pools all --margins all --centring both tries everything.

    \b
    Examples:
      adapter-stilts sweep --run runs/nli-1a2b3c4d --tasks tatoeba,bucc2018
      adapter-stilts sweep news.de news.en --gold pairs.tsv --trunk miniature --pools mean
    """
    from adapter_stilts.mining import sweep as library

    refuse(centring not in (None, *CENTRING), f"--centring {centring}", "use yes, no or both")
    read = {"languages": options.names(languages), "protocol": protocol, "layers": layers, "k": k}
    configured = options.configuration(config, settings, trunk=trunk, **read, data=data, seed=seed)
    every = {"pools": library.POOLS, "margins": library.MARGINS}
    typed = {"pools": options.names(pools), "margins": options.names(margins)}
    listed = {name: every[name] if value == ("all",) else value for name, value in typed.items()}
    listed["tasks"] = options.names(tasks)
    fields: dict[str, Any] = {"layout": layout, "column": column, "dev": dev, "test": test, **listed}
    fields |= {"files": _files(source, target, gold), "target_column": target_column}
    fields["centring"] = CENTRING[centring] if centring else ()
    request = library.Sweep.from_config(configured, run=run, **fields)
    where: dict[str, Any] = {"out": out, "runs": options.RUNS, "overwrite": overwrite, "dry_run": dry_run}
    outcome = library.sweep(request, **where, report=progress.reporter())
    if as_json:
        render.document(outcome)
        return
    sweeps = outcome.get("sweeps", ())
    for record in sweeps:
        _show(record, outcome["results"])
    render.facts({record["task"]: record["config"] for record in sweeps if "config" in record})


def _show(record: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> None:
    """What was chosen beside the default, and test by language where there are several."""
    from adapter_stilts.mining.sweep_told import percent, points, setting_of

    task, test, roles = record["task"], record["test"] or {}, {"default": "default", "chosen": "chosen"}
    if not record["decided"]:
        roles = {"default": "default, chosen"}
    rows = [
        [name, setting_of(record[role]), percent(record[role]["score"]), percent(test[role]) if test else ""]
        for role, name in roles.items()
    ]
    render.table(f"{task} ({record['objective']})", ("", "setting", "dev", "test"), rows)
    if test and record["decided"]:
        gain = points(test["gain"]["difference"], test["gain"]["interval"] or ())
        render.say(f"over the default on test: {gain} (95 %)")
    by_language: dict[str, dict[str, float]] = {}
    for row in results:
        if row["task"] == task and row["metric"] == record["objective"]:
            by_language.setdefault(row["language"], {})[row["settings"]["sweep"]] = row["score"]
    if len(by_language) > 1:
        drawn = [_by_language(code, scores) for code, scores in by_language.items()]
        render.table(f"{task}: test by language", ("language", "default", "chosen", "difference"), drawn)


def _by_language(code: str, scores: Mapping[str, float]) -> list[str]:
    """The default's score is the choice's where these are the same."""
    from adapter_stilts.mining.sweep_told import percent, points

    chosen = scores["chosen"]
    default = scores.get("default", chosen)
    return [code, percent(default), percent(chosen), points(chosen - default)]


def _files(source: Path | None, target: Path | None, gold: Path | None) -> tuple[Path, Path, Path] | None:
    """The user's own files; all three, or none."""
    if source is None or target is None or gold is None:
        do = "name all three, or --tasks; a run is named with --run"
        refuse(any((source, target, gold)), "SRC, TGT and --gold go together", do)
        return None
    return source, target, gold
