"""A run's identity moves with everything that decides its weights, and with nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import safetensors.torch

from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig, keys
from adapter_stilts.runs.identity import weight_settings
from adapter_stilts.runs.prepare import prepare

DECIDING = {
    "trunk.name": "x",
    "trunk.revision": "x",
    "trunk.precision": "fp32",
    "adapter.kind": "lora",
    "adapter.settings": {"r": 8},
    "adapter.from_layer": 1,
    "task.name": "nli",
    "task.columns": {"label": "l"},
    "task.labels": ["a"],
    "task.ignore_labels": ["-"],
    "task.multiword": "fuse",
    "task.hub": "google/xtreme",
    "data.sources": ["d"],
    "data.language": ["sw"],
    "composition": "a",
    "control": "shuffled-labels",
    "training.max_steps": 3,
    "training.epochs": 4,
    "training.minutes": 2,
    "training.learning_rate": 0.5,
    "training.token_budget": 9,
    "training.batch_rows": 8,
    "training.accumulation": 2,
    "training.max_length": 64,
    "training.rows": 5,
    "training.validation_rows": 5,
    "training.seed": 14,
    "training.warmup": 0.2,
    "training.weight_decay": 0.2,
    "training.clip": 0.5,
    "training.head_dropout": 0.2,
    "training.head_pool": "mean",
    "training.patience": 6,
    "training.keep_step": 2,
    "training.evaluate_steps": 7,
    "training.precision": "bf16",
    "training.gradient_checkpointing": True,
    "training.mask_rate": 0.3,
    "fusion.target_adapter": True,
    "fusion.penalty": 0.5,
    "fusion.learning_rate": 0.5,
    "evaluation.protocol": "jiant",
    "how": "joint",
}
SAMPLER = {
    "name": "uniform",
    "temperature": 3,
    "cap": 50,
    "weights": {"nli": 2},
}  # of `how: joint`, each beside the name that uses it
MERGE = {
    "method": "ties",
    "weights": [1, -1],
    "density": 0.3,
    "scale": 2,
    "rank": 4,
    "split": [3],
    "start": "runs/base",
}  # of `how: merge`
NOTHING = {
    "training.cache_gb": 2,
    "training.checkpoint_steps": 9,
    "training.log_steps": 9,
    "trunk.prefix": "query: ",
    "retrieval.layer": 3,
    "retrieval.pool": "max",
    "retrieval.k": 5,
    "retrieval.margin": "ratio",
    "retrieval.centre": True,
    "evaluation.languages": ["sw"],
    "evaluation.head": "nli",
    "evaluation.language_adapters": ["de=run"],
}


@pytest.fixture
def identity(config):
    """`identity(task, key=value)`: 8 digits."""

    def make(task="nli", **settings):
        return prepare(config(task, **settings), (task,)).identity

    return make


@pytest.fixture
def own_data(tmp_path, data):
    """A copy of the NLI files that a test may change."""

    def make(name="copy"):
        folder = tmp_path / name / "en"  # a folder named by a code says the language of its rows
        folder.mkdir(parents=True)
        return [
            f"{source.partition('=')[0]}={shutil.copy(source.partition('=')[2], folder)}"
            for source in data("nli")
        ]

    return make


def path_of(source):
    return Path(source.partition("=")[2])


def test_is_eight_hexadecimal_digits_and_the_same_every_time(identity):
    assert len(identity()) == 8
    assert int(identity(), 16) >= 0
    assert identity() == identity()


@pytest.mark.parametrize(
    "settings",
    [
        {"training__learning_rate": 0.02},
        {"training__seed": 14},
        {"training__max_steps": 4},
        {"training__token_budget": 300},
        {"training__batch_rows": 8},
        {"training__accumulation": 2},
        {"training__warmup": 0.2},
        {"training__weight_decay": 0.0},
        {"training__clip": 0.5},
        {"training__head_dropout": 0.0},
        {"training__patience": 1},
        {"training__evaluate_steps": 1},
        {"training__rows": 10},
        {"training__validation_rows": 5},
        {"training__max_length": 20},
        {"training__precision": "bf16"},
        {"adapter__kind": "lora"},
        {"adapter__settings": {"reduction_factor": 8}},
        {"trunk__precision": "bf16"},
        {"control": "shuffled-labels"},
        {"task__labels": ["neutral", "entailment", "contradiction"]},
        {"task__ignore_labels": ["neutral"]},
        {"task__columns": {"premise": "hypothesis", "hypothesis": "premise"}},
    ],
)
def test_changes_with_what_decides_the_weights(identity, settings):
    assert identity(**settings) != identity()


@pytest.mark.parametrize(
    "settings",
    [
        {"training__checkpoint_steps": 7},
        {"training__log_steps": 2},
        {"training__max_length": 64},  # what the trunk allows anyway
        {"adapter__settings": {"reduction_factor": 16.0}},  # the default, written out
        {"evaluation__protocol": "xtreme"},
        {"evaluation__languages": ["sw"]},
        {"retrieval__layer": 1},
        {"fusion__learning_rate": 0.1},  # this run fuses nothing
    ],
)
def test_stays_with_what_decides_nothing(identity, settings):
    assert identity(**settings) == identity()


def test_changes_with_a_byte_of_the_data_and_not_with_its_place(identity, own_data):
    moved = own_data("moved")
    assert identity(data__sources=moved) == identity()
    for number in (0, 1):
        sources = own_data(f"changed{number}")
        text = path_of(sources[number]).read_text()
        path_of(sources[number]).write_text(text.replace("Anna", "Anne", 1))
        assert identity(data__sources=sources) != identity()
    sources = own_data("more")
    rows = [
        json.dumps({**json.loads(line), "unused": 1}) for line in path_of(sources[0]).read_text().split("\n") if line
    ]
    path_of(sources[0]).write_text("\n".join(rows) + "\n")
    assert identity(data__sources=sources) != identity()


def test_changes_with_the_weights_configuration_and_tokenizer_of_the_trunk_and_not_with_its_place(
    identity, tiny_folder, tmp_path
):
    copy = shutil.copytree(tiny_folder, tmp_path / "copy")
    assert identity(trunk__name=str(copy)) == identity()
    tensors = safetensors.torch.load((copy / "model.safetensors").read_bytes())
    tensors["roberta.encoder.layer.0.output.dense.bias"][0] += 1
    (copy / "model.safetensors").write_bytes(safetensors.torch.save(tensors))
    assert identity(trunk__name=str(copy)) != identity()
    for name, key, value in (("config.json", "hidden_dropout_prob", 0.2), ("tokenizer.json", "added", None)):
        other = shutil.copytree(tiny_folder, tmp_path / name)
        document = json.loads((other / name).read_text())
        if value is None:
            document["model"]["vocab"][100][1] -= 0.5  # a piece's score
        else:
            document[key] = value
        (other / name).write_text(json.dumps(document))
        assert identity(trunk__name=str(other)) != identity()


def test_changes_with_the_parents_weights_and_not_with_their_place(trained, identity, tmp_path):
    one, other = trained("paraphrase"), trained("paraphrase", training__seed=2)
    moved = shutil.copytree(one, tmp_path / "moved")
    first = identity(how="stack", after=[str(one)])
    assert identity(how="stack", after=[str(moved)]) == first
    assert identity(how="stack", after=[str(other)]) != first
    assert identity(how="sequential", after=[str(one)]) != first


def test_follows_fusions_own_learning_rate_only(trained, identity):
    after = [str(trained("paraphrase")), str(trained("single"))]
    fused = {"how": "fuse", "after": after}
    assert identity(**fused) == identity(**fused, training__learning_rate=0.5)
    for changed in (
        {"fusion__learning_rate": 0.5},
        {"fusion__penalty": 0.5},
        {"fusion__target_adapter": True},
        {"after": after[::-1]},
    ):
        assert identity(**{**fused, **changed}) != identity(**fused)


def test_changes_with_the_number_of_processes(config, monkeypatch, identity):
    import adapter_stilts.runs.prepare as module
    from adapter_stilts.training.devices import Processes

    alone = identity()
    monkeypatch.setattr(module, "processes", lambda device: Processes(0, 2, "cpu"))
    assert identity() != alone


@pytest.mark.parametrize("key", sorted(DECIDING))
def test_takes_every_setting_that_decides_weights(key):
    assert weight_settings(with_settings(RunConfig(), {key: DECIDING[key]})) != weight_settings(RunConfig())


@pytest.mark.parametrize("key", sorted(SAMPLER))
def test_takes_the_sampler_of_a_mixture(key):
    names = {"cap": "capped", "weights": "fixed"}
    base = {"how": "joint", "training.sampler.name": names.get(key, key if key != "name" else "proportional")}
    needed = {"capped": {"training.sampler.cap": 40}, "fixed": {"training.sampler.weights": {"nli": 1}}}.get(
        base["training.sampler.name"], {}
    )
    one = with_settings(RunConfig(), {**base, **needed})
    assert weight_settings(
        with_settings(RunConfig(), {**base, **needed, f"training.sampler.{key}": SAMPLER[key]})
    ) != weight_settings(one)


@pytest.mark.parametrize("key", sorted(MERGE))
def test_takes_how_runs_are_merged_where_they_are(key):
    changed = {f"merge.{key}": MERGE[key]}
    assert weight_settings(with_settings(RunConfig(), changed)) == weight_settings(RunConfig())
    base = {"how": "merge", "after": ["runs/a", "runs/b"]}
    merged, other = with_settings(RunConfig(), base), with_settings(RunConfig(), {**base, **changed})
    assert weight_settings(other) != weight_settings(merged)


@pytest.mark.parametrize("key", sorted(NOTHING))
def test_leaves_out_a_setting_that_decides_no_weights(key):
    assert weight_settings(with_settings(RunConfig(), {key: NOTHING[key]})) == weight_settings(RunConfig())


def test_takes_or_leaves_every_key_there_is():
    sections = {key.rsplit(".", 1)[0] for key in keys() if "." in key}
    mixture = {f"training.sampler.{key}" for key in SAMPLER}
    mixture |= {f"merge.{key}" for key in MERGE}
    assert set(keys()) - sections == {*DECIDING, *NOTHING, *mixture, "after"}  # `after` needs a `how` beside it
