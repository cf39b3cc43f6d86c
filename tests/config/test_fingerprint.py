"""A fingerprint changes with everything that decides a result, and with nothing else."""

from __future__ import annotations

import hashlib

import pytest

from adapter_stilts.config.fingerprint import fingerprint, identity
from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig, keys

OTHER = {
    "trunk.name": "x",
    "trunk.revision": "x",
    "trunk.precision": "fp32",
    "adapter.kind": "lora",
    "adapter.settings": {"r": 8},
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
    "training.evaluate_steps": 7,
    "training.precision": "bf16",
    "training.gradient_checkpointing": True,
    "training.limit_gb": 4,
    "training.mask_rate": 0.3,
    "fusion.target_adapter": True,
    "fusion.penalty": 0.5,
    "fusion.learning_rate": 0.5,
    "retrieval.layer": 3,
    "retrieval.pool": "max",
    "retrieval.k": 5,
    "retrieval.margin": "ratio",
    "retrieval.centre": True,
    "evaluation.protocol": "jiant",
    "evaluation.languages": ["sw"],
    "evaluation.head": "nli",
    "evaluation.language_adapters": ["de=run"],
    "how": "joint",
}
SAMPLER = {"name": "uniform", "temperature": 3, "cap": 50, "weights": {"nli": 2}}  # of `how: joint`, each beside the name that uses it
NOTHING = {"training.checkpoint_steps": 9, "training.log_steps": 9}


def test_is_the_start_of_a_sha256_of_canonical_json():
    assert fingerprint({"b": 1, "a": [0.1, None]}) == hashlib.sha256(b'[{"a":[0.1,null],"b":1}]').hexdigest()[:8]


def test_does_not_depend_on_the_order_of_keys():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


@pytest.mark.parametrize("key", sorted(OTHER))
def test_changes_with_every_setting_that_decides_a_result(key):
    assert fingerprint(with_settings(RunConfig(), {key: OTHER[key]})) != fingerprint(RunConfig())


@pytest.mark.parametrize("key", sorted(SAMPLER))
def test_changes_with_the_sampler_of_a_mixture(key):
    names = {"cap": "capped", "weights": "fixed"}
    base = {"how": "joint", "training.sampler.name": names.get(key, key if key != "name" else "proportional")}
    needed = {"capped": {"training.sampler.cap": 40}, "fixed": {"training.sampler.weights": {"nli": 1}}}.get(base["training.sampler.name"], {})
    one = with_settings(RunConfig(), {**base, **needed})
    assert fingerprint(with_settings(RunConfig(), {**base, **needed, f"training.sampler.{key}": SAMPLER[key]})) != fingerprint(one)


@pytest.mark.parametrize("key", sorted(NOTHING))
def test_does_not_change_with_a_setting_that_decides_nothing(key):
    assert fingerprint(with_settings(RunConfig(), {key: NOTHING[key]})) == fingerprint(RunConfig())


def test_is_tested_on_every_key_there_is():
    sections = {key.rsplit(".", 1)[0] for key in keys() if "." in key}
    assert set(keys()) - sections == {*OTHER, *NOTHING, *(f"training.sampler.{key}" for key in SAMPLER), "after"}  # `after` needs a `how` beside it


def test_treats_a_nested_configuration_like_a_bare_one():
    quiet = with_settings(RunConfig(), NOTHING)
    assert fingerprint({"config": quiet, "x": 1}) == fingerprint({"config": RunConfig(), "x": 1}) == fingerprint({"config": identity(quiet), "x": 1})


@pytest.mark.parametrize(("value", "error"), [(float("nan"), ValueError), ({1, 2}, TypeError), (object(), TypeError)])
def test_refuses_what_has_no_canonical_text(value, error):
    with pytest.raises(error):
        fingerprint(value)
