"""Every odd or wrong input we know of has one defined answer, and loses nothing that was there before."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from adapter_stilts.errors import ArtefactError, DoesNotFit, MissingError, TaskDataError, UnknownName, UsageError
from adapter_stilts.reporting import Silent


class Told(Silent):
    """Keeps what it is told."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


def test_says_that_nothing_was_found(put, start, tmp_path, planted):
    document = start(**put(planted()), threshold=9.0)
    assert (tmp_path / "pairs.tsv").read_bytes() == b""
    assert document["pairs"] == 0
    assert "so the file is empty" in document["notes"][-1]
    opposite = np.eye(4, dtype=np.float32)[:1]
    document = start(**put((opposite, -opposite)), overwrite=True, margin="distance", protocol="xtreme")
    assert document["left_out"] == {"of a score of 0 or less": 1}  # -1 less the mean of both neighbourhoods, -1
    assert document["notes"] == [
        "1 candidate of a score of 0 or less is left out",
        "no pair was found: there is no other candidate, so the file is empty",
    ]


@pytest.mark.parametrize("margin", ["distance", "csls"])
def test_keeps_differences_of_nought(put, start, tmp_path, planted, read, margin):
    document = start(**put(planted()), margin=margin, k=1, retrieval="intersection")
    assert (
        document["pairs"] >= 12
    )  # with one neighbour a pair that is best both ways is as close as its neighbourhoods: 0
    assert {float(score) for score, _, _ in read(tmp_path / "pairs.tsv")} == {0.0}
    assert document["left_out"] == {}


def test_counts_the_pairs_of_repeated_sentences_that_are_dropped(put, start, planted, numbers):
    source, target = planted()
    texts = [numbers("s"), numbers("t")]
    texts[0][1] = texts[0][0]
    document = start(**put((source, target), texts), duplicates="drop")
    assert document["left_out"] == {"of a sentence that occurs several times": 1}
    assert "1 candidate of a sentence that occurs several times is left out" in document["notes"]


def test_reports_scores_that_are_infinite(put, start, read, tmp_path, gold_file):
    half = np.eye(4, dtype=np.float32)[:2]
    both = np.concatenate([half, -half])  # the mean cosine of every neighbourhood is nought
    document = start(**put((both, both)), gold=gold_file([(number, number) for number in range(1, 5)]))
    assert (document["pairs"], document["results"][-3]["metric"], document["results"][-3]["score"]) == (
        4,
        "f1-oracle",
        1.0,
    )
    assert {score for score, _, _ in read(tmp_path / "pairs.tsv")} == {"inf"}
    assert json.loads((tmp_path / "pairs.tsv.report.json").read_text())["histogram"]["infinite"] == 4


def test_mines_one_line_each(put, start, tmp_path, planted, read):
    assert start(**put([side[:1] for side in planted()], (["one"], ["eins"])))["pairs"] == 1
    assert read(tmp_path / "pairs.tsv") == [["1.000000", "one", "eins"]]


def test_mines_files_of_one_repeated_sentence(put, start, tmp_path, planted, read):
    same = [np.repeat(side[:1], 60, axis=0) for side in planted()]
    assert start(**put(same, (["a"] * 60, ["b"] * 60)))["pairs"] == 1
    assert start(**put(same), overwrite=True)["pairs"] == 1
    assert read(tmp_path / "pairs.tsv") == [["1.000000", "1", "1"]]
    assert start(**put(same), duplicates="expand", overwrite=True)["pairs"] == 3600


def test_keeps_blank_lines_in_their_place(put, start, tmp_path, planted, numbers, gold_file):
    texts = numbers("s"), numbers("t")
    for side, place in zip(texts, (2, 5), strict=True):
        side[place] = "  "
    document = start(**put(planted(), texts), threshold=1.33, json_lines=True)
    rows = [json.loads(line) for line in (tmp_path / "pairs.tsv").read_text().split("\n")[:-1]]
    assert {row["source_line"] for row in rows} == set(range(1, 13)) - {3, 6}
    assert (document["source"]["blank"], document["target"]["blank"]) == (1, 1)
    with pytest.raises(TaskDataError, match=r"line 3 of the source has no text(.|\n)*gold, line 1"):
        start(**put(planted(), texts), gold=gold_file([(3, 3)]), overwrite=True)


def test_says_that_both_sides_are_the_same(put, start, tmp_path, planted, read):
    source, _ = planted()
    told = Told()
    start(**put((source, source)), report=told)
    assert "source and target are the same: every sentence will find itself" in told.lines
    assert all(one == other for _, one, other in read(tmp_path / "pairs.tsv"))


def test_refuses_vectors_that_are_none(put, start, planted):
    source, target = planted()
    for value, kind in ((np.nan, "not finite"), (np.inf, "not finite"), (0.0, "zero")):
        broken = target.copy()
        broken[6] = value
        with pytest.raises(TaskDataError, match=rf"a vector is {kind}(.|\n)*target.npy, line 7"):
            start(**put((source, broken)))


def test_refuses_sides_of_different_width(put, start, planted):
    source, target = planted()
    with pytest.raises(UsageError, match="vectors of 24 and of 20 dimensions"):
        start(**put((source, target[:, :20])))


