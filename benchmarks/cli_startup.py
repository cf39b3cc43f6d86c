"""How long does the command line take to answer? Promise: `--help` in less than half a second.

Measured: wall-clock seconds of whole processes that need no model, beside an interpreter that does nothing, one that
imports torch, and one that makes a model: the miniature with a fresh adapter. Not measured: the very first start, when
Python compiles every module.

    python benchmarks/cli_startup.py [--repeats 15]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from record import options, record

PROGRAM = (sys.executable, "-m", "adapter_stilts_cli")
MODEL = """
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.loading import load_trunk
AdapterEncoder(load_trunk("miniature")).add("a", "seq_bn")
"""
COMMANDS = {
    "python, nothing": (sys.executable, "-c", "pass"),
    "--help": (*PROGRAM, "--help"),
    "train --help": (*PROGRAM, "train", "--help"),
    "list tasks": (*PROGRAM, "list", "tasks"),
    "list kinds": (*PROGRAM, "list", "kinds"),
    "python, import torch": (sys.executable, "-c", "import torch"),
    "python, a trunk and an adapter": (sys.executable, "-c", MODEL),
}


def main() -> None:
    repeats = options(__doc__, repeats=15).repeats
    rows = []
    for name, command in COMMANDS.items():
        taken = []
        for _ in range(repeats + 1):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            taken.append(time.perf_counter() - start)
        del taken[0]  # which warms the file cache
        rows.append({"command": name, "median": statistics.median(taken), "min": min(taken), "max": max(taken)})
    record("cli_startup", {"question": "cli_startup", "repeats": repeats, "rows": rows})


if __name__ == "__main__":
    main()
