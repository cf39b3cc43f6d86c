"""Every layout gives its rows in order, blank ones in their places; every mistake is named with its line."""

import gzip
import hashlib
import json
from unicodedata import category

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_stilts.data.sentences import LONGEST, Sentence, sentence_source, sentences, survey
from adapter_stilts.data.text_store import TextStore
from adapter_stilts.errors import TaskDataError, UsageError

TEXTS = ["Guten Morgen.", "", "a\u2028b\u0085c", "Anna, \"so\" 'das'", "小さな猫"]


@pytest.fixture
def texts(write):
    """texts(name, content, **how): the texts of a file."""
    return lambda name, content, **how: [row.text for row in sentences(sentence_source(write(name, content), **how))]


def compressed(name, content):
    return {"gz": gzip.compress, "zst": zstandard.ZstdCompressor().compress}.get(name.rpartition(".")[2], bytes)(
        content
    )


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
@pytest.mark.parametrize("name", ["a.txt", "news.de", "a.tsv", "a.jsonl", "ids"])
def test_reads_the_same_rows_from_every_layout(tmp_path, name, ending):
    lines = {
        "a.tsv": ["id\tsentence", *(f"{number}\t {text}" if text else "" for number, text in enumerate(TEXTS))],
        "a.jsonl": [json.dumps({"text": text + " "}) if text else "" for text in TEXTS],
        "ids": [f"de-00000000{number}\t{text}" if text else "" for number, text in enumerate(TEXTS)],
    }.get(name, [f" {text}\t" if text else "" for text in TEXTS])
    path = tmp_path / (name + ending)
    path.write_bytes(compressed(path.name, ("\n".join(lines) + "\n").encode()))
    source = sentence_source(path)
    rows = list(sentences(source))
    assert [row.text for row in rows] == TEXTS
    assert [row.line for row in rows] == [number + (2 if name == "a.tsv" else 1) for number in range(5)]
    assert rows[4].id == ("de-000000004" if name == "ids" else "")
    framed = b"".join(len(text.encode()).to_bytes(8, "big") + text.encode() for text in TEXTS)
    found = survey(source)
    assert (found.rows, found.blank, found.sha256) == (5, 1, hashlib.sha256(framed).hexdigest())


def test_reads_several_zstd_frames_and_an_empty_one(tmp_path):
    pack = zstandard.ZstdCompressor().compress
    (tmp_path / "a.zst").write_bytes(pack(b"a\nb") + pack(b"") + pack(b"c\n" * 70_000))
    assert [row.text for row in sentences(sentence_source(tmp_path / "a.zst"))] == ["a", "bc", *["c"] * 69_999]


