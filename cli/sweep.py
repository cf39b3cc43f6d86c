"""`sweep`: the settings of retrieval chosen on dev."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from adapter_stilts.errors import refuse

from . import options, progress, render
from .options import given

CENTRING = {"no": (False,), "yes": (True,), "both": (False, True)}


def sweep(
    tasks: Annotated[
        str | None, given("--tasks", "LIST", "Tasks to choose for, each by itself: tatoeba,bucc2018.")
    ] = None,
    source: Annotated[
        Path | None, typer.Argument(metavar="SRC", help="Sentences of your own, with --gold, in place of tasks.")
    ] = None,
    target: Annotated[Path | None, typer.Argument(metavar="TGT", help="Sentences of the other language.")] = None,
    run: Annotated[
        Path | None, given("--run", "RUN", "A finished run; leave it out to choose for a bare trunk.")
    ] = None,
    trunk: options.TrunkOption = None,
    gold: Annotated[Path | None, given("--gold", "FILE", "The pairs of SRC and TGT, as ids or line numbers.")] = None,
    dev: Annotated[
        tuple[Path, Path, Path] | None,
        given(
            "--dev",
            "SRC TGT GOLD",
            "Other files to choose on; without them one half of SRC chooses and the other is scored.",
        ),
    ] = None,
    layout: options.LayoutOption = None,
    column: options.ColumnOption = None,
    languages: Annotated[
        str | None, given("--languages", "LIST", "Languages to choose over; all the task has by default.")
    ] = None,
    protocol: options.ProtocolOption = None,
    layers: Annotated[str | None, given("--layers", "N,N|all", "Layers to try; all by default.")] = None,
    pools: Annotated[
        str | None, given("--pools", "LIST", "Poolings to try; all by default, one reading of the text each.")
    ] = None,
    margins: Annotated[
        str | None,
        given("--margins", "LIST", "Margins to try; ratio,distance,absolute by default. csls ranks as distance does."),
    ] = None,
    centring: Annotated[
        str, given("--centring", "yes|no|both", "Whether each language's mean vector is subtracted.")
    ] = "both",
    k: options.NeighboursOption = None,
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="Score the choice on test, once, or leave test alone.")
    ] = True,
    data: options.DataOption = None,
    config: options.ConfigOption = None,
    settings: options.SetOption = None,
    seed: options.SeedOption = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Where the record goes; by default the run's own folder."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Choose again what was chosen already.")] = False,
    dry_run: options.DryRunOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Choose layer, pooling, margin and centring on dev.

    The choice is scored once, beside the protocol's default, on data it was not made on.
    Without a clear winner the default stays. A configuration for eval, encode and mine is left under sweep/.

    \b
    Examples:
      adapter-stilts sweep --run runs/nli-1a2b3c4d --tasks tatoeba,bucc2018
      adapter-stilts sweep news.de news.en --gold pairs.tsv --trunk miniature --pools mean
    """
    from adapter_stilts.mining import sweep as library

    typed: dict[str, tuple[str, object]] = {
        "--trunk": ("trunk.name", trunk),
        "--languages": ("evaluation.languages", options.names(languages)),
        "--protocol": ("evaluation.protocol", protocol),
        "--layers": ("retrieval.layer", layers),
        "-k": ("retrieval.k", k),
        "--data": ("data.sources", tuple(data or ())),
        "--seed": ("training.seed", seed),
    }
    refuse(centring not in CENTRING, f"--centring {centring}", "use yes, no or both")
    listed = {"tasks": options.names(tasks), "pools": options.names(pools), "margins": options.names(margins)}
    fields: dict[str, Any] = {"layout": layout, "column": column, "dev": dev, "test": test, **listed}
    fields |= {"files": _files(source, target, gold), "centring": CENTRING[centring]}
    request = library.Sweep.from_config(options.configuration(config, settings, typed), run=run, **fields)
    reporter = progress.reporter()
    outcome = library.sweep(request, out=out, runs=options.RUNS, overwrite=overwrite, dry_run=dry_run, report=reporter)
    if as_json:
        render.document(outcome)
        return
    render.results(outcome["results"])
    render.facts({record["task"]: record["config"] for record in outcome.get("sweeps", ()) if "config" in record})


def _files(source: Path | None, target: Path | None, gold: Path | None) -> tuple[Path, Path, Path] | None:
    """The user's own files; all three, or none."""
    if source is None or target is None or gold is None:
        do = "name all three, or --tasks; a run is named with --run"
        refuse(any((source, target, gold)), "SRC, TGT and --gold go together", do)
        return None
    return source, target, gold
