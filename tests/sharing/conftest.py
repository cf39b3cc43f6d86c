"""A small bundle of made-up weights, and the damage that can be done to files."""

from __future__ import annotations

import shutil

import pytest
import torch

from adapter_stilts.sharing.bundle import Part, save_parts
from adapter_stilts.sharing.manifest import Manifest, TrunkFacts, write_manifest


@pytest.fixture
def manifest():
    """`manifest(name=value, ...)`: a manifest with every field filled."""

    def make(**fields: object) -> Manifest:
        trunk = TrunkFacts(name="miniature", revision=None, fingerprint="ab" * 16, layers=2, hidden=8, precision="fp32")
        words = {
            "name": "nli-1",
            "identity": "00000000",
            "task": "nli",
            "format": "pair",
            "language": "en",
            "how": "direct",
            "control": "none",
        }
        more = {
            "composition": "fuse(nli, qa)",
            "device": "CPU",
            "licence": "",
            "seconds": 1.5,
            "peak_memory": 7,
            "seeds": {"training": 13},
            "versions": {},
        }
        empty = {"parents": (), "data": (), "substitutions": (), "parts": (), "training": {}, "files": {}}
        return Manifest(**{**words, **more, **empty, "trunk": trunk, **fields})

    return make


@pytest.fixture
def parts():
    """Two adapters, a fusion of them and a head."""
    draw = torch.Generator().manual_seed(5)
    adapter = {
        "encoder.layer.0.down": torch.randn(4, 3, generator=draw),
        "encoder.layer.1.down": torch.randn(4, 3, generator=draw),
    }
    facts = {"kind": "seq_bn", "settings": {"reduction_factor": 16.0, "leave_out": []}, "trained": True, "language": ""}
    return (
        Part("adapter", "nli", facts, adapter),
        Part("adapter", "qa", facts, {name: tensor + 1 for name, tensor in adapter.items()}),
        Part("fusion", "fuse(nli, qa)", {"trained": False}, {"value": torch.eye(3)}),
        Part(
            "head",
            "head",
            {"format": "pair", "task": "nli", "labels": ["no", "yes"], "max_length": 64},
            {"out": torch.randn(2, 3, generator=draw)},
        ),
    )


@pytest.fixture(scope="session")
def flip():
    """`flip(path, place, mask)` changes one byte of a file; a mask of 0 is taken for 1."""

    def change(path, place: int, mask: int) -> None:
        content = bytearray(path.read_bytes())
        content[place % len(content)] ^= mask % 256 or 1
        path.write_bytes(content)

    return change


@pytest.fixture
def bundle(tmp_path, manifest, parts):
    """A folder with a whole bundle in it; `bundle("again")` is a copy."""
    folder = tmp_path / "bundle"
    hashes = save_parts(folder, parts)
    write_manifest(folder, manifest(files=hashes))

    def copy(name: str = ""):
        return shutil.copytree(folder, tmp_path / name) if name else folder

    return copy
