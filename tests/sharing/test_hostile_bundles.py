"""What a bundle says wrongly is refused with its file and key, and makes nobody take memory or leave the folder."""

from __future__ import annotations

import json
import resource
from dataclasses import replace

import pytest
import safetensors.torch
import torch

from adapter_stilts.encoder.composition import parse
from adapter_stilts.encoder.kinds import kinds
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.errors import ArtefactError, StiltsError
from adapter_stilts.files import sha256
from adapter_stilts.runs.build import finished_models
from adapter_stilts.runs.results import read_results
from adapter_stilts.sharing.bundle import Part, load_bundle, save_parts
from adapter_stilts.sharing.manifest import MANIFEST, write_manifest
from adapter_stilts.sharing.sealed import read_sealed, write_sealed

ROW = {"task": "nli", "protocol": "own", "language": "en", "split": "test", "metric": "accuracy", "score": 0.5, "n": 9}


@pytest.fixture
def forged(bundle, manifest):
    """`forged(name, key=value, ...)` changes a description or the manifest; all hashes are right."""

    def make(name: str, /, **fields: object):
        listed = read_sealed(bundle() / MANIFEST, "it", do="")
        if name == MANIFEST:
            write_sealed(bundle() / MANIFEST, {**listed, **fields})
            return bundle()
        said = json.loads((bundle() / name).read_text())
        (bundle() / name).write_text(json.dumps({**said, **fields}))
        write_manifest(bundle(), manifest(files={path: sha256(bundle() / path) for path in listed["files"]}))
        return bundle()

    return make


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("adapter/nli.json", {"kind": "seq_bm"}, r"kind: (.|\n)*seq_bm(.|\n)*nli\.json"),
        ("adapter/nli.json", {"settings": {"reduction_factor": "16"}}, r"settings\.reduction_factor: (.|\n)*nli\.json"),
        ("adapter/nli.json", {"settings": {"leave_out": "all"}}, r"settings\.leave_out: "),
        ("adapter/nli.json", {"settings": {"depth": 3}}, r"settings\.depth: "),
        ("adapter/nli.json", {"settings": 3}, r"not one: settings: "),
        ("adapter/nli.json", {"name": "qa"}, r"name: 'qa' stands in nli"),
        ("adapter/nli.json", {"surprise": 1}, r"not one: surprise: "),
        ("adapter/nli.json", {"tensors": {"encoder.layer.0.down": [-4, -3]}}, r"bytes, and the tensors|disagree"),
        ("head/head.json", {"max_length": -1}, r"not one: max_length: (.|\n)*head\.json"),
        ("head/head.json", {"max_length": 0}, r"max_length: "),
        ("head/head.json", {"max_length": 1.5}, r"max_length: "),
        ("head/head.json", {"format": "pear"}, r"format: 'pear' is not one of: "),
        ("head/head.json", {"labels": [1, 2]}, r"labels\.0: "),
        ("head/head.json", {"pool": "exec"}, r"pool: "),
        (MANIFEST, {"composition": "fuse(nli, qa"}, r"composition: (.|\n)*manifest\.json"),
        (MANIFEST, {"composition": "stack(" * 10**4}, r"composition: more than \d+ blocks"),
        (MANIFEST, {"composition": "run(nli, qa)"}, r"composition: 'run' is not one of"),
        (MANIFEST, {"composition": "stack(nli, qa)"}, r"fusion parts disagree"),
        (MANIFEST, {"composition": "fuse(nli, xx)"}, r"disagree about "),
        (MANIFEST, {"peak_memory": 10**400}, r"peak_memory: "),
        (MANIFEST, {"training": {"steps": -1}}, r"training\.steps: "),
    ],
)
def test_names_the_file_and_the_key_of_what_cannot_be(forged, name, fields, message):
    folder = forged(name, **fields)
    with pytest.raises(ArtefactError, match=message) as caught:
        load_bundle(folder)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_refuses_weights_that_are_no_numbers_and_names_the_tensor(bundle, parts, manifest, value):
    broken = {name: tensor.clone() for name, tensor in parts[1].tensors.items()}
    broken["encoder.layer.1.down"][2, 1] = value
    with pytest.raises(StiltsError, match=r"adapter 'qa' cannot be kept: 'encoder\.layer\.1\.down' holds"):
        save_parts(bundle(), [parts[0], replace(parts[1], tensors=broken)])
    load_bundle(bundle())  # what was there before is whole
    (bundle() / "adapter/qa.safetensors").write_bytes(safetensors.torch.save(broken))
    files = {name: sha256(bundle() / name) for name in read_sealed(bundle() / MANIFEST, "it", do="")["files"]}
    write_manifest(bundle(), manifest(files=files))
    with pytest.raises(ArtefactError, match=r"'encoder\.layer\.1\.down' holds values(.|\n)*qa\.safetensors"):
        load_bundle(bundle())


