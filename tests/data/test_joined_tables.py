"""Splits that a release keeps in two files."""

import pytest

from adapter_stilts.data.layout import Layout
from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.reading import read_joined

FUNCTIONS = '{"idx": "11", "func": "int a() { return 1; }"}\n{"idx": "22", "func": "int b() { return 1; }"}\n'
CODE = Layout("pair", labels=("0", "1"))
QUESTIONS = '{"context": "C.", "question": "Q?", "answerA": "a", "answerB": "b", "answerC": "c"}\n' * 2


def test_joins_pairs_of_numbers_with_the_functions_they_number(write):
    pairs, functions = write("train.txt", "11\t22\t1\n22\t11\t0\n"), write("data.jsonl", FUNCTIONS)
    rows = read_joined(pairs, functions, CODE)
    assert rows == [
        Classified("0", "int a() { return 1; }", "int b() { return 1; }", "1"),
        Classified("1", "int b() { return 1; }", "int a() { return 1; }", "0"),
    ]


@pytest.mark.parametrize(
    ("pairs", "functions", "message"),
    [
        ("11\t33\t1\n44\t22\t0\n", FUNCTIONS, r"2 numbers are not in data.jsonl: 33, 44"),
        ("11\t22\n", FUNCTIONS, r"a pair is two numbers and a label(.|\n)*line 1"),
        ("11\t22\t2\n", FUNCTIONS, r"label '2' is not one of: 0, 1(.|\n)*line 1"),
        ("", FUNCTIONS, r"the file is empty"),
        ("11\t22\t1\n", FUNCTIONS + FUNCTIONS, r"id '11' occurs twice(.|\n)*line 3"),
        ("11\t22\t1\n", '{"idx": 1, "code": "x"}\n', r"a function needs idx and func; the columns are: idx, code"),
    ],
)
def test_refuses_pairs_that_do_not_fit_their_functions(write, pairs, functions, message):
    with pytest.raises(TaskDataError, match=message):
        read_joined(write("train.txt", pairs), write("data.jsonl", functions), CODE)


def test_joins_questions_with_labels_kept_apart(write):
    rows = read_joined(
        write("dev.jsonl", QUESTIONS),
        write("dev-labels.lst", "3\n1\n"),
        Layout("choice", label_names={"1": "0", "2": "1", "3": "2"}),
    )
    assert rows == [MultipleChoice("0", "C. Q?", ("a", "b", "c"), 2), MultipleChoice("1", "C. Q?", ("a", "b", "c"), 0)]
    with pytest.raises(TaskDataError, match=r"2 rows and 1 labels(.|\n)*dev.jsonl and .*dev-labels.lst"):
        read_joined(write("dev.jsonl", QUESTIONS), write("dev-labels.lst", "3\n"), Layout("choice"))
