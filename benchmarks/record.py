"""What every result of a benchmark is recorded with, one JSON line a run: machine, load, versions, time, command."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
VERSIONS = {"numpy": "numpy", "faiss": "faiss-cpu", "torch": "torch"}


def options(doc: str, *paths: str, **defaults: Any) -> argparse.Namespace:
    """The command line of a benchmark: paths, and an option for each default, of its type; a type alone has no default,
    False is a switch, of a tuple there may be several."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in paths:
        parser.add_argument(name, type=Path)
    for name, value in defaults.items():
        flag = f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"
        if value is False:
            parser.add_argument(flag, action="store_true")
            continue
        several = {"nargs": "+"} if isinstance(value, tuple) else {}
        kind = value if isinstance(value, type) else type((*value, "")[0] if several else value)
        parser.add_argument(flag, type=kind, default=None if kind is value else value, **several)
    return parser.parse_args()


def record(name: str, fields: dict[str, Any]) -> None:
    """Print one line of JSON and append it to benchmarks/results/<name>.jsonl."""
    line = json.dumps({**facts(), **fields})
    print(line)
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


def recorded(name: str) -> list[dict[str, Any]]:
    """The lines of benchmarks/results/<name>.jsonl; none where there is no such file."""
    path = RESULTS / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def facts() -> dict[str, Any]:
    """The circumstances of a measurement."""
    git = ["git", "-C", str(RESULTS.parent), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    threads = os.environ.get("OMP_NUM_THREADS") or os.cpu_count()
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "machine": f"{platform.machine()}, {threads} threads, {processor()}",
        "load": [round(mean, 1) for mean in os.getloadavg()],
        "python": platform.python_version(),
        **{short: version(package) for short, package in VERSIONS.items()},
        "command": " ".join(map(_named, sys.argv)),
    }


def processor() -> str:
    """The processor's name and how many of them there are."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} x {names[0] if names else platform.processor() or 'unknown'}"


def gigabytes(kilobytes: int) -> float:
    """Peak memory as the kernel of Linux tells it, in units of 1024 bytes, in the units of 10^9 that limits have."""
    return kilobytes * 1024 / 1e9


def _named(word: str) -> str:
    """A path by its name alone: where it lay is nobody's business."""
    return Path(word).name if word.startswith(("/", "..")) else word
