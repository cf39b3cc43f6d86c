"""Vectors less their mean: the same numbers from `encode`, `mine` and `eval`, and said beside each score."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asking import evaluation

from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.mining import folder as module
from adapter_stilts.mining.encode import Encoding, encode
from adapter_stilts.mining.mine import mine
from adapter_stilts.mining.request import Mining
from adapter_stilts.reporting import Silent
from adapter_stilts.retrieval.reading import Overrides
from adapter_stilts.retrieval.stored.vectors import open_vectors
from adapter_stilts.runs.evaluate import evaluate

SOURCE = [
    "The small cat sleeps.",
    "Anna bought apples.",
    "",
    "Paris on Monday",
    "The small cat sleeps.",
    "The old table",
    "red apples in Paris",
]
TARGET = ["Die kleine Katze", "Anna kaufte Äpfel", "am Montag in Paris", "Der alte Tisch", "rote Äpfel"]


@pytest.fixture
def files(tmp_path):
    for name, lines in (("s.txt", SOURCE), ("t.txt", TARGET)):
        (tmp_path / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return tmp_path / "s.txt", tmp_path / "t.txt"


@pytest.fixture
def make(tiny_folder, tmp_path):
    def run(path, out, report=None, **more):
        wanted = Overrides((2,), centring=more.pop("centring", None))
        request = Encoding(path, trunk=str(tiny_folder), precision="fp32", wanted=wanted, shard_rows=3, **more)
        found = encode(
            request,
            out=tmp_path / out if out else None,
            runs=tmp_path / "runs",
            overwrite=False,
            dry_run=False,
            report=report or Silent(),
        )
        return Path(found["folder"]), found

    return run


def by_hand(plain, lines):
    """Each distinct sentence counts once in the mean; blank rows stay zero."""
    rows = [number for number, line in enumerate(lines) if line]
    first = [number for number in rows if lines.index(lines[number]) == number]
    moved = plain.astype(np.float64) - plain[first].astype(np.float64).mean(axis=0)
    expected = np.zeros(plain.shape)
    expected[rows] = moved[rows] / np.linalg.norm(moved[rows], axis=1, keepdims=True)
    return expected


@pytest.mark.parametrize(("dtype", "room"), [("float32", 1e-6), ("float16", 1e-3), ("int8", 0.02)])
def test_stores_vectors_less_the_mean_of_distinct_sentences(make, files, dtype, room):
    folder, found = make(files[0], "centred", centring=True, dtype=dtype)
    plain = open_vectors(make(files[0], "plain")[0]).block(0, len(SOURCE))
    np.testing.assert_allclose(open_vectors(folder).block(0, len(SOURCE)), by_hand(plain, SOURCE), atol=room)
    assert open_vectors(folder).blank.tolist() == [not line for line in SOURCE]
    assert (found["centring"], found["dtype"], open_vectors(folder).made["centring"]) == (True, dtype, True)


def test_goes_on_with_the_same_bytes_and_says_when_done(make, files, tmp_path, monkeypatch):
    whole, _ = make(files[0], "whole", centring=True)
    done = []

    def stops(*values):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(written(*values))
        return done[-1]

    written = module.write_shard
    monkeypatch.setattr(module, "write_shard", stops)
    with pytest.raises(KeyboardInterrupt):
        make(files[0], "again", centring=True)
    monkeypatch.undo()
    folder, found = make(files[0], "again", centring=True)
    assert found["state"] == "resumed"
    names = sorted(path.name for path in whole.iterdir() if path.name != ".lock")
    assert all((whole / name).read_bytes() == (folder / name).read_bytes() for name in names)
    assert len(names) == 7
    assert make(files[0], "again", centring=True)[1]["state"] == "done"
    with pytest.raises(UsageError, match="centring True"):
        make(files[0], "again")


def test_refuses_a_mean_of_one_sentence(make, tmp_path):
    (tmp_path / "one").write_text("Anna.\n\nAnna.\n")
    with pytest.raises(TaskDataError, match="1 different sentences: nothing is left"):
        make(tmp_path / "one", "v", centring=True)


def test_mines_alike_from_text_and_from_centred_vectors(make, files, tmp_path, tiny_folder):
    def run(out, **more):
        wanted = Overrides(**{name: more.pop(name) for name in ("centring", "k") if name in more})
        wanted = replace(wanted, layers=(more.pop("layer"),)) if "layer" in more else wanted
        return mine(
            Mining(wanted=wanted, **more),
            out=tmp_path / out,
            runs=tmp_path / "runs",
            overwrite=False,
            dry_run=False,
            report=Silent(),
        )

    def pairs(name):
        rows = [line.split("\t") for line in (tmp_path / name).read_text().split("\n")[:-1]]
        return [(float(score), *pair) for score, *pair in rows]

    trunk = {"trunk": str(tiny_folder), "precision": "fp32", "layer": 2}
    text = run("text", source=files[0], target=files[1], centring=True, **trunk)
    plain = run("plain", source=files[0], target=files[1], centring=False, **trunk)
    folders = [make(path, f"{name}-c", centring=True)[0] for name, path in zip("st", files, strict=True)]
    for centring in (None, True):
        stored = run(
            f"stored{centring}",
            source=files[0],
            target=files[1],
            source_vectors=folders[0],
            target_vectors=folders[1],
            centring=centring,
        )
        assert stored["settings"]["centring"] is True
        assert pairs(f"stored{centring}") == [(pytest.approx(score, abs=1e-5), *pair) for score, *pair in pairs("text")]
    assert (text["settings"]["centring"], plain["settings"]["centring"]) == (True, False)
    assert pairs("plain") != pairs("text")
    with pytest.raises(UsageError, match="not encoded alike: centring True and None"):
        run("mixed", source_vectors=folders[0], target_vectors=make(files[1], "t-p")[0])


def test_scores_both_ways_and_says_which(tiny_folder, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for language, lines in (
        ("krl", ["Kissin uinu.", "Anna osti omenaa.", "Juna lähtee."]),
        ("eng", ["The cat sleeps.", "Anna bought apples.", "The train."]),
    ):
        (folder / f"tatoeba.krl-eng.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def run(centre):
        asked = evaluation(
            run=None,
            trunk=str(tiny_folder),
            tasks=("tatoeba",),
            data=(str(folder),),
            precision="fp32",
            retrieval={"layer": 2, "centre": centre},
        )
        return evaluate(asked, out=None, runs=tmp_path, overwrite=False, dry_run=False, report=Silent()).to_json()[
            "results"
        ]

    found = {centre: run(centre) for centre in (None, False, True)}
    assert {centre: {row["settings"]["centring"] for row in rows} for centre, rows in found.items()} == {
        None: {False},
        False: {False},
        True: {True},
    }
    assert found[None] == found[False]
    kept = json.loads(next(tmp_path.glob("trunk-*/results.json")).read_text())["results"]
    assert {row["settings"]["centring"] for row in kept} == {True, False}
