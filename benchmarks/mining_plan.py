"""Ten million sentences a side on one machine: what it takes, from what was measured.

    python benchmarks/mining_plan.py --rows 10000000 --width 1024 --limit-gb 64 --threads 16 --sentences-per-second 400

Reads the records of mining_growth.py and mining_against_faiss.py, of one machine, width and k, those of the last run
that nothing disturbed, and writes results/mining_plan.md. Exact search costs rows x rows x width, so its constant is
taken from the largest size measured; the exponent of the other indexes is fitted to the sizes and marked. Memory is
`retrieval/plan.py`'s own count, which `mining_out_of_core.jsonl` holds against the peak of a process.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from record import RESULTS, options

from adapter_stilts.errors import DoesNotFit
from adapter_stilts.reporting import span
from adapter_stilts.retrieval import indexes as known
from adapter_stilts.retrieval.plan import GB, Sizes, fit, peak

HELD = 600_000_000  # bytes of a process with the libraries imported
ALIKE = ("machine", "width", "k", "probes")


def main() -> None:
    given = {"limit_gb": 64.0, "threads": 16, "sentences_per_second": float}  # of encoding; measure it with `encode`
    asked = options(__doc__, rows=10_000_000, width=1024, k=4, **given)
    grown, sizes = newest(rows_of("mining_growth")), Sizes(asked.rows, asked.rows, asked.width, asked.k)
    sides = f"{asked.rows:,} x {asked.rows:,} sentences, vectors of {asked.width}"
    machines = ", ".join(sorted({row["machine"] for row in grown}))
    indexes = dict.fromkeys(row["index"] for row in grown)
    lines = [line(index, [row for row in grown if row["index"] == index], sizes, asked) for index in indexes]
    page = f"""# {sides}, under {asked.limit_gb:g} GB, {asked.threads} threads

Made by `benchmarks/mining_plan.py` from the records beside it, measured at {machines}.

| index | measured up to | seconds there | grows as rows^ | recall there | search, here | shards | memory |
|---|---:|---:|---:|---:|---:|---:|---:|
{chr(10).join([*lines, "", *notes(asked, grown)])}
"""
    print(page)
    (RESULTS / "mining_plan.md").write_text(page, encoding="utf-8")


def line(index: str, rows: list[dict[str, Any]], sizes: Sizes, asked: argparse.Namespace) -> str:
    """One index: its constant, what it comes to, and whether it fits."""
    rows = sorted(rows, key=lambda row: row["rows"])
    last, power = rows[-1], 2.0 if index == "exact" else exponent(rows)
    recall = [row["recall"] for row in rows if "recall" in row][-1]  # of the largest size that was searched in whole
    scale = (asked.rows / last["rows"]) ** power * asked.width / last["width"]
    threads = int(last["machine"].split(", ")[1].split()[0])
    seconds = last["search_seconds"] * scale / (asked.threads / threads)
    try:
        kind = known.indexes[index]
        steps = fit(sizes, kind, asked.limit_gb * GB, HELD)
        shards, memory = str(len(steps.shards(asked.rows))), f"{peak(sizes, kind, steps, HELD) / GB:.1f} GB"
    except DoesNotFit as error:
        shards, memory = "does not fit", error.do.split(",")[0].removeprefix("use ")
    grows = f"{power:.2f}{'' if index == 'exact' else ' (fitted)'}"
    shown = f"{last['rows']:,} | {last['search_seconds']:.0f} | {grows} | {recall:.3f}"
    return f"| {index} | {shown} | {span(seconds)} | {shards} | {memory} |"


def notes(asked: argparse.Namespace, grown: list[dict[str, Any]]) -> Iterator[str]:
    for note in dict.fromkeys(row["note"] for row in grown if "note" in row):
        yield f"* **Of the record: {note}. The times below are then no plan, only the way it is made.**"
    yield "* Both searches together. Threads are assumed to share the work evenly, which memory may not allow."
    if bare := rows_of("mining_against_faiss"):
        times = f"{bare[-1]['ratio']:.2f} times their time at {bare[-1]['rows']:,} rows"
        yield f"* Making pairs brings the bare searches to {times}."
    if kept := [row for row in rows_of("mining_out_of_core") if row.get("planned_gb")]:
        worst = max(kept, key=lambda row: row["peak_gb"] / row["planned_gb"])
        peaks = f"{worst['peak_gb']:.2f} GB where {worst['planned_gb']:.2f} were planned"
        where = f"({worst['rows']:,} rows, limit {worst['limit_gb']:g} GB)"
        yield f"* Memory as counted beforehand; of {len(kept)} runs the highest peak was {peaks} {where}."
    disk = 2 * asked.rows * (4 * asked.width + 16) / GB
    yield f"* Vectors of both sides on disk: {disk:.0f} GB as float32, {disk / 2:.0f} as float16."
    if rate := asked.sentences_per_second:
        yield f"* Encoding both sides at {rate:g} sentences a second: {span(2 * asked.rows / rate)}."
    yield "* `--engine ray` divides encoding and search by the workers; pieces go out as workers come free."


def exponent(rows: list[dict[str, Any]]) -> float:
    """The slope of log seconds over log rows, by least squares; 1.5 of one size: cells grow with the rows' root."""
    if len(rows) < 2:
        return 1.5
    sizes, seconds = ([math.log(row[name]) for row in rows] for name in ("rows", "search_seconds"))
    return statistics.linear_regression(sizes, seconds).slope


def newest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last record of every index and size, of what was run as the last undisturbed run was, or the last one."""
    rows = [row for row in rows if "search_seconds" in row]
    calm = [row for row in rows if "note" not in row] or rows
    if not calm:
        raise SystemExit("no record of mining_growth.py: run it first")
    alike = [row for row in calm if all(row.get(name) == calm[-1].get(name) for name in ALIKE)]
    return list({(row["index"], row["rows"]): row for row in alike}.values())


def rows_of(name: str) -> list[dict[str, Any]]:
    path: Path = RESULTS / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
