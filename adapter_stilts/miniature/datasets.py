"""The miniature's datasets, made on demand and the same on every machine.

    examples("nli", "test", "sw")     300 premises and hypotheses in Swahili; row 17 means the same in every language
    DATASETS["nli"].labels            ("contradiction", "entailment", "neutral")

Rows are meanings first (`rows`), put into a language last, so that every split is parallel across languages.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from adapter_stilts.formats.base import Example
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.queries import Candidate
from adapter_stilts.miniature import code, pairs, questions, ranking, rendering, world
from adapter_stilts.miniature.languages import LANGUAGES
from adapter_stilts.miniature.rows import Labelled, Row, Told
from adapter_stilts.miniature.sampling import SPLITS, Sampler, named_seed
from adapter_stilts.miniature.texts import texts
from adapter_stilts.miniature.world import Sentence
from adapter_stilts.registry import unknown_name

VERSION = "4"
DRAWN = "3"  # the version that drew the rows
REDRAWN = {("choice", "test"): "4"}  # rows that a choice had been read on were drawn anew
UPOS = world.words("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X")
ENTITIES = ("B-LOC", "B-ORG", "B-PER", "I-LOC", "I-ORG", "I-PER", "O")
INFERENCE = ("contradiction", "entailment", "neutral")
YES_NO = ("0", "1")
FOREIGN = tuple(language for language in LANGUAGES if language != "en")
POOL_SIZE = 400

Maker = Callable[[Sampler], Iterator[Row]]


@dataclass(frozen=True)
class Dataset:
    """What a dataset holds; `sizes` are its rows per split and language."""

    name: str
    format: str
    labels: tuple[str, ...] | None
    description: str
    sizes: Mapping[str, int]
    languages: tuple[str, ...] = LANGUAGES


def examples(name: str, split: str, language: str) -> list[Example]:
    """One split of a dataset in one language, in a fixed order. Raises UnknownName for a name, split or language it does not have."""
    dataset = known(name, split, language)
    return list(_examples(dataset.name, split, language))


def rows(name: str, split: str) -> list[Row]:
    """The meanings behind a split; empty for `mlm` and the code datasets, which are not parallel."""
    known(name, split, "")
    return list(_rows(name, split)) if name in MAKERS else []


def candidates(name: str, split: str, language: str) -> list[Candidate]:
    """What the queries of a ranking data set are searched among, the part of it in one language."""
    known(name, split, language)
    return [one for number, row in enumerate(_rows(name, split)) for one in ranking.candidates(name, split, row, number, language)]


def fingerprint() -> str:
    """A short hash of the generated text, for manifests: it changes when a dataset does."""
    digest = hashlib.sha256(VERSION.encode())
    for name, dataset in sorted(DATASETS.items()):
        for language in dataset.languages:
            digest.update(repr(_examples(name, "test", language)[:20]).encode())
    return digest.hexdigest()[:16]


def trunk_folder() -> Path:
    """The packaged tiny XLM-R."""
    return Path(__file__).parent / "trunk"


def known(name: str, split: str, language: str) -> Dataset:
    """The dataset, once name, split and language are known to exist ("" asks for no language)."""
    if name not in DATASETS:
        raise unknown_name("miniature dataset", name, DATASETS)
    dataset = DATASETS[name]
    if split not in dataset.sizes:
        raise unknown_name("split", split, dataset.sizes, where=f"miniature dataset '{name}'")
    if language and language not in dataset.languages:
        raise unknown_name("language", language, dataset.languages, where=f"miniature dataset '{name}'")
    return dataset


@cache
def _rows(name: str, split: str) -> tuple[Row, ...]:
    rng = _generator(name, split)
    made = MAKERS[name](Sampler(rng, split, DOMAINS.get(name, world.GENERAL)))
    unique: dict[Row, None] = {}
    for row in made:
        unique.setdefault(row)
        if len(unique) == DATASETS[name].sizes[split]:
            break
    return tuple(unique)


@cache
def _examples(name: str, split: str, language: str) -> tuple[Example, ...]:
    size = DATASETS[name].sizes[split]
    if name == "mlm":
        return tuple(islice(texts(split, language), size))
    if name in ("clones", "code-search"):
        rng = _generator(name, split)
        found = islice(code.pairs(rng, split, described=name == "code-search"), size)
        return tuple(Classified(f"{name}-{split}-{index}", *row) for index, row in enumerate(found))
    render = RENDERERS[name]
    return tuple(render(row, f"{name}-{split}-{index}", language) for index, row in enumerate(_rows(name, split)))


def _generator(name: str, split: str) -> random.Random:
    return random.Random(named_seed(f"{REDRAWN.get((name, split), DRAWN)}/{name}/{split}"))


def _aligned(sampler: Sampler) -> Iterator[Row]:
    """Sentences of all kinds, told in one way in the source and perhaps another in English; no meaning twice."""
    seen: set[Sentence] = set()
    while True:
        meaning = pairs.any_sentence(sampler)
        if meaning not in seen:
            seen.add(meaning)
            yield Labelled((Told(meaning, sampler.style()),), (Told(meaning, sampler.style()),))


def _pools(sampler: Sampler) -> Iterator[Row]:
    while True:
        yield questions.pools(sampler, POOL_SIZE)


def _sized(train: int, validation: int = 300, test: int = 300) -> dict[str, int]:
    return dict(zip(SPLITS, (train, validation, test), strict=True))


MAKERS: dict[str, Maker] = {
    "nli": lambda sampler: pairs.inference(sampler, pairs.one_event),
    "nli-target": lambda sampler: pairs.inference(sampler, pairs.two_clauses),
    "paraphrase": pairs.paraphrases,
    "single": pairs.topics,
    "pos": pairs.tagged,
    "ner": pairs.tagged,
    "qa": questions.questions,
    "qa2": lambda sampler: questions.questions(sampler, answerable=2 / 3),
    "choice": questions.choices,
    "choice4": lambda sampler: questions.choices(sampler, 4),
    "endings": questions.endings,
    "bitext": _aligned,
    "bitext-medical": _aligned,
    "bitext-legal": _aligned,
    "pools": _pools,
    "answers": ranking.answers,
    "mentions": ranking.mentions,
}
DOMAINS = {"bitext-medical": world.MEDICAL, "bitext-legal": world.LEGAL}
RENDERERS: dict[str, Callable[..., Example]] = {
    **dict.fromkeys(("nli", "nli-target", "paraphrase", "single"), rendering.classified),
    "pos": rendering.parts_of_speech,
    "ner": rendering.entities,
    **dict.fromkeys(("qa", "qa2"), rendering.span),
    **dict.fromkeys(("choice", "choice4", "endings"), rendering.choice),
    **dict.fromkeys(("bitext", "bitext-medical", "bitext-legal"), rendering.bitext),
    "pools": rendering.hidden,
    "answers": ranking.question,
    "mentions": ranking.mention,
}
DATASETS: Mapping[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        Dataset("nli", "pair", INFERENCE, "inference from one event: what more or less was said, or what differs", _sized(3000)),
        Dataset("nli-target", "pair", INFERENCE, "inference from two clauses, states and handovers, with few training rows", _sized(300)),
        Dataset("paraphrase", "pair", YES_NO, "the same in other words or order, or one fact different", _sized(2400)),
        Dataset("single", "single", tuple(sorted(world.TOPICS)), "what a sentence is about", _sized(1200, 240, 240)),
        Dataset("pos", "tags", UPOS, "parts of speech", _sized(1000, 200, 200)),
        Dataset("ner", "tags", ENTITIES, "people, places and organisations", _sized(1000, 200, 200)),
        Dataset("qa", "span", None, "who, what, to whom, where or when, answered by a span of three sentences", _sized(2400, 240, 240)),
        Dataset("qa2", "span", None, "as qa, with a third of the questions unanswerable", _sized(2400, 240, 240)),
        Dataset("choice", "choice", None, "which of two was the cause or effect", _sized(1500)),
        Dataset("choice4", "choice", None, "which of four was the cause or effect", _sized(1500)),
        Dataset("endings", "choice", None, "which of four is how a story goes on", _sized(3000)),
        Dataset("mlm", "text", None, "pretraining text with translations", _sized(16000)),
        Dataset("bitext", "aligned", None, "sentences and their English translations", _sized(1000), FOREIGN),
        Dataset("bitext-medical", "aligned", None, "the same, from clinics and pharmacies", _sized(600), FOREIGN),
        Dataset("bitext-legal", "aligned", None, "the same, from courts and ministries", _sized(600), FOREIGN),
        Dataset("pools", "pools", None, "translations hidden among sentences without one", {"validation": 1, "test": 1}, FOREIGN),
        Dataset("answers", "ranking", None, "a question, and the sentence that answers it among those of all languages", _sized(2000, 150, 80)),
        Dataset("mentions", "ranking", None, "a person in a sentence, and what is said of that person in some language", _sized(1000, 120, 200)),
        Dataset("clones", "pair", YES_NO, "two toy programs of the same or another meaning", _sized(1500), ("en",)),
        Dataset("code-search", "pair", YES_NO, "an English description and a toy program that does it or does not", _sized(1500), ("en",)),
    )
}
