"""The demo as a whole, cut to a step per stage: every arm and control is there; the table follows from the scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from adapter_stilts.errors import StudyFailed
from adapter_stilts.reporting import Silent
from adapter_stilts.statistics.gains import Error, Gain
from adapter_stilts.statistics.verdicts import verdict
from adapter_stilts.studies import demo as module
from adapter_stilts.studies.demo import CONTROL, Arm, verdicts
from adapter_stilts.studies.study_table import Entry, Mean


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


def test_scores_every_arm_and_its_controls_and_goes_on_where_it_stopped(short, found):
    assert [row["arm"] for row in found["target"]] == [
        "direct",
        "sequential after hellaswag",
        "stack on hellaswag",
        "fuse hellaswag, paraphrase, direct",
        "control: sequential after shuffled labels",
        "control: sequential after a random adapter",
        "control: stack on shuffled labels",
        "control: fuse with shuffled labels",
    ]
    read = ["trunk alone", "hellaswag", "paraphrase", "control: hellaswag, shuffled labels"]
    read += ["control: paraphrase, shuffled labels", "control: hellaswag, random adapter"]
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
    like = [row for row in controls if "sequential" in row["arm"]]  # the same how
    best = max(row["score"] for row in like)
    assert second["over_control"]["gain"] == pytest.approx(second["score"] - best, abs=1e-9)
    best = max(row["english"]["score"] for row in like)
    assert second["english"]["over_control"]["gain"] == pytest.approx(second["english"]["score"] - best, abs=1e-9)
    assert found["target"][3]["over_control"]["control"] == "control: fuse with shuffled labels"
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
    assert (len(said["stages"]), said["stages"][0], said["seeds"]) == (26, "hellaswag-s13", [13, 14])
    assert not (tmp_path / "demo").exists()


def gain(points: float, low: float, high: float, seeds: int) -> Gain:
    gain, numbers = points / 100, tuple(range(13, 13 + seeds))
    error = Error({"seeds": (0.02**2, 4), "items": (0.01**2, 300)})
    return Gain(gain, (low / 100, high / 100), 0.5, (gain,) * seeds, numbers, ("sw",), 300, error)


def mean(gained: Gain | None, p_holm: float | None = None, over: Gain | None = None) -> Mean:
    seeds = gained.seeds if gained else (13,)
    said = verdict(gained, p_holm, 4) if gained and p_holm is not None else None
    control = (over, "hellaswag-shuffled") if over else None
    return Mean(("sw",), 300, seeds, (0.5,) * len(seeds), gained, control, p_holm, verdict=said)


def arm(label: str, target: str, how: str, zero_shot: Mean, english: Mean | None = None, control: str = "") -> Arm:
    seeds = zero_shot.seeds
    made = Entry("", how, target, control, target != "xcopa", "accuracy", seeds, seeds, zero_shot, english, ())
    return Arm(label, made)


def report(seeds: int) -> list[str]:
    stack = arm(
        "stack on hellaswag",
        "xcopa",
        "stack",
        mean(gain(1, -4, 6, seeds), 0.8, gain(-5, -9, -0.5, seeds)),
        mean(gain(20.04, 14, 26, seeds), 0.001),
    )
    label = "control: stack on shuffled labels"
    means = mean(gain(6, 1, 11, seeds)), mean(gain(0.5, -3, 4, seeds))
    shuffled = arm(label, "xcopa", "stack", *means, "shuffled-labels")
    read = {
        "trunk alone": mean(None),
        "hellaswag": mean(gain(-3, -5, -1, seeds), 0.01),
        "paraphrase": mean(gain(0, -1, 1, seeds), 1.0),
        "control: hellaswag, random adapter": mean(gain(2, 1, 3, seeds)),
    }
    retrieval = [arm(label, "tatoeba", "read", own) for label, own in read.items()]
    return verdicts([arm("direct", "xcopa", "direct", mean(None)), stack, shuffled], retrieval)


def test_says_in_short_lines_what_helped_and_what_could_have_been_seen():
    smallest = 100 * gain(1, -4, 6, 5).detectable(4)
    assert report(5) == [
        (
            "stack on hellaswag: English +20.0 (+14.0 to +26.0), helped; "
            f"zero-shot +1.0 (-4.0 to +6.0), no clear difference: could have seen {smallest:.1f}."
        ),
        "control: stack on shuffled labels: English +0.5 (-3.0 to +4.0); zero-shot +6.0 (+1.0 to +11.0).",
        "Over the better control of the same kind, zero-shot: stack on hellaswag -5.0 (-9.0 to -0.5).",
        (
            "tatoeba, over the trunk: hurt: hellaswag -3.0 (-5.0 to -1.0); no clear difference: paraphrase +0.0 "
            "(-1.0 to +1.0); controls: hellaswag, random adapter +2.0 (+1.0 to +3.0)."
        ),
    ]


def test_says_no_word_of_one_seed():
    said = report(1)
    assert said[0] == "stack on hellaswag: English +20.0 (+14.0 to +26.0); zero-shot +1.0 (-4.0 to +6.0)."
    assert not any(word in " ".join(said) for word in ("helped", "hurt", "no clear difference"))


def test_says_no_more_than_a_person_reads(found):
    said = found["verdicts"]
    assert len(said) <= 10
    assert max(map(len, said)) <= 330


def test_ends_with_an_error_that_says_where_to_look(short, tmp_path, monkeypatch):
    from adapter_stilts.studies import workers

    def broken(job, report):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(workers, "perform", broken)
    config = module.read_study(module.recipe_file(module.STUDY))
    monkeypatch.setattr(module, "read_study", lambda path: config)
    with pytest.raises(
        StudyFailed, match=r"33 of 33 stages are not done(.|\n)*study\.json and logs/; the same command"
    ):
        module.demo(out=tmp_path / "demo", seed=13, overwrite=False, dry_run=False, report=Silent(), jobs=1)
