"""Runs of several tasks: one adapter, a head each, in a folder like any other, and what may be built on it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from asking import evaluation

from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.errors import ArtefactError, TaskDataError, UnknownName, UsageError
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.build import finished_encoder, finished_models
from adapter_stilts.runs.evaluate import evaluate
from adapter_stilts.runs.inspect import info, list_runs
from adapter_stilts.runs.prepare import prepare
from adapter_stilts.sharing.bundle import load_bundle

MIX = "nli,qa,ner,choice,mlm"
SMALL = {"prefix_tuning": {"prefix_length": 4, "bottleneck_size": 8}, "seq_bn_inv": {"reduction_factor": 2}}


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().split("\n") if line]


@pytest.fixture
def score(data):
    """`score(run, task, **more)` evaluates on the task's validation file, given as its test split."""

    def call(run: Path, task: str, rows_of: str = "", **more: object) -> list[dict]:
        source = f"test={data(rows_of or task)[1].partition('=')[2]}"
        request = evaluation(run=run, trunk=None, tasks=(task,), data=(source,), precision="fp32", **more)
        return evaluate(request, out=None, runs=run.parent, overwrite=False, dry_run=False, report=Silent()).to_json()[
            "results"
        ]

    return call


def test_trains_tasks_of_every_format_together(trained, contents, heard):
    folder = trained(
        MIX,
        out="run",
        report=heard,
        training__max_steps=30,
        training__sampler__name="uniform",
        training__evaluate_steps=15,
    )
    manifest = load_bundle(folder).manifest
    assert (manifest.task, manifest.format, manifest.how, manifest.composition) == (MIX, "joint", "joint", "joint")
    steps = {task.task: task.steps for task in manifest.tasks}
    assert sum(steps.values()) == manifest.training.steps == 30
    assert manifest.training.tasks == steps
    assert min(steps.values()) > 0
    assert [task.share for task in manifest.tasks] == pytest.approx([0.2] * 5)
    names = MIX.split(",")
    assert sorted(contents(folder, "head")) == sorted(
        f"head/{name}.{suffix}" for name in names for suffix in ("json", "safetensors")
    )
    assert {f"head/{name}.safetensors" for name in names} <= set(manifest.files)
    last = [row for row in rows(folder) if "scores" in row][-1]
    assert set(last["scores"]) == set(names)
    assert last["score"] == pytest.approx(sum(last["scores"].values()) / 5)
    logged = [row for row in rows(folder) if "loss" in row][-1]
    assert {task: found["steps"] for task, found in logged["tasks"].items()} == steps
    assert any(line.startswith("of the steps, 20 % learn nli") for line in heard.lines)
    assert {part.part: part.role for part in manifest.parts} == {
        "trunk": "trunk",
        "joint": "adapter",
        **dict.fromkeys(names, "head"),
    }


def test_shows_its_tasks_wherever_a_run_is_shown(trained):
    folder = trained("nli,mlm", out="run")
    assert [task["task"] for task in info(folder)["tasks"]] == ["nli", "mlm"]
    assert list_runs(folder)[0]["task"] == "nli,mlm"
    card = (folder / "README.md").read_text()
    assert "One adapter, and a head each, for `nli` and `mlm`" in card
    assert "| mlm | text | en | 24 |" in card
    assert "--tasks nli,mlm" in card


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_gives_the_same_logits_in_a_new_process(trained, tiny_folder, tmp_path, monkeypatch, precision):
    """Every head, for adapters of different kinds, after training and from the files: the same bits."""
    import importlib.util

    import adapter_stilts.runs.train

    script = Path(__file__).with_name("reload.py")
    spec = importlib.util.spec_from_file_location("study_reload_joint", script)
    reload = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reload)
    models, parts_of = [], adapter_stilts.runs.train.parts_of
    monkeypatch.setattr(
        adapter_stilts.runs.train,
        "parts_of",
        lambda prepared, model: models.append(model) or parts_of(prepared, model),
    )
    kinds = ["seq_bn", "seq_bn_inv", "lora", "prefix_tuning", *(["full"] if precision == "fp32" else [])]
    folders, expected = [], {}
    for kind in kinds:
        more = {
            "adapter__kind": kind,
            "adapter__settings": SMALL.get(kind, {}),
            "trunk__precision": precision,
            "training__sampler__name": "uniform",
        }
        folders.append(trained("nli,mlm,paraphrase", out=kind, **more))
        for name, model in models.pop().tasks.items():
            expected[f"{kind}/{name}"] = reload.logits(model)
    out = tmp_path / "logits"
    subprocess.run([sys.executable, script, tiny_folder, out, *folders], check=True, timeout=120)
    found = safetensors.torch.load(out.read_bytes())
    assert found.keys() == expected.keys()
    for name, logits in expected.items():
        assert torch.equal(found[name].view(torch.int32), logits.contiguous().view(torch.int32)), name


