"""A table of texts against a dictionary."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_stilts.retrieval.stored.known import KnownTexts, as_keys, text_key


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(0, 12), max_size=9), max_size=6), st.integers(0, 9))
def test_knows_what_a_dictionary_of_the_first_texts_knows(groups, capacity):
    known, expected, row = KnownTexts(capacity), {}, 0
    for group in groups:
        rows = np.arange(row, row + len(group))
        known.add(as_keys([text_key(str(text)) for text in group]), rows)
        for text, place in zip(group, rows.tolist(), strict=True):
            if text not in expected and len(expected) < capacity:
                expected[text] = place
        row += len(group)
    asked = list(range(13))
    assert known.find(as_keys([text_key(str(text)) for text in asked])).tolist() == [
        expected.get(text, -1) for text in asked
    ]
    assert len(known) == len(expected)


def test_tells_texts_apart_that_share_half_a_hash():
    known = KnownTexts(9)
    one, other = np.arange(32, dtype=np.uint8).reshape(2, 16) % 16
    other[15] = 99
    known.add(np.stack([one]), np.array([3]))
    assert known.find(np.stack([other, one])).tolist() == [-1, 3]
    known.add(np.stack([other]), np.array([5]))
    assert known.find(np.stack([one])).tolist() == [3]


@pytest.mark.parametrize("text", ["", "a", "\u2028", "小さな猫"])
def test_gives_every_text_sixteen_bytes(text):
    assert len(text_key(text)) == 16
    assert text_key(text) != text_key(text + " ")
