"""Rows with named columns in the layouts of the releases."""

import json

import pytest
from small_files import read_rows

from adapter_stilts.data.layout import Layout
from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.aligned import Bitext
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.reading import read
from adapter_stilts.formats.squad import Answer, SpanQuestion
from adapter_stilts.formats.tags import Tagged
from adapter_stilts.formats.text import PlainText


@pytest.fixture
def rows(write):
    def read_one(format, row, **layout):
        return read(write("rows.jsonl", json.dumps(row) + "\n"), Layout(format, **layout))[0]

    return read_one


def test_reads_xcopa_with_the_question_in_words(rows):
    row = {
        "premise": "P.",
        "choice1": "A.",
        "choice2": "B.",
        "question": "cause",
        "label": 1,
        "idx": 4,
        "changed": False,
    }
    assert rows("choice", row) == MultipleChoice("4", "P. What was the cause?", ("A.", "B."), 1)
    assert rows("choice", {**row, "question": "effect"}).prompt == "P. What was the effect?"


def test_reads_ecare(rows):
    row = {"index": "dev-0", "premise": "P.", "ask-for": "effect", "hypothesis1": "A.", "hypothesis2": "B.", "label": 0}
    assert rows("choice", row) == MultipleChoice("dev-0", "P. What was the effect?", ("A.", "B."), 0)


def test_reads_hellaswag_with_the_start_of_the_ending(rows):
    row = {
        "ind": 3,
        "ctx_a": "He sits.",
        "ctx_b": "then he",
        "ctx": "He sits. then he",
        "endings": ["runs.", "sleeps.", "eats.", "sings."],
        "label": "2",
    }
    assert rows("choice", row) == MultipleChoice(
        "3", "He sits.", ("then he runs.", "then he sleeps.", "then he eats.", "then he sings."), 2
    )


def test_reads_commonsense_qa_by_the_names_of_its_choices(rows):
    row = {
        "id": "q",
        "question": "Where?",
        "choices": {"label": ["A", "B", "C"], "text": ["here", "there", "nowhere"]},
        "answerKey": "C",
    }
    assert rows("choice", row) == MultipleChoice("q", "Where?", ("here", "there", "nowhere"), 2)


def test_reads_cosmos_qa_and_social_iqa(rows):
    cosmos = {
        "id": "c",
        "context": "C.",
        "question": "Q?",
        "answer0": "a",
        "answer1": "b",
        "answer2": "c",
        "answer3": "d",
        "label": 3,
    }
    assert rows("choice", cosmos) == MultipleChoice("c", "C. Q?", ("a", "b", "c", "d"), 3)
    social = {"context": "C.", "question": "Q?", "answerA": "a", "answerB": "b", "answerC": "c", "label": "1"}
    assert rows("choice", social, label_names={"1": "0", "2": "1", "3": "2"}) == MultipleChoice(
        "0", "C. Q?", ("a", "b", "c"), 0
    )


def test_refuses_a_choice_that_is_not_there(rows):
    with pytest.raises(TaskDataError, match=r"label '2' is not one of: 0, 1(.|\n)*count the choices from 0"):
        rows("choice", {"premise": "P.", "choice1": "A.", "choice2": "B.", "label": 2})


def test_leaves_an_unknown_choice_open(rows):
    assert rows("choice", {"premise": "P.", "choice1": "A.", "choice2": "B.", "label": -1}).label == -1


def test_reads_flat_squad_rows(rows):
    row = {
        "id": "q",
        "title": "t",
        "context": "a b c",
        "question": "Q?",
        "answers": {"text": ["b", "b c"], "answer_start": [2, 2]},
    }
    assert rows("span", row) == SpanQuestion("q", "Q?", "a b c", (Answer("b", 2), Answer("b c", 2)))


def test_refuses_answers_without_a_start(rows):
    with pytest.raises(TaskDataError, match=r"a text and an answer_start each(.|\n)*line 1"):
        rows("span", {"id": "q", "context": "a", "question": "Q?", "answers": [{"text": "a"}]})


def test_reads_words_and_tags_and_maps_class_numbers(rows):
    row = {"tokens": ["Ada", "sings"], "ner_tags": [1, 0]}
    assert rows("tags", row, label_names={"0": "O", "1": "B-PER"}) == Tagged("0", ("Ada", "sings"), ("B-PER", "O"))


def test_refuses_ragged_tags(rows):
    with pytest.raises(TaskDataError, match=r"2 words and 1 tags(.|\n)*line 1"):
        rows("tags", {"tokens": ["Ada", "sings"], "ner_tags": ["O"]})


def test_reads_text_and_its_translation(rows):
    assert rows("text", {"page": 0, "text": "a", "licence": "CC-BY"}) == PlainText("0", "a")
    assert rows("text", {"text": "a", "pair": "b"}) == PlainText("0", "a", "b")


def test_finds_both_sides_of_a_bitext_by_language_columns(write):
    path = write("de-en.tsv", "page\ten\tde\nls\tList files.\tDateien auflisten.\n")
    assert read_rows(path, "aligned") == [Bitext("0", "Dateien auflisten.", "List files.")]


def test_takes_id_for_indonesian_where_nothing_else_is_foreign(write):
    path = write("id-en.tsv", "page\ten\tid\nls\tHello!\tHalo!\nls\tBye!\tHalo!\n")
    assert [row.source for row in read_rows(path, "aligned")] == ["Halo!", "Halo!"]
    path = write("de-en.tsv", "id\ten\tde\n7\tHello!\tHallo!\n")
    assert read_rows(path, "aligned") == [Bitext("7", "Hallo!", "Hello!")]


def test_takes_true_and_one_for_the_same_label(rows):
    row = {"func1": "f", "func2": "g", "id1": 1, "id2": 2}
    for value in (True, 1, 1.0, "1"):
        assert rows("pair", {**row, "label": value}, labels=("0", "1")).label == "1"


def test_finds_the_columns_of_code_search(rows):
    assert (
        rows("pair", {"id": "c", "query": "sort a list", "code": "sorted(x)", "label": 0}, labels=("0", "1")).pair
        == "sorted(x)"
    )


def test_leaves_out_words_without_a_tag_and_sentences_of_nothing_else(write):
    rows = [{"tokens": ["al", "a", "el"], "pos_tags": ["_", "ADP", "DET"]}, {"tokens": ["x"], "pos_tags": ["_"]}]
    assert read_rows(write("a.jsonl", "".join(json.dumps(row) + "\n" for row in rows)), "tags") == [
        Tagged("0", ("a", "el"), ("ADP", "DET"))
    ]