def test_refuses_vectors_of_another_number_of_lines(put, start, planted, numbers):
    with pytest.raises(TaskDataError, match=r"20 vectors for 19 sentences(.|\n)*target.npy and .*target.txt"):
        start(**put(planted(), (numbers("s"), numbers("t", 19))))


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "no sentence: all 2 rows are blank"),
        (b"fine\n\xff\xfe\n", "not UTF-8.*(.|\n)*line 2"),
    ],
)
def test_refuses_a_file_without_text_or_of_other_bytes(put, start, tmp_path, content, pattern, planted, numbers):
    fields = put(planted(), (numbers("s"), numbers("t")))
    fields["target"].write_bytes(content)
    with pytest.raises(TaskDataError, match=pattern):
        start(**fields)
    assert not (tmp_path / "pairs.tsv").exists()


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        ("1\t99\n", r"1 ids or line numbers are not where they should be: '99' \(line 1\)"),
        ("1\t1\n0\t2\n", r"'0' \(line 2\)"),
        ("1\t1\n1\n", "two ids, or two line numbers"),
        ("", "the file is empty"),
    ],
)
def test_refuses_gold_of_other_files(put, start, tmp_path, content, pattern, planted):
    (tmp_path / "gold").write_text(content)
    with pytest.raises(TaskDataError, match=pattern):
        start(**put(planted()), gold=tmp_path / "gold")


def test_is_done_once_and_refuses_another_outcome(put, start, tmp_path, planted):
    fields, told = put(planted()), Told()
    first = start(**fields)
    content = (tmp_path / "pairs.tsv").read_bytes()
    assert start(**fields, report=told) == first
    assert told.lines[-1].endswith("is the outcome of this very mining already")
    with pytest.raises(UsageError, match="is not the outcome of this very mining"):
        start(**fields, threshold=1.33)
    assert (tmp_path / "pairs.tsv").read_bytes() == content
    (tmp_path / "other.tsv").write_text("mine\n")
    with pytest.raises(UsageError, match="the file is there already"):
        start(**fields, out="other.tsv")
    (tmp_path / "pairs.tsv.report.json").write_text("{")
    with pytest.raises(ArtefactError, match="report of a mining"):
        start(**fields)


def test_keeps_what_was_there_when_the_disk_is_full(put, start, tmp_path, monkeypatch, planted):
    fields = put(planted())
    start(**fields, threshold=1.33)
    before = (tmp_path / "pairs.tsv").read_bytes()
    fsync = os.fsync

    def fail(handle):
        if "pairs.tsv." in os.readlink(f"/proc/self/fd/{handle}"):
            raise OSError(28, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DoesNotFit, match="the disk is full"):
        start(**fields, overwrite=True)
    assert (tmp_path / "pairs.tsv").read_bytes() == before
    monkeypatch.undo()
    start(**fields, overwrite=True)


def test_says_what_would_fit(put, start, planted):
    with pytest.raises(DoesNotFit, match=r"mining 20 x 20 vectors of 24 needs(.|\n)*--limit-gb [0-9.]+ or more"):
        start(**put(planted()), limit_gb=0.01)


@pytest.mark.parametrize(
    ("fields", "error", "pattern"),
    [
        ({"source": "a"}, UsageError, "one file of sentences"),
        ({}, UsageError, "nothing to mine"),
        ({"source_vectors": "a"}, UsageError, "the vectors of one side"),
        ({"margin": "ration"}, UnknownName, "did you mean 'ratio'"),
        ({"index": "exakt"}, UnknownName, "did you mean 'exact'"),
        ({"retrieval": "intersect"}, UnknownName, "did you mean 'intersection'"),
        ({"source": "a", "target": "b", "k": 0}, UsageError, "0 neighbours"),
        (
            {"source": "a", "target": "b", "threshold": 1.0, "target_precision": 0.9},
            UsageError,
            "a threshold and a target precision",
        ),
        ({"source": "a", "target": "b", "target_precision": 0.9}, UsageError, "without gold"),
        ({"source": "a", "target": "b", "threshold": float("nan")}, UsageError, "no number"),
        ({"source": "a", "target": "b", "threshold": float("inf")}, UsageError, "no number"),
        (
            {"source": "a", "target": "b", "gold": "c", "target_precision": float("nan")},
            UsageError,
            "a target precision of nan",
        ),
        ({"source": "a", "target": "b", "gold": "c", "target_precision": 2.0}, UsageError, "a target precision of 2.0"),
        ({"source_vectors": "a", "target_vectors": "b", "trunk": "miniature"}, UsageError, "vectors and an encoder"),
        ({"source": "a", "target": "b", "limit_gb": 0.0}, UsageError, "a limit of 0.0 GB"),
        ({"source": "a", "target": "b", "index": "ivf", "lists": -5}, UsageError, "fewer than one cell"),
        ({"source": "a", "target": "b", "index": "auto", "probes": 0}, UsageError, "fewer than one cell"),
        ({"source": "a", "target": "b", "probes": 3}, UsageError, "the index 'exact', which has none"),
        (
            {"source": "pairs.tsv", "target": "b", "trunk": "miniature", "overwrite": True},
            UsageError,
            "take the place of a file that is read",
        ),
        ({"source_vectors": "a", "target_vectors": "b"}, MissingError, "no vectors here"),
        ({"source": "a", "target": "b", "trunk": "miniature"}, TaskDataError, "no such file"),
        ({"source": "a", "target": "b"}, UsageError, "no run is named, and no trunk(.|\n)*--run RUN, or --trunk Face"),
    ],
)
def test_refuses_what_does_not_go_together(start, tmp_path, monkeypatch, fields, error, pattern):
    monkeypatch.chdir(tmp_path)
    paths = {
        name: Path(value) if name.split("_")[0] in ("source", "target") and isinstance(value, str) else value
        for name, value in fields.items()
    }
    with pytest.raises(error, match=pattern):
        start(**paths)
    assert not list(tmp_path.iterdir())
