"""Every real file that has a format of ours is read, with the rows its manifest promises; and real batches pad
little."""

import csv
from collections import Counter

import pytest
import torch
from small_files import read_rows

from adapter_stilts.data.batches import token_budget_batches
from adapter_stilts.data.feature import length
from adapter_stilts.data.layout import Layout
from adapter_stilts.formats.aligned import read_aligned
from adapter_stilts.formats.base import Cut, formats
from adapter_stilts.formats.pools import read_pools
from adapter_stilts.formats.reading import read

pytestmark = pytest.mark.real

NLI = ("contradiction", "entailment", "neutral")
LAYOUTS = {
    "nli/*.jsonl.gz": Layout("pair", labels=NLI),
    "nc/xnli/*.jsonl.gz": Layout("pair", labels=NLI),
    "nc/paraphrase_pivot/*.jsonl.gz": Layout("pair", labels=("0", "1")),
    "code/cosqa.*.jsonl.gz": Layout("pair", labels=("0", "1")),
    "code/java-cs.*.jsonl.gz": Layout("aligned", columns={"source": "java", "target": "cs"}),
    "mcq/*.jsonl.gz": Layout("choice"),
    "qa/*.json.gz": Layout("span"),
    "ud/*.conllu.gz": Layout("tags"),
    "ner/*.gz": Layout("tags"),
    "nc/masakhaner/*.gz": Layout(
        "tags", labels=("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"), ignore_labels=("DATE",)
    ),
    "parallel/tldr/*.tsv.gz": Layout("aligned"),
    "nc/tatoeba_more/pairs/*.tsv.gz": Layout("aligned"),
    "parallel/flores200/*.devtest.gz": Layout("text"),
    "parallel/ntrex/test/*.txt.gz": Layout("text"),
    "parallel/tico19/sw.txt.gz": Layout("text"),
    "text/leipzig_sentences/*.txt.gz": Layout("text"),
    "text/stories/*.jsonl.gz": Layout("text"),
    "nc/tatoeba_more/mono/k*.txt.gz": Layout("text"),
}
# Counted in the manifest as blocks between blank lines; 145 of them only say -DOCSTART-.
DOCUMENT_MARKS = {"ner/wikigold.conll.gz": 145}


@pytest.fixture(scope="module")
def promised(shared):
    with (shared / "MANIFEST.tsv").open(encoding="utf-8", newline="\n") as stream:
        return {row["file"]: int(row["rows"]) for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)}


@pytest.mark.parametrize("pattern", LAYOUTS)
def test_reads_every_row(shared, promised, pattern):
    paths = sorted(shared.glob(pattern))
    assert paths
    for path in paths:
        name = path.relative_to(shared).as_posix()
        assert len(read(path, LAYOUTS[pattern])) == promised[name] - DOCUMENT_MARKS.get(name, 0), name


def test_reads_every_tatoeba_pair_of_files(shared, promised):
    names = sorted((shared / "tatoeba/v1").glob("*.eng"))
    assert len(names) == 36
    for english in names:
        foreign = english.with_suffix("." + english.name[8:11])
        assert len(read_aligned(foreign, english)) == promised[f"tatoeba/v1/{english.name}"]


def test_reads_every_mining_set(shared, promised):
    gold = sorted((shared / "mining").glob("*.gold.gz"))
    assert len(gold) == 12
    for path in gold:
        code, split = path.name[:2], path.name.split(".")[1]
        pools = read_pools(
            path.with_name(f"{code}-en.{split}.{code}.gz"), path.with_name(f"{code}-en.{split}.en.gz"), path
        )
        assert len(pools.gold) == promised[f"mining/{path.name}"]
        assert len(pools.source) == promised[f"mining/{code}-en.{split}.{code}.gz"]


def test_finds_the_words_of_the_english_treebank(shared):
    rows = read_rows(shared / "ud/en_ewt-ud-train.conllu.gz", "tags")
    assert sum(len(row.words) for row in rows) == 204_577  # the treebank's own statistics


def test_finds_the_entities_of_wikigold(shared):
    rows = read_rows(shared / "ner/wikigold.conll.gz", "tags")
    first = Counter(tag[2:] for row in rows for tag in row.tags if tag.startswith("B-"))
    assert set(first) == {"PER", "LOC", "ORG", "MISC"}
    assert not any(
        tag.startswith("I-") and (number == 0 or row.tags[number - 1] == "O")
        for row in rows
        for number, tag in enumerate(row.tags)
    )


@pytest.mark.parametrize("code", ["de", "en", "hi", "th", "tr", "zh"])
def test_finds_every_answer_of_xquad_at_its_place_and_in_a_window(shared, tokenizer, code):
    rows = read_rows(shared / f"qa/xquad.{code}.json.gz", "span")
    assert sum(map(formats["span"].misplaced, rows)) == 0
    rows = rows[::25]
    found = formats["span"].features(rows, tokenizer, Cut(max_length=384, training=False))
    for number, row in enumerate(rows):
        held = [feature for feature in found if feature.example == number and feature.target != (0, 0)]
        assert held
        for feature in held:
            first, last = feature.target
            assert row.answers[0].text.strip() in row.context[feature.offsets[first][0] : feature.offsets[last][1]]


@pytest.fixture(scope="module")
def lengths(shared, tokenizer):
    rows = read_rows(shared / "nli/taxinli.en.jsonl.gz", "pair")
    return [
        length(feature)
        for feature in formats["pair"].features(rows, tokenizer, Cut(labels=NLI, max_length=128, training=True))
    ]


@pytest.mark.parametrize("budget", [1024, 2048, 4096, 8192])
def test_pads_less_than_a_twentieth(lengths, budget):
    batches = token_budget_batches(lengths, budget, torch.Generator().manual_seed(0))
    area = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    assert (area - sum(lengths)) / area < 0.05
