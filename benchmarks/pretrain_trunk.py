"""How far does a small XLM-R come that is pretrained on the data pack's text? Makes a trunk for checks on real input.

Measured: steps, tokens per second, the final loss, and retrieval of NTREX dev sentences (396 a language, mean
pooling, every layer). Not measured: any task; and no sentence about XLM-R Base or Large follows from a small trunk.
Sentences of every evaluation set (Tatoeba, FLORES, NTREX dev and test, mining) are kept out, compared by their
letters and digits alone; --without leaves files out, for example parallel/tico19.

    python benchmarks/pretrain_trunk.py ../shared/data build/nano --minutes 60
    python benchmarks/pretrain_trunk.py ../shared/data build/nano --minutes 20 --device cuda --token-budget 65536

Part of the text may not be used commercially (`nc/`), so the trunk may not be shipped either. An interrupted run
continues.
"""

from __future__ import annotations

import gzip
import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import record
import torch

from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.errors import StiltsError
from adapter_stilts.formats.text import PlainText
from adapter_stilts.retrieval.embed import embed
from adapter_stilts.retrieval.reading import Reading
from adapter_stilts.runs.pretrain import Recipe, pretrain
from adapter_stilts.tasks.languages import iso1
from adapter_stilts.training.interrupt import StopSignal
from adapter_stilts.training.plan import Progress

CHECKED = ("deu", "fra", "spa", "rus", "tur", "fin", "hin", "arb", "jpn", "swa")
NTREX = ("parallel/ntrex/dev/*.gz", "parallel/ntrex/test/*.gz")
EVALUATION = ("tatoeba/**/tatoeba.*", "parallel/flores200/*.gz", *NTREX, "mining/*.gz")
SIZES = {"layers": 6, "hidden": 256, "vocabulary": 24000, "learning_rate": 1e-3, "token_budget": 3072}
SHORTEST, LONGEST = 3, 600  # characters of a sentence


