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
    text = 'sentence1\tsentence2\tlabel\n"He said ""x"""\tb\t1\n"Yes," he said.\tb\t1\n'
    assert read(write("a.tsv", text), Layout("pair"))[0].text == '"He said ""x"""'
    assert read(write("b.tsv", text.replace("\n", "\r\n")), Layout("pair"))[0].text == 'He said "x"'
    assert read(write("c.tsv", 'text\tlabel\n"Yes."\t1\n'), Layout("single"))[0].text == '"Yes."'


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("hard", ["", "a tab\there", "two\nlines", 'a "tab"\tand\n"lines"'])
def test_reads_what_csv_writers_make_of_tab_separated_text(tmp_path, quoting, end, hard):
    texts = ['He said "stop" twice.', '"Quoted" start', '5" screen', '"', "plain", *filter(None, [hard])]
    path = tmp_path / "a.tsv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", quoting=quoting, lineterminator=end)
        writer.writerows([("text", "label"), *((text, "pos") for text in texts)])
    assert [row.text for row in read(path, Layout("single"))] == texts


@pytest.mark.parametrize("size", [131_073, 1 << 20])
def test_reads_cells_longer_than_pythons_limit(write, size):
    cell = "word " * (size // 5)
    assert read(write("a.csv", f'text,label\n"{cell}",pos\n'), Layout("single"))[0].text == cell


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "text\tlabel\tlabel\na\tx\ty\n"),
        ("a.csv", "label,text,label\nx,a,y\n"),
        ("a.csv", "text,label,Label\na,x,y\n"),
        ("a.jsonl", '{"text": "a", "label": "x", "label": "y"}\n'),
        ("a.json", '[{"text": "a", "label": "x", "label": "y"}]'),
    ],
)
def test_refuses_two_columns_of_one_name(write, name, text):
    with pytest.raises(TaskDataError, match=r"two columns are called 'label'(.|\n)*a\.(.|\n)*rename one"):
        read(write(name, text), Layout("single"))


@pytest.mark.parametrize("name", ["a.tsv", "a.csv", "a.csv.gz"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_refuses_a_header_that_stands_there_again(write, name, mark):
    text = f"text,label\na,x\n{mark}text,label\nb,y\n"
    for again in (text, text.replace(f"{mark}text,label\nb", f"{mark}Text, LABEL\nb")):
        with pytest.raises(TaskDataError, match=r"the header stands here a second time(.|\n)*line 3"):
            read(write(name, again if ".csv" in name else again.replace(",", "\t")), Layout("single"))


@pytest.mark.parametrize("mark", [";", "\t", ","])
def test_tells_semicolons_and_tabs_of_csv_from_commas(write, mark):
    path = write("a.csv", f'text{mark}label\n"a, b; c\td"{mark}x\n')
    assert read(path, Layout("single")) == [Classified("0", "a, b; c\td", None, "x")]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz"])
@pytest.mark.parametrize("mark", [";", ",", "|"])
def test_reads_what_a_first_line_of_excel_says_of_the_separator(write, name, mark):
    path = write(name, f'sep={mark}\r\ntext{mark}label\r\n"a{mark} b\tc"{mark}x\r\nd{mark}y\r\n')
    assert [(row.text, row.label) for row in read(path, Layout("single"))] == [(f"a{mark} b\tc", "x"), ("d", "y")]
    write(name, f"sep={mark}\ntext{mark}label\na{mark}x{mark}1\n")
    with pytest.raises(TaskDataError, match=r"3 columns where 2 are expected(.|\n)*line 3"):
        read(path, Layout("single"))


def test_takes_the_separator_by_which_all_rows_are_as_wide(write):
    path = write("a.csv", "text, as it was said;label\nWell, well, well;x\nNo.;y\n")
    rows = read(path, Layout("single", columns={"text": "text, as it was said"}))
    assert [(row.text, row.label) for row in rows] == [("Well, well, well", "x"), ("No.", "y")]
    with pytest.raises(TaskDataError, match=r"',' and ';' both separate every row(.|\n)*sep=,"):
        read(write("b.csv", "text,a;label\nx,y;z\n"), Layout("single"))


def test_refuses_a_carriage_return_inside_a_line_of_csv(write):
    assert read(write("a.csv", 'text,label\n"a\rb",x\n'), Layout("single"))[0].text == "a\rb"
    with pytest.raises(TaskDataError, match=r"a carriage return inside a line of CSV(.|\n)*line 2"):
        read(write("b.csv", "text,label\na\rb,x\n"), Layout("single"))


def test_names_the_line_where_a_broken_row_of_csv_begins(write):
    with pytest.raises(TaskDataError, match=r"not valid CSV(.|\n)*line 3(.|\n)*quotation mark may be missing"):
        read(write("a.csv", 'text,label\na,x\n"b,y\nc,z\nd,x\n'), Layout("single"))
    with pytest.raises(TaskDataError, match=r"3 columns where 2 are expected(.|\n)*line 2"):
        read(write("b.csv", 'text,label\n"a\nb",x,1\n'), Layout("single"))


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


def test_takes_numbers_under_numbers_for_a_row(write):
    path = write("a.tsv", "0\t1\n1\t0\n0\t1\n")
    assert [row.cells for row in tab_rows(path, ["0", "1"])][-1] == {"0": "0", "1": "1"}
