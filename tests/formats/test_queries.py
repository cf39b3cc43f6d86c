"""Queries and candidates from XQuAD-R's JSON, SQuAD's, flat rows and rows of one's own."""

from __future__ import annotations

import json

import pytest
from small_files import read_rows

from adapter_stilts.data.layout import Layout
from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.queries import Candidate, Query
from adapter_stilts.formats.reading import read

FIRST = "Anna bought a boat. She paid Mr. Berg ten euros."
SECOND = "Rain fell in Rome."


def document(breaks: bool = True) -> dict[str, object]:
    """Two paragraphs in the layout of google-research-datasets/lareqa, written for this test."""
    paragraphs = [
        {
            "context": FIRST,
            "qas": [
                {"id": "q1", "question": "Who bought a boat?", "answers": [{"text": "Anna", "answer_start": 0}]},
                {
                    "id": "q2",
                    "question": "Who was paid?",
                    "answers": [{"text": "Mr. Berg", "answer_start": FIRST.index("Mr.")}],
                },
                {
                    "id": "q3",
                    "question": "How much was it?",
                    "answers": [{"text": "ten euros", "answer_start": FIRST.index("ten")}],
                },
            ],
            "sentence_breaks": [[0, 19], [20, 48]],
            "sentences": [FIRST[:19], FIRST[20:]],
        },
        {
            "context": SECOND,
            "qas": [{"id": "q4", "question": "Where did it rain?", "answers": [{"text": "Rome", "answer_start": 13}]}],
            "sentence_breaks": [[0, 18]],
            "sentences": [SECOND],
        },
    ]
    if not breaks:
        for paragraph in paragraphs:
            del paragraph["sentence_breaks"], paragraph["sentences"]
    return {"version": "1.1", "data": [{"title": "t", "paragraphs": paragraphs}]}


@pytest.fixture
def written(tmp_path):
    def write(content: object, name: str = "en.json"):
        path = tmp_path / name
        path.write_text(
            "".join(json.dumps(row) + "\n" for row in content) if isinstance(content, list) else json.dumps(content),
            encoding="utf-8",
        )
        return path

    return write


@pytest.mark.parametrize("breaks", [True, False])
def test_takes_the_sentence_an_answer_begins_in(written, breaks):
    found = read(written(document(breaks)), Layout("ranking", language="en"))
    assert [(query.id, query.text) for query in found][:2] == [("q1", "Who bought a boat?"), ("q2", "Who was paid?")]
    assert [query.positive.id for query in found] == ["en_1_0", "en_1_1", "en_1_1", "en_2_0"]
    assert found[1].positive == Candidate("en_1_1", "She paid Mr. Berg ten euros.", FIRST, "en")


def test_offers_every_sentence_with_the_questions_it_answers(written):
    found = read(written(document()), Layout("ranking", language="de", candidates=True))
    assert found == [
        Candidate("de_1_0", FIRST[:19], FIRST, "de", ("q1",)),
        Candidate("de_1_1", FIRST[20:], FIRST, "de", ("q2", "q3")),
        Candidate("de_2_0", SECOND, SECOND, "de", ("q4",)),
    ]


def test_leaves_a_question_without_a_positive_where_its_answer_is_not(written):
    changed = document()
    changed["data"][0]["paragraphs"][1]["qas"][0]["answers"][0]["answer_start"] = 3
    assert read(written(changed), Layout("ranking"))[3].positive is None


def test_refuses_sentence_breaks_of_another_text(written):
    changed = document()
    changed["data"][0]["paragraphs"][1]["sentence_breaks"] = [[0, 400]]
    with pytest.raises(TaskDataError, match=r"sentence_breaks are not pairs of characters(.|\n)*paragraph 1"):
        read(written(changed), Layout("ranking"))


def test_reads_squads_flat_rows(written):
    answers = {"text": ["Rome"], "answer_start": [13]}
    rows = [
        {"id": "a", "question": "Where?", "context": SECOND, "answers": answers},
        {"id": "b", "question": "When?", "context": SECOND, "answers": answers},
    ]
    one, other = read(written(rows, "rows.jsonl"), Layout("ranking"))
    assert one.positive == other.positive
    assert (one.positive.text, one.positive.context) == (SECOND, SECOND)