@pytest.mark.parametrize("dtype", [torch.int64, torch.float64, torch.bool])
def test_refuses_weights_of_another_type(bundle, manifest, dtype):
    tensors = safetensors.torch.load((bundle() / "head/head.safetensors").read_bytes())
    content = safetensors.torch.save({name: tensor.to(dtype) for name, tensor in tensors.items()})
    (bundle() / "head/head.safetensors").write_bytes(content)
    files = {name: sha256(bundle() / name) for name in read_sealed(bundle() / MANIFEST, "it", do="")["files"]}
    write_manifest(bundle(), manifest(files=files))
    with pytest.raises(ArtefactError, match="is stored as"):
        load_bundle(bundle())


HUGE = {
    "reduction_factor": (1e-9, 1e-300),
    "inv_adapter_reduction_factor": (1e-12,),
    "prefix_length": (10**12, 10**30),
    "bottleneck_size": (10**12,),
    "r": (10**9, 10**30),
    "alpha": (10**400,),
    "phm_rank": (10**12,),
    "phm_dim": (10**12,),
}


@pytest.mark.parametrize("kind", [kind for kind in kinds if set(HUGE) & set(kinds[kind].settings)])
def test_takes_no_more_memory_than_the_tensors_whatever_the_settings_say(kind, tiny_folder):
    trunk = load_trunk(str(tiny_folder), precision="fp32")
    encoder = AdapterEncoder(trunk)
    fits = {"reduction_factor": 8.0} if kind == "compacter" else {}
    encoder.add("a", kind, fits, seed=3)
    tensors = encoder.tensors("a")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in set(HUGE) & set(kinds[kind].settings):
        for value in HUGE[name]:
            with pytest.raises(ArtefactError, match="fits here|cannot be built"):
                AdapterEncoder(trunk).load("a", kind, {**fits, name: value}, tensors)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_takes_no_memory_for_a_head_of_more_labels_than_it_has_weights(tiny_folder, tmp_path, manifest):
    trunk = load_trunk(str(tiny_folder), precision="fp32")
    encoder = AdapterEncoder(trunk)
    encoder.add("nli", "seq_bn", {}, seed=3)
    facts = {"kind": "seq_bn", "settings": {}, "trained": True, "language": ""}
    labels = [f"l{number}" for number in range(200_000)]
    head = {"format": "pair", "task": "nli", "labels": labels, "max_length": 16}
    hidden = trunk.config.hidden_size
    tensors = {"dense.weight": (hidden, hidden), "dense.bias": (hidden,), "out.weight": (2, hidden), "out.bias": (2,)}
    drawn = {name: torch.zeros(shape) for name, shape in tensors.items()}
    files = save_parts(
        tmp_path, [Part("adapter", "nli", facts, encoder.tensors("nli")), Part("head", "head", head, drawn)]
    )
    facts = {"layers": trunk.config.num_hidden_layers, "hidden": hidden, "fingerprint": trunk.fingerprint}
    of = manifest().trunk.model_copy(update=facts)
    write_manifest(tmp_path, manifest(files=files, composition=str(parse("nli")), trunk=of))
    with pytest.raises(ArtefactError, match=r"'out\.(weight|bias)' of shape(.|\n)*head\.json"):
        finished_models(trunk, load_bundle(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": "../../../etc/passwd"}, "outside the run"),
        ({"predictions": "/etc/passwd"}, "outside the run"),
        ({"vectors": {"source": "a/../../b.npy"}}, "outside the run"),
        ({"score": "high"}, "score"),
        ({"n": -3}, "n"),
        ({"interval": [0.1]}, "interval"),
        ({"settings": []}, "settings"),
        ({"data": [{"path": 3}]}, "data"),
        ({"metric": None}, "metric"),
    ],
)
def test_refuses_scores_that_are_none_or_name_files_elsewhere(tmp_path, change, message):
    write_sealed(tmp_path / "results.json", {"results": [ROW]})
    assert read_results(tmp_path)[0].score == 0.5
    write_sealed(tmp_path / "results.json", {"results": [{**ROW, **change}]})
    with pytest.raises(ArtefactError, match=f"no score(.|\n)*{message}"):
        read_results(tmp_path)


@pytest.mark.parametrize("document", [{}, {"results": 3}, {"results": [3]}, {"results": [{}]}])
def test_refuses_results_that_are_none(tmp_path, document):
    write_sealed(tmp_path / "results.json", document)
    with pytest.raises(ArtefactError, match="no score"):
        read_results(tmp_path)
