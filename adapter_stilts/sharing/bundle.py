"""The weights of a run on disk: adapter/, fusion/ and head/, in safetensors and JSON only.

    adapter/nli.safetensors   the tensors of one adapter, float32, named without the adapter's name
    adapter/nli.json          its kind, settings, and the shape of every tensor
    fusion/1.safetensors      one AdapterFusion; its name ("fuse(nli, qa)") is in fusion/1.json
    head/head.safetensors     the output layer of the task; head/head.json holds its labels

Every adapter of the composition is there, those of the parents too, so that a run travels alone. The bytes depend on the weights
and settings only: no time, no path.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from adapter_stilts.errors import ArtefactError
from adapter_stilts.files import sha256, write_bytes, write_json
from adapter_stilts.sharing.manifest import Manifest, read_manifest

ROLES = ("adapter", "fusion", "head")


@dataclass(frozen=True)
class Part:
    """One trained module: its role, its name, what is needed to build it, and its tensors."""

    role: str
    name: str
    facts: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True)
class Bundle:
    """A verified run: what it says of itself, and its parts."""

    folder: Path
    manifest: Manifest
    parts: tuple[Part, ...]

    def of(self, role: str) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.role == role)


def save_parts(folder: Path, parts: Iterable[Part]) -> dict[str, str]:
    """Write the parts and return the sha256 of each file by its path in the run."""
    hashes = {}
    for role in ROLES:
        for number, part in enumerate([part for part in parts if part.role == role], start=1):
            stem = folder / role / (str(number) if role == "fusion" else part.name)
            tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(part.tensors.items())}
            shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
            write_bytes(stem.with_name(stem.name + ".safetensors"), safetensors.torch.save(tensors))
            write_json(stem.with_name(stem.name + ".json"), {"name": part.name, **part.facts, "tensors": shapes})
            for suffix in (".safetensors", ".json"):
                path = stem.with_name(stem.name + suffix)
                hashes[path.relative_to(folder).as_posix()] = sha256(path)
    return hashes


def load_bundle(folder: Path) -> Bundle:
    """A run's manifest and parts, every hash, tensor name and shape verified; raises MissingError or ArtefactError."""
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    names = [name for name in manifest.files if name.endswith(".safetensors")]
    return Bundle(folder, manifest, tuple(_read_part(folder, name) for name in names))


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Refuse a run with a missing, changed or unlisted weight file."""
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise ArtefactError(f"a file of the run is missing: {name}", where=str(folder), do="fetch the bundle again, or train the run again")
        if sha256(path) != expected:
            raise ArtefactError(
                f"a file of the run was changed or damaged: {name} does not match its sha256",
                where=str(path),
                do="fetch the bundle again, or train the run again",
            )
    for role in ROLES:
        for path in sorted((folder / role).glob("*.safetensors")):
            if path.relative_to(folder).as_posix() not in manifest.files:
                raise ArtefactError(f"a weight file that the manifest does not list: {path.name}", where=str(path), do="remove it")


def _read_part(folder: Path, name: str) -> Part:
    path = folder / name
    facts = json.loads(path.with_suffix(".json").read_bytes())
    shapes = facts.pop("tensors")
    try:
        tensors = safetensors.torch.load(path.read_bytes())
    except safetensors.SafetensorError as error:
        raise ArtefactError(f"not a whole safetensors file: {error}", where=str(path), do="fetch the bundle again") from error
    found = {key: list(tensor.shape) for key, tensor in tensors.items()}
    if found != shapes:
        wrong = sorted(set(found) ^ set(shapes)) or sorted(key for key in found if found[key] != shapes[key])
        raise ArtefactError(f"tensors and description disagree: {', '.join(wrong[:3])}", where=str(path), do="fetch the bundle again")
    return Part(name.split("/")[0], facts.pop("name"), facts, tensors)
