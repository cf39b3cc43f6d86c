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
from itertools import islice
from pathlib import Path
from typing import Any

from adapter_stilts.formats.base import Example
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.queries import Candidate
from adapter_stilts.miniature import code, pairs, questions, rendering, sentences, world
from adapter_stilts.miniature.languages import LANGUAGES
from adapter_stilts.miniature.rendering import Row
from adapter_stilts.miniature.sampling import SPLITS, Sampler, named_seed
from adapter_stilts.miniature.texts import texts
from adapter_stilts.registry import unknown_name

VERSION = "4"
DRAWN = "3"  # the version that drew the rows
REDRAWN = {("choice", "test"): "4"}  # rows that a choice had been read on were drawn anew
UPOS = world.words("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X")
ENTITIES = ("B-LOC", "B-ORG", "B-PER", "I-LOC", "I-ORG", "I-PER", "O")
INFERENCE = ("contradiction", "entailment", "neutral")
YES_NO = ("0", "1")
FOREIGN = tuple(language for language in LANGUAGES if language != "en")


@dataclass(frozen=True)
class Dataset:
    """What a dataset holds; `sizes` are its rows per split and language.

    Parallel datasets `make` meanings with a sampler of the split and the domain, and `render` each in a language.
    """

    name: str
    format: str
    labels: tuple[str, ...] | None
    description: str
    sizes: Mapping[str, int]
    make: Callable[[Sampler], Iterator[Row]] | None = None
    render: Callable[[Any, str, str], Example] | None = None
    languages: tuple[str, ...] = LANGUAGES
    domain: world.Domain = world.GENERAL


def examples(name: str, split: str, language: str) -> list[Example]:
    """One split of a dataset in one language, in a fixed order.

    Raises UnknownName for a name, split or language it does not have.
    """
    known(name, split, language)
    return list(_examples(name, split, language))


def rows(name: str, split: str) -> list[Row]:
    """The meanings behind a split; empty for `mlm` and the code datasets, which are not parallel."""
    return list(_rows(name, split)) if known(name, split, "").make else []


def candidates(name: str, split: str, language: str) -> list[Candidate]:
    """What the queries of a ranking data set are searched among, the part of it in one language."""
    known(name, split, language)
    parts = (
        rendering.candidates(row, f"{name}-{split}-{number}", number, language)
        for number, row in enumerate(_rows(name, split))
    )
    return [candidate for part in parts for candidate in part]


def fingerprint() -> str:
    """A short hash of the generated text, for manifests: it changes when a dataset does."""
    digest = hashlib.sha256(VERSION.encode())
    for name, dataset in sorted(DATASETS.items()):
        for language in dataset.languages:
            rows = [asdict(example) for example in _examples(name, "test", language)[:20]]
            digest.update(json.dumps(rows, default=sorted).encode())  # a set's order differs from process to process
    return digest.hexdigest()[:16]


def trunk_folder() -> Path:
    """The packaged tiny XLM-R."""
    return Path(__file__).parent / "trunk"


def known(name: str, split: str, language: str) -> Dataset:
    """The dataset, once name, split and language are known to exist ("" asks for no language)."""
    if name not in DATASETS:
        raise unknown_name("miniature dataset", name, DATASETS)
    dataset = DATASETS[name]
    where = f"miniature dataset '{name}'"
    if split not in dataset.sizes:
        raise unknown_name("split", split, dataset.sizes, where=where)
    if language and language not in dataset.languages:
        raise unknown_name("language", language, dataset.languages, where=where)
    return dataset


@cache
def _rows(name: str, split: str) -> tuple[Row, ...]:
    dataset = DATASETS[name]
    assert dataset.make is not None
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
    rows = enumerate(_rows(name, split))
    return tuple(dataset.render(row, f"{name}-{split}-{number}", language) for number, row in rows)


