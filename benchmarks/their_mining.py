"""sentence-transformers and mteb at work for `mining_against_sentence_transformers.py`: a process of its own, since
they need other versions.

    python their_mining.py versions
    python their_mining.py encode TRUNK FOLDER            FOLDER/<name>.txt to FOLDER/<name>.theirs.npy; prints seconds
                                                          and sentences
    python their_mining.py mine FOLDER PAIR...            <pair>.x.theirs.npy and <pair>.en.theirs.npy to
                                                          <pair>.bitext.tsv and <pair>.paraphrase.tsv
    python their_mining.py tatoeba FOLDER LANGUAGE...     mteb's own evaluator on <language>.x.npy and
                                                          <language>.en.npy; prints accuracies

Everything printed last is one line of JSON. The bitext mining is that of sentence-transformers' documentation (margin
ratio over the four neighbours of `util.semantic_search` in both directions, the best of both, greedy one to one); the
package itself ships only `util.paraphrase_mining`, which knows one list of sentences and cosines, and is given both
sides as one.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

try:
    import numpy as np
except ImportError:
    sys.exit(
        f"numpy, sentence-transformers and mteb are not installed for {sys.executable}: make an environment with them"
    )

NEIGHBOURS = 4


def main() -> None:
    work, *rest = sys.argv[1:]
    try:
        import mteb
        import sentence_transformers
        import transformers
    except ImportError as error:
        sys.exit(
            f"not installed for {sys.executable}: {error.name}. Make an environment for it: pip install "
            "sentence-transformers mteb"
        )
    found = {"versions": {one.__name__: one.__version__ for one in (sentence_transformers, mteb, transformers)}}
    print(json.dumps(found | {"versions": dict, "encode": encode, "mine": mine, "tatoeba": tatoeba}[work](*rest)))


def encode(trunk: str, folder: str) -> dict[str, object]:
    """Mean pooling of the last layer in float32, which is what a plain XLM-R folder becomes."""
    import torch
    from sentence_transformers import SentenceTransformer

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
    import torch
    from sentence_transformers import util

    seconds: dict[str, dict[str, float]] = {"bitext": {}, "paraphrase": {}}
    for pair in pairs:
        sides = [torch.from_numpy(np.load(Path(folder) / f"{pair}.{side}.theirs.npy")) for side in ("x", "en")]
        for name, way in (("bitext", bitext), ("paraphrase", paraphrase)):
            start = time.perf_counter()
            found = list(way(util, *sides))
            seconds[name][pair] = time.perf_counter() - start
            path = Path(folder) / f"{pair}.{name}.tsv"
            path.write_text("".join(f"{score!r}\t{one}\t{other}\n" for score, one, other in found), encoding="utf-8")
    return {"seconds": seconds}


def bitext(util, source, target):  # type: ignore[no-untyped-def]
    onward, back = (
        util.semantic_search(one, other, top_k=NEIGHBOURS) for one, other in ((source, target), (target, source))
    )
    means = [np.array([np.mean([hit["score"] for hit in hits]) for hits in side]) for side in (onward, back)]
    candidates = {(one, hit["corpus_id"]): hit["score"] for one, hits in enumerate(onward) for hit in hits}
    candidates |= {(hit["corpus_id"], other): hit["score"] for other, hits in enumerate(back) for hit in hits}
    scored = sorted(
        ((score / ((means[0][one] + means[1][other]) / 2), one, other) for (one, other), score in candidates.items()),
        key=lambda row: -row[0],
    )
    taken: tuple[set[int], set[int]] = (set(), set())
    for score, one, other in scored:
        if one not in taken[0] and other not in taken[1]:
            taken[0].add(one)
            taken[1].add(other)
            yield float(score), one, other


def paraphrase(util, source, target):  # type: ignore[no-untyped-def]
    import torch

    found = util.paraphrase_mining_embeddings(torch.cat([source, target]))
    taken: set[int] = set()
    for score, one, other in found:
        if one < len(source) <= other and not {one, other} & taken:
            taken |= {one, other}
            yield float(score), one, other - len(source)


def tatoeba(folder: str, *languages: str) -> dict[str, object]:
    """mteb's evaluator on vectors that are there already: the share of sentences whose nearest is their own
    translation, both ways.
    """
    import torch
    from datasets import Dataset
    from mteb._evaluators.text.bitext_mining_evaluator import BitextMiningEvaluator
    from mteb.timing import TimingStack

    scores = {}
    for language in languages:
        sides = {name: np.load(Path(folder) / f"{language}.{name}.npy") for name in ("x", "en")}
        rows = len(sides["x"])
        texts = Dataset.from_dict({name: [f"{name} {row}" for row in range(rows)] for name in sides})
        given = iter([torch.from_numpy(sides[name]) for name in texts.features])
        model = SimpleNamespace(
            encode=lambda *values, given=given, **named: next(given), similarity=lambda one, other: one @ other.T
        )
        evaluator = BitextMiningEvaluator(
            texts, SimpleNamespace(name="Tatoeba"), "test", language, [("x", "en"), ("en", "x")], TimingStack()
        )
        found = evaluator(model, encode_kwargs={})
        ways = {key: [hit["corpus_id"] for hit in hits] for key, hits in found.items()}
        scores[language] = {key: float(np.mean(np.array(hits) == np.arange(rows))) for key, hits in ways.items()}
    return {"scores": scores}


if __name__ == "__main__":
    main()
