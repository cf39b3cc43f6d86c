"""CCGbank's three forms give the same sentences; the derivations are ours, in its notation."""

import pytest

from adapter_stilts.data.layout import Layout
from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.reading import read
from adapter_stilts.formats.tags import Tagged

AUTO = (
    "ID=wsj_0001.1 PARSER=GOLD NUMPARSE=1\n"
    "(<T S[dcl] 0 2> (<T NP 0 1> (<L NP/N DT DT The NP[nb]_1/N_1>) (<L N NN NN cat N>) ) "
    "(<T S[dcl]\\NP 0 2> (<L S[dcl]\\NP VBZ VBZ sleeps S[dcl]\\NP_2>) (<L . . . . .>) ) )\n"
    "ID=wsj_0001.2 PARSER=GOLD NUMPARSE=1\n"
    "(<T NP 0 2> (<L LRB -LRB- -LRB- -LRB- LRB>) (<L N NN NN dog N>) )\n"
)
FIRST = ("The", "cat", "sleeps", "."), ("NP/N", "N", "S[dcl]\\NP", ".")
SECOND = ("(", "dog"), ("LRB", "N")


def test_reads_the_leaves_of_derivations(write):
    rows = read(write("wsj_0001.auto", AUTO), Layout("tags"))
    assert rows == [Tagged("wsj_0001.1", *FIRST), Tagged("wsj_0001.2", *SECOND)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ccg.train.pipe", "The|DT|NP/N cat|NN|N sleeps|VBZ|S[dcl]\\NP .|.|.\n-LRB-|LRB|LRB dog|NN|N\n"),
        ("ccg.train", "The|DT|NP/N cat|NN|N sleeps|VBZ|S[dcl]\\NP .|.|.\n\n-LRB-|LRB|LRB dog|NN|N\n"),
        ("train.tsv", "The cat sleeps .\tNP/N N S[dcl]\\NP .\n( dog\tLRB N\n"),
    ],
)
def test_reads_a_sentence_a_line(write, name, text):
    assert [(row.words, row.tags) for row in read(write(name, text), Layout("tags"))] == [FIRST, SECOND]


def test_reads_a_word_that_holds_a_bar(write):
    assert read(write("a.pipe", "a|b|NN|N\n"), Layout("tags"))[0] == Tagged("0", ("a|b",), ("N",))


def test_takes_no_file_of_a_word_and_a_tag_a_line_for_it(write):
    assert read(write("a.tsv", "The\tDT\ncat\tNN\n\n"), Layout("tags"))[0].words == ("The", "cat")
    assert read(write("b.tsv", "10 000\tNUM\ncat\tNN\n\n"), Layout("tags"))[0].words == ("10 000", "cat")


@pytest.mark.parametrize("text", [AUTO[:-20] + "\n", "The|DT|NP/N cat|NN|N\nThe|DT\n", "ID=x\nThe cat\n"])
def test_refuses_a_sentence_that_breaks_off(write, text):
    with pytest.raises(TaskDataError, match=r"no words with their categories(.|\n)*line [24](.|\n)*truncated"):
        read(write("a.auto", text), Layout("tags"))
