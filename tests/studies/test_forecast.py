"""A dry run tells rows, steps and bytes without weights, without reading data sets and without the network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from adapter_stilts.encoder.kinds import kinds, resolve
from adapter_stilts.encoder.sizes import adapter_parameters
from adapter_stilts.encoder.trunk.config import known_config
from adapter_stilts.studies.forecast import forecast, totals
from adapter_stilts.studies.stages import grid
from adapter_stilts.studies.study_file import read_study

ROOT = Path(__file__).parents[2]
DRY_RUN = """
import json, sys
from pathlib import Path
from adapter_stilts.studies.grid import study
from adapter_stilts.reporting import Silent
found = study(Path(sys.argv[1]), out=Path(sys.argv[2]), jobs=1, dry_run=True, report=Silent())
print(json.dumps({"found": found, "loaded": [name for name in ("datasets", "faiss") if name in sys.modules]}))
"""


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    out = tmp_path_factory.mktemp("paper") / "out"
    command = [sys.executable, "-c", DRY_RUN, str(ROOT / "configs/studies/paper.yaml"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert not out.exists()
    return json.loads(done.stdout)


def test_plans_the_grid_of_the_paper_without_loading_anything(paper):
    assert paper["loaded"] == []
    summed = paper["found"]["totals"]
    # of each of 3 seeds: 12 intermediate runs and 2 controls, 7 targets directly, and after each of the 14 in two ways
    assert summed["trainings"] == 3 * (12 + 2 + 7 + 2 * 7 * 14)
    # 7 targets with each of these, and 2 retrieval tasks with each of the 14; with the trunk once
    assert summed["readings"] == 3 * (7 * (1 + 2 * 14) + 2 * 14) + 2
    assert summed["stages"] == summed["trainings"] + summed["readings"] == len(paper["found"]["planned"])
    assert summed["unknown"] == 0


def test_counts_documented_rows_and_the_steps_they_take(paper):
    planned = {one["stage"]: one for one in paper["found"]["planned"]}
    mnli = planned["mnli-s13"]
    assert mnli["rows"] == [{"task": "mnli", "rows": 392_702, "known": "documented"}]
    assert (mnli["steps"], mnli["about"]) == (3 * 12_272, False)  # 98,176 passes of 4 rows, 8 a step, 3 epochs
    assert planned["panx-direct-s17"]["steps"] == 10 * 20_000 // 32
    assert planned["mnli-random-s13"]["steps"] == 0
    assert (
        planned["xquad-direct-s13"]["rows"][0]["rows"] == 87_599 - 87_599 // 50
    )  # one in 50 contexts is for validation
    assert planned["xquad-direct-s13"]["about"]
    assert planned["tydiqa-direct-s13"]["rows"][0]["rows"] == 3_696 - 3_696 // 20
    several = planned["multitask-mlm-s13"]
    assert [one["rows"] for one in several["rows"]][-1] == 100_000
    assert [one["known"] for one in several["rows"]][-1] == "given in sizes"
    assert planned["multitask-s13"]["steps"] == sum(planned[f"{task}-s13"]["steps"] for task in NINE)


NINE = ("anli+", "mnli", "qqp", "squad", "squad_v2", "hellaswag", "ccg", "cosmosqa", "csqa")


def test_counts_bytes_by_the_shapes_of_xlm_r_large(paper):
    planned = {one["stage"]: one for one in paper["found"]["planned"]}
    head = 1024 * 1024 + 1024 + 3 * 1025
    assert planned["mnli-s13"]["bytes"] == 4 * (3_171_840 + head)
    assert planned["mnli-s13"]["bytes_of_full_fine_tuning"] == 4 * (558_840_832 + head)
    assert planned["panx-direct-s13"]["bytes"] == 4 * (3_171_840 + 7 * 1025)
    assert planned["ccg-s13"]["bytes"] == 4 * (3_171_840 + 1363 * 1025)
    assert planned["panx-stack-mnli-s13"]["bytes"] == 4 * (2 * 3_171_840 + 7 * 1025)  # MNLI's adapter goes with it
    assert planned["panx-sequential-mnli-s13"]["bytes"] == 4 * (3_171_840 + 7 * 1025)
    summed = paper["found"]["totals"]
    assert summed["bytes"] == sum(one["bytes"] for one in planned.values())
    assert 80 < summed["bytes_of_full_fine_tuning"] / summed["bytes"] < 200
    assert "adapters, fusions and heads, where full fine-tuning would leave" in summed["sentence"]


def test_foretells_what_a_run_does(few_rows, file, run, tmp_path):
    settings = {
        "training.epochs": 2,
        "training.batch_rows": 7,
        "training.accumulation": 2,
        "training.patience": 0,
        "training.max_length": 48,
    }
    path = file(settings=settings, hows=["stack", "fuse"], targets=["pawsx"])
    foretold = {
        one.stage.label: one for one in forecast(read_study(path), grid(read_study(path))) if one.stage.work == "train"
    }
    done = {record["stage"]: record for record in run(path)["stages"] if record["work"] == "train"}
    assert set(done) == set(foretold)
    for label, one in foretold.items():
        assert done[label]["steps"] == one.steps == 2 * 3  # 40 rows: 6 passes of 7 rows, two a step
        assert not one.about
        stored = sum(path.stat().st_size for path in Path(done[label]["folder"]).rglob("*.safetensors"))
        assert one.bytes == pytest.approx(stored, rel=0.05, abs=6144)  # the names of tensors take room as well


@pytest.mark.parametrize(
    ("kind", "settings", "merging", "merged"),
    [
        ("lora", {"r": 4}, {}, {"r": 8}),
        ("lora", {"r": 4}, {"merge.method": "ties"}, {"r": 8}),
        ("lora", {"r": 4}, {"merge.method": "svd"}, {"r": 4}),
        ("lora", {"r": 4}, {"merge.rank": 3}, {"r": 3}),
        ("seq_bn", {"reduction_factor": 4}, {}, {"reduction_factor": 4}),
        ("seq_bn", {"reduction_factor": 4}, {"merge.method": "concatenate"}, {"reduction_factor": 2}),
    ],
)
def test_counts_the_ranks_and_widths_of_all_in_a_merged_adapter(
    file, tiny_folder, kind, settings, merging, merged
):
    both = {"hows": ["sequential", "merge"], "fusions": {"both": ["nli", "paraphrase"]}}
    study = read_study(file(**both, adapter={"kind": kind, "settings": settings}, target_settings=merging))
    sizes = {one.stage.how: one.bytes for one in forecast(study, grid(study)) if one.stage.tasks == ("panx",)}
    trunk = known_config(str(tiny_folder))
    alone, together = (adapter_parameters(kind, resolve(kinds[kind], each), trunk) for each in (settings, merged))
    assert sizes["merge"] - sizes["sequential"] == 4 * (together - alone)


def test_says_what_cannot_be_told(file):
    settings = {"training.token_budget": 1000, "training.epochs": 1}
    path = file(
        trunk={"name": "someone/else"}, data=["hub"], intermediate=["siqa", "nli"], targets=["panx"], settings=settings
    )
    siqa, nli, panx = forecast(read_study(path), grid(read_study(path)))[:3]
    assert (siqa.rows[0].text(), siqa.steps, siqa.bytes) == ("siqa: unknown", None, None)
    assert (panx.rows[0].known, panx.about) == ("documented", True)
    assert panx.steps == 20_000 * 128 // 2 // 1000
    assert totals([siqa, nli, panx])["unknown"] == 3


def test_reads_rows_that_are_there_and_takes_documented_ones_where_files_are_not(file, tmp_path, data):
    sources = [f"nli/{source}" for source in data("nli")] + [f"panx={tmp_path}"]
    path = file(
        data=sources, intermediate=["nli"], targets=["panx"], settings={"training.batch_rows": 5, "training.epochs": 1}
    )
    nli, panx = forecast(read_study(path), grid(read_study(path)))[:2]
    assert (nli.rows[0].count, nli.rows[0].known, nli.steps) == (24, "read", 5)
    assert (panx.rows[0].count, panx.rows[0].known) == (20_000, "documented")
