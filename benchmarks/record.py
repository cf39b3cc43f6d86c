"""What every result is recorded with: when, by which command and commit, on which machine, with which versions."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
VERSIONS = {"numpy": "numpy", "faiss": "faiss-cpu", "torch": "torch"}


def record(name: str, fields: Mapping[str, Any]) -> None:
    """Print one line of JSON and append it to benchmarks/results/<name>.jsonl."""
    line = json.dumps({**facts(), **fields})
    print(line)
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


def facts() -> dict[str, Any]:
    """The circumstances of a measurement."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent
    ).stdout.strip()
    threads = os.environ.get("OMP_NUM_THREADS") or os.cpu_count()
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit or "unknown",
        "machine": f"{platform.machine()}, {threads} threads, {processor()}",
        "load": [round(mean, 1) for mean in os.getloadavg()],
        "python": platform.python_version(),
        **{name: version(package) for name, package in VERSIONS.items()},
        "command": " ".join(map(_named, sys.argv)),
    }


def processor() -> str:
    """The processor's name and how many of them there are."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} x {names[0] if names else platform.processor() or 'unknown'}"


def _named(word: str) -> str:
    """A path by its name alone: where it lay is nobody's business."""
    return Path(word).name if word.startswith(("/", "..")) else word
