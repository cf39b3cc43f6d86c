"""The demo as a whole, cut to a step per stage: every arm and control is there; the table follows from the scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from adapter_stilts.errors import StudyFailed
from adapter_stilts.reporting import Silent
from adapter_stilts.study import demo as module
from adapter_stilts.study.demo import CONTROL, Arm, verdicts
from adapter_stilts.study.study_table import Entry, Gain, Mean, OverControl


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """`short()` runs the demo with one step per stage, two seeds and few languages; it goes on where it was."""
    out, read = tmp_path_factory.mktemp("demo") / "demo", module.read_study

    def cut(path):
        config = read(path)
        targets = [
            target.model_copy(update={"languages": ("en", "de", "sw") if target.task == "xcopa" else ("sw",)})
            for target in config.targets
        ]
        few = {"training.max_steps": 1, "training.rows": 20, "training.validation_rows": 20}
        roles = {name: {**getattr(config, name), **few} for name in ("intermediate_settings", "target_settings")}
        return config.model_copy(update={"targets": tuple(targets), **roles})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "read_study", cut)
        given = {"seed": 13, "overwrite": False, "report": Silent(), "repeats": 2, "jobs": 2}
        yield lambda out=out, dry_run=False: module.demo(out=out, dry_run=dry_run, **given)


@pytest.fixture(scope="module")
def found(short):
    return short()


def test_scores_every_arm_and_both_controls_and_goes_on_where_it_stopped(short, found):
    assert [row["arm"] for row in found["target"]] == [
        "direct",
        "sequential after hellaswag",
        "stack on hellaswag",
        "fuse hellaswag, paraphrase, direct",
        "control: sequential after shuffled labels",
        "control: sequential after a random adapter",
    ]
    read = ["trunk alone", "hellaswag", "paraphrase", "control: shuffled labels", "control: random adapter"]
    assert [(row["task"], row["arm"]) for row in found["retrieval"]] == [
        (task, arm) for task in ("tatoeba", "bucc2018") for arm in read
    ]
    assert found["seeds"] == [13, 14]
    direct, second = found["target"][0], found["target"][1]
    for number, seed in enumerate(found["seeds"]):
        run = f"runs/xcopa-direct-s{seed}-"
        scored = [
            row
            for row in found["results"]
            if row["run"].startswith(run) and (row["task"], row["split"]) == ("xcopa", "test")
        ]
        rows = [row for row in scored if row["language"] != "en"]
        assert len(rows) == direct["languages"]
        assert direct["by_seed"][number] == pytest.approx(np.mean([row["score"] for row in rows]))
    assert direct["score"] == pytest.approx(np.mean(direct["by_seed"]))
    assert second["gain"] == pytest.approx(second["score"] - direct["score"], abs=1e-9)
    assert second["english"]["gain"] == pytest.approx(second["english"]["score"] - direct["english"]["score"], abs=1e-9)
    controls = [row for row in found["target"] if row["arm"].startswith(CONTROL)]
    assert all("over_control" not in row for row in (direct, *controls))
    assert second["over_control"]["gain"] == pytest.approx(
        second["score"] - max(row["score"] for row in controls), abs=1e-9
    )
    best = max(row["english"]["score"] for row in controls)
    assert second["english"]["over_control"]["gain"] == pytest.approx(second["english"]["score"] - best, abs=1e-9)
    low, high = second["interval"]
    assert low <= second["gain"] <= high
    assert json.loads((Path(found["run"]) / "demo.json").read_text())["verdicts"] == found["verdicts"]
    assert short()["target"] == found["target"]


def test_reads_the_trunk_alone_once_and_pairs_it_with_every_seed(found):
    trunk = [row for row in found["retrieval"] if row["arm"] == "trunk alone"]
    assert all(row["gain"] is None and len(set(row["by_seed"])) == 1 for row in trunk)
    read = [path.parent.name for path in Path(found["run"]).rglob("results.json")]
    assert sum(name.startswith("trunk-") for name in read) == 1
    others = [row for row in found["retrieval"] if row["gain"] is not None]
    base = {row["task"]: row["score"] for row in trunk}
    for row in others:
        assert row["gain"] == pytest.approx(row["score"] - base[row["task"]], abs=1e-9)


def test_says_what_it_would_do_and_does_nothing(short, tmp_path):
    said = short(tmp_path / "demo", dry_run=True)
    assert (len(said["stages"]), said["stages"][0], said["seeds"]) == (20, "hellaswag-s13", [13, 14])
    assert not (tmp_path / "demo").exists()


def gain(points: float, low: float, high: float) -> Gain:
    return Gain(points / 100, (low / 100, high / 100), 0.5)


def arm(
    label: str,
    target: str,
    how: str,
    gained: Gain | None,
    english: Gain | None = None,
    control: str = "",
    over: Gain | None = None,
) -> Arm:
    over_control = over and OverControl(over.gain, over.interval, over.p, "hellaswag-shuffled", "sequential")
    mean, source = Mean(("sw",), 10, (0.5,), gained, over_control), Mean(("en",), 10, (0.5,), english)
    retrieval = target != "xcopa"
    entry = Entry(
        "", how, target, control, retrieval, "accuracy", (13,), (13,), mean, None if retrieval else source, ()
    )
    return Arm(label, entry)


def test_says_in_short_lines_what_helped_and_what_did_not():
    stack = arm("stack on hellaswag", "xcopa", "stack", gain(1, -4, 6), gain(20.04, 14, 26), over=gain(-5, -9, -0.5))
    label = "control: sequential after shuffled labels"
    shuffled = arm(label, "xcopa", "sequential", gain(6, 1, 11), gain(0.5, -3, 4), "shuffled-labels")
    read = {
        "trunk alone": None,
        "hellaswag": gain(-3, -5, -1),
        "paraphrase": gain(0, -1, 1),
        "control: random adapter": gain(2, 1, 3),
    }
    retrieval = [arm(label, task, "read", found) for task in ("tatoeba", "bucc2018") for label, found in read.items()]
    said = verdicts([arm("direct", "xcopa", "direct", None), stack, shuffled], retrieval)
    found = (
        "helped random adapter +2.0 (+1.0 to +3.0); hurt hellaswag -3.0 (-5.0 to -1.0); no clear difference paraphrase."
    )
    assert said == [
        (
            "stack on hellaswag: English +20.0 (+14.0 to +26.0), helped; "
            "zero-shot +1.0 (-4.0 to +6.0), no clear difference."
        ),
        "control: sequential after shuffled labels: English +0.5 (-3.0 to +4.0); zero-shot +6.0 (+1.0 to +11.0).",
        "Over the better control, zero-shot: stack -5.0 (-9.0 to -0.5).",
        f"tatoeba, over the trunk: {found}",
        f"bucc2018, over the trunk: {found}",
    ]


def test_says_no_more_than_a_person_reads(found):
    said = found["verdicts"]
    assert len(said) <= 8
    assert max(map(len, said)) <= 170


def test_ends_with_an_error_that_says_where_to_look(short, tmp_path, monkeypatch):
    from adapter_stilts.study import workers

    def broken(job, report):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(workers, "perform", broken)
    config = module.read_study(module.recipe_file(module.STUDY))
    monkeypatch.setattr(module, "read_study", lambda path: config)
    with pytest.raises(
        StudyFailed, match=r"26 of 26 stages are not done(.|\n)*study\.json and logs/; the same command"
    ):
        module.demo(out=tmp_path / "demo", seed=13, overwrite=False, dry_run=False, report=Silent(), jobs=1)
