"""A study does what is missing, once; goes on after a failing cell; and ends with the table of its gains."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from adapter_stilts_cli.app import app
from typer.testing import CliRunner

from adapter_stilts.errors import UsageError
from adapter_stilts.runs.folder import locked
from adapter_stilts.runs.results import read_results, read_scored
from adapter_stilts.sharing.manifest import Manifest, read_manifest
from adapter_stilts.statistics.gains import compare, holm
from adapter_stilts.studies.stage_run import _hash

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("few_rows")


@pytest.fixture(autouse=True)
def _fresh_hashes():
    _hash.cache_clear()


def rows_of(folder, task):
    rows = read_results(Path(folder))
    return {row.language: row for row in rows if row.task == task and row.headline and row.split == "test"}


def test_trains_what_cells_share_once_and_does_nothing_the_second_time(file, run, trainings, tmp_path):
    path = file(
        targets=[
            {"task": "panx", "languages": ["de"]},
            {"task": "xcopa", "languages": ["tr"]},
            {"task": "tatoeba", "languages": ["de"]},
        ]
    )
    found = run(path)
    assert found["failed"] == 0
    assert found["counts"] == {"done": 17}
    assert len(trainings) == len(set(trainings)) == 17
    assert sum(label.startswith(("nli-", "paraphrase-")) for label in trainings) == 2
    assert len(list((tmp_path / "study/runs").glob("*/manifest.json"))) == 8
    assert not list((tmp_path / "study/runs").glob("*/checkpoints/step-*"))
    again = run(path)
    assert len(trainings) == 17
    assert again["entries"] == found["entries"]


def test_fills_the_gaps_of_a_grid_that_has_grown(file, run, trainings):
    run(file())
    before = set(trainings)
    trainings.clear()
    run(file(intermediate=["nli", "paraphrase", "single"], seeds=[13]))
    assert trainings == [
        "single-s13",
        "panx-sequential-single-s13",
        "panx with panx-sequential-single-s13",
        "tatoeba with single-s13",
    ]
    assert not before & set(trainings)


def test_makes_again_what_was_damaged_and_what_builds_on_it(file, run, trainings, tmp_path):
    found = run(file(targets=[{"task": "panx", "languages": ["de"]}]))
    trainings.clear()
    (weights,) = (tmp_path / "study/runs").glob("nli-s13-*/adapter/nli.safetensors")
    weights.parent.parent.joinpath("manifest.json").unlink()
    again = run(file(targets=[{"task": "panx", "languages": ["de"]}]))
    assert trainings == ["nli-s13", "panx-sequential-nli-s13", "panx with panx-sequential-nli-s13"]
    assert again["entries"] == found["entries"]
    trainings.clear()
    run(file(targets=[{"task": "panx", "languages": ["de"]}]))
    assert trainings == []


def test_reads_sentences_as_its_settings_say_and_trains_nothing_again_for_that(file, run, trainings, tmp_path):
    def settings(**changes):
        run(file(targets=[{"task": "tatoeba", "languages": ["de"], "settings": changes}]))
        folders = sorted((tmp_path / "study/runs").iterdir())
        rows = [row for folder in folders for row in read_results(folder) if row.task == "tatoeba" and row.headline]
        return {(row.settings["centring"], row.settings["k"]) for row in rows}

    assert settings(**{"retrieval.centre": True}) == {(True, 4)}
    assert len(trainings) == 5
    trainings.clear()
    assert settings(**{"retrieval.centre": True, "retrieval.k": 3}) == {(True, 4), (True, 3)}
    assert trainings == ["tatoeba with the trunk", "tatoeba with nli-s13", "tatoeba with paraphrase-s13"]


def test_goes_on_after_a_failing_cell_and_fills_only_that_one_later(file, run, trainings, tmp_path, states):
    gone = tmp_path / "rows"
    gone.mkdir()
    data = ["miniature", f"ner={gone}"]
    path = file(data=data, targets=["ner", {"task": "panx", "languages": ["de"]}])
    result = CliRunner().invoke(app, ["study", str(path), "-o", str(tmp_path / "study"), "--json"])
    assert result.exit_code == 6
    found = json.loads(result.stdout)
    failed = [record for record in found["stages"] if record["state"] == "failed"]
    assert [record["stage"] for record in failed] == [
        "ner-direct-s13",
        "ner-sequential-nli-s13",
        "ner-sequential-paraphrase-s13",
    ]
    assert all(
        record["error"].startswith("TaskDataError: no file for the train split of 'ner'") and record["exit_code"] == 3
        for record in failed
    )
    blocked = [record for record in found["stages"] if record["state"] == "blocked"]
    assert [record["error"] for record in blocked] == [f"{record['stage']} failed" for record in failed]
    assert found["failed"] == 6
    assert {one["target"] for one in found["entries"]} == {"panx"}
    assert "StudyFailed: 6 of 14 stages are not done" in result.stderr
    for split in ("train", "validation", "test"):
        text = "".join(f"Anna\tB-PER\nsleeps\tO\n{split}{number}\tO\n\n" for number in range(12))
        (gone / f"en.{split}.conll").write_text(text, encoding="utf-8")
    trainings.clear()
    mended = run(path)
    assert mended["failed"] == 0
    assert set(states(tmp_path / "study").values()) == {"done"}
    assert all("ner" in label for label in trainings)
    assert len(trainings) == 6


def test_goes_on_after_a_fault_of_ours(file, run, monkeypatch, tmp_path):
    from adapter_stilts.studies import workers

    perform = workers.perform

    def broken(job, report):
        if job.stage.label == "panx-direct-s13":
            raise ZeroDivisionError("a fault")
        return perform(job, report)

    monkeypatch.setattr(workers, "perform", broken)
    found = run(file(targets=[{"task": "panx", "languages": ["de"]}]))
    wrong = {record["stage"]: record for record in found["stages"] if record["state"] != "done"}
    assert {label: record["error"] for label, record in wrong.items()} == {
        "panx-direct-s13": "ZeroDivisionError: a fault",
        "panx with panx-direct-s13": "panx-direct-s13 failed",
    }
    (log,) = (tmp_path / "study/logs").glob("panx-direct-s13-*.txt")
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert [one["gain"] for one in found["entries"]] == [None, None]  # there is nothing to compare with


def test_says_scores_gains_and_intervals(file, run, monkeypatch):
    monkeypatch.setattr(Manifest, "did_not_learn", False)  # two steps teach nothing, and gains would not be interpreted
    found = run(
        file(
            seeds=[13, 17],
            targets=[{"task": "panx", "languages": ["de", "sw"]}, {"task": "tatoeba", "languages": ["de"]}],
        )
    )
    folders = {record["stage"]: record["folder"] for record in found["stages"] if record["work"] == "train"}
    entries = {(one["intermediate"], one["target"]): one for one in found["entries"]}
    arms = [rows_of(folders[f"panx-sequential-nli-s{seed}"], "panx") for seed in (13, 17)]
    direct = [rows_of(folders[f"panx-direct-s{seed}"], "panx") for seed in (13, 17)]
    scores = [np.mean([rows[code].score for code in ("de", "sw")]) for rows in arms]
    base = [np.mean([rows[code].score for code in ("de", "sw")]) for rows in direct]
    one = entries["nli", "panx"]
    assert one["score"] == pytest.approx(np.mean(scores))
    assert one["gain"] == pytest.approx(np.mean(scores) - np.mean(base))
    assert (one["seeds"], one["compared"], one["languages"]) == ((13, 17), (13, 17), 2)
    sides = [
        {
            seed: {code: read_scored(Path(folders[f"{label}-s{seed}"]), rows[code]) for code in ("de", "sw")}
            for seed, rows in zip((13, 17), read, strict=True)
        }
        for label, read in (("panx-sequential-nli", arms), ("panx-direct", direct))
    ]
    compared = compare(*sides, arms[0]["de"].statistic)
    assert (one["interval"], one["gain_by_seed"]) == (compared.interval, compared.by_seed)
    assert one["elsewhere"]["interval"] == compared.elsewhere.interval
    assert (one["verdict"], "t over 2 seeds" in one["sentence"]) == ("", True)
    assert entries["", "panx"]["gain"] is None
    retrieved = entries["nli", "tatoeba"]
    assert retrieved["retrieval"]
    assert retrieved["gain"] == pytest.approx(retrieved["score"] - entries["", "tatoeba"]["score"])
    means = {(row["intermediate"], row["how"]): row for row in found["means"]}
    assert set(means) == {("", "direct"), ("nli", "sequential"), ("paraphrase", "sequential")}
    assert means["nli", "sequential"]["all"] == pytest.approx((one["score"] + retrieved["score"]) / 2)
    assert means["nli", "sequential"]["trained"] == pytest.approx(one["score"])
    assert means["nli", "sequential"]["trained_gain"] == pytest.approx(one["gain"])
    low, high = means["nli", "sequential"]["all_interval"]
    assert low <= means["nli", "sequential"]["all_gain"] <= high


def test_compares_what_its_table_asks_for(file, run, tmp_path):
    asked = {
        "intermediate": ["nli"],
        "targets": [{"task": "panx", "languages": ["en", "de", "sw"]}, {"task": "tatoeba", "languages": ["de"]}],
        "controls": {"shuffled-labels": ["nli"]},
        "hows": ["sequential", "stack"],
        "after": {"sequential": ["nli"]},
        "table": {"over_control": True, "holm": "target"},
    }
    found = run(file(**asked))
    folders = {record["stage"]: record["folder"] for record in found["stages"]}
    entries = {(entry["intermediate"], entry["how"], entry["target"]): entry for entry in found["entries"]}
    arm, base, control = (
        rows_of(folders[f"panx-{label}-s13"], "panx") for label in ("stack-nli", "direct", "stack-nli-shuffled")
    )
    entry = entries["nli", "stack", "panx"]
    assert (entry["languages"], entry["score"]) == (
        2,
        pytest.approx(np.mean([arm[code].score for code in ("de", "sw")])),
    )
    assert entry["source"]["score"] == pytest.approx(arm["en"].score)

    def scored(label, rows):
        folder = Path(folders[f"panx-{label}-s13"])
        return {13: {code: read_scored(folder, rows[code]) for code in ("de", "sw")}}

    own, statistic = scored("stack-nli", arm), arm["de"].statistic
    compared = compare(own, scored("direct", base), statistic)
    assert (entry["gain"], entry["interval"], entry["p"]) == (compared.gain, compared.interval, compared.p)
    better = compare(own, scored("stack-nli-shuffled", control), statistic)
    over = entry["over_control"]
    assert (over["gain"], over["interval"], over["control"]) == (better.gain, better.interval, "nli-shuffled")
    assert "over_control" not in entries["nli", "sequential", "panx"]  # it has no control of its own how
    assert entries["nli", "read", "tatoeba"]["over_control"]["control"] == "nli-shuffled"
    trained = [entry for entry in entries.values() if entry["target"] == "panx" and entry["gain"] is not None]
    claimed = [entry for entry in trained if not entry["control"]]
    family = [part for entry in claimed for part in (entry, entry["source"])]
    assert [part["p_holm"] for part in family] == holm([part["p"] for part in family])
    assert entries["nli-shuffled", "stack", "panx"]["p_holm"] is None  # nothing is claimed of a control
    assert "source" not in entries["nli", "read", "tatoeba"]
    shown = CliRunner().invoke(
        app, ["study", str(file(**asked)), "-o", str(tmp_path / "study")], catch_exceptions=False
    )
    assert "in the language of the training rows" in shown.stdout
    assert "gain over the better control" in shown.stdout
    assert "95 % over rows: of one seed, and another may differ" in shown.stdout


def test_learns_shuffled_labels_to_the_step_that_the_true_ones_kept(file, run):
    found = run(file(intermediate=["nli"], controls={"shuffled-labels": ["nli"]}, targets=["tatoeba"]))
    folders = {record["stage"]: Path(record["folder"]) for record in found["stages"]}
    true, control = (read_manifest(folders[name]).training for name in ("nli-s13", "nli-shuffled-s13"))
    assert (control.steps, control.best_step, control.stopped_by) == (true.best_step, true.best_step, "kept step")


def test_scores_the_split_that_was_asked_for_where_a_threshold_comes_from_another(file, run):
    found = run(file(intermediate=["nli"], targets=[{"task": "bucc2018", "languages": ["de"]}]))
    (folder,) = (record["folder"] for record in found["stages"] if record["stage"] == "bucc2018 with nli-s13")
    (entry,) = (entry for entry in found["entries"] if entry["intermediate"] == "nli")
    assert (entry["metric"], entry["score"]) == ("f1", rows_of(folder, "bucc2018")["de"].score)


def test_runs_the_study_that_ships_and_prints_its_table(tmp_path):
    result = CliRunner().invoke(
        app,
        ["study", str(ROOT / "configs/studies/miniature.yaml"), "-o", str(tmp_path / "study")],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.split("\n")
    named = lines[1].split()  # a target is "xnli (n 64)"
    assert named[:4] + named[6:7] == ["intermediate", "how", "seeds", "xnli", "tatoeba"]
    assert (len(named), named[4]) == (9, "(n")
    arms = ["none direct", "nli sequential", "qa sequential", "nli-shuffled (control)", "all fuse"]
    assert [" ".join(line.split()[:2]) for line in lines[2:7]] == arms
    assert any(line.startswith("nli ") and " read " in line for line in lines)
    assert json.loads((tmp_path / "study/study.json").read_text())["counts"] == {"done": 33}


def test_learns_first_whatever_a_study_may_name(file, run):
    """Several tasks, masked text, translated rows, and the controls of one and of several tasks."""
    both = {"name": "both", "tasks": ["nli", "paraphrase"]}
    found = run(
        file(
            intermediate=[
                "mnli",
                both,
                {"name": "text", "task": "nli", "mlm": True},
                {"name": "sw", "task": "nli", "language": "sw"},
            ],
            hows=["stack", "fuse"],
            fusions={"two": ["both", "sw"]},
            controls={"shuffled-labels": ["both"], "random-adapter": ["mnli", "both"]},
            targets=[{"task": "xnli", "languages": ["de"]}, {"task": "tatoeba", "languages": ["de"]}],
        )
    )
    assert found["failed"] == 0, [record["error"] for record in found["stages"] if record["error"]]
    entries = {(one["intermediate"], one["how"], one["target"]): one for one in found["entries"]}
    assert {label for label, how, _ in entries if how == "stack"} == {
        "mnli",
        "both",
        "text",
        "sw",
        "both-shuffled",
        "mnli-random",
        "both-random",
    }
    assert {label for (label, _, _), one in entries.items() if one["control"]} == {
        "both-shuffled",
        "mnli-random",
        "both-random",
    }
    assert entries["two", "fuse", "xnli"]["gain"] is not None
    assert all(one["p_holm"] is None or one["p_holm"] >= one["p"] for one in entries.values())


def test_marks_a_gain_that_is_more_data_for_the_same_task(file, rows, tmp_path):
    for split, start in (("train", 0), ("dev", 1000)):
        text = "".join(json.dumps(row) + "\n" for row in rows("nli", 24, start))
        (tmp_path / f"mnli.{split}.jsonl").write_text(text, encoding="utf-8")
    path = file(
        data=["miniature", f"mnli={tmp_path}"], intermediate=["mnli"], targets=[{"task": "xnli", "languages": ["de"]}]
    )
    result = CliRunner().invoke(app, ["study", str(path), "-o", str(tmp_path / "study")], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.split("\n")
    assert [" * " in line for line in lines[2:4]] == [False, True]
    assert any(line.startswith("* xnli after mnli (train): MNLI is its training set; in-task") for line in lines)


def test_takes_a_task_that_a_file_describes(file, run, tmp_path):
    described = str(ROOT / "configs/tasks/african_ner.yaml")
    found = run(file(intermediate=["nli"], targets=[{"task": described, "languages": ["sw"]}]))
    assert found["failed"] == 0, [record["error"] for record in found["stages"] if record["error"]]
    assert {path.parents[1] for path in (tmp_path / "study").rglob("manifest.json")} == {tmp_path / "study/runs"}


def test_says_what_is_done_before_it_does_the_rest(file, run):
    run(file(intermediate=["nli"]))
    planned = run(file(), dry_run=True)
    states = {one["stage"]: one["state"] for one in planned["planned"]}
    assert (states["nli-s13"], states["paraphrase-s13"]) == ("done", "new")
    assert planned["missing"]["stages"] == 4
    assert planned["missing"]["steps"] == 4


def test_refuses_a_folder_that_another_study_works_in(file, run, tmp_path):
    with locked(tmp_path / "study"), pytest.raises(UsageError, match="another process is working on this run"):
        run(file())


def test_plans_without_writing(file, tmp_path):
    result = CliRunner().invoke(
        app, ["study", str(file()), "-o", str(tmp_path / "study"), "--dry-run"], catch_exceptions=False
    )
    assert result.exit_code == 0
    assert result.stdout.rstrip().split("\n")[-1].startswith("11 stages: 5 trainings and 6 readings; at most 10 steps;")
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("words", [["--jobs", "0"], ["--jobs", "-2"]])
def test_refuses_nobody_to_do_the_work(file, tmp_path, words):
    result = CliRunner().invoke(app, ["study", str(file()), "-o", str(tmp_path / "study"), *words])
    assert result.exit_code == 2
    assert "is nobody to do the work" in result.stderr
