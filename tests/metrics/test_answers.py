"""Expected texts and fractions are worked out by hand from SQuAD's and MLQA's rules; spans are checked against a plain
double loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.errors import UnknownName
from adapter_stilts.metrics.answers import (
    Window,
    best_span,
    character_text,
    exact_match,
    mlqa_text,
    squad_text,
    token_f1,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Quick, brown fox!", "quick brown fox"),
        ("a an the", ""),
        ("Théâtre de l'Opéra", "théâtre de lopéra"),
        ("«Paris»", "«paris»"),  # only ASCII punctuation is deleted
        ("another theory", "another theory"),
    ],
)
def test_normalises_as_squad_does(text, expected):
    assert squad_text(text) == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "The «cat»", "cat"),
        ("es", "Los gatos y la casa", "gatos y casa"),
        ("de", "Der Rat der Stadt, einem Ort", "rat stadt ort"),
        ("vi", "những con mèo của tôi", "con mèo tôi"),
        ("ar", "الكتاب والقلم", "كتاب و قلم"),  # the article goes wherever its two letters stand
        ("hi", "यह एक घर है।", "यह एक घर है"),
        ("zh", "北京2008年，北京！", "北 京 2008 年 北 京"),
        ("zh", "在London Bridge上", "在 london bridge 上"),
    ],
)
def test_normalises_by_language_as_mlqa_does(language, text, expected):
    assert mlqa_text(language)(text) == expected


def test_refuses_a_language_that_mlqa_does_not_define():
    with pytest.raises(UnknownName, match=r"no MLQA language called 'th'"):
        mlqa_text("th")


def test_takes_the_best_of_several_answers():
    # By hand: against "big red ball" two of two guessed and of three gold tokens are shared, 2*2/5.
    assert token_f1("the red ball", ["blue", "big red ball"], squad_text) == pytest.approx(0.8)
    assert exact_match("The red ball.", ["blue", "red ball"], squad_text) == 1.0


def test_counts_a_repeated_token_as_often_as_both_have_it():
    assert token_f1("da da da", ["da da"], squad_text) == pytest.approx(2 * 2 / 5)


def test_gives_no_f1_to_an_empty_answer_even_where_the_gold_is_only_an_article():
    assert token_f1("", ["the"], squad_text) == 0.0
    assert exact_match("", ["the"], squad_text) == 1.0


def test_cuts_every_character_for_scripts_without_spaces():
    assert character_text("北京 2008。") == "北 京 2 0 0 8"


def test_scores_a_partly_right_chinese_answer_by_character_where_squad_gives_nothing():
    assert token_f1("北京市", ["北京"], squad_text) == 0.0
    assert token_f1("北京市", ["北京"], mlqa_text("zh")) == pytest.approx(0.8)


CONTEXT = "Anna lives in Rome."
OFFSETS = ((-1, -1), (-1, -1), (0, 4), (5, 10), (11, 13), (14, 18), (18, 19), (-1, -1))


def window(starts, ends, offsets=OFFSETS):
    return Window(np.array([starts, ends], dtype=np.float32).T, offsets)


def test_reads_the_answer_by_its_characters():
    span = best_span(CONTEXT, [window([0, 9, 1, 0, 0, 5, 0, 9], [0, 9, 0, 0, 0, 5, 1, 9])])
    assert (span.text, span.start, span.end, span.score) == ("Rome", 14, 18, 10.0)


def test_never_answers_outside_the_context_nor_backwards():
    span = best_span(CONTEXT, [window([9, 9, 0, 0, 0, 4, 0, 9], [9, 9, 5, 0, 0, 0, 0, 9])])
    assert (span.text, span.score) == (
        "Anna",
        5.0,
    )  # start 0 + end 5 beats Rome with 4 + 0; (Rome, Anna) would run backwards


def test_keeps_to_the_longest_answer():
    scored = window([0, 0, 4, 1, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 5, 0])
    assert best_span(CONTEXT, [scored], longest=5).text == "Anna lives in Rome."
    assert best_span(CONTEXT, [scored], longest=4).text == "lives in Rome."


def test_looks_at_the_n_best_starts_and_ends_alone():
    # With n_best 1 the best start (Rome) stands after the best end (Anna): nothing can be answered.
    scored = window([0, 0, 0, 0, 0, 5, 0, 0], [0, 0, 5, 0, 0, 0, 0, 0])
    assert best_span(CONTEXT, [scored], n_best=1).text == ""
    assert best_span(CONTEXT, [scored], n_best=2).text == "Anna"


def test_takes_the_best_of_all_windows_and_the_lowest_null():
    first = window([3, 0, 1, 0, 0, 0, 0, 0], [3, 0, 1, 0, 0, 0, 0, 0])
    second = window([1, 0, 0, 0, 0, 4, 0, 0], [0, 0, 0, 0, 0, 4, 0, 0])
    span = best_span(CONTEXT, [first, second])
    assert (span.text, span.null_score, span.null_odds) == ("Rome", 1.0, -7.0)


def test_gives_the_first_of_equal_answers():
    flat = window([0] * 8, [0] * 8)
    assert best_span(CONTEXT, [flat, flat]).text == "Anna"


def test_answers_nothing_where_the_context_has_no_token():
    assert best_span("", [window([1, 1], [1, 1], [(-1, -1), (-1, -1)])]).text == ""


def plain_search(context, windows, longest):
    best, text = -np.inf, ""
    for one in windows:
        for first, (left, _) in enumerate(one.offsets):
            for last in range(first, min(first + longest, len(one.offsets))):
                score = float(one.logits[first, 0]) + float(one.logits[last, 1])
                if left >= 0 and one.offsets[last][0] >= 0 and score > best:
                    best, text = score, context[left : one.offsets[last][1]]
    return best, text


@given(st.lists(st.lists(st.integers(-3, 3), min_size=16, max_size=16), min_size=1, max_size=3), st.integers(1, 6))
def test_finds_what_a_double_loop_finds(drawn, longest):
    windows = [window(values[:8], values[8:]) for values in drawn]
    span = best_span(CONTEXT, windows, longest=longest)
    assert (span.score, span.text) == plain_search(CONTEXT, windows, longest)
