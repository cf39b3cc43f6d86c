"""Labels in the spellings of files."""

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


def test_never_guesses_a_label():
    with pytest.raises(
        TaskDataError,
        match=r"label '0' is not one of: contradiction, entailment, neutral(.|\n)*a.tsv, line 3(.|\n)*`label_names`",
    ):
        spelled(0, NLI, {}, "a.tsv, line 3")


def test_shortens_long_lists():
    assert "l23, ..." in wrong_label("x", [f"l{number}" for number in range(40)]).what
