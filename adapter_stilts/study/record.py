"""What a finished run leaves behind beside its weights: the resolved configuration, the manifest, and the JSON document of `--json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from adapter_stilts.config.load import dump
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.files import sha256, write_text
from adapter_stilts.sharing.manifest import CONFIG, IDENTITY, Manifest, Parent, TrunkFacts, read_manifest
from adapter_stilts.study import facts
from adapter_stilts.study.identity import rows_digest
from adapter_stilts.study.material import origin_facts
from adapter_stilts.study.prepare import Prepared
from adapter_stilts.study.run_folder import read_results
from adapter_stilts.tasks.sources import Loaded
from adapter_stilts.training.plan import Outcome

TASK_FILES = (".yaml", ".yml")


def write_config(prepared: Prepared, folder: Path) -> None:
    """config.yaml: every default written out, and what was decided on this machine in the place of "auto" and "as the task says"."""
    write_text(folder / CONFIG, dump(resolved(prepared)))


def resolved(prepared: Prepared) -> RunConfig:
    """The configuration with what was decided on this machine written out."""
    config = prepared.config
    trunk = config.trunk.model_copy(update={"precision": prepared.trunk.precision, "revision": prepared.trunk.revision or None})
    adapter = config.adapter.model_copy(update={"kind": prepared.kind, "settings": prepared.settings})
    training = config.training.model_copy(update={"max_length": prepared.max_length})
    return config.model_copy(update={"trunk": trunk, "adapter": adapter, "training": training})


def manifest_of(prepared: Prepared, folder: Path, parts: Sequence[dict[str, Any]], hashes: Mapping[str, str], outcome: Outcome, seconds: float) -> Manifest:
    """The manifest of a run whose weights and config.yaml are in the folder. seconds: of this process."""
    config, task, trunk = prepared.config, prepared.task, prepared.trunk
    counts = {"rows": len(prepared.examples), "features": len(prepared.features), "processes": prepared.processes.count}
    return Manifest(
        name=folder.resolve().name,
        identity=prepared.identity,
        task=task.name,
        task_file=config.task.name if config.task.name.endswith(TASK_FILES) else "",
        format=task.format,
        language=task.train_language,
        how=config.how,
        control=config.control,
        composition=str(prepared.lineage.composition),
        trunk=TrunkFacts(
            name=trunk.name,
            revision=trunk.revision or None,
            fingerprint=trunk.fingerprint,
            layers=trunk.layers,
            hidden=trunk.hidden,
            precision=trunk.precision,
        ),
        parents=tuple(Parent(name=parent.manifest.name, folder=str(parent.folder), checksum=parent.manifest.checksum) for parent in prepared.parents),
        data=tuple(_origin(loaded) for loaded in (prepared.train, prepared.validation) if loaded is not None),
        seeds={"training": config.training.seed},
        versions=facts.versions(),
        device=facts.device_name(prepared.device),
        seconds=round(max(seconds, outcome.seconds), 3),
        peak_memory=facts.peak_memory(prepared.device),
        licence=task.licence,
        substitutions=task.substitutions,
        training={**_outcome(outcome), **counts},
        parts=tuple(parts),
        files={**hashes, **{name: sha256(folder / name) for name in (IDENTITY, CONFIG)}},
    )


def head_facts(prepared: Prepared) -> dict[str, Any]:
    """What head/head.json says beside the shapes: everything needed to use the head on new rows."""
    task = prepared.task
    return {"format": task.format, "task": task.name, "labels": list(prepared.labels or ()), "max_length": prepared.max_length}


def document(folder: Path) -> dict[str, Any]:
    """The JSON document of a finished run: folder, composition, parts, training and results."""
    manifest = read_manifest(folder)
    return {
        "run": str(folder),
        "identity": manifest.identity,
        "task": manifest.task,
        "how": manifest.how,
        "composition": manifest.composition,
        "parts": list(manifest.parts),
        "training": manifest.training,
        "substitutions": list(manifest.substitutions),
        "results": read_results(folder),
    }


def preview(prepared: Prepared, folder: Path, state: str, parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The JSON document of `--dry-run`: what the run would be. bytes: of its weights on disk, about."""
    return {
        "run": str(folder),
        "identity": prepared.identity,
        "state": state,
        "task": prepared.task.name,
        "how": prepared.config.how,
        "composition": str(prepared.lineage.composition),
        "rows": len(prepared.examples),
        "validation_rows": len(prepared.validation.examples) if prepared.validation else 0,
        "steps": prepared.steps,
        "bytes": 4 * sum(row["parameters"] for row in parts if row["role"] != "trunk"),
        "parts": list(parts),
        "results": [],
    }


def _origin(loaded: Loaded) -> dict[str, Any]:
    """Where a split came from, with its files' hashes, or that of its rows where it comes from no files."""
    found = origin_facts(loaded.origin)
    return found if found["files"] else {**found, "rows_sha256": rows_digest(loaded)}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    """How training ended, with the last loss in the place of all of them, which are in metrics.jsonl."""
    return {**asdict(outcome), "losses": [[step, round(loss, 6)] for step, loss in outcome.losses[-1:]]}
