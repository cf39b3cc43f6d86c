"""`encode`: sentences to vectors on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options, progress, render
from .options import named, option

FILE = "One sentence a line (.txt or any name), .tsv, .csv, .jsonl, .json, or BUCC's id files; plain, .gz or .zst."
OUT = "Where the vectors go; by default runs/vectors/, under a name made from the contents."
LIMIT = "Memory that encoding must fit in; chooses the rows of a shard."
DRY = "Check the file and say what would be done; write nothing."


def encode(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=FILE)],
    out: Annotated[Path | None, option("-o --out", "DIR", OUT)] = None,
    run: options.ReaderOption = None,
    trunk: options.TrunkOption = None,
    layer: options.LayerOption = None,
    pool: options.PoolOption = None,
    centring: options.CentringOption = None,
    dtype: Annotated[str, named("--dtype", "retrieval.stored.arrays:DTYPES", "How vectors are stored.")] = "float32",
    layout: options.LayoutOption = None,
    column: options.ColumnOption = None,
    shard_rows: Annotated[int | None, option("--shard-rows", "N", "Rows of one file of vectors.")] = None,
    limit: Annotated[float | None, option("--limit-gb", "GB", LIMIT)] = None,
    engine: options.EngineOption = "local",
    ray_address: options.RayOption = None,
    config: options.ConfigOption = None,
    settings: options.SetOption = None,
    overwrite: Annotated[bool, option("--overwrite", None, "Replace the vectors that are in DIR.")] = False,
    dry_run: Annotated[bool, option("--dry-run", None, DRY)] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Turn a file of sentences into unit vectors, in shards that NumPy can map.

    Goes on where it was stopped. A blank line keeps its place and is marked. Equal sentences are read once.

    \b
    Examples:
      adapter-stilts encode news.de.zst -o vectors/de --trunk intfloat/multilingual-e5-base
      adapter-stilts encode pairs.csv --column en --run runs/nli-1a2b3c4d --dtype float16
    """
    from adapter_stilts.mining import encode as library

    configured = options.configuration(config, settings, trunk=trunk, layer=layer, pool=pool, centring=centring)
    fields: dict[str, Any] = {"layout": layout, "column": column, "dtype": dtype, "shard_rows": shard_rows}
    fields |= {"limit_gb": limit, "engine": engine, "ray_address": ray_address}
    request = library.Encoding.from_config(configured, file, run=run, **fields)
    where: dict[str, Any] = {"out": out, "runs": options.RUNS, "overwrite": overwrite, "dry_run": dry_run}
    made = library.encode(request, **where, report=progress.reporter())
    if as_json:
        render.document(made)
    else:
        render.facts({name: made[name] for name in library.REPORTED if name in made})
