"""A trunk in fp32, bf16, int8 and nf4: memory, speed, and how far its states are from those in fp32.

    python benchmarks/quantised_trunks.py TRUNK [TRUNK ...] [--steps 6]

Each precision works in a process of its own, on the same rows of random tokens (32 rows of 64), with a fresh seq_bn:
memory held once the trunk is loaded and at most in training, seconds of a step (the median), and, over real sentences
of the miniature, the relative distance and the least cosine of a token's last state to fp32's. One row a precision goes
to results/quantised_trunks.jsonl.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from record import record

NAME = "quantised_trunks"
PRECISIONS = ("fp32", "bf16", "int8", "nf4")
WORK = """
import json, statistics, sys, time
import numpy as np, torch
from adapter_stilts.encoder.composition import parse
from adapter_stilts.encoder.heads import build_head
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.environment import peak_memory
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.sources import load
from adapter_stilts.tasks.user import find_task

def held():
    lines = open("/proc/self/status").read().split("\\n")
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024 / 1e9

name, precision, steps, states = sys.argv[1:]
trunk = load_trunk(name, precision=precision)
rows = load(find_task("nli"), "validation", "en", Where(kind="miniature")).examples[:64]
batch = trunk.tokenizer([row.text for row in rows], padding=True, return_tensors="pt")
trunk.release_tokenizer()
loaded = held()
encoder = AdapterEncoder(trunk)
with torch.inference_mode():
    hidden = encoder.eval().hidden(batch["input_ids"], batch["attention_mask"])
np.save(states, hidden[batch["attention_mask"].bool()].numpy())
encoder.add("a", "seq_bn", {}, seed=1)
encoder.activate(parse("a"))
model = TaskModel(encoder, build_head("pair", trunk.config.hidden_size, 3, seed=1), "pair").train()
model.train_parts(["a"])
draw = torch.Generator().manual_seed(0)
ids = torch.randint(5, trunk.config.vocab_size, (32, 64), generator=draw)
given = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.randint(0, 3, (32,), generator=draw)}
taken = []
for _ in range(int(steps)):
    start = time.perf_counter()
    parts = model.loss_parts(given)
    (parts.total / parts.targets).backward()
    taken.append(time.perf_counter() - start)
print(json.dumps({"loaded_gb": loaded, "peak_gb": peak_memory("cpu") / 1e9,
    "step_seconds": statistics.median(taken[1:]), "rounding": trunk.rounding}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trunks", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, default=6)
    asked = parser.parse_args()
    for trunk in asked.trunks:
        with tempfile.TemporaryDirectory() as folder:
            exact: Any = None
            for precision in PRECISIONS:
                path = Path(folder) / f"{precision}.npy"
                command = [sys.executable, "-c", WORK, str(trunk), precision, str(asked.steps), str(path)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    sys.exit(done.stderr[-2000:])
                measured = json.loads(done.stdout.strip().split("\n")[-1])
                states = np.load(path).astype(np.float64)
                exact = states if exact is None else exact
                lengths = np.linalg.norm(states, axis=1) * np.linalg.norm(exact, axis=1)
                measured["distance"] = float(np.linalg.norm(states - exact) / np.linalg.norm(exact))
                measured["least_cosine"] = float(((states * exact).sum(1) / lengths).min())
                rounded = {key: round(value, 5) for key, value in measured.items()}
                record(NAME, {"trunk": trunk.name, "precision": precision, **rounded})


if __name__ == "__main__":
    main()
