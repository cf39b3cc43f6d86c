from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from adapter_stilts.errors import UsageError
from adapter_stilts.formats.text import PlainText
from adapter_stilts.miniature.pretraining_rows import Corpus, encode, sample


def corpus_of(lengths, pairs=()):
    """A corpus of one or more languages from text lengths in tokens and pair lengths, ids counted up."""
    size, singles, doubles = 0, {}, {}
    for language, texts in lengths.items():
        singles[language] = []
        for length in texts:
            singles[language].append((size, size + length, 0, 0))
            size += length
        doubles[language] = []
    for a, b in pairs:
        doubles[next(iter(lengths))].append((size, size + a, size + a, size + a + b))
        size += a + b
    return Corpus(torch.arange(5, 5 + size, dtype=torch.int32), singles, doubles)


def covered(rows):
    counts = Counter()
    for a, b, c, d in rows.spans.tolist():
        counts.update([*range(a, b), *range(c, d)])
    return counts


@given(st.lists(st.integers(2, 40), min_size=1, max_size=30), st.integers(0, 5))
def test_reads_every_token_of_the_largest_language_once(lengths, seed):
    corpus = corpus_of({"xx": lengths})
    rows = sample(corpus, max_length=16, pair_share=0.0, exponent=0.7, seed=seed)
    assert max(rows.lengths) <= 16
    counts = covered(rows)
    assert set(counts.values()) == {1}
    assert sum(lengths) - len(counts) <= len(rows.spans)  # a cut may leave a last piece of one token, which is dropped


def test_reads_small_languages_more_often():
    """400 and 25 tokens, exponent 0.5: the small one is read sqrt(400 / 25) = 4 times."""
    rows = sample(
        corpus_of({"large": [10] * 40, "small": [5] * 5}), max_length=30, pair_share=0.0, exponent=0.5, seed=1
    )
    counts = covered(rows)
    assert {counts[place] for place in range(400)} == {1}
    assert {counts[place] for place in range(400, 425)} == {4}


@pytest.mark.parametrize(("pairs", "share"), [(10, 0.5), (500, 0.5), (60, 0.2), (60, 1.0)])
def test_mixes_pairs_in_by_their_share_and_loses_none(pairs, share):
    corpus = corpus_of({"xx": [10] * 100}, [(4, 6)] * pairs)
    rows = sample(corpus, max_length=16, pair_share=share, exponent=1.0, seed=1)
    paired = (rows.spans[:, 3] > rows.spans[:, 2]).float().mean()
    assert paired == pytest.approx(share, abs=0.08)
    first = 0 if share < 1 else 1000
    assert set(covered(rows)) == set(range(first, 1000 + 10 * pairs))


def test_takes_pairs_as_they_come_without_a_share():
    rows = sample(corpus_of({"xx": [10] * 30}, [(4, 6)] * 50), max_length=12, pair_share=None, exponent=1.0, seed=1)
    assert len(rows.spans) == 80
    assert set(covered(rows).values()) == {1}


def test_joins_neighbours_up_to_many_lengths():
    rows = sample(corpus_of({"xx": [4] * 3000}), max_length=66, pair_share=0.0, exponent=1.0, seed=1)
    lengths = Counter(rows.lengths)
    assert lengths[6] / len(rows.spans) == pytest.approx(
        0.5 + 0.5 * 7 / 64, abs=0.05
    )  # alone: half, and draws below two texts
    assert max(lengths) == 66
    assert len(lengths) == 16


@pytest.mark.parametrize(("texts", "pairs", "share"), [([5], [], 0.5), ([], [(4, 4)], 0.5)])
def test_refuses_a_share_of_what_is_not_there(texts, pairs, share):
    with pytest.raises(UsageError, match=r"the pair share is 0.5, but there are no (translation pairs|single texts)"):
        sample(corpus_of({"xx": texts}, pairs), max_length=16, pair_share=share, exponent=0.7, seed=1)


def test_refuses_no_text_at_all():
    with pytest.raises(UsageError, match="there is no text to pretrain on"):
        sample(corpus_of({"xx": []}), max_length=16, pair_share=None, exponent=0.7, seed=1)


def test_makes_the_rows_the_tokenizer_makes(tiny_folder):
    """Reference: the tokenizer with its own template, padded by hand."""
    tokenizer = Tokenizer.from_file(str(tiny_folder / "tokenizer.json"))
    texts = {"de": [PlainText("0", "Die kleine Katze schläft."), PlainText("1", "Die kleine Katze", "The small cat")]}
    rows = sample(encode(texts, tokenizer), max_length=64, pair_share=0.5, exponent=0.7, seed=1)
    single, pair = (
        tokenizer.encode("Die kleine Katze schläft.").ids,
        tokenizer.encode("Die kleine Katze", "The small cat").ids,
    )
    turned = tokenizer.encode("The small cat", "Die kleine Katze").ids
    batch = rows.collate(range(len(rows.spans)))
    found = [ids[mask.bool()].tolist() for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)]
    assert single in found
    assert pair in found or turned in found
    assert [len(row) for row in found] == rows.lengths
    assert (batch["input_ids"][batch["attention_mask"] == 0] == 1).all()


def test_counts_tokens_by_language(tiny_folder):
    tokenizer = Tokenizer.from_file(str(tiny_folder / "tokenizer.json"))
    texts = {
        "de": [PlainText("0", "Die kleine Katze"), PlainText("1", "Die Katze", "The cat")],
        "en": [PlainText("0", "The small cat")],
    }
    corpus = encode(texts, tokenizer)
    expected = sum(
        len(tokenizer.encode(text, add_special_tokens=False).ids)
        for text in ("Die kleine Katze", "Die Katze", "The cat")
    )
    assert corpus.tokens("de") == expected
