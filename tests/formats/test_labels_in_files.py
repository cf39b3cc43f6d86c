"""Labels and choices as people's files have them: read right, or refused with row and column before anything is
trained."""

import json

import pytest

from adapter_stilts.data.layout import Layout
from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.base import formats
from adapter_stilts.formats.reading import read

NLI = ("contradiction", "entailment", "neutral")


@pytest.fixture
def rows(write):
    """`rows(format, row, ...)`: the rows of a file of JSON lines."""

    def put(format, *content, **layout):
        lines = "".join(json.dumps(row) + "\n" for row in content)
        return read(write("a.jsonl", lines), Layout(format, **layout))

    return put


def test_refuses_more_labels_than_a_head_has_before_the_file_is_read_to_its_end(write):
    lines = "".join(f'{{"text": "a", "label": "ticket {number}"}}\n' for number in range(20_001))
    with pytest.raises(TaskDataError, match=r"more than 20,000 different labels, such as ticket 0, (.|\n)*row '20000'"):
        read(write("a.jsonl", lines + "no JSON"), Layout("single"))


@pytest.mark.parametrize("label", [None, "", float("nan"), "nan"])
def test_names_the_row_and_column_without_a_label(rows, label):
    good = {"premise": "a", "hypothesis": "b", "label": "neutral"}
    with pytest.raises(TaskDataError, match=r"a row without a label(.|\n)*a.jsonl, line 2, column 'label'"):
        rows("pair", good, {**good, "label": label}, labels=NLI)
    with pytest.raises(TaskDataError, match=r"a row without a label(.|\n)*a.jsonl, line 2, column 'label'"):
        rows("single", {"text": "a", "label": "x"}, {"text": "b", "label": label})
    choice = {"question": "q", "choices": ["a", "b"], "label": 0}
    with pytest.raises(TaskDataError, match=r"a row without a label(.|\n)*a.jsonl, line 2, column 'label'"):
        rows("choice", choice, {**choice, "label": label})


def test_reads_a_split_without_labels_all_the_same(rows):
    read = rows("single", {"text": "a", "label": None}, {"text": "b", "label": float("nan")}, labelled=False)
    assert [row.label for row in read] == ["", ""]


@pytest.mark.parametrize(
    "choices", [["a", None], [None, "b"], ["a", float("nan")], ["a", ["b"]], ["a", {"b": 1}], ["a", True], ["a", " "]]
)
def test_refuses_a_choice_that_is_no_text(rows, choices):
    for cell in (choices, {"text": choices, "label": ["0", "1"]}):
        with pytest.raises(TaskDataError, match=r"a choice (that is no|without) text(.|\n)*column 'choices', choice"):
            rows("choice", {"question": "q", "choices": cell, "label": 0})


def test_refuses_an_empty_column_of_a_choice(write):
    path = write("a.csv", "question,option_a,option_b,label\nq,a,b,A\nq,a,,A\n")
    with pytest.raises(TaskDataError, match=r"a choice without text(.|\n)*line 3, column 'option_b'"):
        read(path, Layout("choice"))


def test_refuses_choices_and_labels_of_other_numbers(rows):
    choices = {"text": ["a", "b", "c"], "label": ["A", "B"]}
    with pytest.raises(TaskDataError, match=r"3 choices and other labels(.|\n)*line 1"):
        rows("choice", {"question": "q", "choices": choices, "label": "A"})


@pytest.mark.parametrize("name", ["choice{}", "option_{}", "Answer{:02}"])
@pytest.mark.parametrize("first", [0, 1])
def test_reads_more_than_ten_choices_in_their_order(rows, name, first):
    row = {"question": "q", **{name.format(n + first): f"text {n}" for n in reversed(range(13))}, "label": 11}
    (read,) = rows("choice", row)
    assert (read.choices, read.label) == (tuple(f"text {n}" for n in range(13)), 11)


def test_reads_choices_called_by_letters(rows):
    row = {"question": "q", **{f"option_{letter}": letter for letter in "abcdefghijkl"}, "answer": "K"}
    (read,) = rows("choice", row)
    assert (read.choices, read.label) == (tuple("abcdefghijkl"), 10)
    assert rows("choice", {**row, "answer": "k"})[0].label == 10


