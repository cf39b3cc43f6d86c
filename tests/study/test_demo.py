"""The demo as a whole, cut to a step per stage: every arm and every control is there, and the table follows from the scores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adapter_stilts.reporting import Silent
from adapter_stilts.study import demo as module
from adapter_stilts.study.verdicts import CONTROL, verdicts


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """`short()` runs the demo with one optimiser step per stage, two seeds and few languages; what it has done before is taken up again."""
    out, request = tmp_path_factory.mktemp("demo") / "demo", module._request

    def of_few_languages(run, tasks, seed):
        return replace(request(run, tasks, seed), languages=("en", "de", "sw") if tasks == (module.TARGET,) else ("sw",))

    with pytest.MonkeyPatch.context() as patch:
        for section in (module.INTERMEDIATE, module.TARGETED):
            patch.setitem(section, "training.max_steps", 1)
            patch.setitem(section, "training.rows", 20)
        patch.setitem(module.COMMON, "training.validation_rows", 20)
        patch.setattr(module, "_request", of_few_languages)
        yield lambda out=out, dry_run=False: module.demo(out=out, seed=13, overwrite=False, dry_run=dry_run, report=Silent(), repeats=2, jobs=2)


@pytest.fixture(scope="module")
def found(short):
    return short()


def test_scores_every_arm_and_both_controls_and_goes_on_where_it_stopped(short, found):
    assert [row["arm"] for row in found["target"]] == [stage.label for stage in module.STAGES if stage.label]
    assert {row["task"] for row in found["retrieval"]} == {"tatoeba", "bucc2018"}
    assert sum("control" in row["arm"] for row in found["target"]) == 2
    assert found["seeds"] == [13, 14]
    direct, second = found["target"][0], found["target"][1]
    for number, seed in enumerate(found["seeds"]):
        run = f"seed-{seed}/direct"
        rows = [row for row in found["results"] if row["run"] == run and row["task"] == module.TARGET and row["split"] == "test" and row["language"] != "en"]
        assert len(rows) == direct["languages"]
        assert direct["by_seed"][number] == pytest.approx(np.mean([row["score"] for row in rows]))
    assert direct["score"] == pytest.approx(np.mean(direct["by_seed"]))
    assert second["gain"] == pytest.approx(second["score"] - direct["score"], abs=1e-9)
    assert second["english"]["gain"] == pytest.approx(second["english"]["score"] - direct["english"]["score"], abs=1e-9)
    controls = [row for row in found["target"] if row["arm"].startswith(CONTROL)]
    assert all("over_control" not in row for row in (direct, *controls))
    assert second["over_control"]["gain"] == pytest.approx(second["score"] - max(row["score"] for row in controls), abs=1e-9)
    best = max(row["english"]["score"] for row in controls)
    assert second["english"]["over_control"]["gain"] == pytest.approx(second["english"]["score"] - best, abs=1e-9)
    low, high = second["interval"]
    assert low <= second["gain"] <= high
    assert json.loads((Path(found["run"]) / "demo.json").read_text())["verdicts"] == found["verdicts"]
    assert short()["target"] == found["target"]


def test_reads_the_trunk_alone_once_and_pairs_it_with_every_seed(found):
    trunk = [row for row in found["retrieval"] if row["arm"] == module.READ[module.TRUNK]]
    assert all(row["gain"] is None and len(set(row["by_seed"])) == 1 for row in trunk)
    assert sorted(path.parent.name for path in Path(found["run"]).rglob("results.json") if path.parent.name == module.TRUNK) == [module.TRUNK]
    others = [row for row in found["retrieval"] if row["gain"] is not None]
    base = {row["task"]: row["score"] for row in trunk}
    for row in others:
        assert row["gain"] == pytest.approx(row["score"] - base[row["task"]], abs=1e-9)


def test_says_what_it_would_do_and_does_nothing(short, tmp_path):
    said = short(tmp_path / "demo", dry_run=True)
    assert (said["stages"], said["seeds"]) == ([stage.name for stage in module.STAGES], [13, 14])
    assert not (tmp_path / "demo").exists()


def gain(points: float, low: float, high: float) -> dict:
    return {"gain": points / 100, "interval": [low / 100, high / 100], "p": 0.5}


def test_says_in_short_lines_what_helped_and_what_did_not():
    stack = {"arm": "stack on hellaswag", "english": gain(20.04, 14, 26), **gain(1, -4, 6), "over_control": gain(-5, -9, -0.5)}
    shuffled = {"arm": "control: sequential after shuffled labels", "english": gain(0.5, -3, 4), **gain(6, 1, 11)}
    read = {"trunk alone": None, "hellaswag": gain(-3, -5, -1), "paraphrase": gain(0, -1, 1), "control: random adapter": gain(2, 1, 3)}
    retrieval = [{"arm": arm, "task": task, **(found or {"gain": None})} for task, _ in module.RETRIEVAL for arm, found in read.items()]
    said = verdicts([{"arm": "direct", "gain": None}, stack, shuffled], retrieval)
    found = "helped random adapter +2.0 (+1.0 to +3.0); hurt hellaswag -3.0 (-5.0 to -1.0); no clear difference paraphrase."
    assert said == [
        "stack on hellaswag: English +20.0 (+14.0 to +26.0), helped; zero-shot +1.0 (-4.0 to +6.0), no clear difference.",
        "control: sequential after shuffled labels: English +0.5 (-3.0 to +4.0); zero-shot +6.0 (+1.0 to +11.0).",
        "Over the better control, zero-shot: stack -5.0 (-9.0 to -0.5).",
        f"tatoeba, over the trunk: {found}",
        f"bucc2018, over the trunk: {found}",
    ]


def test_says_no_more_than_a_person_reads(found):
    said = found["verdicts"]
    assert len(said) <= 8
    assert max(map(len, said)) <= 170