def main() -> None:
    limits = {"minutes": float, "steps": int, "precision": "bf16"}
    options = record.options(__doc__, "data", "out", **SIZES, **limits, device="auto", without=())
    asked = {name: getattr(options, name) for name in (*SIZES, *limits)}
    recipe = Recipe(**asked, heads=options.hidden // 64, max_length=256, aligned_start=True)
    texts = Text(options.data, options.without).read()
    print(f"{sum(map(len, texts.values()))} rows in {len(texts)} languages", flush=True)
    make(texts, options.out, recipe, options.device)
    dev = options.data / "parallel" / "ntrex" / "dev"
    english = list(lines(dev / "eng.txt.gz"))
    accuracy = by_layer(options.out, ((list(lines(dev / f"{language}.txt.gz")), english) for language in CHECKED), 256)
    facts = json.loads((options.out / "pretraining.json").read_text(encoding="utf-8"))
    made = {name: facts[name] for name in ("recipe", "steps", "loss", "seconds")}
    where = {"device": options.device, "threads": torch.get_num_threads()}
    record.record("pretrain_trunk", {**where, **made, "accuracy_by_layer": accuracy})


def make(texts: Mapping[str, Sequence[PlainText]], out: Path, recipe: Recipe, device: str) -> object:
    """Pretrain, or go on; None where it was done already."""
    with StopSignal() as stop:
        try:
            return pretrain(texts, out, recipe, device=device, progress=show, stop=stop)
        except StiltsError as error:
            raise SystemExit(str(error)) from error


class Text:
    """The pack's pretraining text by language: each single sentence once, and each pair with English once."""

    def __init__(self, data: Path, without: Iterable[str]) -> None:
        self.data, self.without = data, tuple(without)
        paths = [path for pattern in EVALUATION for path in sorted(data.glob(pattern))]
        self.banned = {key(line.split("\t")[-1]) for path in paths for line in lines(path)}
        self.single: dict[str, dict[str, None]] = {}
        self.pairs: dict[str, dict[tuple[str, str], None]] = {}

    def read(self) -> dict[str, list[PlainText]]:
        for path in (*self._files("nc/tatoeba_more/mono/*.gz"), *self._files("text/leipzig_sentences/*.gz")):
            self._add(path.name.split(".")[0], lines(path))
        for path in self._files("text/stories/*.gz"):
            self._add(path.name.split(".")[0], (json.loads(line)["text"] for line in lines(path)))
        for folder, english in (("parallel/ntrex/train", "eng"), ("parallel/tico19", "en")):
            for path in self._files(f"{folder}/*.gz"):
                if path.name not in (f"{english}.txt.gz", "ids.txt.gz"):
                    translated = lines(path.with_name(f"{english}.txt.gz"))
                    self._pair(path.name.split(".")[0], zip(lines(path), translated, strict=True))
        for path in self._files("nc/tatoeba_more/pairs/*.gz"):
            self._pair(path.name[:3], ((row[0], row[1]) for row in columns(path, 2)))
        for path in self._files("parallel/tldr/*.gz"):
            self._pair(path.name.split("-")[0], ((row[2], row[1]) for row in columns(path, 3)))
        rows: dict[str, list[PlainText]] = {}
        for language, texts in sorted(self.single.items()):
            rows[language] = [PlainText(str(number), text) for number, text in enumerate(texts)]
        for language, pairs in sorted(self.pairs.items()):
            rows.setdefault(language, []).extend(PlainText(f"pair {at}", *pair) for at, pair in enumerate(pairs))
        return rows

    def _files(self, pattern: str) -> list[Path]:
        files = sorted(self.data.glob(pattern))
        return [path for path in files if not path.relative_to(self.data).as_posix().startswith(self.without)]

    def _add(self, language: str, sentences: Iterable[str]) -> None:
        kept = self.single.setdefault(iso1(language), {})
        for sentence in map(tidy, sentences):
            if self._good(sentence):
                kept.setdefault(sentence)

    def _pair(self, language: str, pairs: Iterable[tuple[str, str]]) -> None:
        """Both sides are text of their own too; one whose other side is kept out still is."""
        kept = self.pairs.setdefault(iso1(language), {})
        rows = [(tidy(foreign), tidy(english)) for foreign, english in pairs]
        self._add(language, (foreign for foreign, _ in rows))
        self._add("en", (english for _, english in rows))
        kept.update((row, None) for row in rows if all(map(self._good, row)))

    def _good(self, sentence: str) -> bool:
        letters = key(sentence)
        return SHORTEST <= len(sentence) <= LONGEST and bool(letters) and letters not in self.banned


def lines(path: Path) -> Iterator[str]:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return (line.removesuffix("\r") for line in raw.decode("utf-8").removesuffix("\n").split("\n"))


def columns(path: Path, number: int) -> Iterator[list[str]]:
    """The rows of a TSV file but for its header and rows with too few or too many columns."""
    rows = (line.split("\t") for line in lines(path))
    next(rows)
    return (row for row in rows if len(row) == number)


def tidy(sentence: str) -> str:
    return " ".join(sentence.split())


def key(sentence: str) -> str:
    """A sentence by its letters, marks and digits, so that punctuation and case hide no evaluation sentence."""
    folded = unicodedata.normalize("NFKC", sentence).casefold()
    return "".join(sign for sign in folded if unicodedata.category(sign)[0] in "LMN")


def show(progress: Progress) -> None:
    if progress.step % 50 == 0:
        minutes = progress.seconds_left / 60
        speed = f"{progress.tokens_per_second:.0f} tokens/s  {minutes:.1f} min left"
        print(f"step {progress.step}  loss {progress.loss:.3f}  {speed}", flush=True)


def by_layer(
    folder: Path, bitexts: Iterable[tuple[Sequence[str], Sequence[str]]], max_length: int = 512
) -> list[float]:
    """Share of sentences whose nearest English one is their translation, per layer, over languages alike."""
    encoder = AdapterEncoder(load_trunk(str(folder), precision="fp32")).eval()
    layers = range(encoder.trunk.depth + 1)
    shares = []
    for bitext in bitexts:
        foreign, english = (embed(encoder, side, Reading(tuple(layers), max_length=max_length)) for side in bitext)
        place = np.arange(len(bitext[0]))
        shares.append([float(np.mean((foreign[layer] @ english[layer].T).argmax(1) == place)) for layer in layers])
    return [round(float(share), 4) for share in np.mean(shares, axis=0)]


if __name__ == "__main__":
    main()
