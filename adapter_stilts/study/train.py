"""One training run from start to end: data, model, loop, validation, and the folder it leaves behind.

    train(config, ("nli",), out=None, ...)   ->  runs/nli-1a2b3c4d/ and the JSON document that `--json` prints

The run's identity is the fingerprint of its configuration, its parents, its trunk's weights and its data's bytes: the same again
resumes or is done, anything else is another run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from adapter_stilts.config.load import dump
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.files import write_text
from adapter_stilts.seeding import Seeds
from adapter_stilts.sharing.bundle import save_parts
from adapter_stilts.sharing.manifest import Manifest, Parent, TrunkFacts, read_manifest, write_manifest
from adapter_stilts.study import facts
from adapter_stilts.study.build import mixed_up, new_model, parts_of, table_rows
from adapter_stilts.study.card import write_card
from adapter_stilts.study.masked import masking_of
from adapter_stilts.study.material import origin_facts, subset
from adapter_stilts.study.measure import Reading, measure, validation_score
from adapter_stilts.study.prepare import Prepared, planned_steps, prepare, training_plan
from adapter_stilts.study.reporting import Reporter, Silent
from adapter_stilts.study.run_folder import claim, clear, locked, read_results, state_of, write_results
from adapter_stilts.training.devices import processes
from adapter_stilts.training.interrupt import StopSignal
from adapter_stilts.training.loop import Outcome, Progress
from adapter_stilts.training.loop import train as train_loop
from adapter_stilts.training.rows import feature_data


def train(
    config: RunConfig, tasks: Sequence[str], *, out: Path | None, runs: Path, resume: bool, overwrite: bool, dry_run: bool, report: Reporter
) -> dict[str, Any]:
    """Train one adapter (or fusion) and its head; returns what `--json` prints. Raises the errors of every part it passes through.

    Under `accelerate launch` every process trains; the first alone writes the folder, and the others return {}.
    """
    prepared = prepare(config, tasks, report)
    folder = out or runs / f"{prepared.task.name}-{prepared.identity}"
    state = state_of(folder, prepared.identity, overwrite=overwrite)
    if dry_run:
        return _preview(prepared, folder, state, report)
    if state == "done":
        report.say(f"{folder} holds this run already; nothing to do (--overwrite trains it again)")
        return document(folder)
    together = processes(torch.device(prepared.device))
    together.wait()
    if not together.main:
        _train(prepared, _model(prepared), folder, resume=state == "resumable", report=Silent())
        return {}
    with locked(folder):
        if state == "new" and overwrite:
            clear(folder)
        claim(folder, prepared.identity, prepared.task.name)
        write_text(folder / "config.yaml", dump(_resolved(prepared)))
        _run(prepared, folder, resume=state == "resumable", report=report)
    return document(folder)


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


def _run(prepared: Prepared, folder: Path, *, resume: bool, report: Reporter) -> None:
    started = time.perf_counter()
    model = _model(prepared)
    parts = table_rows(model)
    report.table(f"{prepared.lineage.composition}", ("part", "role", "active", "trained", "parameters"), [tuple(row.values()) for row in parts])
    outcome = _train(prepared, model, folder, resume=resume, report=report)
    hashes = save_parts(folder, parts_of(model, prepared.lineage, kind=prepared.kind, settings=prepared.settings, head_facts=_head_facts(prepared)))
    rows = _validation_rows(prepared, model, folder)
    manifest = _manifest(prepared, folder, parts, hashes, outcome, seconds=time.perf_counter() - started)
    write_results(folder, rows)
    write_card(folder, manifest, rows)
    write_manifest(folder, manifest)
    for row in rows:
        report.say(f"{row['task']} {row['language']} {row['split']} {row['metric']} {100 * row['score']:.1f} (n {row['n']})")


def _model(prepared: Prepared) -> TaskModel:
    config, seeds = prepared.config, Seeds(prepared.config.training.seed)
    line = mixed_up(prepared.lineage, seeds) if config.control == "random-adapter" else prepared.lineage
    return new_model(
        prepared.trunk,
        line,
        prepared.task.format,
        kind=prepared.kind,
        settings=prepared.settings,
        labels=len(prepared.labels or ()),
        seeds=seeds,
        dropout=config.training.head_dropout,
    ).to(prepared.device)


def _train(prepared: Prepared, model: TaskModel, folder: Path, *, resume: bool, report: Reporter) -> Outcome:
    config = prepared.config
    if config.control == "random-adapter":
        return Outcome(0, 0, None, None, (), 0.0, "control")
    validate = _validator(prepared) if prepared.validation is not None else None
    if validate is None:
        report.say("no validation rows: the weights of the last step are kept")
    data = feature_data(prepared.features, prepared.task.format, prepared.trunk.pad_id, masking_of(prepared.task.format, prepared.trunk))
    with StopSignal() as stop, report.progress(f"training {prepared.task.name}") as advance:

        def progress(now: Progress) -> None:
            advance(now.step, now.total, f"loss {now.loss:.3f}, {now.tokens_per_second:,.0f} tokens/s")

        return train_loop(
            model, data, training_plan(config), folder=folder, validate=validate, resume=resume, identity=prepared.identity, progress=progress, stop=stop
        )


def outcome_facts(outcome: Outcome) -> dict[str, Any]:
    """What the manifest says of a training."""
    facts = asdict(outcome)
    facts["losses"] = [[step, round(loss, 6)] for step, loss in outcome.losses[-1:]]
    return facts


def _validator(prepared: Prepared) -> Callable[[TaskModel], float]:
    assert prepared.validation is not None
    examples = subset(prepared.validation, prepared.config.training.validation_rows, Seeds(prepared.config.training.seed))
    return validation_score(prepared.task, examples, _reading(prepared))


def _validation_rows(prepared: Prepared, model: TaskModel, folder: Path) -> list[dict[str, Any]]:
    if prepared.validation is None or prepared.config.control == "random-adapter":
        return []
    return measure(model, prepared.task, prepared.validation, _reading(prepared), folder)


def _reading(prepared: Prepared) -> Reading:
    config = prepared.config
    return Reading(prepared.labels, prepared.max_length, 4 * config.training.token_budget, config.evaluation.protocol, config.training.seed)


def _resolved(prepared: Prepared) -> RunConfig:
    """The configuration with what was decided on this machine written out."""
    trunk = prepared.config.trunk.model_copy(update={"precision": prepared.trunk.precision, "revision": prepared.trunk.revision})
    adapter = prepared.config.adapter.model_copy(update={"kind": prepared.kind, "settings": prepared.settings})
    training = prepared.config.training.model_copy(update={"max_length": prepared.max_length})
    return prepared.config.model_copy(update={"trunk": trunk, "adapter": adapter, "training": training})


def _head_facts(prepared: Prepared) -> dict[str, Any]:
    return {"format": prepared.task.format, "task": prepared.task.name, "labels": list(prepared.labels or ()), "max_length": prepared.max_length}


def _manifest(prepared: Prepared, folder: Path, parts: Sequence[dict[str, Any]], hashes: dict[str, str], outcome: Outcome, *, seconds: float) -> Manifest:
    from adapter_stilts.files import sha256

    config, trunk = prepared.config, prepared.trunk
    origins = [loaded.origin for loaded in (prepared.train, prepared.validation) if loaded is not None]
    return Manifest(
        name=folder.name,
        identity=prepared.identity,
        task=prepared.task.name,
        format=prepared.task.format,
        language=prepared.task.train_language,
        how=config.how,
        control=config.control,
        composition=str(prepared.lineage.composition),
        trunk=TrunkFacts(
            name=trunk.name, revision=trunk.revision, fingerprint=trunk.fingerprint, layers=trunk.layers, hidden=trunk.hidden, precision=trunk.precision
        ),
        parents=tuple(Parent(name=parent.manifest.name, folder=str(parent.folder), checksum=parent.manifest.checksum) for parent in prepared.parents),
        data=tuple(origin_facts(origin) for origin in origins),
        seeds={"training": config.training.seed},
        versions=facts.versions(),
        device=facts.device_name(prepared.device),
        seconds=round(seconds, 3),
        peak_memory=facts.peak_memory(prepared.device),
        licence=prepared.task.licence,
        substitutions=tuple(prepared.task.substitutions),
        training={**outcome_facts(outcome), "rows": len(prepared.examples), "features": len(prepared.features)},
        parts=tuple(parts),
        files={**hashes, "config.yaml": sha256(folder / "config.yaml")},
    )


def _preview(prepared: Prepared, folder: Path, state: str, report: Reporter) -> dict[str, Any]:
    """What the run would do: rows, steps and the table of parts, without a step."""
    model = _model(prepared)
    parts = table_rows(model)
    plan = training_plan(prepared.config)
    steps = 0 if prepared.config.control == "random-adapter" else planned_steps(prepared, plan)
    stored = sum(row["parameters"] for row in parts if row["role"] != "trunk") * 4
    report.table(str(prepared.lineage.composition), ("part", "role", "active", "trained", "parameters"), [tuple(row.values()) for row in parts])
    report.say(f"would train {prepared.task.name} on {len(prepared.examples)} rows for {steps} steps into {folder} ({state}; about {stored / 1e6:.1f} MB)")
    return {
        "run": str(folder),
        "identity": prepared.identity,
        "state": state,
        "task": prepared.task.name,
        "how": prepared.config.how,
        "composition": str(prepared.lineage.composition),
        "rows": len(prepared.examples),
        "validation_rows": len(prepared.validation.examples) if prepared.validation else 0,
        "steps": steps,
        "bytes": stored,
        "parts": parts,
        "results": [],
    }
