"""Labels in the spellings of files."""

import math

import pytest

from adapter_stilts.data.columns import spelled, wrong_label
from adapter_stilts.errors import TaskDataError

NLI = ("contradiction", "entailment", "neutral")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Neutral", "neutral"),
        (" entailment ", "entailment"),
        ("2", "contradiction"),
        (2, "contradiction"),
        (None, ""),
        ("", ""),
    ],
)
def test_spells_a_label_as_the_task_does(value, expected):
    assert spelled(value, NLI, {"2": "contradiction"}, "") == expected


def test_turns_numbers_and_truth_into_text():
    assert [spelled(value, None, {}, "") for value in (1, 1.0, True, False, 0.5, "x")] == [
        "1",
        "1",
        "1",
        "0",
        "0.5",
        "x",
    ]


@pytest.mark.parametrize("value", [math.nan, "nan", "NaN", "<NA>", None, "", " "])
def test_finds_no_label_where_there_is_none(value):
    assert spelled(value, None, {}, "") == ""
    assert spelled(value, NLI, {}, "") == ""


def test_takes_a_declared_label_for_one_whatever_it_is_called():
    assert spelled("nan", ("nan", "yue"), {}, "") == "nan"
    assert spelled("NaN", None, {"NaN": "none"}, "") == "none"


@pytest.mark.parametrize("value", ["1.0", 1.0, "1", 1, True, "1.00"])
def test_takes_one_number_for_one_label(value):
    assert spelled(value, None, {}, "") == "1"
    assert spelled(value, ("0", "1"), {}, "") == "1"
    assert spelled(value, ("0.0", "1.0"), {}, "") == "1.0"
    assert spelled(value, ("False", "True"), {}, "") == "True"
    assert spelled(value, None, {"1": "yes"}, "") == "yes"


def test_names_a_label_once():
    assert [spelled(value, None, {"1": "0", "2": "1"}, "") for value in (1, "2", 2.0)] == ["0", "1", "1"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["joy", "anger"], "several labels"),
        (["joy"], "several labels"),
        ([], "several labels"),
        ("['joy', 'anger']", "several labels"),
        ("[2, 27]", "several labels"),
        ("[]", "several labels"),
        ({"joy": 1}, "no label"),
        ("{'joy': 1}", "several labels"),
        (math.inf, "no label"),
        (-math.inf, "no label"),
        ("a\nb", "a line break or a tab"),
        ("a\tb", "a line break or a tab"),
        ("a\rb", "a line break or a tab"),
        ("a\ud800", "half a character"),
    ],
)
def test_refuses_what_is_no_label(value, message):
    with pytest.raises(TaskDataError, match=rf"{message}(.|\n)*a.jsonl, line 3"):
        spelled(value, None, {}, "a.jsonl, line 3")


@pytest.mark.parametrize("value", ["[other]", "(none)", "B-PER", "None", "c++", "1.5", "a, b", "¯\\_(ツ)_/¯"])
def test_leaves_other_texts_as_they_are(value):
    assert spelled(value, None, {}, "") == value


def test_never_guesses_a_label():
    with pytest.raises(
        TaskDataError,
        match=r"label '0' is not one of: contradiction, entailment, neutral(.|\n)*a.tsv, line 3(.|\n)*`label_names`",
    ):
        spelled(0, NLI, {}, "a.tsv, line 3")


def test_shortens_long_lists():
    assert "l23, ..." in wrong_label("x", [f"l{number}" for number in range(40)]).what
