"""Training speed and memory beside AdapterTrainer and peft on the same trunk, rows, steps, rows a step and rate.

    python benchmarks/training_against_peers.py TRUNK ROWS.jsonl --their-python VENV/bin/python [--steps 30]

ROWS are premises, hypotheses and labels; the last 1,000 are the validation. Sides take turns, each in a process of its
own: ours (seq_bn, lora), AdapterTrainer as documented (padded to 128, float32) and tuned, peft's LoRA under
transformers' Trainer, tuned (their_training.py says how). Measured, after the first steps: tokens a second that are no
padding, peak memory of the process, accuracy on the validation rows; of ours also the share that the products with the
trunk's weights take of what a plain bf16 product of that width gives in the same process. Medians over --repeats; one
row a side and repeat goes to results/training_against_peers.jsonl. Loading and evaluation are not timed. Theirs live in
an environment of their own: pip install torch adapters peft, transformers below 5.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from record import options, record

NAME = "training_against_peers"
THEIRS = Path(__file__).with_name("their_training.py")
PAIRS = {"ours": ("adapters-documented", "adapters-tuned"), "ours-lora": ("peft-tuned",)}
WARM, VALIDATION = 3, 1000
OURS = """
import json, sys, time, torch
import adapter_stilts as stilts
trunk, folder, kind, steps, rows = sys.argv[1:]
run = stilts.train("nli", trunk=trunk, kind=kind, language="en", out=f"{folder}/run", seed=13,
    data=[f"train={folder}/train.jsonl", f"validation={folder}/validation.jsonl"],
    settings={"training.max_steps": int(steps), "training.batch_rows": int(rows), "training.log_steps": 1,
        "training.evaluate_steps": int(steps), "training.checkpoint_steps": 100000, "training.learning_rate": 1e-3,
        "training.validation_rows": None, **({"adapter.settings": {"r": 8, "alpha": 8}} if kind == "lora" else {})})
manifest = json.load(open(f"{folder}/run/manifest.json"))
rows = [json.loads(line) for line in open(f"{folder}/run/metrics.jsonl")]
logged = [row for row in rows if "tokens" in row]
width = manifest["trunk"]["hidden"]
inputs, weight = (torch.randn(2048, width).bfloat16(), torch.randn(4 * width, width).bfloat16())
taken = []
for _ in range(30):
    start = time.perf_counter()
    torch.nn.functional.linear(inputs, weight)
    taken.append(time.perf_counter() - start)
print(json.dumps({"tokens": logged[-1]["tokens"] - logged[WARM - 1]["tokens"],
    "seconds": logged[-1]["seconds"] - logged[WARM - 1]["seconds"], "peak_gb": manifest["peak_memory"] / 1e9,
    "accuracy": next(row["score"] for row in reversed(rows) if "score" in row),
    "product_rate": 2 * 2048 * 4 * width * width / sorted(taken)[15] / 1e9,
    "weights": 12 * width * width * manifest["trunk"]["layers"]}))
""".replace("WARM", str(WARM))


def main() -> None:
    asked = options(__doc__, "trunk", "rows", their_python=str, steps=30, rows_a_step=32, repeats=3, sides=("",))
    every = [side for mine, others in PAIRS.items() for side in (mine, *others)]
    sides = [side for side in asked.sides if side] or every
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for repeat in range(asked.repeats):
        for side in sides:
            measured = ours(asked, side) if side in PAIRS else theirs(asked, side)
            measured["tokens_a_second"] = measured["tokens"] / measured["seconds"]
            if "weights" in measured:  # forward, and backward to what goes in, of every layer but the lowest
                work = 4 * measured["weights"] * measured["tokens_a_second"] / 1e9
                measured["share_of_product_rate"] = work / measured["product_rate"]
            found[side].append(measured)
            how = {"trunk": asked.trunk.name, "side": side, "repeat": repeat, "steps": asked.steps}
            how["rows_a_step"] = asked.rows_a_step
            record(NAME, how | {key: round(value, 4) for key, value in measured.items()})
    for mine, others in PAIRS.items():
        for other in others:
            if found[mine] and found[other]:
                print(compared(mine, found[mine], other, found[other]))


def compared(mine: str, ours: list[dict[str, Any]], other: str, theirs: list[dict[str, Any]]) -> str:
    middle = {
        key: [statistics.median(row[key] for row in rows) for rows in (ours, theirs)]
        for key in ("tokens_a_second", "peak_gb", "accuracy")
    }
    speed, memory, right = middle["tokens_a_second"], middle["peak_gb"], middle["accuracy"]
    return (
        f"{mine} against {other}: {speed[0]:.0f} and {speed[1]:.0f} tokens/s, {speed[0] / speed[1]:.2f}x; "
        f"{memory[0]:.2f} and {memory[1]:.2f} GB, {memory[0] / memory[1]:.2f}x; "
        f"accuracy {100 * right[0]:.1f} and {100 * right[1]:.1f}"
    )


def ours(asked: Any, side: str) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp())
    lines = asked.rows.read_text(encoding="utf-8").split("\n")[:-1]
    for split, part in {"train": lines[:-VALIDATION], "validation": lines[-VALIDATION:]}.items():
        (folder / f"{split}.jsonl").write_text("\n".join(part) + "\n", encoding="utf-8")
    kind = "lora" if side.endswith("lora") else "seq_bn"
    given = [str(asked.trunk), str(folder), kind, str(asked.steps), str(asked.rows_a_step)]
    try:
        return _last_line([sys.executable, "-c", OURS, *given])
    finally:
        shutil.rmtree(folder)


def theirs(asked: Any, side: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(shutil.copy(asked.rows, folder))
        given = [side, str(asked.trunk), str(rows), str(asked.steps), str(asked.rows_a_step)]
        return _last_line([asked.their_python, str(THEIRS), *given])


def _last_line(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    measured: dict[str, Any] = json.loads(done.stdout.strip().split("\n")[-1])
    return measured


if __name__ == "__main__":
    main()
