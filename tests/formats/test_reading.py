"""Files to examples: layouts, and every mistake a file can hold."""

import gzip

import pytest
from small_files import read_rows

from adapter_stilts.data.layout import Layout
from adapter_stilts.errors import TaskDataError, UnknownName
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.reading import read

NLI = ("contradiction", "entailment", "neutral")
ROW = '{"premise": "a b", "hypothesis": "c", "label": "neutral"}\n'


def test_reads_json_lines_plain_and_gzip_alike(write):
    assert read_rows(write("a.jsonl", ROW * 2), "pair") == read_rows(write("b.jsonl.gz", ROW * 2), "pair")


def test_reads_a_json_list_and_json_lines_in_a_json_file(write):
    expected = [Classified("0", "a b", "c", "neutral")]
    assert read_rows(write("a.json", f"[{ROW}]"), "pair") == expected
    assert read_rows(write("b.json", ROW), "pair") == expected
    assert len(read_rows(write("c.json", ROW * 3), "pair")) == 3


def test_reads_a_tsv_with_a_header_and_takes_quotation_marks_as_they_are(write):
    path = write("a.tsv", 'sentence1\tsentence2\tgold_label\n"He said\thi"\tNeutral\n')
    assert read_rows(path, "pair", labels=NLI) == [Classified("0", '"He said', 'hi"', "neutral")]


def test_reads_xtremes_tsv_without_a_header(write):
    path = write("test-de.tsv", "eins\tzwei\tentailment\ndrei\tvier\tneutral\n")
    assert read_rows(path, "pair", labels=NLI)[1] == Classified("1", "drei", "vier", "neutral")


def test_reads_columns_by_position(write):
    path = write("a.tsv", "x\tein Text\tgut\nx\tnoch einer\tschlecht\n")
    assert read_rows(path, "single", columns={"text": "1", "label": "2"})[1] == Classified(
        "1", "noch einer", None, "schlecht"
    )


def test_breaks_lines_at_newlines_alone(write):
    path = write("a.jsonl", '{"text": "a\u2028b\u0085c", "label": "x"}\n')
    assert read_rows(path, "single") == [Classified("0", "a\u2028b\u0085c", None, "x")]


def test_tolerates_windows_line_ends_a_byte_order_mark_and_blank_lines(write):
    path = write("a.jsonl", b"\xef\xbb\xbf" + ROW.replace("\n", "\r\n\r\n").encode() * 2)
    assert [row.id for row in read_rows(path, "pair")] == ["0", "1"]


def test_takes_ids_from_the_file(write):
    path = write("a.jsonl", '{"idx": 7, "text": "a", "label": 1}\n{"idx": 9, "text": "b", "label": 0}\n')
    assert [(row.id, row.label) for row in read_rows(path, "single")] == [("7", "1"), ("9", "0")]


def test_leaves_out_rows_with_an_ignored_label(write):
    path = write("a.jsonl", ROW + ROW.replace("neutral", "-"))
    assert len(read(path, Layout("pair", labels=NLI, ignore_labels=("-",)))) == 1


def test_keeps_one_language_of_many(write):
    path = write(
        "a.tsv", "language\tsentence1\tsentence2\tgold_label\nde\ta\tb\tneutral\nfr\tc\td\tneutral\nde\te\tf\tneutral\n"
    )
    rows = read(path, Layout("pair", labels=NLI, keep={"language": {"de", "deu"}}))
    assert [(row.id, row.text) for row in rows] == [("0", "a"), ("1", "e")]
    with pytest.raises(TaskDataError, match="no row with language = sw"):
        read(path, Layout("pair", labels=NLI, keep={"language": {"sw"}}))


def test_names_the_line_of_a_label_outside_the_set_and_the_nearest(write):
    path = write("a.jsonl", ROW + ROW.replace("neutral", "neutal"))
    with pytest.raises(
        TaskDataError,
        match=(
            r"label 'neutal' is not one of: contradiction, entailment, neutral(.|\n)*line 2(.|\n)*did you mean "
            r"'neutral'\?"
        ),
    ):
        read_rows(path, "pair", labels=NLI)


def test_names_the_line_of_truncated_json(write):
    path = write("a.jsonl", ROW * 2 + ROW[:30])
    with pytest.raises(TaskDataError, match=r"not valid JSON(.|\n)*a.jsonl, line 3(.|\n)*truncated"):
        read_rows(path, "pair")


