"""Lists, frames and data sets as the rows they hold."""

from __future__ import annotations

import json
import math

import datasets
import numpy as np
import pytest

from adapter_stilts.door.rows import path_or_rows, plain_rows, source, sources
from adapter_stilts.errors import TaskDataError

NAMES = ["entailment", "neutral", "contradiction"]


def test_names_the_classes_of_a_data_set():
    features = {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=NAMES)}
    features["tags"] = datasets.Sequence(datasets.ClassLabel(names=["O", "B-PER"]))
    given = [{"text": "a", "label": 2, "tags": [1, 0]}, {"text": "b", "label": -1, "tags": []}]
    data = datasets.Dataset.from_list(given, features=datasets.Features(features))
    assert list(plain_rows(data)) == [
        {"text": "a", "label": "contradiction", "tags": ["B-PER", "O"]},
        {"text": "b", "label": None, "tags": []},
    ]


def test_reads_a_frame_with_missing_cells():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"text": ["a", "b"], "label": [1.0, math.nan], "n": pandas.array([1, None], dtype="Int64")}
    )
    assert list(plain_rows(frame)) == [{"text": "a", "label": 1.0, "n": 1}, {"text": "b", "label": None, "n": None}]


def test_reads_numpy_and_nested_cells():
    row = {"n": np.int64(3), "x": np.float32(0.5), "list": np.array([1, 2]), "inner": {"a": (np.bool_(True),)}}
    (plain,) = plain_rows([row])
    assert json.loads(json.dumps(plain)) == {"n": 3, "x": 0.5, "list": [1, 2], "inner": {"a": [True]}}


def test_keeps_rows_once_under_a_name_made_of_their_content(tmp_path):
    given = [{"text": "ä", "label": "x"}]
    path = source(given, tmp_path)
    assert path == source(iter(given), tmp_path) != source([*given, *given], tmp_path)
    assert json.loads(path.read_text("utf-8")) == given[0]
    assert [json.loads(line) for line in source(["a", ""], tmp_path).read_text().splitlines()] == [
        {"text": "a"},
        {"text": ""},
    ]


def test_takes_data_as_it_is_typed_or_by_split(tmp_path):
    assert sources(None, tmp_path) is None
    assert sources("folder", tmp_path) == ["folder"]
    assert sources(["train=a.tsv", "train=b.tsv"], tmp_path) == ["train=a.tsv", "train=b.tsv"]
    assert sources({"train": "a.tsv", "mlm/train": "b.txt"}, tmp_path) == ["train=a.tsv", "mlm/train=b.txt"]
    (train,) = sources([{"text": "a"}], tmp_path)
    assert train.startswith(f"train={tmp_path}/rows/rows-")
    split = datasets.DatasetDict({"test": datasets.Dataset.from_list([{"text": "a"}])})
    assert sources(split, tmp_path) == [train.replace("train=", "test=")]


@pytest.mark.parametrize(
    ("rows", "words"), [([3], "not int"), ([{"a": object()}], "row 0"), ([{"a": {1, 2}}], "row 0")]
)
def test_says_which_row_is_none(tmp_path, rows, words):
    with pytest.raises(TaskDataError, match=words):
        source(rows, tmp_path)


def test_tells_a_text_from_a_path(tmp_path):
    with pytest.raises(TaskDataError, match=r"no such file(.|\n)*write \[\"...\"\] for a text"):
        path_or_rows("The train to Rome leaves at nine. " * 99)
    assert path_or_rows(str(tmp_path)) == tmp_path
