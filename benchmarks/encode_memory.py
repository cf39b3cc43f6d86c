"""Does the memory of `encode` depend on the length of the file, and is it below what `--limit-gb` reckons with?

Measured: peak resident memory (ru_maxrss) of whole processes that encode generated files of growing length with the miniature trunk, all
sentences different, beside the bound of `mining/memory.py`. Layer 0 is the embedding alone, so that a long file takes minutes;
layers above add one batch of activations, which does not depend on the file. Not measured: speed, other trunks.

    python benchmarks/encode_memory.py [--rows 20000 80000 320000] [--shard-rows 8192] [--layer 0]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from record import record

from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk import load_trunk
from adapter_stilts.mining.encode import REMEMBERED
from adapter_stilts.mining.memory import memory

WORDS = ("the", "old", "train", "leaves", "Rome", "at", "seven", "and", "nobody", "knows", "why", "it", "waits", "here")


def write(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as stream:
        for number in range(rows):
            stream.write(" ".join(WORDS[(number * 7 + place * place) % 14] for place in range(4 + number % 13)) + f" {number}.\n")


def measured(path: Path, shard_rows: int, layer: int) -> dict[str, object]:
    """What the verb says of itself after encoding a file in a process of its own."""
    command = [sys.executable, "-m", "adapter_stilts_cli", "encode", str(path), "-o", str(path.with_suffix("")), "--layer", str(layer), "--json"]
    found = subprocess.run([*command, "--shard-rows", str(shard_rows)], check=True, capture_output=True, text=True)
    document: dict[str, object] = json.loads(found.stdout)
    return document


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 80_000, 320_000])
    parser.add_argument("--shard-rows", type=int, default=8192)
    parser.add_argument("--layer", type=int, default=0)
    asked = parser.parse_args()
    encoder = AdapterEncoder(load_trunk("miniature", layers=asked.layer))
    rows = []
    print(f"{'rows':>9} {'file MB':>8} {'peak MB':>8} {'bound MB':>9}  sentences/s")
    for count in asked.rows:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sentences.txt"
            write(path, count)
            found, size = measured(path, asked.shard_rows, asked.layer), path.stat().st_size
        facts = {"rows": count, "shard_rows": asked.shard_rows, "token_budget": 2048, "max_length": encoder.trunk.max_length, "remembered": REMEMBERED}
        bound = sum(memory(encoder, **facts).values())
        rows.append({"rows": count, "file": size, "peak": found["peak_memory"], "bound": bound, "sentences_per_second": found["sentences_per_second"]})
        print(f"{count:>9} {size / 1e6:>8.1f} {int(str(found['peak_memory'])) / 1e6:>8.0f} {bound / 1e6:>9.0f}  {found['sentences_per_second']}")
    record("encode_memory", {"shard_rows": asked.shard_rows, "layer": asked.layer, "rows": rows})


if __name__ == "__main__":
    main()
