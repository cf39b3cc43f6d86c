"""sentence-transformers and mteb at work for `mining_against_sentence_transformers.py`, in a process of its own, since
they need other versions; each function is a command, and what it returns is printed last, as a line of JSON.

The bitext mining is that of sentence-transformers' documentation (margin ratio over the four neighbours of
`util.semantic_search` in both directions, the best of both, greedy one to one); the package itself ships only
`util.paraphrase_mining`, which knows one list of sentences and cosines, and is given both sides as one.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

try:
    import mteb
    import numpy as np
    import sentence_transformers
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer, util
except ImportError as error:
    do = "Make an environment for it: pip install sentence-transformers mteb"
    sys.exit(f"not installed for {sys.executable}: {error.name}. {do}")

NEIGHBOURS = 4


def main() -> None:
    work, *rest = sys.argv[1:]
    versions = {"versions": {each.__name__: each.__version__ for each in (sentence_transformers, mteb, transformers)}}
    print(json.dumps(versions | {"versions": dict, "encode": encode, "mine": mine, "tatoeba": tatoeba}[work](*rest)))


def encode(trunk: str, folder: str) -> dict[str, object]:
    """Mean pooling of the last layer in float32, which is what a plain XLM-R folder becomes."""
    model = SentenceTransformer(trunk, device="cpu", model_kwargs={"dtype": torch.float32}, local_files_only=True)
    texts = {path: path.read_text(encoding="utf-8").split("\n")[:-1] for path in sorted(Path(folder).glob("*.txt"))}
    model.encode(["Warm up."] * 64)
    start, seconds = time.perf_counter(), {}
    for path, sentences in texts.items():
        begun = time.perf_counter()
        vectors = model.encode(sentences, normalize_embeddings=True, show_progress_bar=False)
        seconds[path.stem] = time.perf_counter() - begun
        np.save(path.with_suffix(".theirs.npy"), vectors)
    return {"seconds": time.perf_counter() - start, "sentences": sum(map(len, texts.values())), "of": seconds}


def mine(folder: str, *pairs: str) -> dict[str, object]:
    """Candidates, best first, with the seconds from vectors to pairs."""
    seconds: dict[str, dict[str, float]] = {"bitext": {}, "paraphrase": {}}
    for pair in pairs:
        sides = [torch.from_numpy(np.load(Path(folder) / f"{pair}.{side}.theirs.npy")) for side in ("x", "en")]
        for name, way in (("bitext", bitext), ("paraphrase", paraphrase)):
            start = time.perf_counter()
            rows = list(way(*sides))
            seconds[name][pair] = time.perf_counter() - start
            path = Path(folder) / f"{pair}.{name}.tsv"
            path.write_text("".join(f"{score!r}\t{left}\t{right}\n" for score, left, right in rows), encoding="utf-8")
    return {"seconds": seconds}


def bitext(source: torch.Tensor, target: torch.Tensor) -> Iterator[tuple[float, int, int]]:
    both = ((source, target), (target, source))
    onward, back = (util.semantic_search(*sides, top_k=NEIGHBOURS) for sides in both)
    means = [np.array([np.mean([hit["score"] for hit in hits]) for hits in side]) for side in (onward, back)]
    candidates = {(one, hit["corpus_id"]): hit["score"] for one, hits in enumerate(onward) for hit in hits}
    candidates |= {(hit["corpus_id"], other): hit["score"] for other, hits in enumerate(back) for hit in hits}
    scores = {
        (one, other): score / ((means[0][one] + means[1][other]) / 2) for (one, other), score in candidates.items()
    }
    taken: tuple[set[int], set[int]] = (set(), set())
    for (one, other), score in sorted(scores.items(), key=lambda row: -row[1]):
        if one not in taken[0] and other not in taken[1]:
            taken[0].add(one)
            taken[1].add(other)
            yield float(score), one, other


def paraphrase(source: torch.Tensor, target: torch.Tensor) -> Iterator[tuple[float, int, int]]:
    taken: set[int] = set()
    for score, one, other in util.paraphrase_mining_embeddings(torch.cat([source, target])):
        if one < len(source) <= other and not {one, other} & taken:
            taken |= {one, other}
            yield float(score), one, other - len(source)


def tatoeba(folder: str, *languages: str) -> dict[str, object]:
    """mteb's evaluator on given vectors: the share of sentences whose nearest is their translation, both ways."""
    from datasets import Dataset
    from mteb._evaluators.text.bitext_mining_evaluator import BitextMiningEvaluator
    from mteb.timing import TimingStack

    scores = {}
    for language in languages:
        sides = {name: np.load(Path(folder) / f"{language}.{name}.npy") for name in ("x", "en")}
        texts = Dataset.from_dict({name: [f"{name} {row}" for row in range(len(side))] for name, side in sides.items()})
        vectors = iter([torch.from_numpy(sides[name]) for name in texts.features])
        model = SimpleNamespace(similarity=lambda left, right: left @ right.T)
        model.encode = lambda *values, vectors=vectors, **named: next(vectors)
        task, ways = SimpleNamespace(name="Tatoeba"), [("x", "en"), ("en", "x")]
        hits = BitextMiningEvaluator(texts, task, "test", language, ways, TimingStack())(model, encode_kwargs={})
        nearest = {way: np.array([hit["corpus_id"] for hit in of_way]) for way, of_way in hits.items()}
        scores[language] = {way: float(np.mean(rows == np.arange(len(rows)))) for way, rows in nearest.items()}
    return {"scores": scores}


if __name__ == "__main__":
    main()
