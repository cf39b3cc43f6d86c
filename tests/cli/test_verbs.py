"""What each verb makes of its words: the configuration, and the one library call."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.retrieval.reading import Overrides


def test_trains_with_the_defaults_of_the_schema(run, calls):
    assert run("train", "nli").exit_code == 0
    config, tasks = calls["train"]["values"]
    assert tasks == ("nli",)
    assert config == RunConfig.model_validate({"task": {"name": "nli"}})
    assert {name: calls["train"][name] for name in ("out", "runs", "resume", "overwrite", "dry_run")} == {
        "out": None,
        "runs": Path("runs"),
        "resume": True,
        "overwrite": False,
        "dry_run": False,
    }


def test_puts_every_flag_of_train_under_its_key(run, calls):
    words = """train pair --trunk xlm-roberta-base --kind lora --how stack --after runs/a --after runs/b
        --data train=a.tsv --data validation=b.tsv --seed 7 --control shuffled-labels --set training.epochs=2
        --set task.columns.premise=Satz -o here --overwrite --dry-run"""
    assert run(*shlex.split(words)).exit_code == 0
    config = calls["train"]["values"][0]
    assert (config.trunk.name, config.adapter.kind, config.how, config.after) == (
        "xlm-roberta-base",
        "lora",
        "stack",
        ("runs/a", "runs/b"),
    )
    assert (config.data.sources, config.control) == (("train=a.tsv", "validation=b.tsv"), "shuffled-labels")
    assert (config.training.seed, config.training.epochs, config.task.columns) == (7, 2, {"premise": "Satz"})
    assert (
        calls["train"]["out"],
        calls["train"]["resume"],
        calls["train"]["overwrite"],
        calls["train"]["dry_run"],
    ) == (Path("here"), False, True, True)


def test_keeps_a_comma_in_a_path(run, calls):
    run("train", "pair", "--data", "train=a,b.tsv", "--how", "stack", "--after", "runs/a,b")
    config = calls["train"]["values"][0]
    assert (config.data.sources, config.after) == (("train=a,b.tsv",), ("runs/a,b",))


def test_passes_several_tasks_on(run, calls):
    run("train", "nli, qa")
    assert calls["train"]["values"][1] == ("nli", "qa")


def test_reads_a_configuration_file_below_the_flags(run, calls, tmp_path):
    (tmp_path / "run.yaml").write_text("training: {seed: 3, epochs: 4}\n")
    run("train", "nli", "--config", "run.yaml", "--seed", "5")
    config = calls["train"]["values"][0]
    assert (config.training.seed, config.training.epochs) == (5, 4)


def test_reports_all_mistakes_of_a_configuration_and_trains_nothing(run, calls):
    result = run("train", "nli", "--set", "training.epohcs=2", "--set", "how=stak", "--json")
    assert result.exit_code == 2
    assert not result.stdout
    assert "2 mistakes" in result.stderr
    assert "did you mean training.epochs?" in result.stderr
    assert not calls


def test_fuses_runs_under_a_target(run, calls):
    assert run("fuse", "runs/a", "runs/b", "--target", "xnli", "--set", "fusion.target_adapter=true").exit_code == 0
    sources, target, config = calls["fuse"]["values"]
    assert (sources, target) == ((Path("runs/a"), Path("runs/b")), "xnli")
    assert (config.how, config.after, config.task.name, config.fusion.target_adapter) == (
        "fuse",
        ("runs/a", "runs/b"),
        "xnli",
        True,
    )


def test_evaluates_a_run_on_its_own_trunk(run, calls):
    assert run("eval", "runs/a", "--tasks", "xnli, tatoeba", "--languages", "de,sw").exit_code == 0
    (request,) = calls["evaluate"]["values"]
    config = request.config
    assert (request.run, request.tasks, request.split) == (Path("runs/a"), ("xnli", "tatoeba"), "test")
    assert (config.evaluation.languages, config.evaluation.protocol) == (("de", "sw"), "own")
    assert (Overrides.from_config(config), config.task) == (Overrides(), RunConfig().task)
    assert "name" not in config.trunk.model_fields_set


def test_evaluates_the_miniature_where_neither_run_nor_trunk_is_named(run, calls):
    run("eval", "--tasks", "tatoeba")
    (request,) = calls["evaluate"]["values"]
    assert (request.run, request.config.trunk.name) == (None, "miniature")


@pytest.mark.parametrize(("typed", "layers"), [("4", (4,)), ("2,4", (2, 4)), ("all", "all")])
def test_reads_layers_as_one_several_or_all(run, calls, typed, layers):
    run("eval", "--tasks", "tatoeba", "--layer", typed)
    assert Overrides.from_config(calls["evaluate"]["values"][0].config).layers == layers


def test_puts_every_flag_of_eval_into_the_request(run, calls):
    words = (
        "eval --trunk folder --tasks bucc2018 --protocol jiant --pool first -k 8 --margin distance --centring --data "
        "d --seed 3"
    )
    more = (
        "--split validation --set trunk.precision=fp32 --set trunk.revision=abc --set task.columns.label=gold -o out "
        "--overwrite --dry-run"
    )
    assert run(*words.split(), *more.split()).exit_code == 0
    request = calls["evaluate"]["values"][0]
    config = request.config
    assert (config.trunk.name, config.trunk.revision, config.trunk.precision) == ("folder", "abc", "fp32")
    assert Overrides.from_config(config) == Overrides(None, "first", 8, "distance", centring=True)
    assert (config.evaluation.protocol, config.data.sources) == ("jiant", ("d",))
    assert (config.training.seed, request.split, config.task.columns) == (3, "validation", {"label": "gold"})
    assert (calls["evaluate"]["out"], calls["evaluate"]["overwrite"], calls["evaluate"]["dry_run"]) == (
        Path("out"),
        True,
        True,
    )


def test_refuses_an_empty_list_of_tasks(run, calls):
    result = run("eval", "--tasks", " , ")
    assert (result.exit_code, calls) == (2, {})
    assert "--tasks names no task" in result.stderr


def test_runs_the_demo_without_options(run, calls):
    assert run("demo").exit_code == 0
    assert {name: calls["demo"][name] for name in ("out", "seed", "overwrite", "dry_run")} == {
        "out": Path("runs/demo"),
        "seed": None,  # the study's own
        "overwrite": False,
        "dry_run": False,
    }


@pytest.mark.parametrize("words", ["demo", "train nli", "fuse a b --target xnli", "eval a --tasks xnli"])
def test_prints_one_json_document_on_stdout(run, calls, words):
    result = run(*words.split(), "--json")
    assert json.loads(result.stdout)["results"][0]["interval"] == [0.25, None]


@pytest.mark.parametrize("words", ["train nli", "fuse a b --target xnli", "eval a --tasks xnli"])
def test_prints_scores_as_percent_and_the_run_folder_for_people(run, calls, words):
    result = run(*words.split())
    assert [line.split() for line in result.stdout.strip().split("\n")][2] == [
        "xnli",
        "own",
        "sw",
        "accuracy",
        "50.0",
        "25.0",
        "to",
        "10",
    ]
    assert result.stdout.rstrip().endswith("run  runs/xnli-00000000")


def test_prints_from_the_first_of_several_processes_only(run, calls):
    assert not run("train", "nli", "--json", env={"RANK": "1"}).stdout
    assert run("train", "nli", "--json", env={"RANK": "0"}).stdout


@pytest.mark.parametrize("verb", ["demo", "train", "fuse", "eval"])
def test_accepts_the_examples_of_its_own_help(run, calls, verb):
    examples = [
        line.strip()
        for line in run(verb, "--help").stdout.rsplit("Example", 1)[1].split("\n")
        if "adapter-stilts" in line
    ]
    assert examples
    for example in examples:
        result = run(*shlex.split(example)[1:])
        assert result.exit_code == 0, result.stderr


def test_encodes_with_what_was_typed(run, monkeypatch, tmp_path):
    asked = {}
    (tmp_path / "a.tsv").write_text("de\ten\nja\tyes\n")

    def record(request, **named):
        asked.update({"request": request, **named})
        return {"folder": "vectors/a", "rows": 1}

    monkeypatch.setattr("adapter_stilts.mining.encode.encode", record)
    words = """encode a.tsv --column en --run runs/a --layer 3 --pool max --dtype int8 --shard-rows 100 --limit-gb 2
        --format tsv --set trunk.precision=fp32 -o v --overwrite --dry-run --json"""
    result = run(*shlex.split(words))
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"folder": "vectors/a", "rows": 1})
    request = asked["request"]
    assert (request.file, request.run, request.trunk, request.precision) == (
        Path("a.tsv"),
        Path("runs/a"),
        None,
        "fp32",
    )
    assert (request.wanted.layers, request.wanted.pool) == ((3,), "max")
    assert (request.dtype, request.shard_rows, request.limit_gb) == ("int8", 100, 2.0)
    assert (request.layout, request.column) == ("tsv", "en")
    assert (asked["out"], asked["runs"], asked["overwrite"], asked["dry_run"]) == (Path("v"), Path("runs"), True, True)


def test_encodes_with_the_defaults_of_the_library(run, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "adapter_stilts.mining.encode.encode",
        lambda request, **named: asked.append(request) or {"folder": "v", "rows": 1},
    )
    result = run("encode", "a.txt", "--trunk", "miniature")
    assert (result.exit_code, result.stdout) == (0, "folder  v\nrows    1\n")
    from adapter_stilts.mining.encode import Encoding

    assert asked == [Encoding(Path("a.txt"), trunk="miniature")]


def test_encodes_at_one_layer_only(run):
    result = run("encode", "a.txt", "--set", "retrieval.layer=1,2")
    assert result.exit_code == 2
    assert "vectors are read at one layer" in result.stderr


@pytest.mark.parametrize(
    ("words", "near"),
    [
        ("eval --tasks xnli --protocol xtrme", "xtreme"),
        ("eval --tasks xnli --pool mea", "mean"),
        ("train nli --how stak", "stack"),
    ],
)
def test_names_the_nearest_value_of_an_option(run, calls, words, near):
    result = run(*words.split())
    assert (result.exit_code, result.stdout, calls) == (2, "", {})
    assert f"do:    did you mean '{near}'? one of: " in result.stderr
    assert "Value error" not in result.stderr
