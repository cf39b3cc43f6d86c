"""A run that was saved and loaded in a new process gives the same logits, bit by bit; on another trunk it is
refused."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

import adapter_stilts.runs.prepare
import adapter_stilts.runs.train
from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.kinds import kinds
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.encoder.trunk.quantised import QUANTISED
from adapter_stilts.errors import ArtefactError
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.build import finished_encoder, finished_models
from adapter_stilts.runs.results import read_results
from adapter_stilts.sharing.bundle import load_bundle

SCRIPT = Path(__file__).with_name("reload.py")
SMALL = {
    "compacter": {"reduction_factor": 8},
    "prefix_tuning": {"prefix_length": 4, "bottleneck_size": 8},
    "mam": {"prefix_length": 4, "bottleneck_size": 8},
}
KINDS = [*kinds]
COMPOSED = {  # name: (task, how, parents, more)
    "sequential": ("nli", "sequential", ["paraphrase"], {}),
    "stack": ("nli", "stack", ["paraphrase"], {}),
    "stack-on-stack": ("nli", "stack", ["stack"], {}),
    "from-layer": ("nli", "direct", [], {"adapter.from_layer": 1}),
    "stack-from-layer": ("nli", "stack", ["from-layer"], {"adapter.from_layer": 1, "adapter.kind": "lora"}),
    "fuse": ("nli", "fuse", ["paraphrase", "seq_bn"], {}),
    "fuse-target": ("nli", "fuse", ["paraphrase", "seq_bn"], {"fusion.target_adapter": True}),
    "fuse-of-stacks": ("nli", "fuse", ["stack", "stack-on-stack"], {}),
    "stack-on-fuse": ("nli", "stack", ["fuse-target"], {}),
    "written": (
        "nli",
        "stack",
        ["paraphrase", "seq_bn"],
        {"composition": "stack(average(paraphrase, nli, weights=0.25/0.75), nli-2)"},
    ),
}
PRECISIONS = ("fp32", "bf16", *(QUANTISED if importlib.util.find_spec("bitsandbytes") else ()))
SOME = ("seq_bn", "dora", "sequential", "fuse")  # of trunks in 8 or 4 bits


def made(precision: str) -> list[str]:
    """What is trained over a trunk of this precision."""
    if precision in QUANTISED:
        return [*SOME]
    return [name for name in (*KINDS, *COMPOSED) if (precision, name) != ("bf16", "full")]


NAMES = [f"{precision}-{name}" for precision in PRECISIONS for name in made(precision)]


@pytest.fixture(scope="module")
def reload():
    spec = importlib.util.spec_from_file_location("study_reload", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny_folder, data, reload):
    """Every kind and every composition trained for two steps in every precision: {name: (folder, logits of the model
    that was trained)}."""
    root, patch, models = tmp_path_factory.mktemp("runs"), pytest.MonkeyPatch(), []
    patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    trunks = {precision: load_trunk(str(tiny_folder), precision=precision) for precision in PRECISIONS}
    patch.setattr(adapter_stilts.runs.prepare, "load_trunk", lambda name, *, precision, **rest: trunks[precision])
    parts_of = adapter_stilts.runs.train.parts_of
    patch.setattr(
        adapter_stilts.runs.train,
        "parts_of",
        lambda prepared, model: models.append(model) or parts_of(prepared, model),
    )

    def make(name: str, precision: str, task: str, **settings: object):
        base = {
            "trunk.name": str(tiny_folder),
            "trunk.precision": precision,
            "data.sources": data(task),
            "training.max_steps": 2,
        }
        config = with_settings(
            RunConfig(), {**base, "training.token_budget": 256, "training.learning_rate": 0.05, **settings}
        )
        out = root / f"{precision}-{name}"
        adapter_stilts.runs.train.train(
            config, (task,), out=out, runs=root, resume=True, overwrite=False, dry_run=False, report=Silent()
        )
        return out, reload.logits(models.pop())

    found = {}
    for precision in PRECISIONS:
        make("paraphrase", precision, "paraphrase")
        for kind in KINDS:
            if kind in made(precision):
                found[f"{precision}-{kind}"] = make(
                    kind, precision, "nli", **{"adapter.kind": kind, "adapter.settings": SMALL.get(kind, {})}
                )
        for name, (task, how, parents, more) in COMPOSED.items():
            if name not in made(precision):
                continue
            after = [str(root / f"{precision}-{parent}") for parent in parents]
            found[f"{precision}-{name}"] = make(name, precision, task, how=how, after=after, **more)
    patch.undo()
    return found


@pytest.fixture(scope="module")
def reloaded(runs, tiny_folder, tmp_path_factory):
    """The logits of the same runs from a new process."""
    out = tmp_path_factory.mktemp("reloaded") / "logits.safetensors"
    subprocess.run(
        [sys.executable, SCRIPT, tiny_folder, out, *(folder for folder, _ in runs.values())], check=True, timeout=120
    )
    return safetensors.torch.load(out.read_bytes())


@pytest.mark.parametrize("name", NAMES)
def test_gives_the_same_logits_in_a_new_process(runs, reloaded, name):
    assert torch.equal(reloaded[name].view(torch.int32), runs[name][1].view(torch.int32))


def test_tells_the_runs_apart(runs, reloaded):
    """Or the test above would compare a trunk with itself."""
    assert len({tuple(reloaded[name].flatten().tolist()) for name in NAMES}) == len(NAMES)


def test_holds_every_part_of_the_composition_and_of_the_parents(runs, contents):
    folder, _ = runs["fp32-fuse-of-stacks"]
    assert load_bundle(folder).manifest.composition == "fuse(stack(paraphrase, nli), stack(paraphrase, nli, nli-2))"
    assert sorted(contents(folder, "adapter", "fusion", "head")) == [
        *(f"adapter/{name}.{suffix}" for name in ("nli-2", "nli", "paraphrase") for suffix in ("json", "safetensors")),
        *("fusion/1.json", "fusion/1.safetensors", "fusion/attention.json", "head/head.json", "head/head.safetensors"),
    ]


def test_notices_a_changed_byte_in_any_file_of_a_run(runs, flip, tmp_path):
    folder = shutil.copytree(runs["fp32-fuse-target"][0], tmp_path / "run")
    draw = random.Random(5)
    listed = [*load_bundle(folder).manifest.files, "manifest.json", "results.json"]
    assert {"config.yaml", "adapter/nli.json", "fusion/1.safetensors", "head/head.safetensors"} <= {*listed}
    for name in listed:
        whole = (folder / name).read_bytes()
        for _ in range(4):
            flip(folder / name, draw.randrange(len(whole)), draw.randrange(1, 256))
            with pytest.raises(ArtefactError) as caught:
                (load_bundle if name != "results.json" else read_results)(folder)
            assert caught.value.exit_code == 4
            (folder / name).write_bytes(whole)


def test_carries_the_adapters_of_its_parents_unchanged(runs):
    (parent, _), (child, _) = runs["fp32-stack"], runs["fp32-stack-on-stack"]
    for name in ("paraphrase", "nli"):
        assert (parent / f"adapter/{name}.safetensors").read_bytes() == (
            child / f"adapter/{name}.safetensors"
        ).read_bytes()


def test_loads_a_bundle_without_checkpoints_and_predictions(runs, reload, tiny_folder, tmp_path):
    folder, logits = runs["fp32-stack"]
    copy = shutil.copytree(
        folder, tmp_path / "bundle", ignore=shutil.ignore_patterns("checkpoints", "predictions", "units", ".lock")
    )
    found = reload.logits(finished_models(load_trunk(str(tiny_folder), precision="fp32"), load_bundle(copy))["head"])
    assert torch.equal(found, logits)


def changed(tiny_folder: Path, out: Path, *, weights: str = "", layers: int = 2) -> Path:
    """The tiny trunk as another folder: renamed, fine-tuned by one number, or of another depth."""
    shutil.copytree(tiny_folder, out)
    tensors = safetensors.torch.load((out / "model.safetensors").read_bytes())
    if weights:
        tensors[weights].view(-1)[0] += 1e-3
    kept = {
        name: tensor
        for name, tensor in tensors.items()
        if not name.startswith(tuple(f"roberta.encoder.layer.{n}." for n in range(layers, 2)))
    }
    (out / "model.safetensors").write_bytes(safetensors.torch.save(kept))
    described = json.loads((out / "config.json").read_text())
    (out / "config.json").write_text(json.dumps({**described, "num_hidden_layers": layers}))
    return out


def test_takes_a_trunk_that_was_only_renamed(runs, reload, tiny_folder, tmp_path):
    folder, logits = runs["fp32-seq_bn"]
    trunk = load_trunk(str(changed(tiny_folder, tmp_path / "renamed")), precision="fp32")
    assert torch.equal(reload.logits(finished_models(trunk, load_bundle(folder))["head"]), logits)


@pytest.mark.parametrize("build", [finished_models, finished_encoder])
def test_refuses_a_trunk_with_other_weights_and_names_both(runs, tiny_folder, tmp_path, build):
    folder, _ = runs["fp32-seq_bn"]
    for name in ("roberta.encoder.layer.1.output.dense.weight", "roberta.embeddings.word_embeddings.weight"):
        other = changed(tiny_folder, tmp_path / name, weights=name)
        with pytest.raises(ArtefactError, match="trained on weights") as caught:
            build(load_trunk(str(other), precision="fp32"), load_bundle(folder))
        assert str(tiny_folder) in str(caught.value)
        assert str(other) in str(caught.value)
        assert caught.value.exit_code == 4


def test_refuses_a_trunk_of_another_depth_and_names_both(runs, tiny_folder, tmp_path):
    other = changed(tiny_folder, tmp_path / "flat", layers=1)
    with pytest.raises(
        ArtefactError,
        match=r"of 2 layers of width 32 \('.*tiny-xlmr0'\), and this one is of 1 layers of width 32 \('.*flat'\)",
    ):
        finished_models(load_trunk(str(other), precision="fp32"), load_bundle(runs["fp32-seq_bn"][0]))


def test_refuses_to_build_on_a_run_of_another_trunk(runs, tiny_folder, tmp_path, data):
    other = changed(tiny_folder, tmp_path / "tuned", weights="roberta.encoder.layer.0.output.dense.weight")
    base = {
        "trunk.name": str(other),
        "data.sources": data("nli"),
        "how": "stack",
        "after": [str(runs["fp32-seq_bn"][0])],
    }
    with pytest.raises(ArtefactError, match="trained on weights"):
        adapter_stilts.runs.train.train(
            with_settings(RunConfig(), base),
            ("nli",),
            out=None,
            runs=tmp_path / "runs",
            resume=True,
            overwrite=False,
            dry_run=False,
            report=Silent(),
        )
    assert not (tmp_path / "runs").exists()
