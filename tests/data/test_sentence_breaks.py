"""Sentence breaks by rule: hand-cut paragraphs, and XQuAD's English ones against the number the release has."""

from __future__ import annotations

import gzip
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.data.sentence_breaks import sentence_at, sentence_breaks


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_breaks(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One came. Two went! Did three stay?", ["One came.", "Two went!", "Did three stay?"]),
        ('"He left." Then she said: "Why?" Nobody knew.', ['"He left."', 'Then she said: "Why?"', "Nobody knew."]),
        ("Dr. Berg met Mrs. Silva on Mt. Elgon. It rained.", ["Dr. Berg met Mrs. Silva on Mt. Elgon.", "It rained."]),
        (
            "J. R. Okello of the U.S. Army and U. S. Navy won. He wept.",
            ["J. R. Okello of the U.S. Army and U. S. Navy won.", "He wept."],
        ),
        (
            "It cost 3.5 euros (approx. 4 dollars). No. 81 was cheap.",
            ["It cost 3.5 euros (approx. 4 dollars).", "No. 81 was cheap."],
        ),
        (
            "She bought tea, milk, etc. He paid at 5 p.m. Then they ate.",
            ["She bought tea, milk, etc.", "He paid at 5 p.m.", "Then they ate."],
        ),
        ("What? no, wait... yes. Good.", ["What? no, wait... yes.", "Good."]),
        ("A title\nA first line.  Two blanks.", ["A title", "A first line.", "Two blanks."]),
        ("猫は寝た。犬は走った！「本当？」はい。", ["猫は寝た。", "犬は走った！", "「本当？」", "はい。"]),
        ("बिल्ली सोई। कुत्ता दौड़ा। क्यों?", ["बिल्ली सोई।", "कुत्ता दौड़ा।", "क्यों?"]),
        ("نامت القطة. لماذا؟ لا أحد يعرف.", ["نامت القطة.", "لماذا؟", "لا أحد يعرف."]),
        ("Кошка спит. Почему? Никто не знает.", ["Кошка спит.", "Почему?", "Никто не знает."]),
        ("  no end at all  ", ["no end at all"]),
        (" \n ", []),
    ],
)
def test_ends_a_sentence_where_a_reader_would(text, expected):
    assert cut(text) == expected


@given(st.text(alphabet="ab A.!? \n。\"')(Dr1", max_size=60))
def test_loses_nothing_but_white_space_and_overlaps_nowhere(text):
    breaks = sentence_breaks(text)
    assert "".join("".join(cut(text)).split()) == "".join(text.split())
    assert all(start < end for start, end in breaks)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(breaks))


def test_tells_which_sentence_holds_a_character():
    breaks = sentence_breaks("One. Two.")
    assert breaks == ((0, 4), (5, 9))
    assert [sentence_at(breaks, place) for place in (0, 3, 4, 5, 8, 9)] == [0, 0, None, 1, 1, None]


@pytest.mark.real
def test_cuts_xquads_english_into_as_many_sentences_as_xquad_r_has(shared_path):
    document = json.loads(gzip.decompress(shared_path("data/qa/xquad.en.json.gz").read_bytes()))
    paragraphs = [paragraph for article in document["data"] for paragraph in article["paragraphs"]]
    assert (
        sum(len(sentence_breaks(paragraph["context"])) for paragraph in paragraphs) == 1180
    )  # the number in the release's README
    answers = [(sentence_breaks(one["context"]), qa["answers"][0]) for one in paragraphs for qa in one["qas"]]
    assert len(answers) == 1190
    assert all(sentence_at(breaks, answer["answer_start"]) is not None for breaks, answer in answers)
