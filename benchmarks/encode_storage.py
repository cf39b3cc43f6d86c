"""What do float16 and int8 storage cost in mining?

Measured on the mining sets of ../shared (BUCC's layout, dev and test) with a trunk alone: how far stored vectors are from the originals (cosine,
and the bound that `retrieval/quantised.py` states), how far the margin scores of the candidate pairs move, how many of the candidates
stay, and F1 on test at the threshold from dev. Not measured: adapters, other layers than the one asked for.

    python benchmarks/encode_storage.py [--trunk ../shared/models/nano-xlmr] [--data ../shared/data/mining] [--pairs de-en sw-en] [--layer N]
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from adapter_stilts.formats.pools import Pools, read_pools
from adapter_stilts.retrieval.bucc import Mined, bucc, mine_pools
from adapter_stilts.retrieval.embed import embed
from adapter_stilts.retrieval.pooling import Vectors
from adapter_stilts.retrieval.protocols import protocol
from adapter_stilts.retrieval.quantised import DTYPES, narrowed, widened
from adapter_stilts.runs.sentence_reader import SentenceReader, sentence_reader

RESULTS = Path(__file__).parent / "results" / "encode_storage.jsonl"
RULES = protocol("own", "bucc2018")


def pools(data: Path, pair: str, split: str) -> Pools:
    return read_pools(*(data / f"{pair}.{split}.{end}.gz" for end in (*pair.split("-"), "gold")))


def mined(both: tuple[Vectors, Vectors], pool: Pools, dtype: str) -> Mined:
    return mine_pools(*(widened(*narrowed(side, dtype)) for side in both), pool, RULES)


def compared(reader: SentenceReader, data: Path, pair: str) -> list[dict[str, object]]:
    """One row per storage type for one pair of languages."""
    found = {split: pools(data, pair, split) for split in ("dev", "test")}
    vectors = {
        split: (embed(reader.encoder, one.source, layer=reader.layer), embed(reader.encoder, one.target, layer=reader.layer)) for split, one in found.items()
    }
    whole, rows = dict[tuple[str, str], float](), []
    for dtype in DTYPES:
        candidates = {split: mined(vectors[split], one, dtype) for split, one in found.items()}
        scores = dict(zip(candidates["test"].ids, candidates["test"].score.tolist(), strict=True))
        whole = whole or scores
        same = set(whole) & set(scores)
        side = vectors["test"][0]
        stored = widened(*narrowed(side, dtype))
        result = bucc(candidates["test"], found["test"].gold, RULES.threshold, dev=candidates["dev"], dev_gold=found["dev"].gold)
        rows.append(
            {
                "pair": pair,
                "dtype": dtype,
                "least_cosine": float(np.einsum("nh,nh->n", stored, side).min()),
                "largest_component": float(np.abs(side).max()),
                "largest_change_of_score": max(abs(whole[pair] - scores[pair]) for pair in same),
                "candidates_kept": len(same) / len(whole),
                **{measure.metric: measure.score for measure in result.measures if measure.metric in ("f1", "f1-oracle")},
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(__file__).resolve().parents[2] / "shared"
    parser.add_argument("--trunk", default=str(shared / "models" / "nano-xlmr"))
    parser.add_argument("--data", type=Path, default=shared / "data" / "mining")
    parser.add_argument("--pairs", nargs="+", default=["de-en", "sw-en"])
    parser.add_argument("--layer", type=int)
    asked = parser.parse_args()
    reader = sentence_reader(None, asked.trunk, layer=asked.layer, precision="fp32")
    rows = [row for pair in asked.pairs for row in compared(reader, asked.data, pair)]
    print(f"{'pair':<8} {'stored':<8} {'least cosine':>12} {'score moves':>12} {'kept %':>7} {'F1 %':>6} {'oracle %':>9}")
    for row in rows:
        numbers = f"{row['least_cosine']:>12.6f} {row['largest_change_of_score']:>12.2g} {100 * row['candidates_kept']:>7.2f}"
        print(f"{row['pair']:<8} {row['dtype']:<8} {numbers} {100 * row['f1']:>6.2f} {100 * row['f1-oracle']:>9.2f}")
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False).stdout.strip()
    document = {"question": "encode_storage", "when": datetime.now(UTC).isoformat(timespec="seconds"), "machine": platform.machine(), "commit": commit}
    document |= {"trunk": Path(asked.trunk).name, "layer": reader.layer, "rows": rows, "command": f"python {' '.join(sys.argv)}"}
    print(json.dumps(document))
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
