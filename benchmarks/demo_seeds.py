"""The demo over several seeds: does its verdict hold when the draws of rows, order and weights are others?

Measured: every arm of `adapter-stilts demo` under each seed, the mean over seeds, and gains with intervals over seeds, languages and rows
(nested bootstrap); beside them the t interval of each arm's mean over seeds. Not measured: anything about XLM-R, or another trunk than
the embedded one, which is the same under every seed. Finished runs under --out are taken up again.

    python benchmarks/demo_seeds.py --seeds 5     # four to six minutes of processor time a seed
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapter_stilts_cli.progress import reporter

from adapter_stilts.errors import StiltsError
from adapter_stilts.miniature.datasets import VERSION, fingerprint
from adapter_stilts.statistics.intervals import seed_interval
from adapter_stilts.study.demo import demo

RESULTS = Path(__file__).resolve().parent / "results" / "demo_seeds.jsonl"


def main() -> None:
    options = _options()
    try:
        found = demo(out=options.out, seed=options.seed, overwrite=False, dry_run=False, report=reporter(), repeats=options.seeds)
    except StiltsError as error:
        raise SystemExit(str(error)) from error
    rows = summary([*found["target"], *found["retrieval"]])
    for row in rows:
        low, high = row["seed_interval"] or (float("nan"), float("nan"))
        print(f"{row['task']:10} {row['arm']:45} {100 * row['score']:5.1f} %  over seeds {100 * low:5.1f} to {100 * high:5.1f}")
    line = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": platform.machine()}
    line |= {"text": {"version": VERSION, "fingerprint": fingerprint()}, "seeds": found["seeds"], "rows": rows}
    with RESULTS.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def summary(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The demo's rows, each with the t interval of its mean over seeds (None for one seed)."""
    return [{**row, "seed_interval": seed_interval(row["by_seed"])} for row in rows]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="how many, from --seed on")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--out", type=Path, default=Path("runs") / "demo-seeds")
    return parser.parse_args()


if __name__ == "__main__":
    main()
