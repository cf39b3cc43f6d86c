"""`--from-layer`: adapters in the upper layers alone, and the layers below run once for each text of all runs."""

import json
import re

import pytest
import safetensors.torch
import torch
import yaml

import adapter_stilts.runs.train as module
from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.encoder.trunk.rows import UsedRows
from adapter_stilts.errors import Interrupted, UsageError
from adapter_stilts.runs.build import finished_encoder
from adapter_stilts.runs.merges.merge import merge
from adapter_stilts.runs.train import train
from adapter_stilts.sharing.bundle import load_bundle
from adapter_stilts.sharing.manifest import read_manifest

UP = {"adapter__from_layer": 1, "training__max_steps": 6}  # two epochs of the 24 rows
WEIGHTS = ("adapter", "head")


@pytest.fixture(autouse=True)
def states(tmp_path, monkeypatch):
    """The folder of what is kept, of each test its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "adapter-stilts" / "states"


def counted(heard):
    """Rows read and computed, of each run that `heard` was told of."""
    said = [re.search(r"the layers up to \d+: (\d+) rows were read, (\d+) computed", line) for line in heard.lines]
    return [tuple(map(int, found.groups())) for found in said if found]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_ends_with_the_same_weights_kept_or_not_and_in_the_next_run(trained, contents, heard, states, precision):
    settings = {**UP, "trunk__precision": precision, "training__evaluate_steps": 2}
    plain = trained(out="plain", training__cache_gb=0, report=heard, **settings)
    assert not states.exists()
    assert counted(heard) == []
    first = trained(out="first", report=heard, **settings)
    second = trained(out="second", report=heard, **settings)
    (read, made), (again, nothing) = counted(heard)
    assert made == 36  # 24 rows and 12 of validation, each once
    assert (again, nothing) == (read + made, 0)
    assert contents(first, *WEIGHTS) == contents(second, *WEIGHTS) == contents(plain, *WEIGHTS)
    scores = [json.loads((run / "results.json").read_text()) for run in (plain, first, second)]
    assert scores[0] == scores[1] == scores[2]


def test_reads_nothing_of_the_lower_layers_in_the_second_run(trained, monkeypatch):
    trained(out="first", **UP)
    monkeypatch.setattr(UsedRows, "_take", lambda self, rows: pytest.fail("a word embedding was read"))
    trained(out="second", **UP, training__seed=5)


def test_says_what_it_is_in_manifest_and_configuration(trained):
    upper, plain = trained(out="upper", **UP), trained(out="plain")
    assert json.loads((upper / "manifest.json").read_text())["from_layer"] == read_manifest(upper).from_layer == 1
    assert "from_layer" not in json.loads((plain / "manifest.json").read_text())
    assert read_manifest(plain).from_layer == 0
    config = yaml.safe_load((upper / "config.yaml").read_text())
    assert (config["adapter"]["from_layer"], config["adapter"]["settings"]["leave_out"]) == (1, [0])
    assert "from_layer" not in yaml.safe_load((plain / "config.yaml").read_text())["adapter"]
    assert {name.split(".")[2] for name in safetensors.torch.load_file(upper / "adapter/nli.safetensors")} == {"1"}


def test_is_another_run_than_one_that_leaves_the_layer_out(trained):
    """There the trunk's dropout reaches all layers."""
    upper = trained(out="upper", **UP)
    plain = trained(out="plain", training__max_steps=6, adapter__settings={"leave_out": [0]})
    assert read_manifest(upper).identity != read_manifest(plain).identity
    first, second = (safetensors.torch.load_file(run / "adapter/nli.safetensors") for run in (upper, plain))
    assert first.keys() == second.keys()
    assert not all(torch.equal(first[name], second[name]) for name in first)


def test_a_parent_with_adapters_in_all_layers_leaves_nothing_to_share(trained, heard, states):
    parent = trained(out="parent")
    child = trained(out="child", how="stack", after=[str(parent)], report=heard, **UP)
    assert "--from-layer 1: 'nli' acts from layer 1 on, so every layer runs in every epoch" in heard.lines
    assert read_manifest(child).from_layer == 0
    assert not states.exists()


def test_parents_and_fusions_above_share_with_the_runs_below_them(trained, heard):
    first = trained(out="first", report=heard, **UP)
    parents = [str(first), str(trained(out="second", report=heard, **UP, training__seed=4, adapter__kind="par_bn"))]
    stacked = trained(out="stacked", how="stack", after=parents[:1], report=heard, **UP, adapter__kind="lora")
    fused = trained(out="fused", how="fuse", after=parents, report=heard, **UP)
    again = trained(out="again", how="sequential", after=parents[:1], report=heard, **UP)
    assert [read_manifest(run).from_layer for run in (stacked, fused, again)] == [1, 1, 1]
    assert [made for _, made in counted(heard)] == [36, 0, 0, 0, 0]


