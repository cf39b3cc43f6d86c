"""Labels that only look like labels are refused, and real ones never."""

import pytest

from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats import base
from adapter_stilts.formats.aligned import Bitext
from adapter_stilts.formats.base import formats
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.pair import FEW, Classified
from adapter_stilts.formats.squad import Answer, SpanQuestion
from adapter_stilts.formats.tags import Tagged

NLI = ("contradiction", "entailment", "neutral")

FORMATS = {Classified: "pair", MultipleChoice: "choice", Tagged: "tags", SpanQuestion: "span"}


def refuse_placeholders(rows, labels, where):
    """By the format of the rows."""
    base.refuse_placeholders(formats[FORMATS[type(rows[0])] if rows else "pair"], rows, labels, where)


def withheld(rows):
    """By the format of the rows."""
    return base.withheld(formats[FORMATS.get(type(rows[0]), "text")] if rows else formats["pair"], rows)


def nli(*labels):
    return [Classified(str(number), "p", "h", label) for number, label in enumerate(labels)]


def test_refuses_one_class_for_every_row():
    with pytest.raises(
        TaskDataError,
        match=r"all 5,010 rows are labelled 'neutral': these are placeholders(.|\n)*xnli test(.|\n)*original release",
    ):
        refuse_placeholders(nli(*["neutral"] * 5010), NLI, "xnli test")


@pytest.mark.parametrize(
    ("rows", "labels"),
    [
        (nli(*["neutral"] * (FEW - 1)), NLI),  # a few rows may be chance
        (nli(*["neutral"] * FEW, "entailment"), NLI),
        (nli(*[""] * FEW), NLI),  # no labels at all, which says so itself
        (nli(*["a"] * FEW), None),
        ([], NLI),
    ],
)
def test_accepts_what_may_be_labels(rows, labels):
    refuse_placeholders(rows, labels, "x")


def test_refuses_answers_that_are_all_empty_and_accepts_unanswerable_ones():
    empty = [SpanQuestion(str(number), "q", "c", (Answer("", 0),)) for number in range(3)]
    with pytest.raises(TaskDataError, match=r"every answer is the empty text at character 0"):
        refuse_placeholders(empty, None, "x")
    refuse_placeholders([*empty, SpanQuestion("a", "q", "cat", (Answer("cat", 0),))], None, "x")
    refuse_placeholders([SpanQuestion("a", "q", "c", ())], None, "x")


def test_refuses_choices_that_are_all_minus_one():
    rows = [MultipleChoice(str(number), "p", ("a", "b"), -1) for number in range(3)]
    with pytest.raises(TaskDataError, match="every row is labelled -1"):
        refuse_placeholders(rows, None, "x")
    refuse_placeholders([*rows, MultipleChoice("9", "p", ("a", "b"), 0)], None, "x")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (nli("", ""), True),
        (nli("", "neutral"), False),
        ([Tagged("0", ("a", "b"), ())], True),
        ([Tagged("0", ("a", "b"), ("O", "O"))], False),
        ([SpanQuestion("0", "q", "c", (Answer("", 0),))], True),
        ([SpanQuestion("0", "q", "c", ())], False),  # without an answer is an answer
        ([MultipleChoice("0", "p", ("a", "b"), -1)], True),
        ([Bitext("0", "a", "b")], False),
        ([], False),
    ],
)
def test_tells_labels_that_are_withheld(rows, expected):
    assert withheld(rows) is expected