@pytest.mark.parametrize("marks", ["012 4", "134", "ab d", "bcd", "1a", "23"])
def test_refuses_columns_of_choices_with_a_gap(rows, marks):
    row = {"question": "q", **{f"option_{mark}": mark for mark in marks.replace(" ", "")}, "label": 0}
    with pytest.raises(TaskDataError, match="the columns of choices are not numbered through"):
        rows("choice", row)


@pytest.mark.parametrize("value", ["false", "False", "0", 0, False, None])
def test_reads_truth_written_as_text(write, value):
    answer = {"text": "Ada", "answer_start": 0}
    question = {"id": "q", "question": "Who?", "is_impossible": value, "answers": [answer]}
    empty = {"id": "r", "question": "Who?", "is_impossible": "true", "answers": []}
    document = {"data": [{"paragraphs": [{"context": "Ada sings.", "qas": [question, empty]}]}]}
    first, second = read(write("a.json", json.dumps(document)), Layout("span"))
    assert (len(first.answers), second.answers) == (1, ())


@pytest.mark.parametrize("value", ["perhaps", "no", 2, 0.5, [], {}])
def test_refuses_truth_that_is_none(write, value):
    question = {"id": "q", "question": "Who?", "is_impossible": value, "answers": [{"text": "A", "answer_start": 0}]}
    document = {"data": [{"paragraphs": [{"context": "Ada sings.", "qas": [question]}]}]}
    with pytest.raises(TaskDataError, match=r"is_impossible is neither true nor false(.|\n)*question 'q'"):
        read(write("a.json", json.dumps(document)), Layout("span"))


@pytest.mark.parametrize("value", [True, "true", 1])
def test_refuses_an_impossible_question_with_answers(write, rows, value):
    question = {"id": "q", "question": "Who?", "is_impossible": value, "answers": [{"text": "A", "answer_start": 0}]}
    document = {"data": [{"paragraphs": [{"context": "Ada sings.", "qas": [question]}]}]}
    with pytest.raises(TaskDataError, match=r"there are answers(.|\n)*question 'q'"):
        read(write("a.json", json.dumps(document)), Layout("span"))
    with pytest.raises(TaskDataError, match=r"there are answers(.|\n)*line 1"):
        rows("span", {"context": "Ada", **question})


@pytest.mark.parametrize(
    "answers",
    [
        {"text": "Ada", "answer_start": 0},
        {"text": "Ada", "answer_start": [0, 1, 2]},
        {"text": ["Ada"], "answer_start": ["zero"]},
        {"text": ["Ada"], "answer_start": [0.5]},
        {"text": [None], "answer_start": [0]},
        {"text": ["Ada", "A"], "answer_start": [0]},
        ["Ada"],
        "Ada",
        float("nan"),
        True,
    ],
)
def test_refuses_flat_answers_that_are_none(rows, answers):
    with pytest.raises(TaskDataError, match=r"line 1, column 'answers'"):
        rows("span", {"id": "q", "question": "Who?", "context": "Ada sings.", "answers": answers})


@pytest.mark.parametrize("id", [None, "", float("nan")])
def test_refuses_a_question_without_an_id(write, id):
    question = {"id": id, "question": "Who?", "answers": [{"text": "A", "answer_start": 0}]}
    document = {"data": [{"paragraphs": [{"context": "Ada sings.", "qas": [question]}]}]}
    with pytest.raises(TaskDataError, match="a question without an id"):
        read(write("a.json", json.dumps(document)), Layout("span"))


@pytest.mark.parametrize("labels", ["1 True", "True true", "0 1 FALSE", "1 false", "1 maybe true"])
def test_refuses_truth_written_in_two_ways(labels):
    with pytest.raises(TaskDataError, match="labels are written in two ways: (.|\n)*everywhere"):
        formats["single"].completed(labels.split())


@pytest.mark.parametrize("labels", ["0 1", "False True", "NO no", "1 2 x", "-1 0 1", "maybe true"])
def test_takes_other_labels_as_they_are(labels):
    assert sorted(formats["single"].completed(labels.split())) == sorted(labels.split())


@pytest.mark.parametrize("label", [True, False])
def test_refuses_truth_for_a_choice(rows, label):
    with pytest.raises(TaskDataError, match=rf"not called {label}(.|\n)*line 1, column 'label'"):
        rows("choice", {"question": "q", "choices": ["a", "b"], "label": label})
