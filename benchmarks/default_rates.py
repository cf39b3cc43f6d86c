"""Which learning rate and how many passes an adapter learns with: kinds x rates x rows x tasks x seeds on a real trunk.

    python benchmarks/default_rates.py FOLDER_OF_A_TRUNK FOLDER_OF_DATA --kinds seq_bn lora --rates 3e-4 1e-3 --rows 500

Rows are English ones that others labelled: pairs (TaxiNLI), part-of-speech tags (EWT), spans (QAMR), choices (e-CARE),
cut by seed 13 into rows to train on, 300 that choose the step, and 1,000 that are scored: none is a test set of
anything. One row a run goes to results/default_rates.jsonl; a run that stands there is not made again, so that a grid
may be stopped and grow. The kind "fusion" is a fusion of the runs named by --parents. --table prints for each cell
(trunk, task, kind, rows) the mean at each rate, what the kind's own rate reaches of the best, and names the cells below
95 %.
"""

from __future__ import annotations

import gzip
import json
import random
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

from record import options, record, recorded

import adapter_stilts as stilts
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.kinds import kinds

NAME = "default_rates"
SOURCES = {
    "nli": ("nli", "nli/taxinli.en.jsonl.gz", "jsonl"),
    "pos": ("pos", "ud/en_ewt-ud-train.conllu.gz", "conllu"),
    "spans": ("qa", "qa/qamr.en.test.json.gz", "json"),
    "choice": ("choice", "mcq/ecare.en.train.jsonl.gz", "jsonl"),
}
CELL = ("trunk", "task", "kind", "rows")
RUN = (*CELL, "rate", "epochs", "token_budget", "seed")
FUSION = "fusion"
VALIDATION, SCORED = 300, 1000
ENOUGH = 0.95  # of the best rate's mean score


def main() -> None:
    asked = options(
        __doc__,
        "trunk",
        "data",
        tasks=tuple(SOURCES),
        kinds=("seq_bn",),
        rates=(3e-4, 1e-3, 3e-3),
        rows=(500,),
        seeds=(13,),
        epochs=12,
        token_budget=1024,
        parents=("",),
        table=False,
    )
    if asked.table:
        print(table(recorded(NAME)))
        return
    done = {tuple(row[key] for key in RUN) for row in recorded(NAME)}
    # The order of the loops: every cell of one seed before the next seed.
    for seed, rows, kind, task, rate in product(asked.seeds, asked.rows, asked.kinds, asked.tasks, asked.rates):
        run = (asked.trunk.name, task, kind, rows, rate, asked.epochs, asked.token_budget, seed)
        if run not in done:
            measured = trained(asked.trunk, asked.data, asked.parents, *run[1:])
            record(NAME, {**dict(zip(RUN, run, strict=True)), **measured})


def trained(
    trunk: Path,
    data: Path,
    parents: Sequence[str],
    task: str,
    kind: str,
    rows: int,
    rate: float,
    epochs: int,
    budget: int,
    seed: int,
) -> dict[str, Any]:
    """One run: its score on held-out rows, which step was best, and how long it took."""
    folder = Path(tempfile.mkdtemp())
    name, source, form = SOURCES[task]
    files = split(read(data / source, form), form, rows, folder)
    settings = {
        f"{'fusion' if kind == FUSION else 'training'}.learning_rate": rate,
        "training.epochs": epochs,
        "training.token_budget": budget,
        "training.seed": seed,
        "training.patience": 0,
        "training.evaluate_steps": 50,
        "data.language": "en",
    }
    start = time.monotonic()
    given: dict[str, Any] = {"trunk": str(trunk), "data": {key: files[key] for key in ("train", "validation")}}
    given |= {"out": folder / "run", "settings": settings}
    run = stilts.fuse(parents, name, **given) if kind == FUSION else stilts.train(name, kind=kind, **given)
    seconds = time.monotonic() - start
    results = stilts.evaluate(run, name, data={"test": files["test"]}, split="test", languages="en")
    score = next(each for each in results if each.headline)
    manifest = json.loads((folder / "run" / "manifest.json").read_text())
    steps = {key: manifest["training"].get(key) for key in ("steps", "best_step", "step")}
    curve = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    curve = [(row["step"], round(row["score"], 4)) for row in curve if "score" in row]
    shutil.rmtree(folder)
    scored = {"metric": score.metric, "score": score.score, "n": score.n}
    return {**scored, **steps, "curve": curve, "seconds": round(seconds)}


def read(path: Path, form: str) -> list[Any]:
    """The file's rows; of questions, contexts with their questions, which stay together."""
    text = gzip.decompress(path.read_bytes()).decode("utf-8")
    if form == "conllu":
        return [block for block in text.split("\n\n") if block.strip()]
    if form == "json":
        return [dict(paragraph, title="-") for each in json.loads(text)["data"] for paragraph in each["paragraphs"]]
    return [line for line in text.split("\n") if line]


def split(rows: list[Any], form: str, wanted: int, folder: Path) -> dict[str, Path]:
    """Rows that are scored first, then those that choose the step, then those trained on: they never overlap."""
    random.Random(13).shuffle(rows)
    files, start = {}, 0
    for name, count in {"test": SCORED, "validation": VALIDATION, "train": wanted}.items():
        part, size = [], 0
        while size < count and start < len(rows):
            part.append(rows[start])
            size += len(rows[start]["qas"]) if form == "json" else 1
            start += 1
        files[name] = folder / f"{name}.{form}"
        if form == "json":
            part[-1] = dict(part[-1], qas=part[-1]["qas"][: len(part[-1]["qas"]) - (size - count)])
            text = json.dumps({"version": "1.1", "data": [{"title": "-", "paragraphs": part}]})
        else:
            text = ("\n\n" if form == "conllu" else "\n").join(part) + "\n" * (2 if form == "conllu" else 1)
        files[name].write_text(text, encoding="utf-8")
    return files


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Per cell the mean score at each rate, and what the kind's own rate reaches of the best; * below ENOUGH of it."""
    cells: dict[tuple[Any, ...], dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        cells[tuple(row[key] for key in (*CELL, "epochs", "token_budget"))][row["rate"]].append(row["score"])
    rates = sorted({rate for cell in cells.values() for rate in cell})
    head = (*CELL, "epochs", "tokens", *(f"{rate:g}" for rate in rates), "seeds", "own rate", "of the best, %")
    lines = [head, ("---",) * len(head)]
    for cell, scores in sorted(cells.items()):
        means = {rate: mean(of) for rate, of in scores.items()}
        own = RunConfig().fusion.learning_rate if cell[2] == FUSION else kinds[cell[2]].rate
        reached = means[own] / max(means.values()) if own in means and len(means) > 1 else None
        shown = [f"{100 * means[rate]:.1f}" if rate in means else "-" for rate in rates]
        told = "-" if reached is None else f"{100 * reached:.0f}{'*' * (reached < ENOUGH)}"
        fewest, most = min(map(len, scores.values())), max(map(len, scores.values()))
        seeds = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        lines.append((*map(str, cell), *shown, seeds, f"{own:g}", told))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