def test_reads_each_task_with_its_own_head(trained, score, tiny_folder, rows):
    folder = trained("nli,paraphrase,mlm", out="run", training__max_steps=12, training__sampler__name="uniform")
    models = finished_models(load_trunk(str(tiny_folder), precision="fp32"), load_bundle(folder))
    assert {name: model.format.name for name, model in models.items()} == {
        "nli": "pair",
        "paraphrase": "pair",
        "mlm": "text",
    }
    for task in ("nli", "paraphrase", "mlm"):
        found = score(folder, task)
        assert {row["settings"]["head"] for row in found} == {task}
        validation = next(
            row
            for row in json.loads((folder / "results.json").read_text())["results"]
            if (row["task"], row["split"]) == (task, "validation")
        )
        assert found[0]["score"] == validation["score"]  # the same rows under another name
    labels = {tuple(part.facts["labels"]) for part in load_bundle(folder).of("head")}
    assert labels == {("contradiction", "entailment", "neutral"), ("0", "1"), ()}


def test_takes_the_only_head_that_fits_another_task_and_asks_where_several_do(trained, score):
    one = trained("nli,mlm", out="one")
    assert {row["settings"]["head"] for row in score(one, "xnli", "nli")} == {"nli"}
    several = trained("nli,pair,mlm", out="several")
    with pytest.raises(
        UsageError, match=r"2 heads of the run could answer 'xnli': nli, pair(.|\n)*evaluation.head=nli"
    ):
        score(several, "xnli", "nli")
    assert {row["settings"]["head"] for row in score(several, "xnli", "nli", head="pair")} == {"pair"}
    with pytest.raises(UnknownName, match="no head of this run called 'nil'"):
        score(several, "xnli", "nli", head="nil")
    with pytest.raises(UsageError, match="answers text tasks"):
        score(several, "xnli", "nli", head="mlm")
    with pytest.raises(UsageError, match="'ner' is a tags task"):
        score(several, "ner")


def test_hands_its_adapter_on_like_any_other_run(trained, contents):
    joint, other = trained("nli,mlm", out="joint"), trained("paraphrase", out="paraphrase")
    weights = contents(joint, "adapter")["adapter/joint.safetensors"]
    stack = trained("single", out="stack", how="stack", after=[str(joint)])
    assert load_bundle(stack).manifest.composition == "stack(joint, single)"
    assert contents(stack, "adapter")["adapter/joint.safetensors"] == weights
    started = trained("single", out="sequential", how="sequential", after=[str(joint)], training__learning_rate=1e-9)
    (part,) = load_bundle(started).of("adapter")
    before = load_bundle(joint).of("adapter")[0].tensors
    assert part.name == "single"
    assert all(torch.allclose(part.tensors[name], before[name], atol=1e-6) for name in before)
    fused = trained("single", out="fuse", how="fuse", after=[str(joint), str(other)])
    assert load_bundle(fused).manifest.composition == "fuse(joint, paraphrase)"
    again = trained("nli,ner", out="again")
    assert (
        load_bundle(trained("single", out="both", how="fuse", after=[str(joint), str(again)])).manifest.composition
        == "fuse(joint, joint-2)"
    )


def test_notices_a_changed_or_missing_head(trained, flip, tiny_folder):
    folder = trained("nli,mlm", out="run")
    trunk, bundle = load_trunk(str(tiny_folder), precision="fp32"), load_bundle(folder)
    finished_encoder(trunk, bundle)
    flip(folder / "head" / "mlm.safetensors", 100, 1)
    with pytest.raises(ArtefactError, match=r"head/mlm.safetensors does not match its sha256"):
        load_bundle(folder)
    (folder / "head" / "mlm.safetensors").unlink()
    with pytest.raises(ArtefactError, match=r"missing: head/mlm.safetensors"):
        load_bundle(folder)