def _generator(name: str, split: str) -> random.Random:
    return random.Random(named_seed(f"{REDRAWN.get((name, split), DRAWN)}/{name}/{split}"))


def _sized(train: int, validation: int = 300, test: int = 300) -> dict[str, int]:
    return dict(zip(SPLITS, (train, validation, test), strict=True))


_ALL = (
    Dataset(
        "nli", "pair", INFERENCE, "inference from one event: what more or less was said, or what differs", _sized(3000),
        partial(pairs.inference, build=pairs.one_event), rendering.classified,
    ),
    Dataset(
        "nli-target", "pair", INFERENCE, "inference from two clauses, states and handovers, with few training rows",
        _sized(300), partial(pairs.inference, build=pairs.two_clauses), rendering.classified,
    ),
    Dataset(
        "paraphrase", "pair", YES_NO, "the same in other words or order, or one fact different", _sized(2400),
        pairs.paraphrases, rendering.classified,
    ),
    Dataset(
        "single", "single", tuple(sorted(world.TOPICS)), "what a sentence is about", _sized(1200, 240, 240),
        sentences.topics, rendering.classified,
    ),
    Dataset(
        "pos", "tags", UPOS, "parts of speech", _sized(1000, 200, 200), sentences.tagged, rendering.parts_of_speech
    ),
    Dataset(
        "ner", "tags", ENTITIES, "people, places and organisations", _sized(1000, 200, 200),
        sentences.tagged, rendering.entities,
    ),
    Dataset(
        "qa", "span", None, "who, what, to whom, where or when, answered by a span of three sentences",
        _sized(2400, 240, 240), questions.questions, rendering.span,
    ),
    Dataset(
        "qa2", "span", None, "as qa, with a third of the questions unanswerable", _sized(2400, 240, 240),
        partial(questions.questions, answerable=2 / 3), rendering.span,
    ),
    Dataset(
        "choice", "choice", None, "which of two was the cause or effect", _sized(1500),
        questions.choices, rendering.choice,
    ),
    Dataset(
        "choice4", "choice", None, "which of four was the cause or effect", _sized(1500),
        partial(questions.choices, count=4), rendering.choice,
    ),
    Dataset(
        "endings", "choice", None, "which of four is how a story goes on", _sized(3000),
        questions.endings, rendering.choice,
    ),
    Dataset("mlm", "text", None, "pretraining text with translations", _sized(16000)),
    Dataset(
        "bitext", "aligned", None, "sentences and their English translations", _sized(1000),
        sentences.aligned, rendering.bitext, FOREIGN,
    ),
    Dataset(
        "bitext-medical", "aligned", None, "the same, from clinics and pharmacies", _sized(600),
        sentences.aligned, rendering.bitext, FOREIGN, world.MEDICAL,
    ),
    Dataset(
        "bitext-legal", "aligned", None, "the same, from courts and ministries", _sized(600),
        sentences.aligned, rendering.bitext, FOREIGN, world.LEGAL,
    ),
    Dataset(
        "pools", "pools", None, "translations hidden among sentences without one", {"validation": 1, "test": 1},
        sentences.pools, rendering.hidden, FOREIGN,
    ),
    Dataset(
        "answers", "ranking", None, "a question, and the sentence that answers it among those of all languages",
        _sized(2000, 150, 80), questions.answers, rendering.question,
    ),
    Dataset(
        "mentions", "ranking", None, "a person in a sentence, and what is said of that person in some language",
        _sized(1000, 120, 200), questions.mentions, rendering.mention,
    ),
    Dataset(
        "clones", "pair", YES_NO, "two toy programs of the same or another meaning", _sized(1500), languages=("en",)
    ),
    Dataset(
        "code-search", "pair", YES_NO, "an English description and a toy program that does it or does not",
        _sized(1500), languages=("en",),
    ),
)  # fmt: skip
DATASETS: Mapping[str, Dataset] = {dataset.name: dataset for dataset in _ALL}
