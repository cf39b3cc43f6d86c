"""`mine`: the translations between two files of sentences."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from . import progress, render
from .options import (
    RUNS,
    CentringOption,
    ConfigOption,
    DryRunOption,
    Engine,
    EngineOption,
    JsonOption,
    Layout,
    Margin,
    Pool,
    Protocol,
    RayOption,
    SeedOption,
    SetOption,
    TrunkOption,
    configuration,
)


class Retrieval(StrEnum):
    """Which best partners become pairs."""

    max = "max"
    forward = "forward"
    backward = "backward"
    intersection = "intersection"


class Index(StrEnum):
    """How neighbours are searched."""

    exact = "exact"
    ivf = "ivf"
    ivf_sq = "ivf-sq"
    ivf_pq = "ivf-pq"
    hnsw = "hnsw"
    auto = "auto"


class Duplicates(StrEnum):
    """What becomes of a sentence that occurs several times."""

    once = "once"
    expand = "expand"
    drop = "drop"


def mine(
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="Where the pairs go: score, source, target, best first.")
    ],
    source: Annotated[
        Path | None,
        typer.Argument(metavar="SRC", help="Sentences: .txt, .tsv, .jsonl or BUCC's id files; plain, .gz or .zst."),
    ] = None,
    target: Annotated[Path | None, typer.Argument(metavar="TGT", help="Sentences of the other language.")] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="RUN", help="A finished run to encode with; leave it out to use a bare trunk."),
    ] = None,
    trunk: TrunkOption = None,
    layer: Annotated[
        int | None, typer.Option("--layer", metavar="N", help="Where vectors are read; 0 is the embedding.")
    ] = None,
    pool: Annotated[Pool | None, typer.Option("--pool", help="How token states become a sentence vector.")] = None,
    source_vectors: Annotated[
        Path | None,
        typer.Option(
            "--source-vectors", metavar="PATH", help="Vectors in place of an encoder: a folder of `encode`, or .npy."
        ),
    ] = None,
    target_vectors: Annotated[
        Path | None, typer.Option("--target-vectors", metavar="PATH", help="The same for the target.")
    ] = None,
    layout: Annotated[
        Layout | None, typer.Option("--format", help="How the files are read, where name and first line do not tell.")
    ] = None,
    column: Annotated[
        str | None, typer.Option("--column", metavar="NAME|N", help="The column or field of the sentence.")
    ] = None,
    protocol: Annotated[Protocol | None, typer.Option("--protocol", help="Whose rules are followed.")] = None,
    k: Annotated[int | None, typer.Option("-k", metavar="N", help="Neighbours that a margin compares with.")] = None,
    margin: Annotated[
        Margin | None, typer.Option("--margin", help="How a pair's cosine is compared with its neighbours'.")
    ] = None,
    retrieval: Annotated[
        Retrieval | None, typer.Option("--retrieval", help="Which best partners become pairs.")
    ] = None,
    centring: CentringOption = None,
    duplicates: Annotated[
        Duplicates | None,
        typer.Option(
            "--duplicates", help="A sentence that occurs often is written once, for each of its lines, or not found."
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", metavar="SCORE", help="The lowest score that is kept.")
    ] = None,
    target_precision: Annotated[
        float | None,
        typer.Option(
            "--target-precision",
            metavar="P",
            help="Keep as much as this precision on the gold allows, in place of the best F1.",
        ),
    ] = None,
    gold: Annotated[
        Path | None,
        typer.Option(
            "--gold",
            metavar="FILE",
            help="Known pairs, as ids or line numbers: tunes the threshold unless one is given, and scores.",
        ),
    ] = None,
    dev: Annotated[
        tuple[Path, Path, Path] | None,
        typer.Option("--dev", metavar="SRC TGT GOLD", help="Other files, with gold, that the threshold is tuned on."),
    ] = None,
    score_only: Annotated[
        Path | None,
        typer.Option(
            "--score-only", metavar="PAIRS", help="Score these pairs of sentences of SRC and TGT, and find no others."
        ),
    ] = None,
    index: Annotated[
        Index,
        typer.Option(
            "--index", help="How neighbours are searched; auto chooses by size, memory and time, and says why."
        ),
    ] = Index.exact,
    lists: Annotated[int | None, typer.Option("--lists", metavar="N", help="Cells of an ivf index.")] = None,
    probes: Annotated[int | None, typer.Option("--probes", metavar="N", help="Cells of it that are searched.")] = None,
    limit: Annotated[
        float | None,
        typer.Option("--limit-gb", metavar="GB", help="Memory that the search must fit in; it is done in shards."),
    ] = None,
    json_lines: Annotated[bool, typer.Option("--json-lines", help="Write JSON lines, with line numbers.")] = False,
    engine: EngineOption = Engine.local,
    ray_address: RayOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    seed: SeedOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a FILE that is there.")] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find the translations hidden in two files of sentences.

    Goes on where it was stopped. A report with threshold, scores and curve lies beside the pairs.

    \b
    Examples:
      adapter-stilts mine news.de news.en -o pairs.tsv --run runs/nli-1a2b3c4d --threshold 1.05
      adapter-stilts mine -o pairs.jsonl --json-lines --source-vectors vectors/de --target-vectors vectors/en --index
      auto --limit-gb 4
    """
    from adapter_stilts.mining import mine as library
    from adapter_stilts.mining.request import Mining

    typed: dict[str, tuple[str, object]] = {
        "--trunk": ("trunk.name", trunk),
        "--layer": ("retrieval.layer", layer),
        "--pool": ("retrieval.pool", pool and pool.value),
        "-k": ("retrieval.k", k),
        "--margin": ("retrieval.margin", margin and margin.value),
        "--centring": ("retrieval.centre", centring),
        "--protocol": ("evaluation.protocol", protocol and protocol.value),
        "--seed": ("training.seed", seed),
    }
    request = Mining.from_config(
        configuration(config, settings, typed),
        run=run,
        reads=source_vectors is None or trunk is not None,
        retrieval=retrieval and retrieval.value,
        source=source,
        target=target,
        source_vectors=source_vectors,
        target_vectors=target_vectors,
        layout=layout and layout.value,
        column=column,
        duplicates=duplicates and duplicates.value,
        threshold=threshold,
        target_precision=target_precision,
        gold=gold,
        dev=dev,
        score_only=score_only,
        index=index.value,
        lists=lists,
        probes=probes,
        limit_gb=limit,
        json_lines=json_lines,
        engine=engine.value,
        ray_address=ray_address,
    )
    reporter = progress.reporter()
    outcome = library.mine(request, out=out, runs=RUNS, overwrite=overwrite, dry_run=dry_run, report=reporter)
    if as_json:
        render.document(outcome)
        return
    render.results(outcome["results"])
    if "pairs_file" in outcome:
        render.facts({"pairs": outcome["pairs"], "file": outcome["pairs_file"]})
