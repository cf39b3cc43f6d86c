"""Vectors for the mining benchmarks: planted pairs, written to disk a block at a time, and the facts a result is recorded with.

The first `pairs` rows of both sides are pairs, moved to random places: a target is its source, a common direction and noise. Every
other row is a stranger. Blocks have generators of their own, so a file of any size takes little memory to make.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 14
RESULTS = Path(__file__).parent / "results"


def write_side(path: Path, rows: int, width: int, pairs: NDArray[np.int64], *, seed: int, side: int, noise: float = 0.6) -> None:
    """A .npy file of unit vectors [rows, width]; row pairs[i] of both sides is pair i."""
    place = np.full(rows, -1, dtype=np.int64)
    place[pairs] = np.arange(len(pairs))
    common = np.random.default_rng([seed, 2]).standard_normal(width, dtype=np.float32)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, width))
    for start in range(0, rows, BLOCK):
        stop = min(start + BLOCK, rows)
        block = np.random.default_rng([seed, 3 + side, start]).standard_normal((stop - start, width), dtype=np.float32)
        own = place[start:stop]
        if (own >= 0).any():
            shared = np.stack([np.random.default_rng([seed, 5, int(number)]).standard_normal(width, dtype=np.float32) for number in own[own >= 0]])
            block[own >= 0] = shared + noise * block[own >= 0]
        block += common
        array[start:stop] = block / np.linalg.norm(block, axis=1, keepdims=True)
    array.flush()


def planted(folder: Path, rows: int, width: int, *, share: float = 0.1, seed: int = 13) -> tuple[Path, Path, NDArray[np.int64], NDArray[np.int64]]:
    """(source file, target file, source rows, target rows) of planted pairs; made once per folder and settings."""
    draw = np.random.default_rng([seed, 1])
    count = max(1, int(share * rows))
    left, right = (draw.permutation(rows)[:count] for _ in range(2))
    paths = [folder / f"{name}-{rows}x{width}-{share}-{seed}.npy" for name in ("source", "target")]
    for side, (path, numbers) in enumerate(zip(paths, (left, right), strict=True)):
        if not path.exists():
            partial = path.with_suffix(".partial.npy")
            write_side(partial, rows, width, numbers, seed=seed, side=side)
            partial.rename(path)
    return paths[0], paths[1], left, right


def record(name: str, fields: dict[str, Any]) -> None:
    """Print one line of JSON and append it to benchmarks/results/<name>.jsonl."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=Path(__file__).parent).stdout.strip()
    machine = f"{platform.machine()}, {faiss.omp_get_max_threads()} threads, {processor()}"
    versions = {"python": platform.python_version(), "numpy": np.__version__, "faiss": faiss.__version__}
    when, load = datetime.now(UTC).isoformat(timespec="seconds"), [round(mean, 1) for mean in os.getloadavg()]
    facts = {"when": when, "commit": commit, "machine": machine, "load": load, **versions, "command": " ".join(map(_named, sys.argv))}
    line = json.dumps({**facts, **fields})
    print(line)
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


def _named(word: str) -> str:
    """A path by its name alone: where it lay is nobody's business."""
    return Path(word).name if word.startswith(("/", "..")) else word


def processor() -> str:
    """The processor's name and how many of them there are."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} x {names[0] if names else platform.processor() or 'unknown'}"


def gigabytes(kilobytes: int) -> float:
    """Peak memory as the kernel of Linux tells it, in units of 1024 bytes, as GB of 10^9 bytes, which limits are given in."""
    return kilobytes * 1024 / 1e9
