"""The demo over several seeds: does its verdict hold when the draws of rows, order and weights are others?

Measured: the rows of `adapter-stilts demo --repeats`, and beside them the t interval of each arm's mean over seeds. Not
measured: anything about XLM-R, or another trunk than the embedded one. Finished runs under --out are taken up again.

    python benchmarks/demo_seeds.py --seeds 5     # four to six minutes of processor time a seed
"""

from __future__ import annotations

from pathlib import Path

from adapter_stilts_cli.progress import reporter
from record import options, record

from adapter_stilts.errors import StiltsError
from adapter_stilts.miniature.datasets import VERSION, fingerprint
from adapter_stilts.statistics.intervals import seed_interval
from adapter_stilts.studies.demo import demo


def main() -> None:
    asked = options(__doc__, seeds=5, seed=13, out=Path("runs/demo-seeds"))
    draws = {"seed": asked.seed, "repeats": asked.seeds}
    try:
        document = demo(out=asked.out, overwrite=False, dry_run=False, report=reporter(), **draws)
    except StiltsError as error:
        raise SystemExit(str(error)) from error
    rows = [*document["target"], *document["retrieval"]]
    rows = [{**row, "seed_interval": seed_interval(row["by_seed"])} for row in rows]
    for row in rows:
        low, high = row["seed_interval"] or (float("nan"), float("nan"))
        scores = f"{100 * row['score']:5.1f} %  over seeds {100 * low:5.1f} to {100 * high:5.1f}"
        print(f"{row['task']:10} {row['arm']:45} {scores}")
    text = {"version": VERSION, "fingerprint": fingerprint()}
    record("demo_seeds", {"text": text, "seeds": document["seeds"], "rows": rows})


if __name__ == "__main__":
    main()
