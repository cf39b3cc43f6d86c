"""`mine`: the translations between two files of sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from adapter_stilts.errors import refuse

from . import options, progress, render
from .options import Text, named, option

OUT = "Where the pairs go, best first: score, source, target; .csv with a header, .jsonl as objects."
SRC = "Sentences: .txt, .tsv, .csv, .jsonl, .json or BUCC's id files; plain, .gz or .zst."
VECTORS = "Vectors in place of an encoder: a folder of `encode`, or .npy."
RETRIEVAL = "Which best partners become pairs."
DUPLICATES = "A sentence that occurs often is written once, for each of its lines, or not found."
PRECISION = "Keep as much as this precision on the gold allows, in place of the best F1."
GOLD = "Known pairs, as ids or line numbers: tunes the threshold unless one is given, and scores."
DEV = "Other files, with gold, that the threshold is tuned on."
SCORE_ONLY = "Score the pairs of this table, by themselves or among the sentences of SRC and TGT, and find no others."
ALIGNED = "Score line i of SRC with line i of TGT, and find no others."
COLUMNS = "Write a header, line numbers, and the cosine beside the score."
TARGET_COLUMN = "The column of TGT, where it is another. Of PAIRS by themselves --column and this name both sides."
INDEX = "How neighbours are searched; auto chooses by size, memory and time, and says why."
LIMIT = "Memory that the search must fit in; it is done in shards."


def _pairs(typed: str) -> Path:
    do = "name a table of pairs; two files whose lines are pairs are SRC TGT --aligned"
    refuse(typed.startswith("-"), "--score-only without a file", do)
    return Path(typed)


def mine(
    out: Annotated[Path, option("-o --out", "FILE", OUT)],
    source: Annotated[Path | None, typer.Argument(metavar="SRC", help=SRC)] = None,
    target: Annotated[Path | None, typer.Argument(metavar="TGT", help=options.TARGET)] = None,
    run: options.ReaderOption = None,
    trunk: options.TrunkOption = None,
    layer: options.LayerOption = None,
    pool: options.PoolOption = None,
    source_vectors: Annotated[Path | None, option("--source-vectors", "PATH", VECTORS)] = None,
    target_vectors: Annotated[Path | None, option("--target-vectors", "PATH", "The same for the target.")] = None,
    layout: options.LayoutOption = None,
    column: options.ColumnOption = None,
    target_column: Annotated[Text, option("--target-column", "NAME|N", TARGET_COLUMN)] = None,
    protocol: options.ProtocolOption = None,
    k: options.NeighboursOption = None,
    margin: options.MarginOption = None,
    retrieval: Annotated[Text, named("--retrieval", "retrieval.mining:retrievals", RETRIEVAL)] = None,
    centring: options.CentringOption = None,
    duplicates: Annotated[Text, named("--duplicates", "retrieval.distinct:duplicates", DUPLICATES)] = None,
    threshold: Annotated[float | None, option("--threshold", "SCORE", "The lowest score that is kept.")] = None,
    target_precision: Annotated[float | None, option("--target-precision", "P", PRECISION)] = None,
    gold: Annotated[Path | None, option("--gold", "FILE", GOLD)] = None,
    dev: Annotated[tuple[Path, Path, Path] | None, option("--dev", "SRC TGT GOLD", DEV)] = None,
    score_only: Annotated[Path | None, option("--score-only", "PAIRS", SCORE_ONLY, parser=_pairs)] = None,
    aligned: Annotated[bool, option("--aligned", None, ALIGNED)] = False,
    index: Annotated[str, named("--index", "retrieval.indexes:indexes|auto", INDEX)] = "exact",
    lists: Annotated[int | None, option("--lists", "N", "Cells of an ivf index.")] = None,
    probes: Annotated[int | None, option("--probes", "N", "Cells of it that are searched.")] = None,
    limit: Annotated[float | None, option("--limit-gb", "GB", LIMIT)] = None,
    columns: Annotated[bool, option("--columns", None, COLUMNS)] = False,
    json_lines: Annotated[bool, option("--json-lines", None, "Write JSON lines, with line numbers.")] = False,
    engine: options.EngineOption = "local",
    ray_address: options.RayOption = None,
    config: options.ConfigOption = None,
    settings: options.SetOption = None,
    seed: options.SeedOption = None,
    overwrite: Annotated[bool, option("--overwrite", None, "Replace a FILE that is there.")] = False,
    dry_run: options.DryRunOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Find the translations hidden in two files of sentences.

    Goes on where it was stopped. A report with threshold, scores and curve lies beside the pairs.

    \b
    Examples:
      adapter-stilts mine news.de news.en -o pairs.tsv --run runs/nli-1a2b3c4d --threshold 1.05
      adapter-stilts mine --score-only pairs.csv -o scored.csv --trunk intfloat/multilingual-e5-base
      adapter-stilts mine -o pairs.jsonl --json-lines --source-vectors de --target-vectors en --index auto --limit-gb 4
    """
    from adapter_stilts.mining import mine as library
    from adapter_stilts.mining.request import Mining

    read = {"layer": layer, "pool": pool, "k": k, "margin": margin, "centring": centring, "protocol": protocol}
    configured = options.configuration(config, settings, trunk=trunk, **read, seed=seed)
    fields: dict[str, Any] = {"source": source, "target": target, "layout": layout, "column": column}
    fields |= {"source_vectors": source_vectors, "target_vectors": target_vectors, "gold": gold, "dev": dev}
    fields |= {"threshold": threshold, "target_precision": target_precision, "duplicates": duplicates}
    fields |= {"index": index, "lists": lists, "probes": probes, "limit_gb": limit, "score_only": score_only}
    fields |= {"json_lines": json_lines, "columns": columns, "aligned": aligned, "target_column": target_column}
    fields |= {"engine": engine, "ray_address": ray_address, "retrieval": retrieval}
    reads = source_vectors is None or trunk is not None
    request = Mining.from_config(configured, run=run, reads=reads, **fields)
    where: dict[str, Any] = {"out": out, "runs": options.RUNS, "overwrite": overwrite, "dry_run": dry_run}
    outcome = library.mine(request, **where, report=progress.reporter())
    if as_json:
        render.document(outcome)
        return
    render.results(outcome["results"])
    if "pairs_file" in outcome:
        render.facts({"pairs": outcome["pairs"], "file": outcome["pairs_file"]})
