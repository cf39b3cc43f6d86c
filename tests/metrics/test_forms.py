"""The files are compared byte by byte with what XTREME's evaluate.py reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.metrics.forms import (
    prediction_path,
    read_answers,
    read_lines,
    read_pairs,
    read_tags,
    write_answers,
    write_lines,
    write_pairs,
    write_tags,
)

TAGS = st.lists(
    st.lists(st.sampled_from(["O", "B-PER", "NOUN"]), min_size=1, max_size=4).map(tuple), min_size=1, max_size=4
)


def test_puts_each_task_and_language_where_xtreme_looks(tmp_path):
    assert prediction_path(tmp_path, "xnli", "sw", "lines") == tmp_path / "xnli" / "test-sw.tsv"
    assert prediction_path(tmp_path, "xquad", "zh", "answers") == tmp_path / "xquad" / "test-zh.json"
    assert prediction_path(tmp_path, "mnli", "en", "lines", "validation") == tmp_path / "mnli" / "validation-en.tsv"


def test_keeps_predictions_inside_their_folder(tmp_path):
    with pytest.raises(UsageError, match="cannot be part of a file's name"):
        prediction_path(tmp_path, "../elsewhere", "sw", "lines")


def test_writes_a_label_a_line(tmp_path):
    path = tmp_path / "new" / "test-sw.tsv"
    write_lines(path, ["neutral", "entailment"])
    assert path.read_bytes() == b"neutral\nentailment\n"
    assert read_lines(path) == ["neutral", "entailment"]


def test_writes_line_numbers_for_retrieval(tmp_path):
    write_lines(tmp_path / "t.tsv", [0, 12])
    assert (tmp_path / "t.tsv").read_text() == "0\n12\n"


def test_writes_an_empty_line_after_each_sentence(tmp_path):
    write_tags(tmp_path / "t.tsv", [("DET", "NOUN"), ("VERB",)])
    assert (tmp_path / "t.tsv").read_text() == "DET\nNOUN\n\nVERB\n\n"


@given(TAGS)
def test_reads_back_the_tags_it_wrote(tmp_path_factory, sentences):
    path = tmp_path_factory.mktemp("tags") / "t.tsv"
    write_tags(path, sentences)
    assert read_tags(path) == sentences


def test_takes_several_empty_lines_for_one(tmp_path):
    (tmp_path / "t.tsv").write_text("\nO\n\n\n\nB-PER\nI-PER")
    assert read_tags(tmp_path / "t.tsv") == [("O",), ("B-PER", "I-PER")]


def test_writes_answers_in_any_script(tmp_path):
    write_answers(tmp_path / "t.json", {"q1": "北京", "q2": ""})
    assert read_answers(tmp_path / "t.json") == {"q1": "北京", "q2": ""}
    assert "北京" in (tmp_path / "t.json").read_text(encoding="utf-8")


def test_refuses_answers_of_another_shape(tmp_path):
    (tmp_path / "t.json").write_text('["Rome"]')
    with pytest.raises(TaskDataError, match="not an object of question ids"):
        read_answers(tmp_path / "t.json")


def test_writes_pairs_of_ids(tmp_path):
    write_pairs(tmp_path / "t.tsv", [("de-001", "en-007")])
    assert (tmp_path / "t.tsv").read_text() == "de-001\ten-007\n"
    assert read_pairs(tmp_path / "t.tsv") == [("de-001", "en-007")]


def test_names_the_line_of_a_broken_pair(tmp_path):
    (tmp_path / "t.tsv").write_text("a\tb\n\na b\n")
    with pytest.raises(TaskDataError, match="line 3"):
        read_pairs(tmp_path / "t.tsv")


@pytest.mark.parametrize("value", ["", "two\nlines", "a\tb", " padded"])
def test_refuses_a_value_that_would_not_be_read_back(tmp_path, value):
    with pytest.raises(TaskDataError, match="cannot be written"):
        write_lines(tmp_path / "t.tsv", ["fine", value])
    assert not (tmp_path / "t.tsv").exists()


def test_reads_a_line_separator_inside_a_line_as_part_of_it(tmp_path):
    (tmp_path / "t.tsv").write_text("a\u2028b\nc\n", encoding="utf-8")
    assert read_lines(tmp_path / "t.tsv") == ["a\u2028b", "c"]
