"""Words to sub-words: the first carries the tag, and no word is lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_stilts.formats.base import Cut, formats
from adapter_stilts.formats.tags import Tagged

LABELS = ("O", "B-X", "I-X")
WORDS = st.lists(st.text(min_size=0, max_size=12), min_size=1, max_size=40)


def made(tokenizer, words, max_length):
    sentence = Tagged("0", tuple(words), tuple(LABELS[number % 3] for number in range(len(words))))
    return formats["tags"].features([sentence], tokenizer, Cut(labels=LABELS, max_length=max_length, training=True))


def test_labels_the_first_sub_word_of_each_word(tokenizer):
    (feature,) = made(tokenizer, ["Panthers", "defense", "."], 64)
    expected, labels = [tokenizer.cls_token_id], [-100]
    for number, word in enumerate(["Panthers", "defense", "."]):
        ids = tokenizer(word, add_special_tokens=False)["input_ids"]
        expected += ids
        labels += [number] + [-100] * (len(ids) - 1)
    assert list(feature.input_ids) == [*expected, tokenizer.sep_token_id]
    assert list(feature.target) == [*labels, -100]


@given(words=WORDS, max_length=st.integers(8, 40))
@settings(max_examples=60)
def test_splits_long_sentences_between_words_and_loses_none(tokenizer, words, max_length):
    found = made(tokenizer, words, max_length)
    assert sum(len(feature.words) for feature in found) == len(words)
    assert [feature.target[place] for feature in found for place in feature.words] == [
        number % 3 for number in range(len(words))
    ]
    assert all(len(feature.input_ids) <= max_length for feature in found)
    assert all(sum(label != -100 for label in feature.target) == len(feature.words) for feature in found)
    assert {feature.example for feature in found} == {0}


@pytest.mark.parametrize("word", ["", "x" * 300])
def test_makes_a_word_without_pieces_or_with_too_many_one_unknown_token(tokenizer, word):
    (feature,) = made(tokenizer, ["The", word, "league"], 64)
    assert feature.input_ids[feature.words[1]] == tokenizer.unk_token_id
    assert feature.words[2] == feature.words[1] + 1
