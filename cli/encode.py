"""`encode`: sentences to vectors on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options, progress, render
from .options import given, named


def encode(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="One sentence a line (.txt or any name), .tsv, .jsonl, or BUCC's id files; plain, .gz or .zst.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="DIR",
            help="Where the vectors go; by default runs/vectors/, under a name made from the contents.",
        ),
    ] = None,
    run: options.ReaderOption = None,
    trunk: options.TrunkOption = None,
    layer: options.LayerOption = None,
    pool: options.PoolOption = None,
    centring: options.CentringOption = None,
    dtype: Annotated[str, named("--dtype", "retrieval.stored.arrays:DTYPES", "How vectors are stored.")] = "float32",
    layout: options.LayoutOption = None,
    column: options.ColumnOption = None,
    shard_rows: Annotated[int | None, given("--shard-rows", "N", "Rows of one file of vectors.")] = None,
    limit: Annotated[
        float | None, given("--limit-gb", "GB", "Memory that encoding must fit in; chooses the rows of a shard.")
    ] = None,
    engine: options.EngineOption = "local",
    ray_address: options.RayOption = None,
    config: options.ConfigOption = None,
    settings: options.SetOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the vectors that are in DIR.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file and say what would be done; write nothing.")
    ] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Turn a file of sentences into unit vectors, in shards that NumPy can map.

    Goes on where it was stopped. A blank line keeps its place and is marked. Equal sentences are read once.

    \b
    Examples:
      adapter-stilts encode news.de.zst -o vectors/de
      adapter-stilts encode pairs.tsv --column en --run runs/nli-1a2b3c4d --dtype float16
    """
    from adapter_stilts.mining import encode as library

    typed: dict[str, tuple[str, object]] = {
        "--trunk": ("trunk.name", trunk),
        "--layer": ("retrieval.layer", layer),
        "--pool": ("retrieval.pool", pool),
        "--centring": ("retrieval.centre", centring),
    }
    fields: dict[str, Any] = {"layout": layout, "column": column, "dtype": dtype, "shard_rows": shard_rows}
    fields |= {"limit_gb": limit, "engine": engine, "ray_address": ray_address}
    configured = options.configuration(config, settings, typed)
    request = library.Encoding.from_config(configured, file, run=run, **fields)
    reporter = progress.reporter()
    made = library.encode(request, out=out, runs=options.RUNS, overwrite=overwrite, dry_run=dry_run, report=reporter)
    if as_json:
        render.document(made)
    else:
        render.facts({name: made[name] for name in library.REPORTED if name in made})
