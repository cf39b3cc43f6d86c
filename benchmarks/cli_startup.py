"""How long does the command line take to answer?

Measured: wall-clock seconds of whole processes, from start to exit, for answers that need no model: `--help`, a
verb's `--help`, `list tasks`, `list kinds`, and for comparison an interpreter that does nothing and one that imports
torch. Promise: `--help` in less than half a second. Not measured: anything that loads a trunk, and the very first
start after installation, when Python compiles every module.

    python benchmarks/cli_startup.py [--repeats 15]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from record import options, record

PROGRAM = (sys.executable, "-m", "adapter_stilts_cli")
COMMANDS = {
    "python, nothing": (sys.executable, "-c", "pass"),
    "--help": (*PROGRAM, "--help"),
    "train --help": (*PROGRAM, "train", "--help"),
    "list tasks": (*PROGRAM, "list", "tasks"),
    "list kinds": (*PROGRAM, "list", "kinds"),
    "python, import torch": (sys.executable, "-c", "import torch"),
}


def seconds(command: tuple[str, ...], repeats: int) -> list[float]:
    """Wall-clock seconds of each repeat, after one that warms the file cache."""
    taken = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - start)
    return taken[1:]


def main() -> None:
    repeats = options(__doc__, repeats=15).repeats
    rows = []
    print(f"{'command':<22} {'median s':>9} {'min s':>7} {'max s':>7}")
    for name, command in COMMANDS.items():
        taken = seconds(command, repeats)
        rows.append({"command": name, "median": statistics.median(taken), "min": min(taken), "max": max(taken)})
        print(f"{name:<22} {rows[-1]['median']:>9.3f} {rows[-1]['min']:>7.3f} {rows[-1]['max']:>7.3f}")
    record("cli_startup", {"question": "cli_startup", "repeats": repeats, "rows": rows})


if __name__ == "__main__":
    main()
