"""SQuAD's JSON, whole and broken."""

import json

import pytest
from small_files import read_rows

from adapter_stilts.data.layout import Layout
from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.reading import read
from adapter_stilts.formats.squad import Answer, SpanQuestion


def document(**qa):
    question = {"id": "q", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}], **qa}
    return {"version": "1.1", "data": [{"title": "t", "paragraphs": [{"context": "Ada sings.", "qas": [question]}]}]}


def test_reads_answered_questions(write):
    path = write("xquad.en.json.gz", json.dumps(document()))
    assert read_rows(path, "span") == [SpanQuestion("q", "Who?", "Ada sings.", (Answer("Ada", 0),))]


def test_reads_questions_that_have_no_answer(write):
    path = write(
        "train-v2.0.json",
        json.dumps(document(answers=[], is_impossible=True, plausible_answers=[{"text": "Ada", "answer_start": 0}])),
    )
    assert read_rows(path, "span")[0].answers == ()


def test_reads_a_test_file_without_answers_only_where_told(write):
    path = write("a.json", json.dumps(document(answers=[])))
    with pytest.raises(TaskDataError, match=r"a question without answers(.|\n)*question 'q'"):
        read_rows(path, "span")
    assert read(path, Layout("span", labelled=False))[0].answers == ()


def test_says_where_truncated_json_breaks_off(write):
    text = json.dumps(document(), indent=1)
    with pytest.raises(TaskDataError, match=r"not valid JSON(.|\n)*a.json, line \d+(.|\n)*truncated"):
        read_rows(write("a.json", text[: len(text) // 2]), "span")


@pytest.mark.parametrize(
    ("qa", "match"),
    [
        ({"id": ""}, "a question without an id"),
        ({"question": 3}, "'question' is not text"),
        ({"answers": [{"text": "Ada"}]}, "answer_start is not a whole number: None"),
        ({"answers": [{"answer_start": 0}]}, "no 'text' here"),
        ({"answers": "Ada"}, "no list 'answers'"),
    ],
)
def test_refuses_a_broken_question_and_names_its_paragraph(write, qa, match):
    with pytest.raises(TaskDataError, match=rf"{match}(.|\n)*article 0, paragraph 0"):
        read_rows(write("a.json", json.dumps(document(**qa))), "span")


def test_refuses_json_that_is_not_squad(write):
    with pytest.raises(TaskDataError, match="no column for 'question'"):
        read_rows(write("a.json", '{"rows": []}'), "span")
    with pytest.raises(TaskDataError, match="no list 'paragraphs'"):
        read_rows(write("b.json", '{"data": [{"title": "t"}]}'), "span")


def test_refuses_a_question_id_twice(write):
    both = document()
    both["data"] *= 2
    with pytest.raises(TaskDataError, match="id 'q' occurs twice"):
        read_rows(write("a.json", json.dumps(both)), "span")


@pytest.mark.parametrize("start", ["0", 0.0, " 0"])
def test_reads_a_place_written_as_text_or_as_a_float(write, start):
    path = write("a.json", json.dumps(document(answers=[{"text": "Ada", "answer_start": start}])))
    assert read_rows(path, "span")[0].answers == (Answer("Ada", 0),)


@pytest.mark.parametrize("start", ["", "one", 0.5, True, None])
def test_refuses_a_place_that_is_no_whole_number(write, start):
    path = write("a.json", json.dumps(document(answers=[{"text": "Ada", "answer_start": start}])))
    with pytest.raises(TaskDataError, match="answer_start is not a whole number"):
        read_rows(path, "span")