def test_names_the_line_where_a_gzip_file_breaks_off(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    lines = "".join(ROW.replace("a b", f"sentence {number} {hash(number)}") for number in range(4000)).encode()
    content = gzip.compress(lines)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(TaskDataError, match=r"truncated or damaged(.|\n)*a.jsonl.gz, line \d\d+"):
        read_rows(path, "pair")


def test_names_the_line_of_bytes_that_are_not_utf8(write):
    with pytest.raises(TaskDataError, match=r"not UTF-8: byte 0xe9(.|\n)*line 2"):
        read_rows(write("a.jsonl", ROW.encode() + b'{"premise": "caf\xe9"}\n'), "pair")


def test_refuses_half_a_character(write):
    with pytest.raises(TaskDataError, match=r"lone surrogate(.|\n)*line 1"):
        read_rows(write("a.jsonl", ROW.replace("a b", r"\ud800")), "pair")


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.tsv", "a.conllu", "a.txt", "a.jsonl.gz"])
def test_refuses_an_empty_file(write, name):
    format = "tags" if "conllu" in name else "text" if "txt" in name else "pair"
    with pytest.raises(TaskDataError, match="the file is empty"):
        read_rows(write(name, ""), format)


def test_refuses_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(TaskDataError, match=r"no such file(.|\n)*nothing.jsonl"):
        read_rows(tmp_path / "nothing.jsonl", "pair")
    with pytest.raises(TaskDataError, match="a folder where a file was expected"):
        read_rows(tmp_path, "pair")


def test_refuses_a_missing_column_and_names_those_there(write):
    path = write("a.jsonl", ROW.replace("premise", "premisse"))
    with pytest.raises(
        TaskDataError, match=r"the columns are: premisse, hypothesis, label(.|\n)*did you mean 'premisse'\?"
    ):
        read_rows(path, "pair")


def test_refuses_a_column_that_was_named_and_is_not_there(write):
    with pytest.raises(TaskDataError, match=r"no column 'premis'(.|\n)*did you mean 'premise'\?"):
        read_rows(write("a.jsonl", ROW), "pair", columns={"premise": "premis"})


def test_refuses_a_field_the_format_does_not_have(write):
    with pytest.raises(UnknownName, match=r"no field of a 'pair' task called 'premice'(.|\n)*did you mean 'premise'"):
        read_rows(write("a.jsonl", ROW), "pair", columns={"premice": "premise"})


def test_names_the_columns_that_are_there_and_the_settings_that_would_do(write):
    path = write("a.csv", "prämisse,hypothese,klasse\na,b,neutral\n")
    settings = " ".join(f"--set task.columns.{field}=COLUMN" for field in ("text", "pair", "label"))
    with pytest.raises(TaskDataError, match=f"columns are: prämisse, hypothese, klasse\n.*\n.*: {settings}$"):
        read(path, Layout("pair"))
    columns = {"text": "prämisse", "pair": "hypothese"}
    with pytest.raises(TaskDataError, match="there: --set task.columns.label=COLUMN$"):
        read(path, Layout("pair", columns=columns))
    assert read(path, Layout("pair", columns={**columns, "label": "klasse"})) == [Classified("0", "a", "b", "neutral")]


def test_refuses_a_file_without_labels_unless_it_need_have_none(write):
    path = write("a.jsonl", '{"premise": "a", "hypothesis": "b"}\n')
    with pytest.raises(TaskDataError, match=r"no column for 'label' \(.*\); the columns are: premise, hypothesis"):
        read_rows(path, "pair")
    assert read(path, Layout("pair", labelled=False)) == [Classified("0", "a", "b", "")]


def test_takes_a_misspelt_label_column_for_a_mistake_even_then(write):
    path = write("a.jsonl", '{"premise": "a", "hypothesis": "b", "lable": "neutral"}\n')
    with pytest.raises(TaskDataError, match=r"did you mean 'lable'\?"):
        read(path, Layout("pair", labelled=False))


def test_refuses_an_id_twice(write):
    with pytest.raises(TaskDataError, match="id '3' occurs twice"):
        read_rows(write("a.jsonl", '{"id": 3, "text": "a", "label": 1}\n' * 2), "single")


def test_refuses_a_ragged_tsv_row(write):
    with pytest.raises(TaskDataError, match=r"2 columns where 3 are expected: premise, hypothesis, label(.|\n)*line 3"):
        read_rows(write("a.tsv", "premise\thypothesis\tlabel\na\tb\tneutral\na\tb\n"), "pair")


def test_refuses_a_row_without_a_column_that_the_first_has(write):
    with pytest.raises(TaskDataError, match=r"no column 'hypothesis' in this row(.|\n)*line 2"):
        read_rows(write("a.jsonl", ROW + '{"premise": "a", "label": "neutral"}\n'), "pair")


def test_refuses_text_that_is_a_number(write):
    with pytest.raises(TaskDataError, match=r"'premise' is not text: '3'(.|\n)*line 1"):
        read_rows(write("a.jsonl", ROW.replace('"a b"', "3")), "pair")


def test_refuses_rows_that_are_no_objects(write):
    with pytest.raises(TaskDataError, match=r"a JSON object was expected(.|\n)*line 1"):
        read_rows(write("a.jsonl", "[1, 2]\n"), "pair")


def test_refuses_spreadsheets_and_says_what_to_do(write):
    with pytest.raises(TaskDataError, match=r"\.xlsx are not read(.|\n)*tab-separated"):
        read_rows(write("a.xlsx", "a,b\n"), "pair")


def test_reads_xtremes_test_files_without_labels_only_where_told(write):
    path = write("test-de.tsv", "eins\tzwei\ndrei\tvier\n")
    assert read(path, Layout("pair", labels=NLI, labelled=False)) == [
        Classified("0", "eins", "zwei", ""),
        Classified("1", "drei", "vier", ""),
    ]
    with pytest.raises(TaskDataError, match="no column for 'text'"):
        read(path, Layout("pair", labels=NLI))


def test_does_not_offer_ignored_labels_as_right_ones(write):
    with pytest.raises(TaskDataError, match=r"is not one of: contradiction, entailment, neutral\n"):
        read(write("a.jsonl", ROW.replace("neutral", "x")), Layout("pair", labels=NLI, ignore_labels=("-",)))


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_tells_a_header_without_rows_from_an_empty_file(write, name):
    mark = "," if name == "a.csv" else "\t"
    with pytest.raises(TaskDataError, match="a header and no rows"):
        read_rows(write(name, f"text{mark}label\n"), "single")
