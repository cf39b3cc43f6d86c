"""How much faster is an epoch whose lower layers were run before (`--from-layer`), and what does that take?

One process trains seq_bn on the same batches again and again, three arms in turn: adapters in all layers; adapters
above the middle, the layers below run and kept (the first epoch); the same read from disk (a later epoch, or another
run's first). Medians over the turns, by the clock and by processor time, which other work on the machine disturbs
less. Not measured: reading from a disk whose pages are not in memory. Peak memory is of a process of its own for each
arm; of what is kept, the bytes of a token.

The bar: a later epoch is at least 1.8 times as fast as the first. Nothing is trained below the middle, so the first
epoch has a forward pass there and no more, against forward and backward above: a ratio of about 1.5 is all there can
be at half the layers.

    python benchmarks/prefix_cache.py TRUNK TRAIN_FILE [--rows 128] [--turns 3] [--layer N] [--precision auto]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from record import gigabytes, options, record

from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.lower_layers import kept_states
from adapter_stilts.encoder.trunk.loading import trunk_facts
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.prepare import prepare
from adapter_stilts.runs.train import _model
from adapter_stilts.training.checkpoint import State
from adapter_stilts.training.course import course, seed_step
from adapter_stilts.training.step import Stepper

ARMS = ("all layers", "first epoch", "later epoch")
BAR = 1.8


class Trained:
    """A model that trains on the same epoch as often as it is asked to."""

    def __init__(self, asked: argparse.Namespace, layer: int) -> None:
        settings = {
            "trunk.name": str(asked.trunk),
            "trunk.precision": asked.precision,
            "data.sources": [f"train={asked.data}"],
            "training.rows": asked.rows,
            "adapter.from_layer": layer,
            "training.cache_gb": 0,
        }
        self.prepared = prepare(with_settings(RunConfig(), settings), ("nli",))
        self.layer, self.model = layer, _model(self.prepared, Silent())
        self.stepper, self.course = Stepper(self.model, self.prepared.plan), course(self.prepared.rows, self.plan, 1)

    @property
    def plan(self) -> Any:
        return self.prepared.plan

    def keep(self, root: Path) -> None:
        """From now on with what is kept under `root`."""
        trunk = self.model.encoder.trunk
        self.model.encoder.kept = kept_states(root, trunk, self.layer, "cpu", None, print)

    def epoch(self) -> tuple[float, float, int]:
        """Seconds, processor seconds and tokens of an epoch."""
        place, tokens = State(), 0
        self.model.train()
        started = time.perf_counter(), time.process_time()
        while place.epoch == 0:
            turn = self.course.turn(place)
            seed_step(self.plan.seed, place.step, 0)
            self.stepper.step(turn.batches, self.plan.learning_rate, False, 0.0)
            self.course.advance(place, turn)
            tokens += turn.tokens
        return time.perf_counter() - started[0], time.process_time() - started[1], tokens


def peak(asked: argparse.Namespace, arm: str, root: Path) -> float:
    """Gigabytes of a process that trains two epochs of an arm."""
    command = [sys.executable, __file__, str(asked.trunk), str(asked.data), "--rows", str(asked.rows)]
    command += ["--precision", asked.precision, "--layer", str(asked.layer), "--arm", arm, "--root", str(root)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1])


def child(asked: argparse.Namespace) -> None:
    trained = Trained(asked, 0 if asked.arm == ARMS[0] else asked.layer)
    for turn in range(2):
        if asked.arm != ARMS[0]:
            trained.keep(Path(asked.root) / (f"child-{turn}" if asked.arm == ARMS[1] else "0"))
        trained.epoch()
    print(gigabytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


def main() -> None:
    asked = options(__doc__, "trunk", "data", rows=128, turns=3, layer=int, precision="auto", arm="", root="")
    config, _ = trunk_facts(str(asked.trunk))
    asked.layer = asked.layer or config.num_hidden_layers // 2
    if asked.arm:
        child(asked)
        return
    every, upper = Trained(asked, 0), Trained(asked, asked.layer)
    every.epoch()  # warms up
    times: dict[str, list[tuple[float, float]]] = {arm: [] for arm in ARMS}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for turn in range(asked.turns):
            upper.keep(root / str(turn))
            for arm, trained in zip(ARMS, (every, upper, upper), strict=True):
                *seconds, tokens = trained.epoch()
                times[arm].append((seconds[0], seconds[1]))
                print(f"{arm}: {seconds[0]:.1f} s, {seconds[1]:.1f} s of the processor", file=sys.stderr)
        kept = sum(os.stat(path).st_size for path in (root / "0").glob("*/*"))
        peaks = {arm: round(peak(asked, arm, root), 2) for arm in ARMS}
    medians = {arm: [statistics.median(column) for column in zip(*times[arm], strict=True)] for arm in ARMS}
    speed = {arm: round(tokens / medians[arm][0]) for arm in ARMS}
    later = medians[ARMS[2]]
    ratios = {arm: [round(own / new, 2) for own, new in zip(medians[arm], later, strict=True)] for arm in ARMS[:2]}
    fields = {
        "trunk": Path(asked.trunk).name,
        "precision": upper.prepared.trunk.precision,
        "layer": asked.layer,
        "layers": config.num_hidden_layers,
        "rows": asked.rows,
        "tokens": tokens,
        "turns": asked.turns,
        "tokens_per_second": speed,
        "times_as_fast_by_clock_and_processor": ratios,
        "seconds": {arm: [[round(value, 2) for value in pair] for pair in pairs] for arm, pairs in times.items()},
        "peak_gb": peaks,
        "bytes_per_token": round(kept / tokens),
        "bar": BAR,
        "holds": ratios[ARMS[1]][0] >= BAR,
    }
    record("prefix_cache", fields)


if __name__ == "__main__":
    main()