def test_has_an_identity_that_moves_with_the_sampler_and_the_tasks(config):
    def identity(tasks="nli,mlm", **settings):
        return prepare(config(tasks, **settings), tuple(tasks.split(","))).identity

    base = identity()
    assert identity() == base
    assert identity(training__sampler__name="uniform") != base
    assert identity(training__mask_rate=0.3) != base
    assert identity("mlm,nli") != base
    assert identity(training__rows=10) != base
    assert identity(training__checkpoint_steps=3) == base
    hot, cold = (
        {"training__sampler__name": "temperature", "training__sampler__temperature": value} for value in (2, 5)
    )
    assert identity(**hot) != identity(**cold)


def test_has_the_steps_of_its_tasks_added_up(config):
    alone = [
        prepare(config(task, training__max_steps=None, training__epochs=2), (task,)).steps for task in ("nli", "ner")
    ]
    together = prepare(config("nli,ner", training__max_steps=None, training__epochs=2), ("nli", "ner")).steps
    assert abs(together - sum(alone)) <= 4  # the order of rows differs, and with it where a batch ends


def test_masks_as_many_tokens_as_the_configuration_says(config):
    for rate in (0.15, 0.6):
        prepared = prepare(config("nli,mlm", training__mask_rate=rate, training__rows=24), ("nli", "mlm"))
        texts = prepared.rows.data["mlm"]
        batch = texts.prepare(texts.collate(range(24)), torch.Generator().manual_seed(1))
        special = torch.isin(batch["input_ids"], torch.tensor(prepared.trunk.tokenizer.all_special_ids)) & (
            batch["labels"] == -100
        )
        words = batch["attention_mask"].sum() - special.logical_and(batch["attention_mask"].bool()).sum()
        assert abs(int((batch["labels"] != -100).sum()) / int(words) - rate) < 0.1


@pytest.mark.parametrize(
    ("tasks", "settings", "message"),
    [
        ("nli,mlm", {"how": "direct"}, r"one task at a time; got 2: nli, mlm(.|\n)*--how joint"),
        ("nli", {"how": "joint"}, r"several tasks at once, and one is named: nli"),
        ("nli,mlm,nli", {}, "'nli' is named twice"),
        ("nli,tatoeba", {"data__sources": ["miniature"]}, "'tatoeba' trains nothing"),
        ("nli,mlm", {"task__columns": {"premise": "p"}}, "task.columns describes one task, and there are 2"),
        ("nli,mlm", {"task__labels": ["a", "b"]}, "task.labels describes one task"),
        ("nli,mlm", {"composition": "joint"}, "a composition arranges what earlier runs learned, and --how is joint"),
        ("nli,mlm", {"control": "shuffled-labels"}, "needs a task with labels"),
        ("nli,ner", {"control": "random-adapter"}, "permutes the adapter of a run, and --how joint continues none"),
        (
            "nli,mlm",
            {"data__sources": ["train=a.jsonl"]},
            r"which task is --data train=a.jsonl for, of nli, mlm\?(.|\n)*--data nli/train=a.jsonl",
        ),
        ("nli,mlm", {"training__sampler": {"name": "fixed", "weights": {"nli": 1}}}, "no weight for mlm"),
    ],
)
def test_refuses_what_has_no_meaning(config, tasks, settings, message):
    with pytest.raises(UsageError, match=message) as caught:
        prepare(config(tasks if "," in tasks else "nli", **settings), tuple(tasks.split(",")))
    assert caught.value.exit_code == 2


def test_names_the_task_that_a_file_is_meant_for(config, data):
    with pytest.raises(UnknownName, match=r"no task of this run called 'nil'(.|\n)*did you mean 'nli'"):
        prepare(config("nli,mlm", data__sources=["nil/train=a.jsonl"]), ("nli", "mlm"))
    with pytest.raises(TaskDataError, match="no such file"):
        prepare(
            config("nli,mlm", data__sources=["nli/train=nowhere.jsonl", *(f"mlm/{one}" for one in data("mlm"))]),
            ("nli", "mlm"),
        )


def test_trains_on_shuffled_labels_of_every_task(trained):
    assert (
        load_bundle(trained("nli,ner", out="control", control="shuffled-labels")).manifest.control == "shuffled-labels"
    )
