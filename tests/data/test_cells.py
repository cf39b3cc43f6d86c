"""Texts that a spreadsheet would run, in the CSV that we write, and back again."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.data.cells import csv_line, of_csv, records

TEXTS = ["=1+1", "+a", "-x", "- Hello.", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''@x", "it's", "'tis", "-", "a=b", ""]


@pytest.mark.parametrize("text", TEXTS)
def test_lets_no_spreadsheet_run_a_text(text):
    (cell,) = next(csv.reader([csv_line([text])]))
    assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r")
    assert cell in (text, f"'{text}")


@pytest.mark.parametrize("number", [-0.5, "-0.5", "+1", "-1e-05", "-inf", 7, None])
def test_leaves_numbers_alone(number):
    assert csv_line([number, "x"]) == f"{'' if number is None else number},x\n"


@given(st.lists(st.sampled_from("'=+-@\tabc\u00e9 \n,\""), max_size=6).map("".join))
def test_gives_every_text_back_that_mine_wrote(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("csv") / "pairs.csv"
    lines = [["score", "cosine", "source", "target"], [-0.25, "0.1", text, "x"]]
    path.write_text("".join(map(csv_line, lines)), newline="")
    (_, header), (_, row) = records(path, of_csv(path))
    assert (header, row) == (lines[0], ["-0.25", "0.1", text, "x"])


def test_leaves_the_apostrophes_of_others_alone(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\n'-x,'@y\n")
    assert [cells for _, cells in records(tmp_path / "a.csv", of_csv(tmp_path / "a.csv"))][1] == ["'-x", "'@y"]
