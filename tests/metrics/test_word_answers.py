"""Answers cut by white-space words, against the reference implementation in transformers."""

import random

import pytest

from adapter_stilts.metrics.word_answers import aligned, word_answer

WORDS = ["Anna", "(Anna", "Bode),", "$5.00", "don't", "«Rome»"]
WORDS += [
    "北京",
    "北京市，",
    "中国A股",
    "กรุงเทพฯ",
    "東京は",
    "ﬁve",
    "x\u00a0y",
    "a\u2028b",
    "\u200bz",
    "—",
    "5%",
    "ａ",
    "i̇",
]


def test_trims_punctuation_off_a_word():
    assert aligned("Anna", "(Anna") == "Anna"
    assert aligned("Anna Bode", "(Anna Bode),") == "Anna Bode"
    assert word_answer("by (Anna Bode), in", (4, 8), (9, 13), "Anna Bode") == "Anna Bode"


@pytest.mark.parametrize(
    ("pieces", "words"), [("5.00", "$5.00"), ("北京", "北京市是首都。"), ("don't", "don't"), ("missing", "other words")]
)
def test_leaves_the_words_whole_where_the_reference_finds_nothing(pieces, words):
    assert aligned(pieces, words) == words


def test_trims_thai_which_the_reference_does_not_cut():
    assert aligned("กรุงเทพ", "เมืองกรุงเทพใหญ่") == "กรุงเทพ"


def test_counts_a_space_to_the_word_before_it_and_other_spaces_to_their_word():
    context = " one\u202ftwo  x\u00a0y\n"
    assert word_answer(context, (1, 4), (1, 4), "?") == "one"
    assert word_answer(context, (5, 8), (10, 11), "?") == "two x\u00a0y"
    assert word_answer("  ", (0, 1), (0, 1), "?") == ""


def test_agrees_with_the_reference_on_hostile_text():
    official = pytest.importorskip("transformers.data.metrics.squad_metrics")
    rnd = random.Random(3)
    found = 0
    for _ in range(3000):
        words = " ".join(rnd.choices(WORDS, k=rnd.randint(1, 4)))
        start = rnd.randrange(len(words))
        pieces = (
            " ".join(words[start : rnd.randint(start, len(words))].split()) if rnd.random() < 0.9 else rnd.choice(WORDS)
        )
        answer = aligned(pieces, words)
        assert answer == official.get_final_text(pieces, words, do_lower_case=False)
        found += answer != words
    assert found > 500  # it trims often enough for the comparison to mean something
