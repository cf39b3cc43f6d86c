"""The miniature's datasets, made on demand and the same on every machine.

    examples("nli", "test", "sw")     300 premises and hypotheses in Swahili; row 17 means the same in every language
    DATASETS["nli"].labels            ("contradiction", "entailment", "neutral")

Rows are meanings first (`rows`), put into a language last, so that every split is parallel across languages.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache, partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from adapter_stilts.data.conllu_rows import UPOS
from adapter_stilts.formats.base import Example
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.queries import Candidate
from adapter_stilts.miniature import code, pairs, questions, rendering, sentences
from adapter_stilts.miniature.languages import LANGUAGES
from adapter_stilts.miniature.rendering import Row
from adapter_stilts.miniature.sampling import Sampler, stream
from adapter_stilts.miniature.texts import texts
from adapter_stilts.miniature.world import GENERAL, LEGAL, MEDICAL, TOPICS, Domain
from adapter_stilts.registry import unknown_name

VERSION = "4"
DRAWN = "3"  # the version that drew the rows
REDRAWN = {("choice", "test"): "4"}  # rows that a choice had been read on were drawn anew
ENTITIES = ("B-LOC", "B-ORG", "B-PER", "I-LOC", "I-ORG", "I-PER", "O")
NLI = ("contradiction", "entailment", "neutral")
YES_NO = ("0", "1")
FOREIGN = LANGUAGES[1:]  # all but English


@dataclass(frozen=True)
class Dataset:
    """What a dataset holds; `sizes` are its rows per split and language.

    Parallel datasets `make` meanings with a sampler of the split and the domain, and `render` each in a language.
    """

    name: str
    format: str
    labels: tuple[str, ...] | None
    sizes: Mapping[str, int]
    make: Callable[[Sampler], Iterator[Row]] | None = None
    render: Callable[[Any, str, str], Example] | None = None
    languages: tuple[str, ...] = LANGUAGES
    domain: Domain = GENERAL


def examples(name: str, split: str, language: str) -> list[Example]:
    """One split of a dataset in one language, in a fixed order.

    Raises UnknownName for a name, split or language it does not have.
    """
    known(name, split, language)
    return list(_examples(name, split, language))


def candidates(name: str, split: str, language: str) -> list[Candidate]:
    """What the queries of a ranking data set are searched among, the part of it in one language."""
    known(name, split, language)
    meanings = enumerate(rows(name, split))
    parts = (rendering.candidates(row, f"{name}-{split}-{number}", number, language) for number, row in meanings)
    return [*chain.from_iterable(parts)]


def fingerprint() -> str:
    """A short hash of the generated text, for manifests: it changes when a dataset does."""
    digest = hashlib.sha256(VERSION.encode())
    for name, dataset in sorted(DATASETS.items()):
        for language in dataset.languages:
            first = [asdict(example) for example in _examples(name, "test", language)[:20]]
            digest.update(json.dumps(first, default=sorted).encode())  # a set's order differs from process to process
    return digest.hexdigest()[:16]


def trunk_folder() -> Path:
    """The packaged tiny XLM-R."""
    return Path(__file__).parent / "trunk"


def known(name: str, split: str, language: str) -> None:
    """Raises UnknownName for a data set that is not there, or that lacks the split or the language."""
    if name not in DATASETS:
        raise unknown_name("miniature dataset", name, DATASETS)
    where = f"miniature dataset '{name}'"
    if split not in DATASETS[name].sizes:
        raise unknown_name("split", split, DATASETS[name].sizes, where=where)
    if language not in DATASETS[name].languages:
        raise unknown_name("language", language, DATASETS[name].languages, where=where)


@cache
def rows(name: str, split: str) -> tuple[Row, ...]:
    """The meanings behind a split; none for `mlm` and the code datasets, which are not parallel."""
    dataset = DATASETS[name]
    if dataset.make is None:
        return ()
    unique: dict[Row, None] = {}
    for row in dataset.make(Sampler(_generator(name, split), split, dataset.domain)):
        unique.setdefault(row)
        if len(unique) == dataset.sizes[split]:
            break
    return tuple(unique)


@cache
def _examples(name: str, split: str, language: str) -> tuple[Example, ...]:
    dataset = DATASETS[name]
    size = dataset.sizes[split]
    if name == "mlm":
        return tuple(islice(texts(split, language), size))
    if dataset.render is None:
        programs = islice(code.pairs(_generator(name, split), split, described=name == "code-search"), size)
        return tuple(Classified(f"{name}-{split}-{number}", *row) for number, row in enumerate(programs))
    meanings = enumerate(rows(name, split))
    return tuple(dataset.render(row, f"{name}-{split}-{number}", language) for number, row in meanings)


def _generator(name: str, split: str) -> random.Random:
    return stream(f"{REDRAWN.get((name, split), DRAWN)}/{name}/{split}")


def _sized(train: int, validation: int = 300, test: int = 0) -> dict[str, int]:
    return {"train": train, "validation": validation, "test": test or validation}


_ALL = (
    Dataset("nli", "pair", NLI, _sized(3000), partial(pairs.inference, pairs.one_event), rendering.classified),
    Dataset("nli-target", "pair", NLI, _sized(300), partial(pairs.inference, pairs.two_clauses), rendering.classified),
    Dataset("paraphrase", "pair", YES_NO, _sized(2400), pairs.paraphrases, rendering.classified),
    Dataset("single", "single", tuple(sorted(TOPICS)), _sized(1200, 240), sentences.topics, rendering.classified),
    Dataset("pos", "tags", UPOS, _sized(1000, 200), sentences.tagged, rendering.parts_of_speech),
    Dataset("ner", "tags", ENTITIES, _sized(1000, 200), sentences.tagged, rendering.entities),
    Dataset("qa", "span", None, _sized(2400, 240), questions.questions, rendering.span),
    Dataset("qa2", "span", None, _sized(2400, 240), partial(questions.questions, answerable=2 / 3), rendering.span),
    Dataset("choice", "choice", None, _sized(1500), questions.choices, rendering.choice),
    Dataset("choice4", "choice", None, _sized(1500), partial(questions.choices, count=4), rendering.choice),
    Dataset("endings", "choice", None, _sized(3000), questions.endings, rendering.choice),
    Dataset("mlm", "text", None, _sized(16000)),
    Dataset("bitext", "aligned", None, _sized(1000), sentences.aligned, rendering.bitext, FOREIGN),
    Dataset("bitext-medical", "aligned", None, _sized(600), sentences.aligned, rendering.bitext, FOREIGN, MEDICAL),
    Dataset("bitext-legal", "aligned", None, _sized(600), sentences.aligned, rendering.bitext, FOREIGN, LEGAL),
    Dataset("pools", "pools", None, {"validation": 1, "test": 1}, sentences.pools, rendering.hidden, FOREIGN),
    Dataset("answers", "ranking", None, _sized(2000, 150, 80), questions.answers, rendering.question),
    Dataset("mentions", "ranking", None, _sized(1000, 120, 200), questions.mentions, rendering.mention),
    Dataset("clones", "pair", YES_NO, _sized(1500), languages=("en",)),  # of toy programs
    Dataset("code-search", "pair", YES_NO, _sized(1500), languages=("en",)),  # or of English and code
)
DATASETS: Mapping[str, Dataset] = {dataset.name: dataset for dataset in _ALL}
