"""Does the memory of `encode` depend on the length of the file, and is it below what `--limit-gb` reckons with?

Measured: peak resident memory of whole processes that encode generated files of growing length with the miniature
trunk, all sentences different, beside the bound of `mining/memory.py`. Layer 0 is the embedding alone, so that a long
file takes minutes; layers above add one batch of activations, which does not depend on the file.

    python benchmarks/encode_memory.py [--rows 20000 80000 320000] [--shard-rows 8192] [--layer 0]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from record import options, record

from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.mining.memory import memory
from adapter_stilts.retrieval.reading import Reading

WORDS = ("the", "old", "train", "leaves", "Rome", "at", "seven", "and", "nobody", "knows", "why", "it", "waits", "here")


def sentence(number: int) -> str:
    return f"{' '.join(WORDS[(number * 7 + place * place) % 14] for place in range(4 + number % 13))} {number}.\n"


def main() -> None:
    asked = options(__doc__, rows=(20_000, 80_000, 320_000), shard_rows=8192, layer=0)
    encoder = AdapterEncoder(load_trunk("miniature", layers=asked.layer))
    reading = Reading((asked.layer,), max_length=encoder.trunk.config.max_length)
    verb = [sys.executable, "-m", "adapter_stilts_cli", "encode", "--json"]
    verb += ["--layer", str(asked.layer), "--shard-rows", str(asked.shard_rows)]
    rows = []
    for count in asked.rows:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sentences.txt"
            path.write_text("".join(map(sentence, range(count))), encoding="utf-8")
            command = [*verb, str(path), "-o", str(path.with_suffix(""))]  # a process of its own, whose peak it tells
            made = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            size, peak, speed = path.stat().st_size, int(made["peak_memory"]), made["sentences_per_second"]
        bound = sum(memory(encoder, reading, rows=count, shard_rows=asked.shard_rows).values())
        rows.append({"rows": count, "file": size, "peak": peak, "bound": bound, "sentences_per_second": speed})
    record("encode_memory", {"shard_rows": asked.shard_rows, "layer": asked.layer, "rows": rows})


if __name__ == "__main__":
    main()
