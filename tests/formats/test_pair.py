"""Pairs that do not match, made from pairs that do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.pair import Classified, with_mismatches


@given(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=30).filter(lambda texts: len(set(texts)) > 1))
def test_gives_each_row_one_partner_of_its_own_and_one_of_another_text(texts):
    rows = with_mismatches(
        [Classified(str(number), f"doc {number}", text, "") for number, text in enumerate(texts)], "here"
    )
    right, wrong = rows[::2], rows[1::2]
    assert [(row.pair, row.label) for row in right] == [(text, "1") for text in texts]
    assert all(
        row.pair != text and row.pair in texts and row.label == "0" for row, text in zip(wrong, texts, strict=True)
    )
    assert (
        [row.text for row in right] == [row.text for row in wrong] == [f"doc {number}" for number in range(len(texts))]
    )
    assert len({row.id for row in rows}) == 2 * len(texts)


def test_gives_the_same_rows_every_time_and_uses_every_partner_once_where_texts_differ():
    rows = [Classified(str(number), "d", str(number), "") for number in range(50)]
    assert with_mismatches(rows, "x") == with_mismatches(rows, "x")
    assert sorted(row.pair for row in with_mismatches(rows, "x")[1::2]) == sorted(map(str, range(50)))


def test_refuses_rows_that_all_have_one_partner():
    with pytest.raises(TaskDataError, match=r"takes two different texts(.|\n)*train of codesearch"):
        with_mismatches([Classified("0", "a", "x", ""), Classified("1", "b", "x", "")], "train of codesearch")
