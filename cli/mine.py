"""`mine`: the translations between two files of sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options, progress, render
from .options import given, named


def mine(
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="Where the pairs go: score, source, target, best first.")
    ],
    source: Annotated[
        Path | None,
        typer.Argument(metavar="SRC", help="Sentences: .txt, .tsv, .jsonl or BUCC's id files; plain, .gz or .zst."),
    ] = None,
    target: Annotated[Path | None, typer.Argument(metavar="TGT", help="Sentences of the other language.")] = None,
    run: options.ReaderOption = None,
    trunk: options.TrunkOption = None,
    layer: options.LayerOption = None,
    pool: options.PoolOption = None,
    source_vectors: Annotated[
        Path | None, given("--source-vectors", "PATH", "Vectors in place of an encoder: a folder of `encode`, or .npy.")
    ] = None,
    target_vectors: Annotated[Path | None, given("--target-vectors", "PATH", "The same for the target.")] = None,
    layout: options.LayoutOption = None,
    column: options.ColumnOption = None,
    protocol: options.ProtocolOption = None,
    k: options.NeighboursOption = None,
    margin: options.MarginOption = None,
    retrieval: Annotated[
        str | None, named("--retrieval", "retrieval.mining:retrievals", "Which best partners become pairs.")
    ] = None,
    centring: options.CentringOption = None,
    duplicates: Annotated[
        str | None,
        named(
            "--duplicates",
            "retrieval.distinct:duplicates",
            "A sentence that occurs often is written once, for each of its lines, or not found.",
        ),
    ] = None,
    threshold: Annotated[float | None, given("--threshold", "SCORE", "The lowest score that is kept.")] = None,
    target_precision: Annotated[
        float | None,
        given("--target-precision", "P", "Keep as much as this precision on the gold allows, in place of the best F1."),
    ] = None,
    gold: Annotated[
        Path | None,
        given(
            "--gold",
            "FILE",
            "Known pairs, as ids or line numbers: tunes the threshold unless one is given, and scores.",
        ),
    ] = None,
    dev: Annotated[
        tuple[Path, Path, Path] | None,
        given("--dev", "SRC TGT GOLD", "Other files, with gold, that the threshold is tuned on."),
    ] = None,
    score_only: Annotated[
        Path | None,
        given("--score-only", "PAIRS", "Score these pairs of sentences of SRC and TGT, and find no others."),
    ] = None,
    index: Annotated[
        str,
        named(
            "--index",
            "retrieval.indexes:indexes|auto",
            "How neighbours are searched; auto chooses by size, memory and time, and says why.",
        ),
    ] = "exact",
    lists: Annotated[int | None, given("--lists", "N", "Cells of an ivf index.")] = None,
    probes: Annotated[int | None, given("--probes", "N", "Cells of it that are searched.")] = None,
    limit: Annotated[
        float | None, given("--limit-gb", "GB", "Memory that the search must fit in; it is done in shards.")
    ] = None,
    json_lines: Annotated[bool, typer.Option("--json-lines", help="Write JSON lines, with line numbers.")] = False,
    engine: options.EngineOption = "local",
    ray_address: options.RayOption = None,
    config: options.ConfigOption = None,
    settings: options.SetOption = None,
    seed: options.SeedOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a FILE that is there.")] = False,
    dry_run: options.DryRunOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Find the translations hidden in two files of sentences.

    Goes on where it was stopped. A report with threshold, scores and curve lies beside the pairs.

    \b
    Examples:
      adapter-stilts mine news.de news.en -o pairs.tsv --run runs/nli-1a2b3c4d --threshold 1.05
      adapter-stilts mine -o pairs.jsonl --json-lines --source-vectors de --target-vectors en --index auto --limit-gb 4
    """
    from adapter_stilts.mining import mine as library
    from adapter_stilts.mining.request import Mining

    typed: dict[str, tuple[str, object]] = {
        "--trunk": ("trunk.name", trunk),
        "--layer": ("retrieval.layer", layer),
        "--pool": ("retrieval.pool", pool),
        "-k": ("retrieval.k", k),
        "--margin": ("retrieval.margin", margin),
        "--centring": ("retrieval.centre", centring),
        "--protocol": ("evaluation.protocol", protocol),
        "--seed": ("training.seed", seed),
    }
    fields: dict[str, Any] = {"source": source, "target": target, "layout": layout, "column": column}
    fields |= {"source_vectors": source_vectors, "target_vectors": target_vectors, "gold": gold, "dev": dev}
    fields |= {"threshold": threshold, "target_precision": target_precision, "duplicates": duplicates}
    fields |= {"index": index, "lists": lists, "probes": probes, "limit_gb": limit, "score_only": score_only}
    fields |= {"json_lines": json_lines, "engine": engine, "ray_address": ray_address, "retrieval": retrieval}
    reads = source_vectors is None or trunk is not None
    request = Mining.from_config(options.configuration(config, settings, typed), run=run, reads=reads, **fields)
    reporter = progress.reporter()
    outcome = library.mine(request, out=out, runs=options.RUNS, overwrite=overwrite, dry_run=dry_run, report=reporter)
    if as_json:
        render.document(outcome)
        return
    render.results(outcome["results"])
    if "pairs_file" in outcome:
        render.facts({"pairs": outcome["pairs"], "file": outcome["pairs_file"]})
