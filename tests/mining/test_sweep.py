"""Settings are chosen on dev, test is read once and after the choice, and nothing is chosen out of noise."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from asking import evaluation

from adapter_stilts.config.load import load
from adapter_stilts.errors import ArtefactError, TaskDataError, UnknownName, UsageError
from adapter_stilts.mining import sweep_data
from adapter_stilts.mining.sweep import MARGINS, Sweep, sweep
from adapter_stilts.reporting import Silent
from adapter_stilts.runs import retrieval
from adapter_stilts.runs.evaluate import evaluate
from adapter_stilts.runs.results import read_results

ROWS = 120


def drawn(*facts, width=32):
    seed = int.from_bytes(hashlib.sha256(repr(facts).encode()).digest()[:8], "big")
    return np.random.default_rng(seed).standard_normal(width)


@pytest.fixture
def planted(monkeypatch):
    """planted(layer, pool): sentences "xx 7" and "en 7" mean the same there, once the mean of each language is taken
    off; elsewhere is noise."""

    def make(layer=1, pool="mean"):
        def embed(encoder, texts, reading):
            return {
                at: np.array([vector(text, at, reading.pool) for text in texts], dtype=np.float32)
                for at in reading.layers
            }

        def vector(text, at, pooled):
            language, number = text.split()
            found = drawn(text, at, pooled)
            if (at, pooled) == (layer, pool):
                found = drawn(number) + 0.5 * found + 6 * drawn(language)
            return found / np.linalg.norm(found)

        monkeypatch.setattr(retrieval, "embed", embed)

    return make


@pytest.fixture
def pools(tmp_path):
    """A folder of BUCC files: "xx 7" and "en 7" are a pair for the first two thirds of the rows; test has other numbers
    than dev."""
    folder = tmp_path / "pools"
    folder.mkdir()
    for split, start in (("dev", 0), ("test", 1000)):
        for side in ("xx", "en"):
            name, shift = ("krl" if side == "xx" else "en"), (0 if side == "xx" else 5000)
            numbers = [number if number < start + 80 else number + shift for number in range(start, start + ROWS)]
            (folder / f"krl-en.{split}.{name}").write_text(
                "".join(f"{side}-{number}\t{side} {number}\n" for number in numbers)
            )
        (folder / f"krl-en.{split}.gold").write_text(
            "".join(f"xx-{number}\ten-{number}\n" for number in range(start, start + 80))
        )
    return folder


@pytest.fixture
def bitext(tmp_path):
    """A folder with Tatoeba files, which have no dev split."""
    folder = tmp_path / "tatoeba"
    folder.mkdir()
    for name, side in (("krl", "xx"), ("eng", "en")):
        (folder / f"tatoeba.krl-eng.{name}").write_text("".join(f"{side} {number}\n" for number in range(ROWS)))
    return folder


@pytest.fixture
def start(tmp_path, tiny_folder):
    def run(out=None, report=None, overwrite=False, dry_run=False, **more):
        everything = {"layers": "all", "pools": ("mean", "max"), "margins": MARGINS, "centring": (False, True)}
        asked = Sweep(**{"run": None, "trunk": str(tiny_folder), "precision": "fp32", **everything, **more})
        return sweep(
            asked, out=out, runs=tmp_path / "runs", overwrite=overwrite, dry_run=dry_run, report=report or Silent()
        )

    return run


def setting(record):
    return tuple(record[name] for name in ("layer", "pool", "margin", "centring"))


def test_starts_from_a_few_layers_and_says_what_the_default_would_have_given(start, planted, bitext, heard):
    planted(2, "mean")
    small = {"layers": None, "pools": (), "margins": (), "centring": ()}
    (record,) = start(tasks=("tatoeba",), data=(str(bitext),), report=heard, **small)["sweeps"]
    assert {setting(row) for row in record["settings"]} == {(layer, "mean", "absolute", False) for layer in (1, 2)}
    (said,) = (line for line in heard.lines if line.startswith("chosen for tatoeba: "))
    chosen, default = record["chosen"], record["default"]
    score, usual = (f"{100 * row['score']:.1f}" for row in (chosen, default))
    assert f"layer {chosen['layer']}, mean, absolute, with {score} on one half" in said
    gain = f"{100 * (chosen['score'] - default['score']):+.1f} points"
    assert f"{gain}; the default, layer 1, mean, absolute, would have given {usual}" in said


@pytest.mark.parametrize(("layer", "pool"), [(2, "max"), (0, "mean")])
def test_finds_the_layer_pooling_and_centring_that_hold_the_signal(start, planted, bitext, layer, pool):
    planted(layer, pool)
    record = start(tasks=("tatoeba",), data=(str(bitext),))["sweeps"][0]
    assert setting(record["chosen"])[:2] == (layer, pool)
    assert record["chosen"]["centring"] is True
    assert (record["decided"], record["objective"], record["chosen_on"]) == (
        True,
        "accuracy",
        "one half of the queries (by a hash of their ids)",
    )
    assert setting(record["default"]) == (1, "mean", "absolute", False)
    assert record["chosen"]["score"] > 0.9 > 0.2 > record["default"]["score"]
    assert len(record["settings"]) == 3 * 2 * 3 * 2
    test = record["test"]
    assert test["chosen"] - test["default"] == pytest.approx(test["gain"]["difference"])
    assert test["gain"]["interval"][0] > 0.5


def test_says_of_noise_that_test_cannot_tell_it_from_the_default(start, planted, bitext, heard):
    planted(layer=9)
    record = start(tasks=("tatoeba",), data=(str(bitext),), report=heard)["sweeps"][0]
    assert record["best"]["score"] > record["default"]["score"]
    assert setting(record["chosen"]) in [setting(row) for row in record["settings"] if row["within_error_of_best"]]
    assert record["test"]["gain"]["p"] > 0.05
    assert not any("beats the protocol's default" in line for line in heard.lines)


def test_keeps_the_default_where_it_is_within_one_standard_error_of_the_best(start, planted, bitext, heard):
    planted(layer=1)
    record = start(tasks=("tatoeba",), data=(str(bitext),), centring=(True,), report=heard)["sweeps"][0]
    planted(layer=9)
    few = start(tasks=("tatoeba",), data=(str(bitext),), layers=(1,), pools=("mean",), centring=(False,), report=heard)
    (kept,) = few["sweeps"]
    assert setting(record["chosen"])[0] == 1
    assert (kept["decided"], kept["chosen"]) == (False, kept["default"])
    assert "; the default stays, " in kept["reason"]
    assert kept["test"]["gain"]["difference"] == 0


def test_does_not_open_test_before_the_choice_is_made(start, planted, pools, monkeypatch):
    planted()
    order = []

    def loading(task, split, language, where):
        order.append(split)
        return loaded(task, split, language, where)

    def choosing(*values, **named):
        order.append("choice")
        return chosen(*values, **named)

    loaded, chosen = sweep_data.load, sweep.__globals__["choose"]
    monkeypatch.setattr(sweep_data, "load", loading)
    monkeypatch.setitem(sweep.__globals__, "choose", choosing)
    record = start(tasks=("bucc2018",), data=(str(pools),))["sweeps"][0]
    assert order == ["validation", "choice", "test"]
    assert (record["chosen_on"], record["test"]["scored_on"], record["test_readings"]) == ("validation", "test", 1)
    order.clear()
    start(tasks=("bucc2018",), data=(str(pools),), test=False, overwrite=True)
    assert order == ["validation", "choice"]


def test_halves_a_task_without_dev_and_scores_no_query_it_chose_on(bitext):
    from adapter_stilts.runs.material import where_of
    from adapter_stilts.tasks.user import find_task

    found = sweep_data.material(find_task("tatoeba"), (), where_of([str(bitext)], "x", columns={}))
    one, other = found.dev("krl"), found.scored("krl")
    assert np.array_equal(one.counts, ~other.counts)
    assert 40 < one.counts.sum() < 80
    assert one.counts[3] == (hashlib.sha256(b"3").digest()[0] % 2 == 0)  # whatever the language says there


def test_gives_mining_the_threshold_of_dev(start, planted, pools, tmp_path, tiny_folder):
    """The configuration it leaves gives `eval` the very scores that the sweep reports."""
    planted(layer=2)
    found = start(tasks=("bucc2018",), data=(str(pools),), margins=("ratio", "distance"))
    record = found["sweeps"][0]
    assert setting(record["chosen"])[0] == 2
    config = load(Path(record["config"]))
    wanted = {"layer": 2, "pool": "mean", "margin": record["chosen"]["margin"], "centre": True, "k": None}
    assert config.retrieval.model_dump() == wanted
    assert (config.trunk.name, config.trunk.precision) == (str(tiny_folder), "fp32")
    asked = evaluation(
        None,
        str(tiny_folder),
        ("bucc2018",),
        retrieval={"layer": 2, "pool": "mean", "margin": wanted["margin"], "centre": True},
        precision="fp32",
        data=(str(pools),),
    )
    again = evaluate(
        asked, out=None, runs=tmp_path / "again", overwrite=False, dry_run=False, report=Silent()
    ).to_json()
    scores = {(row["metric"]): row["score"] for row in again["results"] if row["split"] == "test"}
    swept = {row["metric"]: row["score"] for row in found["results"] if row["settings"]["sweep"] == "chosen"}
    assert swept == pytest.approx(scores)
    assert len(swept) == 6
    assert {row["settings"]["chosen_on"] for row in found["results"]} == {"validation"}


def test_reads_test_no_second_time_and_counts_when_it_must(start, planted, bitext, heard):
    planted()
    first = start(tasks=("tatoeba",), data=(str(bitext),))["sweeps"][0]
    again = start(tasks=("tatoeba",), data=(str(bitext),), report=heard)["sweeps"][0]
    assert again["test_readings"] == 1
    assert {name: value for name, value in first.items() if name != "config"} == again | {"results": first["results"]}
    assert heard.lines == [
        "tatoeba: this very choice was made already; test is not read again (--overwrite makes it again)"
    ]
    other = start(tasks=("tatoeba",), data=(str(bitext),), pools=("mean",), report=heard)["sweeps"][0]
    assert other["test_readings"] == 2
    assert any(
        "has now been read 2 times by sweeps of this encoder: what was changed after a look at it is fitted to it"
        in line
        for line in heard.lines
    )


def test_keeps_its_rows_apart_from_those_of_eval(start, planted, bitext, tmp_path, tiny_folder):
    planted()
    asked = evaluation(None, str(tiny_folder), ("tatoeba",), precision="fp32", data=(str(bitext),))

    def scored():
        return evaluate(
            asked, out=None, runs=tmp_path / "runs", overwrite=False, dry_run=False, report=Silent()
        ).results

    before = scored()
    found = start(tasks=("tatoeba",), data=(str(bitext),))
    start(tasks=("tatoeba",), data=(str(bitext),), pools=("mean",))
    rows = read_results(Path(found["run"]))
    assert tuple(row for row in rows if "sweep" not in row.settings) == before
    assert [row.settings["sweep"] for row in rows if "sweep" in row.settings].count("chosen") == 1
    assert scored() == before
    assert not any(row.headline for row in rows if "sweep" in row.settings)


def test_is_told_on_the_card_of_a_run_and_stays_there(start, trained, bitext):
    run = trained("nli", out="run")
    found = start(run=run, trunk=None, precision="auto", tasks=("tatoeba",), data=(str(bitext),), layers=(1, 2))
    record = found["sweeps"][0]
    assert found["run"] == str(run)
    asked = evaluation(run, None, ("tatoeba",), data=(str(bitext),))
    evaluate(asked, out=None, runs=run.parent, overwrite=False, dry_run=False, report=Silent())
    card = (run / "README.md").read_text()
    assert "| tatoeba | one half of the queries (by a hash of their ids) |" in card
    assert f"* tatoeba: {record['reason']}." in card
    config = load(run / "sweep" / "tatoeba.yaml")
    assert config.retrieval.layer == record["chosen"]["layer"]
    assert "name" not in config.trunk.model_fields_set  # a run brings its own


def test_chooses_on_files_of_ones_own(start, planted, pools, tmp_path):
    planted(layer=2)
    files = tuple(pools / f"krl-en.test.{name}" for name in ("krl", "en", "gold"))
    dev = tuple(pools / f"krl-en.dev.{name}" for name in ("krl", "en", "gold"))
    record = start(files=files, layout="ids")["sweeps"][0]
    assert (record["task"], setting(record["chosen"])[0], record["chosen"]["centring"]) == ("mine", 2, True)
    assert record["test"]["scored_on"] == "the other half of the queries"
    with_dev = start(files=files, dev=dev, layout="ids", out=tmp_path / "other")["sweeps"][0]
    assert (with_dev["chosen_on"], with_dev["test"]["scored_on"], setting(with_dev["chosen"])[0]) == (
        "the --dev files",
        "SRC and TGT",
        2,
    )
    for side, path in (("s", files[0]), ("t", files[1])):
        (tmp_path / side).write_text(
            "".join(line.split("\t")[1] for line in path.read_text().splitlines(keepends=True))
        )
    (tmp_path / "gold").write_text("".join(f"{number}\t{number}\n" for number in range(1, 81)))
    by_line = start(files=(tmp_path / "s", tmp_path / "t", tmp_path / "gold"), out=tmp_path / "lines")["sweeps"][0]
    assert setting(by_line["chosen"])[0] == 2  # halved by line numbers, not by ids


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        ("1\t1\n7\t900\n", r"2 ids or line numbers are not where they should be: '7' \(line 2\), '900' \(line 2\)"),
        ("1 1\n", "a line holds two ids"),
        ("1\t1\n", "too small to be halved"),
    ],
)
def test_refuses_gold_that_is_wrong(start, tmp_path, gold, message):
    for name, content in (("s", "xx 1\nxx 2\n"), ("t", "en 1\nen 2\n"), ("gold", gold)):
        (tmp_path / name).write_text(content)
    with pytest.raises(TaskDataError, match=message):
        start(files=(tmp_path / "s", tmp_path / "t", tmp_path / "gold"))


@pytest.mark.parametrize(
    ("error", "message", "more"),
    [
        (UsageError, "nothing to choose for", {}),
        (UsageError, "'nli' has no sentences to find", {"tasks": ("nli",)}),
        (UsageError, "layer 9 of a trunk of 2", {"tasks": ("tatoeba",), "layers": (9,)}),
        (UnknownName, "did you mean 'ratio'", {"tasks": ("tatoeba",), "margins": ("ration",)}),
        (UnknownName, "did you mean 'mean'", {"tasks": ("tatoeba",), "pools": ("meen",)}),
    ],
)
def test_refuses_what_cannot_be(start, bitext, tmp_path, error, message, more):
    with pytest.raises(error, match=message):
        start(data=(str(bitext),), **more)
    assert not (tmp_path / "runs").exists()


def test_leaves_out_what_leaves_no_vector(start, bitext, heard):
    """At layer 0 `<s>` is the same in every sentence."""
    words = [
        "Anna",
        "bought",
        "two",
        "red",
        "apples",
        "in",
        "Paris",
        "on",
        "Monday",
        "and",
        "the",
        "small",
        "cat",
        "sleeps",
        "under",
        "old",
        "table",
    ]
    for name in ("krl", "eng"):
        lines = [" ".join(words[number % 11 :][: 2 + number % 7]) for number in range(60)]
        (bitext / f"tatoeba.krl-eng.{name}").write_text("".join(line + "\n" for line in lines))
    record = start(tasks=("tatoeba",), data=(str(bitext),), pools=("mean", "first"), report=heard)["sweeps"][0]
    assert len(record["settings"]) == 3 * 2 * 3 * 2 - 3
    assert not any((row["layer"], row["pool"], row["centring"]) == (0, "first", True) for row in record["settings"])
    assert any(line.startswith("3 settings are left out") for line in heard.lines)


def test_plans_without_reading_or_writing(start, bitext, tmp_path, monkeypatch, heard):
    monkeypatch.setattr(retrieval, "embed", None)
    found = start(tasks=("tatoeba",), data=(str(bitext),), dry_run=True, report=heard)
    assert found["planned"] == heard.lines
    assert heard.lines[0].startswith("tatoeba (krl): 36 settings, chosen on one half of the queries")
    assert not (tmp_path / "runs").exists()


def test_notices_a_record_that_was_changed(start, planted, bitext):
    planted()
    found = start(tasks=("tatoeba",), data=(str(bitext),))
    path = Path(found["run"]) / "sweep" / "tatoeba.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"test_readings": 0}))
    with pytest.raises(ArtefactError, match="the record of a sweep"):
        start(tasks=("tatoeba",), data=(str(bitext),))
