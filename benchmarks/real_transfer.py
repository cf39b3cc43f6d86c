"""What does an intermediate task do on real text: for retrieval, and under target tasks that are scored zero-shot?

Measured: six English intermediate tasks (three seeds each) over one frozen trunk; each read on Tatoeba in 36 languages at every layer and
on six mining sets (threshold from dev, applied to test); five target tasks trained directly, after an intermediate task (sequential,
stack) and over the fusion of all six; controls: shuffled labels, and an adapter whose trained weights are permuted.
Not measured: other rates, sizes or lengths than those named here; nothing was tuned on what is scored. No sentence about XLM-R Base or
Large follows from a small trunk.

    python benchmarks/real_transfer.py --trunk ../shared/models/nano-xlmr --data ../shared/data --out /tmp/grid --jobs 2
    python benchmarks/real_tables.py /tmp/grid --name nano-xlmr          # the tables, from the folder alone

Finished runs are skipped, so the command may be repeated, and `--minutes` may cut it into pieces.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

import joint_grid
import real_grid
from real_grid import RATE, SEEDS, Job

GRIDS = {"transfer": real_grid, "joint": joint_grid}
DECIDING = ("steps", "token_budget", "precision", "rows", "test_rows")  # the options that decide a score, beside the trunk and the grid itself


def main() -> None:
    options = _options()
    record = Record(options)
    pool = ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn"), initializer=_threads, initargs=(options.threads,))
    with pool:
        _run_all(pool, _jobs(options), options, record)
    print(f"{sum(map(bool, record.runs.values()))} of {len(record.runs)} runs are there", flush=True)


class Record:
    """grid.json: what decides a run, the machine, and the seconds of every run that is there; written after each, so that a stop loses nothing."""

    def __init__(self, options: argparse.Namespace) -> None:
        options.out.mkdir(parents=True, exist_ok=True)
        self.path = options.out / "grid.json"
        self.facts = {name: getattr(options, name) for name in DECIDING} | {"trunk": options.trunk.name, "learning_rate": RATE}
        machine = {"commit": _commit(), "machine": platform.machine(), "cores": os.cpu_count()}
        self.more = {"grid": options.grid, "seeds": list(options.seeds), "argv": sys.argv[1:], **machine}
        names = [job.name for job in _jobs(options)]
        before = json.loads(self.path.read_text(encoding="utf-8")) if self.path.is_file() else {}
        if before and before["facts"] != json.loads(json.dumps(self.facts)):
            raise SystemExit(f"{self.path} was made with other settings: {before['facts']}; choose another --out")
        self.runs: dict[str, dict[str, float] | None] = {**dict.fromkeys(names), **before.get("runs", {})}

    def add(self, name: str, seconds: dict[str, float]) -> None:
        self.runs[name] = seconds
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps({"facts": self.facts, **self.more, "runs": self.runs}, indent=1), encoding="utf-8")
        partial.rename(self.path)


def _jobs(options: argparse.Namespace) -> list[Job]:
    """The runs of the grid after the trunk alone, which is read on all that any of them is."""
    found = GRIDS[options.grid].jobs(options.seeds)
    return [Job("trunk", "", "trunk", 0, retrieval=tuple(dict.fromkeys(name for job in found for name in job.retrieval))), *found]


def _run_all(pool: ProcessPoolExecutor, jobs: list[Job], options: argparse.Namespace, record: Record) -> None:
    """Start each run as soon as those it builds on are there; none is started after the deadline."""
    deadline = time.perf_counter() + 60 * options.minutes
    waiting, running = [job for job in jobs if not record.runs[job.name]], dict[Future[dict[str, float]], str]()
    while waiting or running:
        ready = [job for job in waiting if all(record.runs[parent] for parent in job.after)] if time.perf_counter() < deadline else []
        if not ready and not running:
            break
        for job in ready[: 2 * options.jobs - len(running)]:
            waiting.remove(job)
            running[pool.submit(run, job, options)] = job.name
        finished, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in finished:
            name = running.pop(future)
            try:
                record.add(name, future.result())
                print(f"{name}: {record.runs[name]}", flush=True)
            except Exception as error:  # noqa: BLE001 - one failed run must not end the others; it is told and left out of the tables
                print(f"{name} FAILED: {type(error).__name__}: {error}", flush=True)


def run(job: Job, options: argparse.Namespace) -> dict[str, float]:
    """Train one run and read it on everything it is to be read on; the seconds of both (few, where an earlier call had done it)."""
    from adapter_stilts.config.load import with_settings
    from adapter_stilts.config.schema import RunConfig
    from adapter_stilts.reporting import Silent
    from adapter_stilts.runs.train import train

    started = time.perf_counter()
    folder = options.out / job.name
    if job.how != "trunk":
        config = with_settings(RunConfig(), _settings(job, options))
        train(config, job.tasks, out=folder, runs=options.out, resume=True, overwrite=False, dry_run=False, report=Silent())
    trained = time.perf_counter() - started
    _read(job, folder, options)
    return {"trained": round(trained, 1), "read": round(time.perf_counter() - started - trained, 1)}


def _settings(job: Job, options: argparse.Namespace) -> dict[str, object]:
    sets = [GRIDS[options.grid].SETS[task] for task in job.tasks]
    sources = []
    for chosen in sets:
        prefix = f"{chosen.task}/" if len(sets) > 1 else ""
        sources += [f"{prefix}train={options.data / file}" for file in chosen.train]
        sources += [f"{prefix}validation={_thinned(file, options) if chosen.validate_fewer else options.data / file}" for file in chosen.validation]
    ignored = {"task.ignore_labels": list(sets[0].ignore)} if len(sets) == 1 else {}
    return {
        "trunk.name": str(options.trunk),
        "trunk.precision": options.precision,
        "data.sources": sources,
        **ignored,
        "how": job.how,
        "after": [str(options.out / parent) for parent in job.after],
        "control": job.control,
        "training.seed": job.seed,
        "training.learning_rate": RATE,
        "training.max_steps": options.steps,
        "training.token_budget": options.token_budget,
        "training.evaluate_steps": max(1, options.steps // 4),
        "training.validation_rows": 1000,
        "training.rows": options.rows,
        "training.checkpoint_steps": 100_000,
        "training.patience": 0,
        **job.settings,
    }


def _read(job: Job, folder: Path, options: argparse.Namespace) -> None:
    from adapter_stilts.reporting import Silent
    from adapter_stilts.retrieval.reading import Overrides
    from adapter_stilts.runs.evaluate import evaluate
    from adapter_stilts.runs.subject import Request

    subject = {"run": None, "trunk": str(options.trunk)} if job.how == "trunk" else {"run": folder, "trunk": None}
    common = {"out": folder, "runs": options.out, "overwrite": False, "dry_run": False, "report": Silent()}
    fixed = {**subject, "precision": options.precision, "save_vectors": False, "token_budget": options.token_budget}
    if "tatoeba" in job.retrieval:
        layers = Overrides("all" if GRIDS[options.grid].ALL_LAYERS else None)
        evaluate(Request(tasks=("tatoeba",), data=(str(options.data / "tatoeba"),), retrieval=layers, **fixed), **common)
    if "mining" in job.retrieval:
        evaluate(Request(tasks=("bucc",), data=(str(options.data / "mining"),), **fixed), **common)
    if job.how != "trunk" and job.control != "random-adapter":
        for reading in GRIDS[options.grid].readings_of(job):
            settings = {"ignore_labels": reading.ignore}
            request = Request(
                tasks=(reading.task,), languages=(reading.language,), data=(f"test={_thinned(reading.file, options)}",), task_settings=settings, **fixed
            )
            evaluate(request, **common)


def _thinned(file: str, options: argparse.Namespace) -> Path:
    """A file with at most `--test-rows` rows, taken at equal distances, so that a small machine can read it; tagged files stay whole.

    Of SQuAD files it keeps whole paragraphs, with five questions each on average.
    """
    source = options.data / file
    if options.test_rows is None or not (source.name.endswith(("jsonl.gz", "json.gz"))):
        return source
    target = options.out / "thinned" / source.name
    if target.is_file():
        return target
    text = gzip.decompress(source.read_bytes()).decode("utf-8")
    if source.name.endswith("jsonl.gz"):
        lines = [line for line in text.split("\n") if line]
        text = "".join(f"{line}\n" for line in _every(lines, options.test_rows))
    else:
        document = json.loads(text)
        paragraphs = [paragraph for article in document["data"] for paragraph in article["paragraphs"]]
        text = json.dumps({**document, "data": [{"title": "", "paragraphs": _every(paragraphs, options.test_rows // 5)}]}, ensure_ascii=False)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}")
    partial.write_bytes(gzip.compress(text.encode("utf-8"), mtime=0))
    partial.rename(target)
    return target


def _every(rows: list[Any], wanted: int) -> list[Any]:
    """At most `wanted` rows at equal distances."""
    return rows if len(rows) <= wanted else [rows[number * len(rows) // wanted] for number in range(wanted)]


def _commit() -> str:
    try:
        return subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True, cwd=Path(__file__).parent).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _threads(count: int) -> None:
    os.environ["OMP_NUM_THREADS"] = str(count)
    import torch

    torch.set_num_threads(count)


def _seeds(text: str) -> Sequence[int]:
    return tuple(int(seed) for seed in text.split(","))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trunk", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--grid", choices=GRIDS, default="transfer")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=_seeds, default=SEEDS)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--test-rows", type=int, default=None)
    parser.add_argument("--token-budget", type=int, default=4096)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--minutes", type=float, default=1e6)
    return parser.parse_args()


if __name__ == "__main__":
    main()
