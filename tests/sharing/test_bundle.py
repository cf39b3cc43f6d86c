"""A bundle comes back bit by bit, or is refused with one sentence."""

from __future__ import annotations

import errno
import json
import random
import shutil
from dataclasses import replace

import pytest
import safetensors.torch
import torch

import adapter_stilts.files
from adapter_stilts.errors import ArtefactError, DoesNotFit, StiltsError
from adapter_stilts.sharing.bundle import Part, load_bundle, save_parts
from adapter_stilts.sharing.manifest import MANIFEST, write_manifest


def test_comes_back_bit_by_bit(bundle, parts):
    found = load_bundle(bundle())
    assert [(part.role, part.name) for part in found.parts] == [(part.role, part.name) for part in parts]
    for before, after in zip(parts, found.parts, strict=True):
        assert dict(after.facts) == dict(before.facts)
        assert after.tensors.keys() == before.tensors.keys()
        assert all(torch.equal(after.tensors[name], before.tensors[name]) for name in before.tensors)


def test_writes_safetensors_and_json_only(bundle):
    assert sorted(path.relative_to(bundle()).as_posix() for path in bundle().rglob("*") if path.is_file()) == [
        "adapter/nli.json",
        "adapter/nli.safetensors",
        "adapter/qa.json",
        "adapter/qa.safetensors",
        "fusion/1.json",
        "fusion/1.safetensors",
        "head/head.json",
        "head/head.safetensors",
        "manifest.json",
    ]


def test_writes_bytes_that_depend_on_weights_and_settings_only(tmp_path, parts):
    backwards = [Part(part.role, part.name, part.facts, dict(reversed(part.tensors.items()))) for part in parts]
    assert save_parts(tmp_path / "a", parts) == save_parts(tmp_path / "b" / "c", backwards)


def test_replaces_earlier_weights_and_the_remains_of_cut_writes_and_nothing_else(tmp_path, parts):
    save_parts(tmp_path, [replace(parts[0], name="old"), *parts[1:]])
    (tmp_path / "adapter" / ".nli.json.x1.partial").write_text("{")
    (tmp_path / "adapter" / "notes.txt").write_text("mine")
    save_parts(tmp_path, parts)
    assert sorted(path.name for path in (tmp_path / "adapter").iterdir()) == [
        "nli.json",
        "nli.safetensors",
        "notes.txt",
        "qa.json",
        "qa.safetensors",
    ]


@pytest.mark.parametrize(
    "name",
    [
        *(
            f"{stem}{suffix}"
            for stem in ("adapter/nli", "adapter/qa", "fusion/1", "head/head")
            for suffix in (".safetensors", ".json")
        ),
        MANIFEST,
    ],
)
def test_notices_one_changed_byte_anywhere(bundle, flip, name):
    draw = random.Random(name)
    whole = (bundle() / name).read_bytes()
    for place in {0, len(whole) - 1, *(draw.randrange(len(whole)) for _ in range(25))}:
        flip(bundle() / name, place, draw.randrange(1, 256))
        with pytest.raises(ArtefactError) as caught:
            load_bundle(bundle())
        assert name in str(caught.value).replace("the manifest ", "manifest.json ")
        assert caught.value.exit_code == 4
        assert caught.value.do
        (bundle() / name).write_bytes(whole)
    load_bundle(bundle())


@pytest.mark.parametrize("name", ["adapter/nli.safetensors", "head/head.json"])
def test_notices_a_missing_and_a_truncated_file(bundle, name):
    copy = bundle("cut")
    (copy / name).write_bytes((copy / name).read_bytes()[:-5])
    with pytest.raises(ArtefactError, match=f"{name} does not match its sha256"):
        load_bundle(copy)
    (copy / name).unlink()
    with pytest.raises(ArtefactError, match=f"missing: {name}"):
        load_bundle(copy)


@pytest.mark.parametrize("name", ["adapter/other.safetensors", "head/pytorch_model.bin", "fusion/2.pt"])
def test_refuses_a_weight_file_that_is_not_listed(bundle, name):
    (bundle() / name).write_bytes(b"anything")
    with pytest.raises(ArtefactError, match=f"does not list: {name}"):
        load_bundle(bundle())


def test_lets_files_that_are_no_weights_lie_there(bundle):
    (bundle() / "fusion" / "attention.json").write_text("{}")
    (bundle() / "adapter" / "notes.txt").write_text("mine")
    assert len(load_bundle(bundle()).parts) == 4


def relisted(folder, manifest, name, content):
    """The same bundle with a file replaced and its hash put right, as a forger would."""
    (folder / name).write_bytes(content)
    files = {
        path: adapter_stilts.files.sha256(folder / path)
        for path in json.loads((folder / MANIFEST).read_text())["files"]
    }
    write_manifest(folder, manifest(files=files))
    return folder


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "adapter/nli.safetensors",
            safetensors.torch.save({"encoder.layer.0.down": torch.zeros(4, 3)}),
            "disagree about encoder.layer.1.down",
        ),
        ("head/head.safetensors", safetensors.torch.save({"out": torch.zeros(3, 3)}), "disagree about out"),
        (
            "head/head.safetensors",
            safetensors.torch.save({"out": torch.zeros(2, 3)})[:-4],
            "not a whole safetensors file",
        ),
        ("adapter/nli.json", b"{}", "description of a part"),
        ("adapter/nli.json", b"[", "description of a part"),
        (
            "head/head.json",
            b'{"name": "head", "format": "pair", "task": "nli", "labels": "ab", "max_length": 64, "tensors": {}}',
            "description of a part",
        ),
    ],
)
def test_checks_names_and_shapes_under_right_hashes_too(bundle, manifest, name, content, message):
    with pytest.raises(ArtefactError, match=message):
        load_bundle(relisted(bundle(), manifest, name, content))


def test_refuses_weights_that_are_listed_without_their_description(bundle, manifest):
    files = {
        name: found
        for name, found in json.loads((bundle() / MANIFEST).read_text())["files"].items()
        if name != "adapter/nli.json"
    }
    write_manifest(bundle(), manifest(files=files))
    with pytest.raises(ArtefactError, match="without adapter/nli.json"):
        load_bundle(bundle())


@pytest.mark.parametrize("name", ["adapter/other.json", "head/notes.txt"])
def test_refuses_a_listed_file_that_is_no_part(bundle, manifest, name):
    (bundle() / name).write_text("{}")
    listed = [*json.loads((bundle() / MANIFEST).read_text())["files"], name]
    write_manifest(bundle(), manifest(files={path: adapter_stilts.files.sha256(bundle() / path) for path in listed}))
    with pytest.raises(ArtefactError, match=f"lists {name}, which is no part"):
        load_bundle(bundle())


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "a b", ""])
def test_refuses_a_name_that_is_no_file_name(tmp_path, parts, name):
    with pytest.raises(StiltsError, match="cannot name a file"):
        save_parts(tmp_path, [replace(parts[0], name=name)])


@pytest.mark.parametrize("failing", range(8))
def test_says_that_the_disk_is_full_at_every_file(bundle, parts, monkeypatch, failing):
    """The write that fails leaves no half file, and the next try is whole."""
    folder = bundle("full")
    count = iter(range(100))

    def full(handle):
        if next(count) == failing:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(adapter_stilts.files.os, "fsync", full)
    with pytest.raises(DoesNotFit, match="disk is full"):
        save_parts(folder, parts)
    assert not [path for path in folder.rglob("*") if path.name.endswith(".partial")]
    monkeypatch.undo()
    assert save_parts(folder, parts) == save_parts(bundle("other"), parts)
    shutil.rmtree(folder)