def test_what_is_merged_sits_where_its_parents_do(trained, tiny_folder, tmp_path, heard):
    parents = [trained(out=f"seed-{seed}", **UP, training__seed=seed) for seed in (1, 2)]
    where = {"out": tmp_path / "merged", "runs": tmp_path, "overwrite": False, "dry_run": False, "report": heard}
    config = with_settings(RunConfig(), {"how": "merge", "after": list(map(str, parents))})
    merged = merge(parents, config, head="merge", **where).folder
    assert read_manifest(merged).from_layer == 1
    encoder = finished_encoder(load_trunk(str(tiny_folder), precision="fp32"), load_bundle(merged))
    assert encoder.untouched == next(iter(encoder.adapters.values())).lowest == 1


@pytest.mark.parametrize("task", ["choice", "qa", "ner"])
def test_shares_the_rows_of_every_format(trained, contents, heard, task):
    first = trained(task, out="first", report=heard, **UP)
    second = trained(task, out="second", report=heard, training__gradient_checkpointing=True, **UP)
    plain = trained(task, out="plain", training__cache_gb=0, report=heard, **UP)
    assert [made > 0 for _, made in counted(heard)] == [True, False]
    assert contents(first, *WEIGHTS) == contents(plain, *WEIGHTS)
    assert read_manifest(second).from_layer == 1


def test_keeps_no_masked_text_which_is_another_in_each_epoch(trained, heard, states):
    trained("mlm", report=heard, **UP)
    assert counted(heard) == [(0, 0)]
    assert not states.exists()
    trained("nli,mlm", out="joint", report=heard, **UP)
    assert counted(heard)[1][1] <= 36


def test_resumes_to_the_same_bits_whatever_is_left_of_the_cache(config, tmp_path, contents, monkeypatch, heard):
    def go(name):
        where = {"runs": tmp_path, "resume": True, "overwrite": False, "dry_run": False, "report": heard}
        return train(config(**UP, training__checkpoint_steps=1), ("nli",), out=tmp_path / name, **where)

    go("whole")
    real = module.StopSignal
    for step, cache in ((2, "cache"), (4, "elsewhere")):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / cache))
        monkeypatch.setattr(module, "StopSignal", lambda step=step: StopAt(real(), step))
        with pytest.raises(Interrupted):
            go("broken")
    monkeypatch.setattr(module, "StopSignal", real)
    go("broken")
    assert contents(tmp_path / "broken", *WEIGHTS) == contents(tmp_path / "whole", *WEIGHTS)


def test_a_damaged_cache_changes_no_bit_and_is_said(trained, contents, heard, states, flip):
    first = trained(out="first", **UP)
    for path in states.glob("*/*.rows"):
        flip(path, 12345, 4)
    second = trained(out="second", report=heard, **UP)
    assert any(line.endswith("is damaged: what it holds is computed again") for line in heard.lines)
    assert contents(first, *WEIGHTS) == contents(second, *WEIGHTS)


def test_refuses_a_layer_that_has_none_above_it_and_kinds_below_all_layers(trained, states):
    with pytest.raises(UsageError, match="no layer lies above hidden state 2 of a trunk of 2 layers.*") as caught:
        trained(adapter__from_layer=2)
    assert caught.value.do == "choose one from 1 to 1, or 0 for all layers"
    with pytest.raises(UsageError, match="full acts below all layers"):
        trained(adapter__from_layer=1, adapter__kind="full")


def test_writes_nothing_in_a_dry_run(config, tmp_path, states, heard):
    where = {"out": tmp_path / "run", "runs": tmp_path, "resume": True, "overwrite": False}
    planned = train(config(**UP), ("nli",), **where, dry_run=True, report=heard)
    assert not states.exists()
    assert planned.prepared.config.adapter.from_layer == 1


class StopAt:
    """A StopSignal that is asked for a stop when so many steps have been looked at."""

    def __init__(self, real, step):
        self.real, self.left = real, step

    def __enter__(self):
        self.real.__enter__()
        return self

    def __exit__(self, *error):
        self.real.__exit__(*error)

    @property
    def requested(self):
        self.left -= 1
        return self.left < 0
