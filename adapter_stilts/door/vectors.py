"""Vectors and translations as functions: `encode`, `mine` and `search`, with the command's words as keyword arguments.

    vectors = encode("news.de", trunk="intfloat/multilingual-e5-small")
    for score, source, target in mine("news.de", "news.en", trunk="intfloat/multilingual-e5-small"): ...
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from adapter_stilts.data.tables import csv_rows, json_line_rows, tab_rows
from adapter_stilts.door.rows import source as rows_file
from adapter_stilts.door.words import AnyPath, AnyRun, Settings, configured, path_of, run_or_trunk, text_of
from adapter_stilts.environment import RUNS
from adapter_stilts.files import numbered_lines
from adapter_stilts.mining import encode as encoding
from adapter_stilts.mining import mine as mining
from adapter_stilts.mining.find import Finder
from adapter_stilts.mining.pair_files import form
from adapter_stilts.mining.request import Mining
from adapter_stilts.reporting import Logged, Reporter
from adapter_stilts.retrieval.stored.vectors import open_vectors


class Pair(NamedTuple):
    """A mined pair. source, target: sentences; of vectors without texts, line numbers from 1."""

    score: float
    source: Any
    target: Any


def encode(
    file: Any,
    *,
    out: AnyPath | None = None,
    run: AnyRun | None = None,
    trunk: AnyPath | None = None,
    layer: int | None = None,
    pool: str | None = None,
    centring: bool | None = None,
    dtype: str = "float32",
    layout: str | None = None,
    column: str | None = None,
    shard_rows: int | None = None,
    limit_gb: float | None = None,
    engine: str = "local",
    ray_address: str | None = None,
    config: AnyPath | None = None,
    settings: Settings = None,
    overwrite: bool = False,
    dry_run: bool = False,
    reporter: Reporter | None = None,
) -> Any:
    """Turn a file of sentences, or a list of them, into unit vectors [N, H] float32; a blank one is zero.

    They are kept in the folder `out` (by default runs/vectors/..., named by their content) and read from there when
    they are asked for again. Of dry_run, a dictionary of what would be done.
    """
    folder, trunk = run_or_trunk(run, trunk)
    words = {"trunk": text_of(trunk), "layer": layer, "pool": pool, "centring": centring}
    fields: dict[str, Any] = {"layout": layout, "column": column, "dtype": dtype, "shard_rows": shard_rows}
    fields |= {"limit_gb": limit_gb, "engine": engine, "ray_address": ray_address}
    chosen = configured(config, settings, words)
    request = encoding.Encoding.from_config(chosen, rows_file(file, RUNS), run=folder, **fields)
    where: dict[str, Any] = {"out": path_of(out), "runs": RUNS, "overwrite": overwrite, "dry_run": dry_run}
    made = encoding.encode(request, **where, report=reporter or Logged())
    if dry_run:
        return made
    vectors = open_vectors(Path(made["folder"]))
    return vectors.block(0, vectors.rows)


def mine(
    source: Any = None,
    target: Any = None,
    *,
    out: AnyPath | None = None,
    run: AnyRun | None = None,
    trunk: AnyPath | None = None,
    layer: int | None = None,
    pool: str | None = None,
    source_vectors: AnyPath | None = None,
    target_vectors: AnyPath | None = None,
    layout: str | None = None,
    column: str | None = None,
    target_column: str | None = None,
    protocol: str | None = None,
    k: int | None = None,
    margin: str | None = None,
    retrieval: str | None = None,
    centring: bool | None = None,
    duplicates: str | None = None,
    threshold: float | None = None,
    target_precision: float | None = None,
    gold: AnyPath | None = None,
    dev: Sequence[AnyPath] | None = None,
    score_only: Any = None,
    aligned: bool = False,
    index: str = "exact",
    lists: int | None = None,
    probes: int | None = None,
    limit_gb: float | None = None,
    columns: bool = False,
    json_lines: bool = False,
    engine: str = "local",
    ray_address: str | None = None,
    config: AnyPath | None = None,
    settings: Settings = None,
    seed: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    reporter: Reporter | None = None,
) -> Any:
    """Find the translations hidden in two files, or lists, of sentences; returns Pairs (score, source, target), best
    first; of dry_run, a dictionary of what would be done.

    out         where the pairs are kept, with a report beside: tab-separated, as .csv or as JSON lines; None: nowhere
    score_only  a file, or pairs as a list of dictionaries ("source", "target"), that are scored; no others are found
    """
    folder, trunk = run_or_trunk(run, trunk)
    read = {"layer": layer, "pool": pool, "k": k, "margin": margin, "centring": centring, "protocol": protocol}
    chosen = configured(config, settings, {**read, "trunk": text_of(trunk), "seed": seed})
    fields: dict[str, Any] = {"source": _file(source), "target": _file(target), "layout": layout, "column": column}
    fields |= {"source_vectors": path_of(source_vectors), "target_vectors": path_of(target_vectors)}
    fields |= {"gold": path_of(gold), "dev": tuple(map(Path, dev)) if dev else None, "threshold": threshold}
    fields |= {"target_precision": target_precision, "index": index, "lists": lists, "probes": probes}
    fields |= {"limit_gb": limit_gb, "score_only": _file(score_only), "aligned": aligned, "duplicates": duplicates}
    fields |= {"target_column": target_column, "columns": columns, "engine": engine, "ray_address": ray_address}
    reads = source_vectors is None or trunk is not None
    as_json = json_lines or out is None
    request = Mining.from_config(chosen, run=folder, reads=reads, json_lines=as_json, retrieval=retrieval, **fields)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(out) if out is not None else Path(scratch, "pairs.jsonl")
        how: dict[str, Any] = {"overwrite": overwrite, "dry_run": dry_run, "report": reporter or Logged()}
        made = mining.mine(request, out=path, runs=RUNS, **how)
        return made if dry_run else list(_pairs(path, form(path, json_lines=as_json, columns=columns)))


def search(
    place: Any,
    sentence: str | Sequence[str],
    *,
    k: int = 5,
    run: AnyRun | None = None,
    trunk: AnyPath | None = None,
    layer: int | None = None,
    pool: str | None = None,
    layout: str | None = None,
    column: str | None = None,
    config: AnyPath | None = None,
    settings: Settings = None,
    reporter: Reporter | None = None,
) -> Any:
    """The k sentences of a file, a list, or a folder of vectors that are nearest to one, nearest first: each with its
    `similarity` (the cosine), its `line`, from 1, and its `text`.

    sentence  one, or a list of them, which gives a list for each; the place is read once for all
    """
    folder, trunk = run_or_trunk(run, trunk)
    chosen = configured(config, settings, {"trunk": text_of(trunk), "layer": layer, "pool": pool})
    request = encoding.Encoding.from_config(chosen, rows_file(place, RUNS), run=folder, layout=layout, column=column)
    sentences = [sentence] if isinstance(sentence, str) else list(sentence)
    with Finder.open(request, runs=RUNS, report=reporter or Logged()) as finder:
        found = finder.nearest(sentences, k)
    return found[0] if isinstance(sentence, str) else found


def _file(sentences: Any) -> Path | None:
    return None if sentences is None else rows_file(sentences, RUNS)


def _pairs(path: Path, kind: str) -> Iterator[Pair]:
    """The pairs of a file that `mine` wrote."""
    if kind == "plain":
        cells = (line.split("\t") for _, line in numbered_lines(path) if line)
        yield from (Pair(float(score), *texts) for score, *texts in cells)
        return
    rows = tab_rows(path, None) if kind == "columns" else csv_rows(path) if kind == "csv" else json_line_rows(path)
    for row in rows:
        cell = row.cells
        sides = (cell[side] if side in cell else int(str(cell[f"{side}_line"])) for side in ("source", "target"))
        yield Pair(float(str(cell["score"])), *sides)
