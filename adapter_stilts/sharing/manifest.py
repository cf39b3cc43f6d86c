"""What a run says of itself: trunk, parts, parents, data, versions and the hash of every file that belongs to it.

The manifest is written last, so a folder with one is whole. It carries a hash of itself ("checksum"), of each file it lists
("files"), and the fingerprint of the trunk that its adapters were trained on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from adapter_stilts.errors import ArtefactError, MissingError
from adapter_stilts.files import write_json

MANIFEST = "manifest.json"
VERSION = 1


class TrunkFacts(BaseModel):
    """The trunk a run was made on; the fingerprint is computed from its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    revision: str | None
    fingerprint: str
    layers: int
    hidden: int
    precision: str


class Parent(BaseModel):
    """A run that this one builds on, by the checksum of its manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    folder: str
    checksum: str


class Manifest(BaseModel):
    """Everything needed to load, verify and repeat a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: int = VERSION
    name: str
    identity: str
    task: str
    format: str
    language: str
    how: str
    control: str
    composition: str
    trunk: TrunkFacts
    parents: tuple[Parent, ...]
    data: tuple[dict[str, Any], ...]
    seeds: dict[str, int]
    versions: dict[str, str]
    device: str
    seconds: float
    peak_memory: int
    licence: str
    substitutions: tuple[str, ...]
    training: dict[str, Any]
    parts: tuple[dict[str, Any], ...]
    files: dict[str, str]
    checksum: str = ""

    def sealed(self) -> Manifest:
        """The same manifest with the checksum of everything else in it."""
        return self.model_copy(update={"checksum": _checksum(self.model_dump(mode="json"))})


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    sealed = manifest.sealed()
    write_json(folder / MANIFEST, sealed.model_dump(mode="json"))
    return sealed


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a run or bundle, its own checksum verified; raises MissingError or ArtefactError."""
    path = folder / MANIFEST
    if not path.is_file():
        what = "the run is not finished: it has no manifest" if (folder / "config.yaml").is_file() else "no run here"
        raise MissingError(what, where=str(folder), do="name a finished run's folder; `adapter-stilts list runs` shows them")
    try:
        fields = json.loads(path.read_bytes())
        manifest = Manifest.model_validate(fields)
    except (ValueError, ValidationError) as error:
        raise ArtefactError(f"the manifest is damaged: {_first_line(error)}", where=str(path), do="fetch the bundle again, or train the run again") from error
    if manifest.version != VERSION:
        raise ArtefactError(
            f"manifest version {manifest.version}; this program reads {VERSION}", where=str(path), do="use a matching version of adapter-stilts"
        )
    if _checksum(fields) != manifest.checksum:
        raise ArtefactError(
            "the manifest was changed after it was written: its checksum differs", where=str(path), do="fetch the bundle again, or train the run again"
        )
    return manifest


def _checksum(fields: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in fields.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split("\n")[:3]).strip()
