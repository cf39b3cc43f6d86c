"""What `plan` foresees against what trainings hold: peak memory, and seconds a step by its probe.

    python benchmarks/plan_accuracy.py ROWS.jsonl TRUNK [TRUNK ...] [--probe]

Each setting is a training of a few steps in a process of its own, on the first 2,000 rows; what it says of itself
(manifest.json) is compared with `foresee`. Trunks are folders: shapes of XLM-R Base and Large may have random weights.
One row a setting goes to results/plan_accuracy.jsonl.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from record import record

from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.forecast.foresee import Rows, foresee

NAME = "plan_accuracy"
SETTINGS: list[dict[str, Any]] = [
    {"kind": kind, "tokens": tokens, "length": length, "precision": precision, "again": again}
    for kind, tokens, length, precision, again in (
        ("seq_bn", 2048, 128, "bf16", False),
        ("seq_bn", 512, 64, "bf16", False),
        ("lora", 2048, 128, "bf16", False),
        ("seq_bn", 4096, 128, "bf16", True),
        ("double_seq_bn", 1024, 128, "bf16", False),
        ("seq_bn", 1024, 128, "fp32", False),
        ("lora", 1024, 64, "fp32", True),
        ("ia3", 1024, 128, "bf16", False),
    )
]
STEPS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("trunks", type=Path, nargs="+")
    parser.add_argument("--settings", type=int, default=len(SETTINGS))
    parser.add_argument("--probe", action="store_true")
    asked = parser.parse_args()
    for trunk in asked.trunks:
        for setting in SETTINGS[: asked.settings]:
            record(NAME, {"trunk": trunk.name, **setting, **compared(trunk, asked.rows, setting, asked.probe)})


def compared(trunk: Path, rows: Path, setting: dict[str, Any], probe: bool) -> dict[str, Any]:
    """Peak memory of a training, in GB, and what was foreseen of it."""
    settings = {
        "training.max_steps": STEPS,
        "training.token_budget": setting["tokens"],
        "training.max_length": setting["length"],
        "training.gradient_checkpointing": setting["again"],
        "trunk.precision": setting["precision"],
        "trunk.name": str(trunk),
        "adapter.kind": setting["kind"],
    }
    folder = Path(tempfile.mkdtemp())
    lines = rows.read_text(encoding="utf-8").splitlines()
    for split, part in {"train": lines[:2000], "validation": lines[2000:2200]}.items():
        (folder / f"{split}.jsonl").write_text("\n".join(part) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "adapter_stilts_cli", "train", "nli", "-o", str(folder / "run")]
    command += ["--language", "en"]
    command += [word for split in ("train", "validation") for word in ("--data", f"{split}={folder / split}.jsonl")]
    command += [word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    subprocess.run(command, check=True, capture_output=True)
    manifest = json.loads((folder / "run" / "manifest.json").read_text(encoding="utf-8"))
    journal = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    shutil.rmtree(folder)
    trained = next(row for row in reversed(journal) if "tokens" in row)
    config = with_settings(RunConfig(), settings)
    mean = trained["tokens"] / trained["step"] / setting["tokens"]
    given = Rows(2000, min(45.0, setting["length"] * mean), 3)
    told = foresee(config, "nli", given, probe=probe, report=Silent())
    peak = manifest["peak_memory"] / 1e9
    found = {"measured": round(peak, 3), "foreseen": round(told.bytes / 1e9, 3)}
    found["ratio"] = round(found["foreseen"] / found["measured"], 3)
    parts = {cause: round(size / 1e9, 3) for cause, size in told.memory.items()}
    seconds = {"step_seconds": round(trained["seconds"] / trained["step"], 3)}
    if told.measured:
        seconds["probed_step_seconds"] = round(told.measured["seconds"], 3)
    return {**found, "parts": parts, **seconds}


if __name__ == "__main__":
    main()
