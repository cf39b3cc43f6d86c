"""The scores of a run come back as they were written, notice a change, and have means."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from adapter_stilts.errors import ArtefactError, MissingError
from adapter_stilts.runs.results import check_products, means, merged, read_results, read_scored, write_results
from adapter_stilts.statistics.result import Result


def row(task="xnli", language="sw", score=0.5, protocol="own", metric="accuracy", **more):
    return Result(task, protocol, language, metric, score, 4, **{"headline": True, **more})


def test_keeps_results_in_order_and_reads_them_back(tmp_path):
    write_results(tmp_path, [row(language="sw"), row(language="de"), row("udpos", metric="f1")])
    assert [(found.task, found.language) for found in read_results(tmp_path)] == [
        ("udpos", "sw"),
        ("xnli", "de"),
        ("xnli", "sw"),
    ]
    assert read_results(tmp_path / "none") == []


def test_notices_any_changed_byte_of_results(tmp_path, flip):
    write_results(tmp_path, [row()])
    path = tmp_path / "results.json"
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        flip(path, place, 3)
        with pytest.raises(ArtefactError, match=r"results\.json"):
            read_results(tmp_path)
        path.write_bytes(whole)


@pytest.fixture
def scored(tmp_path):
    """A row of results whose predictions and units are on disk."""
    (tmp_path / "p.tsv").write_text("neutral\n")
    np.save(tmp_path / "u.npy", np.array([[1.0, 1.0], [0.0, 1.0]]))
    write_results(tmp_path, [row(paths={"predictions": "p.tsv", "units": "u.npy"})])
    return read_results(tmp_path)[0]


@pytest.mark.parametrize("name", ["p.tsv", "u.npy"])
def test_notices_a_flipped_byte_in_what_a_score_was_made_of(scored, tmp_path, flip, name):
    check_products(tmp_path, [scored])
    flip(tmp_path / name, (tmp_path / name).stat().st_size - 1, 1)
    with pytest.raises(
        ArtefactError,
        match=rf"(?s){name} is not the file that was scored.*--tasks xnli --languages sw --split test --overwrite",
    ):
        check_products(tmp_path, [scored])


def test_reads_the_sums_of_a_score_and_says_when_they_are_gone(scored, tmp_path, flip):
    there = read_scored(tmp_path, scored)
    assert (there.units.tolist(), there.items.tolist()) == ([[1, 1], [0, 1]], [0, 1])
    flip(tmp_path / "u.npy", (tmp_path / "u.npy").stat().st_size - 2, 4)
    with pytest.raises(ArtefactError, match=r"u\.npy is not the file"):
        read_scored(tmp_path, scored)
    (tmp_path / "u.npy").unlink()
    with pytest.raises(MissingError, match="not there"):
        read_scored(tmp_path, scored)


def test_lets_a_bundle_leave_its_predictions_out(scored, tmp_path):
    (tmp_path / "p.tsv").unlink()
    check_products(tmp_path, [scored])


def test_knows_a_file_again_that_another_reading_wrote_anew(scored, tmp_path):
    (tmp_path / "p.tsv").write_text("entailment\n")
    write_results(tmp_path, merged([scored], [row(protocol="xtreme", paths={"predictions": "p.tsv"})]))
    check_products(tmp_path, read_results(tmp_path))


def test_replaces_a_row_by_a_newer_one_of_the_same_thing():
    rows = merged([row(score=0.1), row(language="de")], [row(score=0.9), row(settings={"layer": 3})])
    assert sorted((found.language, found.score) for found in rows) == [("de", 0.5), ("sw", 0.5), ("sw", 0.9)]


def test_means_over_languages_then_tasks_with_and_without_retrieval():
    rows = [
        row(language="sw", score=0.2),
        row(language="de", score=0.6),
        row("tatoeba", score=1.0, retrieval=True),
        row(metric="f1", headline=False),
    ]
    found = means([*rows, row(language="en", split="validation", score=0.0)]).to_json()
    assert found["tasks"]["xnli"] == [
        {"protocol": "own", "split": "test", "settings": {}, "score": 0.4, "languages": 2}
    ]
    assert (found["with_retrieval"], found["without_retrieval"]) == (pytest.approx(0.7), pytest.approx(0.4))
    assert means([]).with_retrieval is None


def test_does_not_mix_protocols_or_layers_in_a_mean():
    layers = [row("tatoeba", settings={"layer": layer}) for layer in (1, 2)]
    found = means([row(score=0.2), row(score=0.4, protocol="xtreme"), *layers])
    assert [len(found.tasks[task]) for task in ("xnli", "tatoeba")] == [2, 2]
    assert found.with_retrieval is None


def test_writes_json_that_others_read(tmp_path):
    write_results(tmp_path, [row()])
    assert json.loads((tmp_path / "results.json").read_text())["means"]["without_retrieval"] == 0.5


def test_takes_the_predictions_from_rows_whose_file_another_reading_has_written_over():
    old = row("tatoeba", settings={"layer": 1}, paths={"predictions": "predictions/tatoeba/test-sw.tsv"})
    new = replace(old, settings={"layer": 2})
    same = replace(old, protocol="xtreme")
    assert merged([old], [new]) == [replace(old, paths={}), new]
    assert merged([], [old, new]) == [replace(old, paths={}), new]  # two readings at once: the file holds the last
    assert merged([old], [same]) == [old, same]
