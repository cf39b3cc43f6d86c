"""What a score hides, of labels counted by hand."""

from itertools import pairwise

import numpy as np
import pytest

from adapter_stilts.statistics.report import (
    by_length,
    classes_of,
    in_order,
    markdown,
    overview,
    parts_by_length,
    surest,
    tables,
)

GOLD = ["cat", "cat", "cat", "dog", "dog", "owl"]
SAID = ["cat", "dog", "cat", "dog", "cat", "cat"]
FACTS = {"task": "pets", "language": "sw", "split": "test", "protocol": "own", "metric": "accuracy", "score": 0.5}
FACTS |= {"n": 6, "notes": []}


def test_counts_precision_recall_and_f1_of_every_class():
    report = classes_of(GOLD, SAID, "rows")
    cat, dog, owl = report["classes"]
    assert (cat["correct"], cat["predicted"], cat["support"]) == (2, 4, 3)
    assert (cat["precision"], cat["recall"], cat["f1"]) == pytest.approx((2 / 4, 2 / 3, 4 / 7))
    assert (dog["precision"], dog["recall"], dog["f1"]) == (0.5, 0.5, 0.5)
    assert (owl["precision"], owl["recall"], owl["f1"], owl["support"]) == (None, 0.0, 0.0, 1)
    assert report["macro_f1"] == pytest.approx((4 / 7 + 0.5 + 0) / 3)


def test_counts_gold_labels_down_and_predicted_ones_across():
    confusion = classes_of(GOLD, SAID, "rows")["confusion"]
    assert confusion["labels"] == ["cat", "dog", "owl"]
    assert confusion["counts"] == [[2, 1, 0], [1, 1, 0], [1, 0, 0]]


def test_sorts_numbers_by_value_and_before_words():
    assert in_order({"10", "2", "b", "1", "a"}) == ["1", "2", "10", "a", "b"]


def test_scores_the_quarters_of_rows_by_length():
    lengths = [1, 2, 3, 4, 5, 6, 7, 8]
    units = np.array([(right, 1) for right in (1, 1, 1, 0, 0, 0, 1, 0)], dtype=np.float64)
    bins = by_length(lengths, units, "ratio", "accuracy", "tokens")["bins"]
    assert [(part["from"], part["to"], part["n"], part["score"]) for part in bins] == [
        (1, 2, 2, 1.0),
        (3, 4, 2, 0.5),
        (5, 6, 2, 0.0),
        (7, 8, 2, 0.5),
    ]


@pytest.mark.parametrize("sizes", [[5], [3, 3, 3, 3], [1, 1, 1, 9], [9, 1, 4, 4, 4, 2]])
def test_puts_every_row_in_one_part_and_equal_lengths_together(sizes):
    parts = parts_by_length(np.array(sizes))
    assert sorted(row for _, _, rows in parts for row in rows) == list(range(len(sizes)))
    assert all(low <= sizes[row] <= high for low, high, rows in parts for row in rows)
    assert all(before[1] < after[0] for before, after in pairwise(parts))


def test_keeps_the_surest_mistakes_first():
    made = [{"id": str(number), "probability": number / 100} for number in range(50)]
    assert [mistake["id"] for mistake in surest(made)] == [str(number) for number in range(49, 29, -1)]


def test_names_the_commonest_confusions_where_the_whole_table_is_too_wide():
    labels = [f"a-long-label-{number}" for number in range(12)]
    report = classes_of([*labels, labels[0], labels[0]], [*labels, labels[1], labels[1]], "words")
    wide = list(tables(report, 300))[1]
    assert len(wide.columns) == 13
    narrow = list(tables(report, 80))[1]
    assert narrow.columns == ("gold", "predicted", "n", "% of gold")
    assert narrow.rows == [[labels[0], labels[1], 2, "66.7"]]


def test_draws_a_row_for_each_language():
    first, second = (FACTS | {"language": code} | classes_of(GOLD, SAID, "rows") for code in ("sw", "yo"))
    table = overview([first, second])
    assert table.columns == ["language", "n", "accuracy", "mean F1", "cat", "dog", "owl"]
    assert table.rows[0] == ["sw", 6, "50.0", "35.7", "57.1", "50.0", "0.0"]
    many = [FACTS | classes_of(list("abcdefgh"), list("abcdefgg"), "rows")] * 2
    assert overview(many).columns == ["language", "n", "accuracy", "mean F1", "lowest F1"]
    assert overview(many).rows[0][-1] == "h 0.0"


def test_draws_languages_of_which_some_have_no_classes():
    parts = {"outcomes": {"metric": "f1", "parts": [{"n": 4, "exact": 2, "partial": 1, "missed": 1}]}}
    with_classes = FACTS | classes_of(["an answer", "no answer"], ["an answer"] * 2, "questions") | parts
    table = overview([with_classes, FACTS | {"language": "yo"} | parts])
    assert table.columns[3:] == ["mean F1", "an answer", "no answer", "exact", "partial", "missed"]
    assert table.rows[1][3:] == ["", "", "", "50.0", "25.0", "25.0"]


def test_writes_a_page_in_which_no_text_ends_a_cell():
    report = FACTS | classes_of(["a|b", "c"], ["c", "c"], "rows")
    report |= {"notes": ["only a part"]}
    mistake = {"id": "7", "text": "one\n| two", "gold": "a|b", "predicted": "c", "probability": 0.913}
    page = markdown(report | {"mistakes": [mistake]})
    assert "| a\\|b | " in page
    assert "* 91.3 %: predicted c, gold a|b (id 7)\n  * text: one \\| two\n" in page
    assert "**only a part.**" in page
