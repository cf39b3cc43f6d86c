"""`encode`: sentences to vectors on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter_stilts.errors import UsageError

from . import progress, render
from .options import (
    RUNS,
    CentringOption,
    ConfigOption,
    EngineOption,
    JsonOption,
    LayoutOption,
    PoolOption,
    RayOption,
    SetOption,
    TrunkOption,
    configuration,
    named,
)

if TYPE_CHECKING:
    from adapter_stilts.config.schema import RunConfig


def encode(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One sentence a line (.txt or any name), .tsv, .jsonl, or BUCC's id files; plain, .gz or .zst.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="DIR", help="Where the vectors go; by default runs/vectors/, under a name made from the contents.")
    ] = None,
    run: Annotated[Path | None, typer.Option("--run", metavar="RUN", help="A finished run to encode with; leave it out to use a bare trunk.")] = None,
    trunk: TrunkOption = None,
    layer: Annotated[int | None, typer.Option("--layer", metavar="N", help="Where vectors are read; 0 is the embedding.")] = None,
    pool: PoolOption = None,
    centring: CentringOption = None,
    dtype: Annotated[
        str, named("--dtype", "adapter_stilts.retrieval.quantised:DTYPES", "How vectors are stored.")
    ] = "float32",
    layout: LayoutOption = None,
    column: Annotated[
        str | None, typer.Option("--column", metavar="NAME|N", help="The column or field of the sentence; a number, from 0, in a TSV without a header.")
    ] = None,
    shard_rows: Annotated[int | None, typer.Option("--shard-rows", metavar="N", help="Rows of one file of vectors.")] = None,
    limit: Annotated[float | None, typer.Option("--limit-gb", metavar="GB", help="Memory that encoding must fit in; chooses the rows of a shard.")] = None,
    engine: EngineOption = "local",
    ray_address: RayOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the vectors that are in DIR.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the file and say what would be done; write nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Turn a file of sentences into unit vectors, in shards that NumPy can map.

    Goes on where it was stopped. A blank line keeps its place and is marked. Equal sentences are read by the trunk once.

    \b
    Examples:
      adapter-stilts encode news.de.zst -o vectors/de
      adapter-stilts encode pairs.tsv --column en --run runs/nli-1a2b3c4d --dtype float16
    """
    from adapter_stilts.mining import encode as study

    typed: dict[str, tuple[str, object]] = {
        "--trunk": ("trunk.name", trunk),
        "--layer": ("retrieval.layer", layer),
        "--pool": ("retrieval.pool", pool),
        "--centring": ("retrieval.centre", centring),
    }
    given: dict[str, Any] = {"shard_rows": shard_rows, "limit_gb": limit, "layout": layout, "column": column}
    given |= {"engine": engine, "ray_address": ray_address}
    read = configuration(config, settings, typed)
    asked = study.Request(file, run, dtype=dtype, centring=bool(read.retrieval.centre), **chosen(read, run), **_typed(given))
    found = study.encode(asked, out=out, runs=RUNS, overwrite=overwrite, dry_run=dry_run, report=progress.reporter())
    if as_json:
        render.document(found)
    else:
        render.facts({name: found[name] for name in study.TOLD if name in found})


def chosen(config: RunConfig, run: Path | None) -> dict[str, Any]:
    """The encoder a configuration names; a run brings its own trunk unless one is named."""
    layer, named = config.retrieval.layer, "name" in config.trunk.model_fields_set
    if layer is not None and not isinstance(layer, int):
        raise UsageError(f"retrieval.layer {layer}: vectors are read at one layer", do="name one, for example --layer 14")
    return _typed(
        {
            "trunk": config.trunk.name if named or run is None else None,
            "revision": config.trunk.revision,
            "precision": config.trunk.precision,
            "layer": layer,
            "pool": config.retrieval.pool,
        }
    )


def _typed(given: dict[str, Any]) -> dict[str, Any]:
    """What was given; the library knows the defaults of the rest."""
    return {name: value for name, value in given.items() if value is not None}