@settings(max_examples=25)
@given(
    st.lists(
        st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=8
    )
)
def test_breaks_lines_at_newlines_alone(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    path.write_bytes("".join(line + "\n" for line in lines).encode())
    expected = [line.removesuffix("\r") for line in lines]
    expected[0] = expected[0].removeprefix("\ufeff")  # the mark that opens a file of Windows
    unseen = {"Cc", "Cf", "Zs", "Zl", "Zp"}
    expected = [
        line.strip() if any(category(character) not in unseen for character in line) else "" for line in expected
    ]
    assert [row.text for row in sentences(sentence_source(path, "lines"))] == expected


SEEN = [
    ("\u200b", ""),
    ("\x07 \ufeff\u00ad", ""),
    ("\u2028\u3000", ""),
    ("\u200ba", "\u200ba"),
    ("\ue000", "\ue000"),
    ("\x07a b", "\x07a b"),
]


@pytest.mark.parametrize(("line", "text"), SEEN)
def test_takes_a_line_for_blank_when_nothing_of_it_can_be_seen(texts, line, text):
    assert texts("a.txt", f"x\n{line}\n") == ["x", text]


def test_counts_a_last_line_without_an_end(texts):
    assert texts("a.txt", "a\nb") == texts("a.txt", "a\nb\n") == ["a", "b"]


@pytest.mark.parametrize(("column", "expected"), [("2", ["c", "f"]), ("0", ["a", "d"])])
def test_takes_a_column_by_its_number_where_the_first_line_is_a_row(texts, column, expected):
    assert texts("a.tsv", "a\tb\tc\nd\te\tf\n", column=column) == expected


def test_takes_a_column_or_field_by_its_name(texts):
    assert texts("a.tsv", "de\ten\nja\tyes\n", column="en") == ["yes"]
    assert texts("a.jsonl", '{"text": "no", "en": "yes"}\n', column="en") == ["yes"]


TABLES = {
    "a.csv": 'id;Text\n1;"Ja; ""gut"","\n2;"zwei\nLinien"\n;\n\n4; Nein \n',
    "b.csv": 'sep=,\r\nid,text\r\n1,"Ja; ""gut"","\r\n2,"zwei\r\nLinien"\r\n,\r\n\r\n4, Nein \r\n',
    "c.tsv": 'id\ttext\n1\t"Ja; ""gut"","\n2\t"zwei\nLinien"\n\t\n\n4\t Nein \n',
}


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
@pytest.mark.parametrize("name", TABLES)
def test_reads_tables_as_training_does_and_counts_their_lines(tmp_path, name, ending):
    path = tmp_path / (name + ending)
    path.write_bytes(compressed(path.name, TABLES[name].encode()))
    texts, lines = ['Ja; "gut",', "zwei\nLinien", "", "", "Nein"], [2, 3, 5, 6, 7]
    lines = [line + (name == "b.csv") for line in lines]
    source = sentence_source(path)
    assert [(row.text, row.line) for row in sentences(source)] == list(zip(texts, lines, strict=True))
    with TextStore(tmp_path, "texts", source) as store:
        assert [(store[row], store.line(row)) for row in range(store.rows)] == list(zip(texts, lines, strict=True))
        assert [store.row(line) for line in (*lines, lines[1] + 1, 1, 99)] == [0, 1, 2, 3, 4, -1, -1, -1]


def test_reads_the_objects_of_a_list(write):
    rows = [{"de": "ja", "en": "yes"}, {"de": "", "en": "no"}]
    for content in (json.dumps(rows), "\n".join(map(json.dumps, rows))):
        source = sentence_source(write("a.json", content), column="de")
        assert [(row.line, row.text) for row in sentences(source)] == [(1, "ja"), (2, "")]


@pytest.mark.parametrize(
    ("name", "content", "column", "said"),
    [
        ("a.csv", "text;id\na;1\n", None, "column 'text' of 2 (semicolons between cells)"),
        ("a.csv", "a,1\n", "0", "column 0 of 2 (commas between cells)"),
        ("a.txt", "de\ten\na\tb\n", "en", "column 'en' of 2 (tabs between cells)"),
        ("a.txt", "de\ten\na\tb\n", None, "the lines of a.txt are read whole, tabs and all; --column NAME"),
        ("a.txt", "a\n", None, ""),
    ],
)
def test_says_what_was_decided_of_a_file(write, name, content, column, said):
    assert said in sentence_source(write(name, content), column=column).said


def test_reads_any_name_as_it_is_told(texts):
    assert texts("a.txt", "de\ten\nja\tyes\n", layout="tsv", column="en") == ["yes"]
    assert texts("a.txt", "7\tyes\n", layout="ids") == ["yes"]
    assert texts("a.tsv", "de\ten\n", layout="lines") == ["de\ten"]


def test_takes_tabs_for_text_where_no_bucc_id_stands_first(texts):
    assert texts("a.txt", "de\ten\n") == ["de\ten"]


MISTAKES = [
    ("a.txt", b"", {}, "the file is empty"),
    ("a.tsv", b"text\n", {}, "a header and no rows"),
    ("a.txt", b"a\nb\n\xff\n", {}, "not UTF-8: byte 0xff at position 0\n  where: .*a.txt, line 3"),
    ("a.tsv", b"text\tid\na\tb\na\n", {}, "1 columns where 2 are expected: text, id\n  where: .*line 3"),
    ("a.tsv", b"a\tb\na\n", {"column": "1"}, "1 columns where 2 are expected: 0, 1\n  where: .*line 2"),
    ("a.tsv", b"a\tb\na\tb\tc\n", {"column": "1"}, "3 columns where 2 are expected: 0, 1\n  where: .*line 2"),
    ("a.csv", b'text;id\n"a\nb";1\nc;2;3\n', {}, "3 columns where 2 are expected: text, id\n  where: .*line 4"),
    ("a.csv", b'text;id\na;1\n"b;2\nc;3\n', {}, "not valid CSV: .*\n  where: .*line 3"),
    ("a.csv", b"text,id\na,1\nText,ID\n", {}, "the header stands here a second time\n  where: .*line 3"),
    ("a.csv", b"text,text\na,1\n", {}, "two columns are called 'text'"),
    ("a.json", b'[{"text": "a"}, {"txt": "b"}]', {}, "no field called 'text'\n  where: .*item 1"),
    ("a.json", b"[]", {}, "the file has no rows"),
    ("a.tsv", b"a\tb\n", {"column": "2"}, "column 2 of a file with 2, counted from 0"),
    (
        "a.tsv",
        b"de\ten\na\tb\n",
        {},
        "no column is called as sentences usually are; there are: de, en\n.*\n.*--column NAME",
    ),
    ("a.tsv", b"text\ten\na\tb\n", {"column": "txt"}, "no column called 'txt'\n.*\n.*did you mean 'text'"),
    ("a.jsonl", b'{"text": "a"}\n{"text": "b"\n', {}, "not valid JSON: .*\n  where: .*line 2"),
    (
        "a.jsonl",
        b'{"text": "a"}\n{"txt": "b"}\n',
        {},
        "no field called 'text'\n  where: .*line 2\n.*did you mean 'txt'",
    ),
    ("a.jsonl", b'{"text": "a"}\n{"text": 3}\n', {}, "'text' is not text: '3'\n  where: .*line 2"),
    ("a.jsonl", b'{"text": "a"}\n{"text": "\\ud800"}\n', {}, "half a character"),
    ("a.jsonl", b"[1]\n", {}, "a JSON object was expected"),
    ("a.jsonl", b'{"text": ' + b"9" * 5000 + b"}\n", {}, "not valid JSON: Exceeds the limit"),
    ("ids", b"de-000000001\tja\nnein\n", {}, "no tab between id and sentence: 'nein'\n  where: .*line 2"),
    ("a.csv", b"a\n", {}, "no column is called as sentences usually are; there are: a\n.*\n.*--column 0"),
    ("a.xlsx", b"a\n", {}, "files of type .xlsx are not read"),
    ("a.txt.gz", gzip.compress(b"a\n" * 9)[:-9], {}, "gzip file is truncated"),
    ("a.txt.gz", b"a\n", {}, "gzip file is truncated or damaged"),
    ("a.txt.zst", zstandard.ZstdCompressor().compress(b"a\n" * 9)[:-1], {}, "zstd file is truncated"),
    ("a.txt.zst", b"a\nb\nc\nd", {}, "zstd file is truncated or damaged"),
    ("a.txt", b"a" * (LONGEST + 1), {}, "a line of more than 16777216 bytes\n  where: .*line 1"),
]


@pytest.mark.parametrize(
    ("name", "content", "how", "message"), MISTAKES, ids=lambda value: value[:30] if isinstance(value, str) else ""
)
def test_names_the_place_of_a_mistake(tmp_path, name, content, how, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TaskDataError, match=message):
        survey(sentence_source(tmp_path / name, **how))


def test_refuses_a_file_that_is_not_there_and_a_folder(tmp_path):
    for path, message in ((tmp_path / "a.txt", "no such file"), (tmp_path, "a folder where a file was expected")):
        with pytest.raises(TaskDataError, match=message):
            sentence_source(path)


def test_refuses_a_column_of_plain_lines(write):
    with pytest.raises(
        UsageError, match=r"column 'text' of a file that has none: it is read as lines(.|\n)*--format tsv"
    ):
        sentence_source(write("a.txt", "a\n"), column="text")


def test_reads_a_line_of_a_million_characters(texts):
    assert texts("a.txt", "ä" * 10**6 + "\nb\n") == ["ä" * 10**6, "b"]


def test_gives_a_sentence_its_line_id_and_text(write):
    source = sentence_source(write("a", "de-000000007\tja\n"))
    assert list(sentences(source)) == [Sentence(1, "de-000000007", "ja")]
