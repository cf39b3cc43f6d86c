"""Labels that follow from meanings, splits that share none, and the same text on every machine."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from dataclasses import fields

import numpy as np
import pytest

from adapter_stilts.errors import UnknownName
from adapter_stilts.formats.aligned import Bitext
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.pools import Pools
from adapter_stilts.formats.squad import SpanQuestion
from adapter_stilts.formats.tags import Tagged
from adapter_stilts.formats.text import PlainText
from adapter_stilts.miniature import datasets
from adapter_stilts.miniature.datasets import DATASETS, FOREIGN, LANGUAGES, examples
from adapter_stilts.miniature.grammar import Styled
from adapter_stilts.miniature.rendering import Row, text
from adapter_stilts.miniature.sampling import split_of
from adapter_stilts.miniature.world import HELD_OUT, Clause, concepts

PARALLEL = sorted(name for name, dataset in DATASETS.items() if dataset.make)
PAIRS = ("nli", "nli-target", "paraphrase", "clones", "code-search")


def clauses_of(row: Row) -> list[Clause]:
    """Every clause in any field of a row."""
    values = [getattr(row, field.name) for field in fields(row)]
    sentences = [
        item
        for value in values
        for item in (value if isinstance(value, tuple) else (value,))
        if isinstance(item, Styled)
    ]
    asked = [value for value in values if isinstance(value, Clause)]
    return asked + [clause for sentence in sentences for clause in sentence.meaning.clauses]


def first_language(name: str) -> str:
    return DATASETS[name].languages[0]


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_has_the_promised_number_of_rows_with_unique_ids(name: str) -> None:
    for split, size in DATASETS[name].sizes.items():
        if (name, split) == ("mlm", "train"):
            continue  # seconds long, and made by the same lines as its other splits
        rows = examples(name, split, first_language(name))
        assert len(rows) == size
        assert len({row.id for row in rows}) == size


@pytest.mark.parametrize(
    "name", [name for name, dataset in DATASETS.items() if dataset.labels and dataset.format in ("pair", "single")]
)
def test_gives_every_label_its_share(name: str) -> None:
    for split in DATASETS[name].sizes:
        rows = [example for example in examples(name, split, "en") if isinstance(example, Classified)]
        counts = Counter(row.label for row in rows)
        labels = DATASETS[name].labels or ()
        assert set(counts) == set(labels)
        assert max(counts.values()) < 1.25 * len(rows) / len(labels)


@pytest.mark.parametrize("name", PARALLEL)
def test_shares_no_event_between_splits(name: str) -> None:
    for split in DATASETS[name].sizes:
        assert {split_of(clause) for row in datasets.rows(name, split) for clause in clauses_of(row)} <= {"", split}


@pytest.mark.parametrize("name", PARALLEL)
def test_keeps_held_out_words_for_the_test(name: str) -> None:
    for split in DATASETS[name].sizes:
        used = {
            concept for row in datasets.rows(name, split) for clause in clauses_of(row) for concept in concepts(clause)
        }
        assert bool(used & HELD_OUT) == (split == "test")


@pytest.mark.parametrize("name", [name for name in DATASETS if DATASETS[name].format in ("pair", "span", "aligned")])
def test_repeats_no_training_row_in_the_test(name: str) -> None:
    language = first_language(name)
    kinds = (Classified, SpanQuestion, Bitext)

    def texts(split: str) -> set[tuple[object, ...]]:
        rows = [example for example in examples(name, split, language) if isinstance(example, kinds)]
        return {
            (e.text, e.pair)
            if isinstance(e, Classified)
            else (e.question, e.context)
            if isinstance(e, SpanQuestion)
            else (e.source,)
            for e in rows
        }

    assert not texts("train") & texts("test")
    assert not texts("train") & texts("validation")


def test_says_the_same_in_every_language() -> None:
    labels = {
        tuple((e.id, e.label) for e in examples("nli", "test", language) if isinstance(e, Classified))
        for language in LANGUAGES
    }
    assert len(labels) == 1
    targets = {
        tuple((e.id, e.target) for e in examples("bitext", "test", language) if isinstance(e, Bitext))
        for language in FOREIGN
    }
    assert len(targets) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_tags_every_word_with_a_known_tag(language: str) -> None:
    for name in ("pos", "ner"):
        for example in examples(name, "test", language):
            assert isinstance(example, Tagged)
            assert len(example.words) == len(example.tags)
            assert set(example.tags) <= set(DATASETS[name].labels or ())


@pytest.mark.parametrize("language", LANGUAGES)
def test_continues_entities_only_after_their_beginning(language: str) -> None:
    seen = set()
    for example in examples("ner", "test", language):
        assert isinstance(example, Tagged)
        for before, tag in zip(("O", *example.tags), example.tags, strict=False):
            assert not tag.startswith("I-") or before[2:] == tag[2:]
            seen.add(tag)
    assert {"B-PER", "I-PER", "B-LOC", "B-ORG", "I-ORG"} <= seen


@pytest.mark.parametrize("language", LANGUAGES)
def test_finds_every_answer_at_its_offset(language: str) -> None:
    for name in ("qa", "qa2"):
        for example in examples(name, "test", language):
            assert isinstance(example, SpanQuestion)
            for answer in example.answers:
                assert answer.text
                assert example.context[answer.start : answer.start + len(answer.text)] == answer.text


def test_leaves_a_third_of_qa2_without_an_answer() -> None:
    missing = sum(
        isinstance(example, SpanQuestion) and not example.answers for example in examples("qa2", "train", "en")
    )
    assert 0.28 < missing / 2400 < 0.39


@pytest.mark.parametrize("language", FOREIGN)
def test_hides_its_gold_pairs_in_both_pools(language: str) -> None:
    (pools,) = examples("pools", "test", language)
    assert isinstance(pools, Pools)
    assert {source for source, _ in pools.gold} <= set(pools.source_ids)
    assert {target for _, target in pools.gold} <= set(pools.target_ids)
    assert 0.1 <= len(pools.gold) / len(pools.source) <= 0.2
    hidden = datasets.rows("pools", "test")[0]
    for source, target in hidden.gold:
        assert hidden.source[source].meaning == hidden.target[target].meaning
    assert len({sentence.meaning for sentence in hidden.source}) == len(hidden.source)


@pytest.mark.parametrize("language", FOREIGN)
def test_tells_every_gold_sentence_of_the_pools_apart(language: str) -> None:
    (pools,) = examples("pools", "test", language)
    assert isinstance(pools, Pools)
    texts = dict(zip(pools.source_ids, pools.source, strict=True))
    counts = Counter(pools.source)
    assert all(counts[texts[source]] == 1 for source, _ in pools.gold)


@pytest.mark.parametrize("language", FOREIGN)
def test_gives_every_sentence_of_the_bitext_its_own_text(language: str) -> None:
    rows = [example for example in examples("bitext", "test", language) if isinstance(example, Bitext)]
    assert len({row.source for row in rows}) == len(rows)
    assert len({row.target for row in rows}) == len(rows)


def test_offers_as_many_choices_as_it_says() -> None:
    for name, count in (("choice", 2), ("choice4", 4), ("endings", 4)):
        rows = [example for example in examples(name, "train", "en") if isinstance(example, MultipleChoice)]
        assert {len(row.choices) for row in rows} == {count}
        assert all(len(set(row.choices)) == count for row in rows)
        counts = Counter(row.label for row in rows)
        assert min(counts.values()) > 0.8 * len(rows) / count


def test_pairs_half_of_the_pretraining_text() -> None:
    rows = [example for example in examples("mlm", "validation", "de") if isinstance(example, PlainText)]
    assert 0.6 < sum(row.pair is not None for row in rows) / len(rows) < 0.95


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def bag_of_words_accuracy(train: list[tuple[set[str], str]], test: list[tuple[set[str], str]]) -> float:
    """Naive Bayes over the words, add-one smoothing: the simplest reader that could pick up a cue."""
    labels = sorted({label for _, label in train})
    vocabulary = sorted(set().union(*(bag for bag, _ in train)))
    present = np.array([[word in bag for word in vocabulary] for bag, _ in train])
    of = np.array([labels.index(label) for _, label in train])
    chance = np.array([(present[of == index].sum(0) + 1) / ((of == index).sum() + 2) for index in range(len(labels))])
    hits = 0
    for bag, label in test:
        has = np.array([word in bag for word in vocabulary])
        score = np.where(has, np.log(chance), np.log1p(-chance)).sum(1)
        hits += labels[int(score.argmax())] == label
    return hits / len(test)


@pytest.mark.parametrize("name", ["nli", "nli-target"])
def test_tells_nothing_by_the_hypothesis_alone(name: str) -> None:
    def bags(split: str) -> list[tuple[set[str], str]]:
        return [
            (words(example.pair or ""), example.label)
            for example in examples(name, split, "en")
            if isinstance(example, Classified)
        ]

    assert bag_of_words_accuracy(bags("train"), bags("test")) == pytest.approx(1 / 3, abs=0.03)


def test_tells_little_by_the_overlap_of_a_paraphrase() -> None:
    rows = [example for example in examples("paraphrase", "train", "en") if isinstance(example, Classified)]
    overlap = [
        (len(words(row.text) & words(row.pair or "")) / len(words(row.text) | words(row.pair or "")), row.label)
        for row in rows
    ]
    same = np.array([value for value, label in overlap if label == "1"])
    other = np.array([value for value, label in overlap if label == "0"])
    area = np.mean(
        (same[:, None] > other) + 0.5 * (same[:, None] == other)
    )  # area under the ROC curve; 0.5 is no information
    assert 0.4 < area < 0.6


@pytest.mark.parametrize(("name", "most"), [("choice", 0.65), ("endings", 0.45)])
def test_tells_little_by_the_candidates_of_a_choice(name: str, most: float) -> None:
    hits = 0
    train, test = datasets.rows(name, "train"), datasets.rows(name, "test")
    right = Counter((row.kind, row.choices[row.label].meaning.first.verb) for row in train)
    seen = Counter((row.kind, choice.meaning.first.verb) for row in train for choice in row.choices)
    for row in test:
        rates = [
            right[key] / (seen[key] + 1) for key in ((row.kind, choice.meaning.first.verb) for choice in row.choices)
        ]
        hits += int(np.argmax(rates)) == row.label
    assert hits / len(test) < most


def test_asks_nothing_where_a_story_goes_on() -> None:
    for row, example in zip(datasets.rows("endings", "test"), examples("endings", "test", "de"), strict=True):
        assert isinstance(example, MultipleChoice)
        assert example.prompt == text([row.prompt], "de")


def test_makes_the_same_text_in_another_process() -> None:
    code = "from adapter_stilts.miniature.datasets import examples; print(repr(examples('choice', 'test', 'ru')[:50]))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": "."},
        timeout=60,
    )
    assert run.stdout.strip() == repr(examples("choice", "test", "ru")[:50])


def test_has_one_fingerprint_whatever_order_a_set_has() -> None:
    code = (
        "from dataclasses import replace; from adapter_stilts.miniature import datasets;"
        "datasets.DATASETS = {'pools': replace(datasets.DATASETS['pools'], languages=('de',))};"
        "print(datasets.fingerprint())"
    )
    prints = set()
    for seed in ("1", "2"):
        env = {"PYTHONHASHSEED": seed, "PYTHONPATH": "."}
        command = [sys.executable, "-c", code]
        prints.add(subprocess.run(command, capture_output=True, text=True, check=True, env=env, timeout=60).stdout)
    assert len(prints) == 1


def test_names_the_nearest_dataset_split_and_language() -> None:
    with pytest.raises(UnknownName, match=r"no miniature dataset called 'nlu'.*\n.*did you mean 'nli'"):
        examples("nlu", "test", "en")
    with pytest.raises(UnknownName, match=r"no split called 'dev'"):
        examples("nli", "dev", "en")
    with pytest.raises(UnknownName, match=r"no language called 'fr'"):
        examples("nli", "test", "fr")
    with pytest.raises(UnknownName, match=r"no language called 'en'"):
        examples("bitext", "test", "en")
    with pytest.raises(UnknownName, match=r"no split called 'train'"):
        examples("pools", "train", "de")
