"""Does mining stay below its memory limit, and does it find what was planted?

    python benchmarks/mining_out_of_core.py --rows 1000000 --width 256 --limit-gb 4 --index ivf

Measured: the peak memory of `mine` in a process of its own on planted pairs on disk, beside the peak it had planned;
seconds; F1 of the planted pairs. With --kill N a second mining is killed N times, after up to an Nth of the whole time
each, and must end with the same bytes; the state is saved every 30 seconds, so that says little of a short mining.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from mining_data import planted
from record import gigabytes, options, record


def main() -> None:
    folder = Path("/tmp/mining-out-of-core")
    asked = options(__doc__, rows=1_000_000, width=256, limit_gb=4.0, index="exact", kill=0, seed=13, folder=folder)
    asked.folder.mkdir(parents=True, exist_ok=True)
    source, target, left, right = planted(asked.folder, asked.rows, asked.width, seed=asked.seed)
    gold = asked.folder / "gold.tsv"
    gold.write_text("".join(f"{row + 1}\t{other + 1}\n" for row, other in zip(left, right, strict=True)))
    words = ["--source-vectors", str(source), "--target-vectors", str(target), "--gold", str(gold)]
    words += ["--index", asked.index, "--limit-gb", str(asked.limit_gb)]
    whole, seconds, peak = finished(words, asked.folder / "pairs.tsv")
    kills, same = killed(words, asked, seconds) if asked.kill else (0, None)
    fields = {name: value for name, value in vars(asked).items() if name != "folder"}
    fields |= {"seconds": seconds, "peak_gb": peak, "planned_gb": whole["settings"]["planned_peak_bytes"] / 1e9}
    fields |= {"scores": {row["metric"]: row["score"] for row in whole["results"]}}
    record(
        "mining_out_of_core", fields | {"recall": whole["settings"]["recall"], "kills": kills, "same_after_kills": same}
    )


def finished(words: list[str], out: Path) -> tuple[dict, float, float]:  # type: ignore[type-arg]
    """The report of one mining in a process of its own, its seconds and its peak in GB."""
    start = time.perf_counter()
    with started(words, out) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, process.returncode
    seconds, report = time.perf_counter() - start, out.with_name(f"{out.name}.report.json")
    return json.loads(report.read_text()), seconds, gigabytes(used.ru_maxrss)


def killed(words: list[str], asked: argparse.Namespace, seconds: float) -> tuple[int, bool]:
    """How many runs were really killed, at moments drawn from the whole time; whether the last ended with the same."""
    out, draw, kills = asked.folder / "killed.tsv", random.Random(asked.seed), 0
    for _ in range(asked.kill):
        with started(words, out) as process:
            time.sleep(draw.uniform(0, 1) * seconds / asked.kill)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
    finished(words, out)
    return kills, out.read_bytes() == (asked.folder / "pairs.tsv").read_bytes()


def started(words: list[str], out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "adapter_stilts_cli", "mine", *words, "-o", str(out), "--overwrite"])


if __name__ == "__main__":
    main()
