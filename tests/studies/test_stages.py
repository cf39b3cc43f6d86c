"""A study becomes stages: each once, after those it builds on, under a key that is its content's."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter_stilts.config.recipes import recipe_file
from adapter_stilts.studies.stages import grid, sources_for
from adapter_stilts.studies.study_file import read_study


@pytest.fixture
def expanded(file):
    return lambda **changes: grid(read_study(file(**changes)))


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "configs/studies").glob("*.yaml")), ids=lambda path: path.stem
)
def test_opens_a_study_that_ships_with_its_command(path):
    first, second = path.read_text(encoding="utf-8").split("\n")[:2]
    assert first.startswith(f"# adapter-stilts study studies/{path.stem} ")
    assert second.startswith("# ")
    assert read_study(path).name == path.stem
    assert recipe_file(Path(f"studies/{path.stem}")).samefile(path)


def labels(found, work="train"):
    return [stage.label for stage in found.stages if stage.work == work]


def test_trains_every_intermediate_task_once_and_every_target_directly_and_after_each(expanded):
    found = expanded()
    assert labels(found) == [
        "nli-s13",
        "paraphrase-s13",
        "panx-direct-s13",
        "panx-sequential-nli-s13",
        "panx-sequential-paraphrase-s13",
    ]
    assert labels(found, "read") == [
        *("panx with panx-direct-s13", "panx with panx-sequential-nli-s13", "panx with panx-sequential-paraphrase-s13"),
        *("tatoeba with the trunk", "tatoeba with nli-s13", "tatoeba with paraphrase-s13"),
    ]
    assert [(cell.intermediate, cell.how, cell.target) for cell in found.cells][:3] == [
        *(("", "direct", "panx"), ("nli", "sequential", "panx"), ("paraphrase", "sequential", "panx"))
    ]


def test_gives_every_training_the_adapter_of_the_study(expanded):
    adapter = {"kind": "lora", "settings": {"r": 4}, "from_layer": 1}
    trained = [stage.config.adapter for stage in expanded(adapter=adapter).stages if stage.work == "train"]
    assert [each.model_dump() for each in trained] == [adapter] * 5


def test_comes_after_what_it_builds_on(expanded):
    found = expanded(
        hows=["stack", "fuse"], controls={"random-adapter": ["nli"], "shuffled-labels": ["nli"]}, seeds=[1, 2]
    )
    seen = set()
    for stage in found.stages:
        assert set(stage.parents) <= seen
        seen.add(stage.key)
    assert len(seen) == len(found.stages)
    fused = next(stage for stage in found.stages if stage.label == "panx-fuse-all-s2")
    assert [stage.label for stage in found.stages if stage.key in fused.parents] == ["nli-s2", "paraphrase-s2"]
    assert {(cell.intermediate, bool(cell.control)) for cell in found.cells if cell.how == "stack"} == {
        *(("nli", False), ("paraphrase", False), ("nli-random", True), ("nli-shuffled", True))
    }


def test_keeps_its_keys_when_the_grid_grows_and_changes_them_with_what_they_are_of(expanded):
    before = {stage.label: stage.key for stage in expanded().stages}
    grown = {
        stage.label: stage.key
        for stage in expanded(
            intermediate=["qa", "nli", "paraphrase"], hows=["stack", "sequential"], seeds=[13, 17]
        ).stages
    }
    assert before.items() <= grown.items()
    changed = {
        stage.label: stage.key
        for stage in expanded(intermediate=[{"task": "nli", "settings": {"training.epochs": 7}}, "paraphrase"]).stages
    }
    moved = {label for label in before if changed[label] != before[label]}
    assert moved == {"nli-s13", "panx-sequential-nli-s13", "panx with panx-sequential-nli-s13", "tatoeba with nli-s13"}


def test_reads_the_trunk_once_whatever_the_seeds(expanded):
    assert labels(expanded(seeds=[1, 2, 3]), "read").count("tatoeba with the trunk") == 1


def test_learns_several_tasks_translated_rows_and_masked_text(expanded):
    found = expanded(
        intermediate=[
            {"name": "both", "tasks": ["nli", "qa"], "sampler": {"name": "temperature", "temperature": 4.0}},
            {"task": "nli", "mlm": True},
            {"name": "nli-sw", "task": "nli", "language": "sw"},
        ]
    )
    both, text, translated = found.stages[:3]
    assert (both.tasks, both.config.how, both.config.training.sampler.temperature) == (("nli", "qa"), "joint", 4.0)
    assert (text.label, text.tasks, text.config.how) == ("nli+mlm-s13", ("nli", "mlm"), "joint")
    assert (translated.label, translated.config.data.language, translated.config.how) == (
        "nli-sw-s13",
        ("sw",),
        "direct",
    )


def test_takes_numbers_from_the_recipe_then_the_study_then_the_role_then_the_entry(expanded):
    found = expanded(
        recipes={"nli": "nli-own"},
        settings={"training.epochs": 9, "training.patience": 9, "training.clip": 9.0},
        intermediate_settings={"training.patience": 8, "training.clip": 8.0},
        intermediate=[{"task": "nli", "settings": {"training.clip": 7.0}}, "paraphrase"],
    )
    training = found.stages[0].config.training
    assert (training.batch_rows, training.epochs, training.patience, training.clip, training.seed) == (
        32,
        9,
        8,
        7.0,
        13,
    )
    assert found.stages[1].config.training.batch_rows is None


def test_gives_each_stage_the_data_that_is_for_it():
    given = ("data", "xnli=folder", "nli/train=rows.jsonl", "train=all.jsonl", "hub=copies")
    assert sources_for(given, ("nli",)) == ("data", "nli/train=rows.jsonl", "train=all.jsonl", "hub=copies")
    assert sources_for(given, ("xnli", "nli")) == given


def test_trains_nothing_again_where_only_how_sentences_are_read_has_changed(expanded):
    before = {stage.label: stage.key for stage in expanded().stages}
    changed = {
        stage.label: stage.key
        for stage in expanded(target_settings={"retrieval.k": 7, "evaluation.head": "panx"}).stages
    }
    moved = {label for label in before if changed[label] != before[label]}
    assert moved == {label for label in before if " with " in label}


def test_builds_on_what_after_names_and_fuses_with_the_direct_run_of_the_target(expanded):
    found = expanded(
        hows=["sequential", "stack", "fuse"],
        controls={"shuffled-labels": ["nli"]},
        after={"sequential": ["nli", "nli-shuffled"], "stack": ["paraphrase"]},
        fusions={"own": ["nli", "direct"]},
    )
    arms = [(cell.how, cell.intermediate) for cell in found.cells if cell.target == "panx"]
    built = [("sequential", "nli"), ("sequential", "nli-shuffled"), ("stack", "paraphrase"), ("fuse", "own")]
    assert arms == [("direct", ""), *built, ("fuse", "own-shuffled")]
    controls = {(cell.how, cell.intermediate): cell.of for cell in found.cells if cell.control}
    assert controls["fuse", "own-shuffled"] == "own"
    assert controls["sequential", "nli-shuffled"] == "nli"
    (shuffled,) = (stage for stage in found.stages if stage.label == "nli-shuffled-s13")
    assert [stage.label for stage in found.stages if stage.key in shuffled.parents] == ["nli-s13"]  # to its step
    (fused,) = (stage for stage in found.stages if stage.label == "panx-fuse-own-s13")
    assert [stage.label for stage in found.stages if stage.key in fused.parents] == ["nli-s13", "panx-direct-s13"]


def test_merges_what_fusions_name_and_keeps_the_keys_of_other_stages(expanded):
    settings = {"merge.method": "ties", "merge.density": 0.3}
    plain = {stage.label: stage.key for stage in expanded(hows=["sequential"]).stages}
    found = expanded(hows=["sequential", "merge"], fusions={"both": ["nli", "paraphrase"]}, target_settings=settings)
    (merged,) = (stage for stage in found.stages if stage.how == "merge")
    parents = {stage.key: stage.label for stage in found.stages}
    assert (merged.label, [parents[key] for key in merged.parents]) == (
        "panx-merge-both-s13",
        ["nli-s13", "paraphrase-s13"],
    )
    assert (merged.config.merge.method, merged.config.merge.density) == ("ties", 0.3)
    assert plain.items() <= {stage.label: stage.key for stage in found.stages}.items()


def test_reads_a_trained_target_with_runs_as_they_are_where_after_says_so(expanded):
    targets = [
        {
            "name": "entailed",
            "task": "nli",
            "hows": ["stack"],
            "after": {"stack": ["paraphrase"], "read": ["nli-shuffled"]},
        },
        {"task": "tatoeba", "after": {"read": ["nli"]}},
    ]
    found = expanded(targets=targets, controls={"shuffled-labels": ["nli"]})
    assert [(cell.target, cell.how, cell.intermediate) for cell in found.cells] == [
        *(("entailed", "direct", ""), ("entailed", "stack", "paraphrase"), ("entailed", "read", "nli-shuffled")),
        *(("tatoeba", "direct", ""), ("tatoeba", "read", "nli")),
    ]
    assert labels(found).count("nli-s13") == 1  # the direct run of the target is the intermediate run: trained once
    assert "entailed-direct-s13" not in labels(found)
