"""Encoding and mining beside sentence-transformers on the same trunk and text, and Tatoeba beside mteb's evaluator on
the same vectors.

    python benchmarks/mining_against_sentence_transformers.py --their-python VENV/bin/python

Measured: sentences per second from text to unit vectors (last layer, mean pooling, float32; ours also in bf16), one
after the other, --repeats times, medians; how far the vectors differ; pairs, seconds from vectors to them, and F1 on
test at the threshold of dev, of our mining, of sentence-transformers' way of bitext mining and of its
`paraphrase_mining`, all scored by the same function; accuracy of mteb's BitextMiningEvaluator on our vectors of the
languages of Tatoeba, all or the first --tatoeba. Loading is not counted. Theirs live in an environment of their own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from record import options, record

from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.formats.pools import Pools, read_pools
from adapter_stilts.retrieval.embed import embed
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.retrieval.pools import gold_of, mine_pools, named
from adapter_stilts.retrieval.protocols import protocol
from adapter_stilts.retrieval.reading import Reading
from adapter_stilts.retrieval.tatoeba import tatoeba
from adapter_stilts.runs.subject import sentence_reader
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.sources import languages_of, load
from adapter_stilts.tasks.user import find_task

THEIRS = Path(__file__).with_name("their_mining.py")
RULES = protocol("own", "bucc2018")
BITEXT = "sentence-transformers, bitext"


def main() -> None:
    paths = {"data": Path("../shared/data"), "folder": Path("/tmp/mining-theirs")}
    models = {"their_python": str, "trunk": "../shared/models/nano-xlmr"}
    asked = options(__doc__, languages="de,sw,zh", tatoeba=int, repeats=3, **models, **paths)
    versions = theirs(asked, "versions")["versions"]
    asked.folder.mkdir(parents=True, exist_ok=True)
    for old in asked.folder.glob("*.*.*.txt"):  # of other languages, asked for before
        old.unlink()
    languages = asked.languages.split(",")
    pools = {name: gold_pools(asked.data / "mining", name) for code in languages for name in names_of(code)}
    for name, pool in pools.items():
        for side, texts in (("x", pool.source), ("en", pool.target)):
            lines = "".join(f"{' '.join(text.split())}\n" for text in texts)
            (asked.folder / f"{name}.{side}.txt").write_text(lines, encoding="utf-8")
    speed, vectors, differ = encoded(asked)
    fields = {"languages": languages, "repeats": asked.repeats, "versions": versions, "sentences_per_second": speed}
    fields |= {"largest_difference_of_vectors": differ, "mining": mined(asked, pools, vectors, languages)}
    record("mining_against_sentence_transformers", fields | {"tatoeba": cross_checked(asked)})


def encoded(asked: argparse.Namespace) -> tuple[dict[str, Any], dict[str, np.ndarray], float]:
    """Sentences per second of each, alternating; our float32 vectors by file; the largest difference of a component."""
    readers = {kind: sentence_reader(None, asked.trunk, layer=6, precision=kind) for kind in ("fp32", "bf16")}
    paths = sorted(asked.folder.glob("*.txt"))
    texts = {path.stem: path.read_text(encoding="utf-8").split("\n")[:-1] for path in paths}
    rates: dict[str, list[float]] = {"ours fp32": [], "sentence-transformers fp32": [], "ours bf16": []}
    vectors: dict[str, np.ndarray] = {}
    for _ in range(asked.repeats):
        for kind, reader in readers.items():
            vectors_of(reader.encoder, ["Warm up."] * 64, reader.layer)
            start = time.perf_counter()
            made = {name: vectors_of(reader.encoder, own, reader.layer) for name, own in texts.items()}
            rates[f"ours {kind}"].append(sum(map(len, texts.values())) / (time.perf_counter() - start))
            vectors = made if kind == "fp32" else vectors
        encoding = theirs(asked, "encode", asked.trunk, str(asked.folder))
        rates["sentence-transformers fp32"].append(encoding["sentences"] / encoding["seconds"])
    other = {name: np.load(asked.folder / f"{name}.theirs.npy") for name in vectors}
    differ = max(float(np.abs(own - other[name]).max()) for name, own in vectors.items())
    speed = {name: {"median": statistics.median(values), "all": values} for name, values in rates.items()}
    return speed, vectors, differ


def mined(
    asked: argparse.Namespace, pools: Mapping[str, Pools], vectors: Mapping[str, np.ndarray], languages: Sequence[str]
) -> dict[str, Any]:
    """Pairs kept on test, F1 at the threshold of dev, and seconds, by way of mining and language."""
    ways: dict[str, dict[str, Pairs]] = {"ours": {}}
    seconds: dict[str, dict[str, float]] = {"ours": {}}
    for name, pool in pools.items():
        start = time.perf_counter()
        ways["ours"][name] = mine_pools(vectors[f"{name}.x"], vectors[f"{name}.en"], pool, RULES)
        seconds["ours"][name] = time.perf_counter() - start
    taken = theirs(asked, "mine", str(asked.folder), *pools)["seconds"]
    for way, short in ((BITEXT, "bitext"), ("sentence-transformers, paraphrase_mining", "paraphrase")):
        seconds[way] = taken[short]
        ways[way] = {name: their_pairs(asked.folder / f"{name}.{short}.tsv") for name in pools}
    table: dict[str, dict[str, dict[str, Any]]] = {way: {} for way in ways}
    for way, code in product(ways, languages):
        (dev, gold_dev), (test, gold) = ((ways[way][name], gold_of(pools[name])) for name in names_of(code))
        kept = test.above(gold_dev.best(dev).threshold)
        scores = {measure.metric: measure.score for measure in gold.measures(kept)}
        spent = sum(seconds[way][name] for name in names_of(code))
        table[way][code] = {**scores, "f1_oracle": gold.best(test).f1, "pairs": len(kept), "seconds": spent}
    same = {}
    for code in languages:
        ours, other = (set(named(ways[way][f"{code}.test"], pools[f"{code}.test"])) for way in ("ours", BITEXT))
        same[code] = len(ours & other) / max(1, len(ours))
    return {"ways": table, "share_of_our_candidates_in_their_bitext": same}


def names_of(code: str) -> tuple[str, str]:
    return f"{code}.dev", f"{code}.test"


def their_pairs(path: Path) -> Pairs:
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    source, target = (np.array([int(row[side]) for row in rows], dtype=np.int64) for side in (1, 2))
    return Pairs(source, target, np.array([float(score) for score, *_ in rows]))


def cross_checked(asked: argparse.Namespace) -> dict[str, Any]:
    """Our accuracies of Tatoeba and those of mteb's evaluator, on the same vectors at the protocol's layer."""
    reader = sentence_reader(None, asked.trunk, precision="fp32")
    task, where, rules = find_task("tatoeba"), Where("files", folder=asked.data / "tatoeba"), protocol("own", "tatoeba")
    ours = {}
    for language in sorted(languages_of(task, "test", where))[: asked.tatoeba]:
        texts = load(task, "test", language, where).sides
        sides = [vectors_of(reader.encoder, side, reader.layer) for side in texts]
        for name, side in zip(("x", "en"), sides, strict=True):
            np.save(asked.folder / f"{language}.{name}.npy", side)
        scores = {measure.metric: measure.score for measure in tatoeba(sides[0], sides[1], rules).measures}
        ours[language] = {"en-x": scores["accuracy"], "x-en": scores["accuracy-xx-en"]}
    other = theirs(asked, "tatoeba", str(asked.folder), *ours)["scores"]
    gap = max(abs(other[language][way] - score) for language, ways in ours.items() for way, score in ways.items())
    both, ways = (ours, other), ("en-x", "x-en")
    means = {way: [statistics.mean(side[language][way] for language in ours) for side in both] for way in ways}
    return {"languages": len(ours), "means_ours_and_mteb": means, "largest_difference": gap}


def vectors_of(encoder: AdapterEncoder, texts: Sequence[str], layer: int) -> np.ndarray:
    return embed(encoder, texts, Reading((layer,)))[layer]


def gold_pools(folder: Path, name: str) -> Pools:
    code, split = name.split(".")
    return read_pools(*(folder / f"{code}-en.{split}.{name}.gz" for name in (code, "en", "gold")))


def theirs(asked: argparse.Namespace, *words: str) -> dict[str, Any]:
    """What the other process printed last; its refusal is ours."""
    done = subprocess.run([asked.their_python, str(THEIRS), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip().split("\n")[-1] or f"{asked.their_python} failed")
    document: dict[str, Any] = json.loads(done.stdout.strip().split("\n")[-1])
    return document


if __name__ == "__main__":
    main()
