"""An adapter of another library as a run of ours: a part of compositions like any other, with its head if any."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import torch

from adapter_stilts import environment
from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.config.load import dump, with_settings
from adapter_stilts.config.places import travelling
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.convert.base import Foreign
from adapter_stilts.encoder.heads import build_head
from adapter_stilts.encoder.kinds import kinds, resolve
from adapter_stilts.encoder.model import AdapterEncoder, count
from adapter_stilts.encoder.transfer import copy_into
from adapter_stilts.encoder.trunk.loading import Trunk
from adapter_stilts.files import IDENTITY, sha256, write_text
from adapter_stilts.runs.build import HEAD
from adapter_stilts.runs.folder import claim, clear, locked, state_of
from adapter_stilts.runs.record import facts_of_trunk
from adapter_stilts.runs.results import write_results
from adapter_stilts.sharing.bundle import Part, save_parts
from adapter_stilts.sharing.card import write_card
from adapter_stilts.sharing.manifest import CONFIG, Manifest, PartFacts, write_manifest
from adapter_stilts.sharing.places import named, remember

UNTOLD = "und"  # the language of what it learned, where nobody says


def write_run(foreign: Foreign, trunk: Trunk, out: Path, *, form: str, language: str = "", overwrite: bool) -> Manifest:
    """Write a run that holds the adapter on `trunk`; ArtefactError for weights that do not fit it."""
    name = re.sub(r"[^\w-]+", "-", foreign.name).strip("-") or "adapter"
    parts = [_adapter(foreign, name, trunk, language)]
    if foreign.head is not None:
        parts.append(_checked_head(foreign.head, trunk))
    facts = {"kind": foreign.kind, "settings": parts[0].facts["settings"]}
    config = with_settings(RunConfig(), {"trunk.name": trunk.name, "trunk.precision": trunk.precision})
    config = config.model_copy(
        update={
            "trunk": config.trunk.model_copy(update={"revision": trunk.revision or None}),
            "adapter": config.adapter.model_copy(update=facts),
        }
    )
    weights = {f"{part.role}/{key}": _digest(tensor) for part in parts for key, tensor in part.tensors.items()}
    identity = fingerprint(["converted", trunk.fingerprint, facts, weights])
    with locked(out):
        state_of(out, identity, overwrite=overwrite, asked=config)
        clear(out)
        claim(out, identity, name)
        about = named(trunk.name, trunk.revision)
        write_text(out / CONFIG, dump(travelling(config, about["name"])))
        remember(out, trunk=trunk.name if about["source"] == "folder" else "")
        hashes = save_parts(out, parts)
        hashes |= {file: sha256(out / file) for file in (IDENTITY, CONFIG)}
        manifest = _manifest(parts, trunk, out.resolve().name, identity, form, language, hashes)
        write_results(out, [])
        write_card(out, manifest, [])
        return write_manifest(out, manifest)


def _adapter(foreign: Foreign, name: str, trunk: Trunk, language: str) -> Part:
    """The adapter's part, every tensor checked against its kind, its settings and the trunk."""
    encoder = AdapterEncoder(trunk)
    settings = resolve(kinds[foreign.kind], foreign.settings)
    encoder.add(name, foreign.kind, settings)
    tensors = {**encoder.tensors(name), **foreign.tensors}
    copy_into(f"adapter '{foreign.name}'", encoder.adapters[name], tensors, trunk.depth, trunk.config.num_hidden_layers)
    facts = {"kind": foreign.kind, "settings": settings, "trained": True, "language": language}
    return Part("adapter", name, facts, {key: tensor.float() for key, tensor in tensors.items()})


def _checked_head(part: Part, trunk: Trunk) -> Part:
    labels = max(len(part.facts["labels"]), 1)
    head = build_head(part.facts["format"], trunk.config.hidden_size, labels, seed=0)
    copy_into("the head", head, part.tensors)
    return replace(part, name=HEAD)


def _manifest(
    parts: list[Part], trunk: Trunk, name: str, identity: str, form: str, language: str, hashes: dict[str, str]
) -> Manifest:
    head = next((part for part in parts if part.role == "head"), None)
    rows = [PartFacts(part="trunk", role="trunk", active=True, trained=False, parameters=count(trunk.model))]
    for part in parts:
        size = part.parameters
        rows.append(PartFacts(part=part.name, role=part.role, active=True, trained=True, parameters=size))
    facts = {
        "name": name,
        "identity": identity,
        "task": head.facts["task"] if head is not None else parts[0].name,
        "format": head.facts["format"] if head is not None else "",
        "language": language or UNTOLD,
        "how": "direct",
        "control": "none",
        "composition": parts[0].name,
        "trunk": facts_of_trunk(trunk),
        "parents": (),
        "data": (),
        "seeds": {"training": 0},
        "versions": environment.versions(),
        "device": "",
        "seconds": 0.0,
        "peak_memory": 0,
        "licence": "",
        "substitutions": (f"converted from {form}: what it was trained on is not known here",),
        "training": {},
        "parts": tuple(rows),
        "files": hashes,
    }
    return Manifest.model_validate(facts)


def _digest(tensor: torch.Tensor) -> str:
    return fingerprint([list(tensor.shape), tensor.float().contiguous().numpy().tobytes().hex()])
