"""What do float16 and int8 storage cost in mining?

Measured on the mining sets of ../shared (BUCC's layout, dev and test) with a trunk alone: how far stored vectors are
from the originals, how far the margin scores of the candidate pairs move, how many of the candidates stay, and F1 on
test at the threshold from dev.

    python benchmarks/encode_storage.py [--trunk ../shared/models/nano-xlmr] [--pairs de-en sw-en] [--layer N]
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from record import options, record

from adapter_stilts.formats.pools import read_pools
from adapter_stilts.retrieval.embed import embed
from adapter_stilts.retrieval.pools import gold_of, mine_pools, named
from adapter_stilts.retrieval.protocols import protocol
from adapter_stilts.retrieval.reading import Reading
from adapter_stilts.retrieval.stored.arrays import DTYPES, narrowed, widened
from adapter_stilts.runs.subject import SentenceReader, sentence_reader

RULES = protocol("own", "bucc2018")


def compared(reader: SentenceReader, data: Path, pair: str) -> list[dict[str, object]]:
    """One row per storage type for one pair of languages."""
    ends = (*pair.split("-"), "gold")
    sets = [read_pools(*(data / f"{pair}.{split}.{end}.gz" for end in ends)) for split in ("dev", "test")]
    how, layer = Reading((reader.layer,)), reader.layer
    vectors = [[embed(reader.encoder, side, how)[layer] for side in (pool.source, pool.target)] for pool in sets]
    gold = [gold_of(pool) for pool in sets]
    whole, rows = dict[tuple[str, str], float](), []
    for dtype in DTYPES:
        stored = [[widened(**narrowed(side, dtype)) for side in sides] for sides in vectors]
        dev, test = (mine_pools(*sides, pool, RULES) for sides, pool in zip(stored, sets, strict=True))
        scores = dict(zip(named(test, sets[1]), test.score.tolist(), strict=True))
        whole = whole or scores
        same = set(whole) & set(scores)
        f1, *_ = gold[1].measures(test.above(gold[0].best(dev, RULES.threshold).threshold))
        oracle, *_ = gold[1].oracle(test, RULES.threshold)
        row = {
            "least_cosine": float(np.einsum("nh,nh->n", stored[1][0], vectors[1][0]).min()),
            "largest_component": float(np.abs(vectors[1][0]).max()),
            "largest_change_of_score": max(abs(whole[ids] - scores[ids]) for ids in same),
            "candidates_kept": len(same) / len(whole),
        }
        rows.append({"pair": pair, "dtype": dtype, **row, "f1": f1.score, "f1-oracle": oracle.score})
    return rows


def main() -> None:
    shared = Path(__file__).resolve().parents[2] / "shared"
    trunk, data = str(shared / "models" / "nano-xlmr"), str(shared / "data" / "mining")
    asked = options(__doc__, trunk=trunk, data=data, pairs=("de-en", "sw-en"), layer=int)
    reader = sentence_reader(None, asked.trunk, layer=asked.layer, precision="fp32")
    rows = [row for pair in asked.pairs for row in compared(reader, Path(asked.data), pair)]
    record("encode_storage", {"trunk": Path(asked.trunk).name, "layer": reader.layer, "rows": rows})


if __name__ == "__main__":
    main()
