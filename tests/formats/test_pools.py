"""Sentences a line: aligned files, mining pools, plain text."""

import pytest
from small_files import read_rows

from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.aligned import Bitext, read_aligned
from adapter_stilts.formats.pools import read_pools
from adapter_stilts.formats.text import PlainText


def test_pairs_lines_and_keeps_blank_ones(write):
    pairs = read_aligned(write("a.de", "eins\n\ndrei\u2028x \n"), write("a.en", "one\ntwo\nthree\r\n"))
    assert pairs == [Bitext("0", "eins", "one"), Bitext("1", "", "two"), Bitext("2", "drei\u2028x", "three")]


def test_takes_blank_lines_at_the_end_of_one_side_for_what_they_are(write):
    pairs = read_aligned(write("a.de", "eins\nzwei\n\n  \n"), write("a.en", "one\ntwo\n"))
    assert pairs == [Bitext("0", "eins", "one"), Bitext("1", "zwei", "two")]


def test_refuses_files_of_different_length(write):
    with pytest.raises(TaskDataError, match=r"3 and 2 lines(.|\n)*a.de and .*a.en"):
        read_aligned(write("a.de", "1\n2\n3\n"), write("a.en", "1\n2\n"))


def test_refuses_an_empty_side(write):
    with pytest.raises(TaskDataError, match=r"the file is empty(.|\n)*a.en"):
        read_aligned(write("a.de", "1\n"), write("a.en", ""))


def test_reads_pools_and_turns_gold_pairs_written_the_other_way(write):
    source, target = (
        write("de-en.dev.de", "de-1\teins\nde-2\tzwei\n"),
        write("de-en.dev.en", "en-1\tone\ten bloc\nen-2\ttwo\n"),
    )
    pools = read_pools(source, target, write("de-en.dev.gold", "de-1\ten-1\nen-2\tde-2\n"))
    assert pools.source_ids == ("de-1", "de-2")
    assert pools.target == ("one\ten bloc", "two")
    assert pools.gold == {("de-1", "en-1"), ("de-2", "en-2")}
    assert read_pools(source, target, None).gold == frozenset()


def test_refuses_gold_ids_that_are_in_no_pool(write):
    with pytest.raises(TaskDataError, match=r"1 gold ids are in neither pool: en-9(.|\n)*g.gold"):
        read_pools(write("a", "de-1\teins\n"), write("b", "en-1\tone\n"), write("g.gold", "de-1\ten-9\n"))


def test_refuses_repeated_ids_missing_tabs_and_empty_pools(write):
    good, gold = write("b", "en-1\tone\n"), write("g", "de-1\ten-1\n")
    with pytest.raises(TaskDataError, match=r"id 'de-1' occurs twice(.|\n)*line 2"):
        read_pools(write("a", "de-1\teins\nde-1\tzwei\n"), good, gold)
    with pytest.raises(TaskDataError, match=r"no tab between id and sentence: 'de-2 zw'(.|\n)*line 2"):
        read_pools(write("c", "de-1\teins\nde-2 zw"), good, gold)
    with pytest.raises(TaskDataError, match="the file is empty"):
        read_pools(write("d", ""), good, gold)
    with pytest.raises(TaskDataError, match=r"two ids with a tab between(.|\n)*line 1"):
        read_pools(write("e", "de-1\teins\n"), good, write("h", "de-1 en-1\n"))


def test_reads_text_by_lines_and_skips_blank_ones(write):
    assert read_rows(write("en.txt.gz", "one\n\n two \n"), "text") == [PlainText("0", "one"), PlainText("2", "two")]
