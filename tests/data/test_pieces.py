"""Text to sub-word ids, against transformers' own calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.data.pieces import marks, pieces, pieces_with_offsets, shorten


def test_cuts_as_the_tokenizer_does_when_called(tokenizer):
    texts = ["The Panthers defense", "", "黑豹队的防守", "  two  spaces ", "The Panthers defense"]
    assert pieces(tokenizer, texts) == [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]


def test_is_not_bound_by_an_earlier_call_that_truncated(tokenizer):
    text = "The Panthers defense gave up just 308 points"
    whole = pieces(tokenizer, [text])
    tokenizer([text, "a"], truncation=True, padding="max_length", max_length=5)
    assert pieces(tokenizer, [text]) == whole


def test_gives_offsets_without_white_space(tokenizer):
    text = "The  league\u2028, 黑豹队"
    for _, offsets in pieces_with_offsets(tokenizer, [text]):
        covered = {place for start, end in offsets for place in range(start, end)}
        assert covered == {place for place, character in enumerate(text) if not character.isspace()}


def test_puts_special_tokens_where_xlm_r_does(tokenizer):
    around = marks(tokenizer)
    one, two = pieces(tokenizer, ["The league", "im letzten Spiel"])
    assert list(around.single(one)) == tokenizer("The league")["input_ids"]
    assert list(around.pair(one, two)) == tokenizer("The league", "im letzten Spiel")["input_ids"]


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 80))
def test_cuts_longest_first(first, second, room):
    left, right = shorten(range(first), range(second), room)
    # brute force: take one token off the longer side until it fits
    a, b = first, second
    while a + b > room:
        a, b = (a - 1, b) if a > b else (a, b - 1)
    assert len(left) + len(right) == a + b
    assert {len(left), len(right)} in ({a, b}, {a - 1, b + 1}, {a + 1, b - 1})
    assert (list(left), list(right)) == (list(range(len(left))), list(range(len(right))))


@pytest.mark.parametrize("text", ["", " ", "\u3000"])
def test_cuts_a_text_without_a_word(tokenizer, text):
    (cut,) = pieces_with_offsets(tokenizer, [text])
    assert len(cut[0]) == len(cut[1])