def test_offers_every_sentence_of_squads_flat_rows(written):
    found = document()["data"][0]["paragraphs"]
    rows = [
        {"id": qa["id"], "question": qa["question"], "context": paragraph["context"], "answers": qa["answers"]}
        for paragraph in found
        for qa in paragraph["qas"]
    ]
    pool = read(written(rows, "rows.jsonl"), Layout("ranking", candidates=True, language="de"))
    assert [(one.text, one.context, one.language, one.answers) for one in pool] == [
        (FIRST[:19], FIRST, "de", ("q1",)),
        (FIRST[20:], FIRST, "de", ("q2", "q3")),
        (SECOND, SECOND, "de", ("q4",)),
    ]
    queries = read(written(rows, "rows.jsonl"), Layout("ranking", language="de"))
    assert [query.positive.id for query in queries] == [pool[number].id for number in (0, 1, 1, 2)]


@pytest.mark.parametrize(("moved", "found"), [(0, 1), (1, 1), (4, 1), (5, None), (-1, None)])
def test_finds_an_answer_where_a_copy_cut_off_a_paragraphs_beginning(written, moved, found):
    answers = {"text": ["She paid"], "answer_start": [20 + moved]}
    rows = [{"id": "a", "question": "Who?", "context": FIRST, "answers": answers}]
    (query,) = read(written(rows, "rows.jsonl"), Layout("ranking"))
    assert (query.positive and query.positive.text) == (FIRST[20:] if found else None)


def test_reads_queries_and_positives_of_ones_own(written):
    rows = [
        {"query": "red fruit", "positive": "apple"},
        {"query": "yellow fruit", "positive": "lemon"},
        {"query": "sour fruit", "positive": "lemon"},
    ]
    found = read_rows(written(rows, "rows.jsonl"), "ranking")
    assert [(query.id, query.text, query.positive.text) for query in found] == [
        ("0", "red fruit", "apple"),
        ("1", "yellow fruit", "lemon"),
        ("2", "sour fruit", "lemon"),
    ]
    pool = read(written(rows, "rows.jsonl"), Layout("ranking", candidates=True))
    assert [(one.text, one.answers) for one in pool] == [("apple", ("0",)), ("lemon", ("1", "2"))]


def test_reads_gold_ids_one_or_several(written):
    rows = [{"id": "x", "question": "who?", "gold": "e1"}, {"id": "y", "question": "who else?", "gold": ["e1", "e2"]}]
    assert read(written(rows, "rows.jsonl"), Layout("ranking", labelled=False)) == [
        Query("x", "who?", None, ("e1",)),
        Query("y", "who else?", None, ("e1", "e2")),
    ]
    listed = [{"id": "e1", "text": "Anna", "language": "en"}, {"id": "e2", "text": "Anna", "language": "de"}]
    assert read(written(listed, "pool.jsonl"), Layout("ranking", candidates=True)) == [
        Candidate("e1", "Anna", None, "en"),
        Candidate("e2", "Anna", None, "de"),
    ]


@pytest.mark.parametrize(
    ("rows", "layout", "message"),
    [
        ([{"query": "a"}], Layout("ranking"), "a query without its positive"),
        ([{"query": "a", "positive": ""}], Layout("ranking"), "a query without its positive"),
        ([{"text": "a", "positive": "b"}], Layout("ranking"), "no column for 'query'"),
        (
            [{"id": "1", "text": "a"}, {"id": "1", "text": "b"}],
            Layout("ranking", candidates=True),
            "id '1' occurs twice",
        ),
        (
            [{"query": "a", "positive": "x", "gold": "1"}, {"query": "b", "positive": "y", "gold": "1"}],
            Layout("ranking", candidates=True),
            "two texts",
        ),
        ([{"name": "a", "text": "b"}], Layout("ranking", candidates=True), "candidates need an id"),
        ([{"query": "a", "gold": "[1"}], Layout("ranking", labelled=False), "'gold' is not a list"),
    ],
)
def test_refuses_what_is_missing_or_said_twice(written, rows, layout, message):
    with pytest.raises(TaskDataError, match=message):
        read(written(rows, "rows.jsonl"), layout)


def test_says_how_to_unpack_an_archive(written):
    with pytest.raises(TaskDataError, match=r"unpack it \(tar -xzf FILE\)"):
        read(written([], "candidate_entities.jsonl.tar.gz"), Layout("ranking"))
