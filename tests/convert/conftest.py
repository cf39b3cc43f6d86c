"""A run of two steps with weights that matter, on the tiny trunk, and conversions of it."""

from __future__ import annotations

import pytest
import torch

from adapter_stilts.convert.verb import Wanted, convert
from adapter_stilts.files import sha256
from adapter_stilts.sharing.bundle import load_bundle, save_parts
from adapter_stilts.sharing.manifest import read_manifest, write_manifest


@pytest.fixture
def made(trained):
    """`made(task, kind, ...)` is a run's folder whose adapters and head are far from where they started."""

    def make(task: str = "nli", kind: str = "lora", settings: dict | None = None, **more: object):
        given = {"adapter__kind": kind, "adapter__settings": settings or {}} if kind else {}
        folder = trained(task, training__max_steps=1, **given, **more)
        bundle, generator = load_bundle(folder), torch.Generator().manual_seed(5)
        for part in bundle.parts:
            for tensor in part.tensors.values():
                tensor += 0.1 * torch.randn(tensor.shape, generator=generator)
        hashes = save_parts(folder, bundle.parts)
        manifest = read_manifest(folder)
        files = {name: hashes.get(name, sha256(folder / name)) for name in manifest.files}
        write_manifest(folder, manifest.model_copy(update={"files": files}))
        return folder

    return make


@pytest.fixture
def converted(tmp_path):
    """`converted(run, "peft", ...)` is the folder that the conversion wrote."""

    def make(run, to: str, out: str = "converted", overwrite: bool = False, **wanted: object):
        convert(run, to, tmp_path / out, Wanted(**wanted), overwrite=overwrite, say=lambda sentence: None)
        return tmp_path / out

    return make


@pytest.fixture
def texts(tiny_trunk):
    """Two padded pairs as the tokenizer gives them."""
    first, second = ["The cat sleeps.", "Wer kaufte die roten Äpfel in Paris?"], ["The cat is awake.", "Anna."]
    return dict(tiny_trunk.tokenizer(first, second, padding=True, return_tensors="pt"))
