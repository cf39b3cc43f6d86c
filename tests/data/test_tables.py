"""Tables as releases write them: CSV, the quoting of XTREME's scripts, rows that break off, and columns inside
columns."""

import csv
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_stilts.data.layout import Layout
from adapter_stilts.data.tables import csv_rows, tab_rows
from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.reading import read

COSMOS = "id,context,question,answer0,answer1,answer2,answer3,label\n"


def test_reads_quoted_cells_of_csv(write):
    path = write("valid.csv", COSMOS + 'a,"It rained, he said:\n""so"".",Why?,w,x,y,z,3\n')
    assert read(path, Layout("choice")) == [MultipleChoice("a", 'It rained, he said:\n"so". Why?', tuple("wxyz"), 3)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,b\n", r"2 columns where 8 are expected(.|\n)*line 2"),
        ('a,"b\n', r"not valid CSV(.|\n)*line 2(.|\n)*truncated"),
    ],
)
def test_names_the_line_of_broken_csv(write, row, message):
    with pytest.raises(TaskDataError, match=message):
        list(csv_rows(write("valid.csv", COSMOS + row)))


CELL = st.text(st.characters(blacklist_categories=("Cs", "Cc")) | st.sampled_from('" '), min_size=1).filter(
    lambda text: text.strip()
)


@settings(max_examples=50)  # each example writes a file
@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=5))
def test_reads_back_what_xtremes_scripts_write(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("xtreme") / "train-en.tsv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, delimiter="\t").writerows(rows)
    assert [(row.cells["0"], row.cells["1"]) for row in tab_rows(path, ["0", "1"])] == rows


def test_leaves_quotation_marks_of_other_files_alone(write):
    text = 'sentence1\tsentence2\tlabel\n"He said ""x"""\tb\t1\n'
    assert read(write("a.tsv", text), Layout("pair"))[0].text == '"He said ""x"""'
    assert read(write("b.tsv", text.replace("\n", "\r\n")), Layout("pair"))[0].text == 'He said "x"'


def test_counts_rows_that_break_off_where_a_release_has_some(write):
    path = write("QQP/train.tsv", "id\tquestion1\tquestion2\tis_duplicate\n0\ta?\tb?\t1\n1\tc?\n2\td?\te?\t0\n")
    dropped = Counter()
    rows = read(path, Layout("pair", labels=("0", "1"), skip_short=True), dropped)
    assert rows == [Classified("0", "a?", "b?", "1"), Classified("2", "d?", "e?", "0")]
    assert dropped == {"too few columns": 1}
    with pytest.raises(TaskDataError, match=r"2 columns where 4 are expected(.|\n)*line 3"):
        read(path, Layout("pair", labels=("0", "1")))


def test_counts_rows_with_labels_nobody_wants(write):
    path = write(
        "snli.jsonl",
        "".join(
            f'{{"sentence1": "a", "sentence2": "b", "gold_label": "{label}"}}\n' for label in ("-", "neutral", "-")
        ),
    )
    dropped = Counter()
    assert [row.id for row in read(path, Layout("pair", ignore_labels=("-",)), dropped)] == ["1"]
    assert dropped == {"label '-'": 2}


def test_reads_the_stem_and_choices_of_a_question_of_commonsenseqa(write):
    choices = ", ".join(f'{{"label": "{name}", "text": "{text}"}}' for name, text in zip("ABCDE", "vwxyz", strict=True))
    path = write(
        "a.jsonl",
        (
            f'{{"answerKey": "B", "id": "i", "question": {{"question_concept": "c", "choices": [{choices}], "stem": '
            f'"Where?"}}}}\n'
        ),
    )
    assert read(path, Layout("choice")) == [MultipleChoice("i", "Where?", tuple("vwxyz"), 1)]
    with pytest.raises(TaskDataError, match=r"choices need a label and a text each(.|\n)*line 1"):
        read(
            write("b.jsonl", '{"answerKey": "B", "question": {"stem": "Where?", "choices": ["v"]}}\n'), Layout("choice")
        )


def test_reads_tokens_of_functions_under_either_name(write):
    layout = Layout("pair", columns={"text": "docstring_tokens", "pair": "code_tokens"}, labelled=False)
    for name in ("code_tokens", "function_tokens"):
        path = write("test.jsonl", f'{{"idx": 1, "docstring_tokens": ["Adds", "two"], "{name}": ["def", "f"]}}\n')
        assert read(path, layout) == [Classified("1", "Adds two", "def f", "")]


def test_refuses_two_languages_in_one_file(write):
    mixed = write("panx.tsv", "de:Ada\tB-PER\nde:sang\tO\n\nen:Ada\tB-PER\n")
    with pytest.raises(
        TaskDataError, match=r"two languages in one file: de from line 1 on, en from line 4 on(.|\n)*a file of its own"
    ):
        read(mixed, Layout("tags"))
    single = write("panx.tsv", "de:Ada\tB-PER\nde:sang\tO\n")
    assert read(single, Layout("tags", language="de", codes=("de", "deu")))[0].words == ("Ada", "sang")
    with pytest.raises(
        TaskDataError, match=r"the words are marked de from line 1 on, and the rows of 'sw' were asked for"
    ):
        read(single, Layout("tags", language="sw", codes=("sw", "swa")))
    rows = write(
        "a.jsonl",
        (
            '{"premise": "a", "hypothesis": "b", "label": "x", "language": "de"}\n{"premise": "a", "hypothesis": "b", '
            '"label": "x", "language": "fr"}\n'
        ),
    )
    with pytest.raises(TaskDataError, match=r"a row in 'fr' among those of 'de' \(column 'language'\)(.|\n)*line 2"):
        read(rows, Layout("pair", language="de", codes=("de", "deu")))
    assert len(read(rows, Layout("pair", keep={"language": ("fr",)}, codes=("fr",)))) == 1


def test_numbers_rows_whose_ids_are_none(write):
    path = write("a.jsonl", '{"id": "1", "premise": "a", "hypothesis": "b", "label": "x"}\n' * 2)
    assert [row.id for row in read(path, Layout("pair", number_rows=True))] == ["0", "1"]
    with pytest.raises(TaskDataError, match="id '1' occurs twice"):
        read(path, Layout("pair"))
