"""Everything a run needs, loaded and checked before its first step: data, trunk, parents, labels, features, identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.data.examples import Example
from adapter_stilts.data.features import Feature, features, length
from adapter_stilts.encoder.kinds import kinds, resolve
from adapter_stilts.encoder.model import FUSION_PENALTY
from adapter_stilts.encoder.trunk import Trunk, load_trunk
from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.seeding import Seeds
from adapter_stilts.sharing.bundle import Bundle, load_bundle
from adapter_stilts.study.build import check_trunk
from adapter_stilts.study.lineage import Lineage, lineage
from adapter_stilts.study.material import origin_facts, shuffled_labels, subset, where_of
from adapter_stilts.study.reporting import Reporter
from adapter_stilts.tasks.base import Task, labels_of
from adapter_stilts.tasks.sources import Loaded, Where, has_split, load
from adapter_stilts.tasks.user import find_task
from adapter_stilts.training.devices import pick_device
from adapter_stilts.training.order import Order
from adapter_stilts.training.plan import TrainingPlan


@dataclass(frozen=True)
class Prepared:
    """Everything decided before the first step."""

    config: RunConfig
    task: Task
    trunk: Trunk
    parents: tuple[Bundle, ...]
    lineage: Lineage
    kind: str
    settings: dict[str, Any]
    labels: tuple[str, ...] | None
    train: Loaded
    validation: Loaded | None
    examples: list[Example]
    features: list[Feature]
    max_length: int
    device: str
    identity: str


def prepare(config: RunConfig, tasks: Sequence[str], report: Reporter) -> Prepared:
    """Load and check everything a run needs; every refusal comes before the first step."""
    task = _one_task(config, tasks)
    parents = tuple(load_bundle(Path(folder)) for folder in config.after)
    device = str(pick_device())
    trunk = load_trunk(config.trunk.name, revision=config.trunk.revision, precision=config.trunk.precision, device=device)
    for parent in parents:
        check_trunk(trunk, parent)
    line = lineage(config.how, parents, task.name, target_adapter=config.fusion.target_adapter)
    seeds = Seeds(config.training.seed)
    where = where_of(config.data.sources, config.trunk.name, columns=config.task.columns)
    loaded = load(task, "train", task.train_language, where)
    examples = subset(loaded, config.training.rows, seeds)
    labels = labels_of(task, examples)
    validation = _validation(task, where, labels)
    if config.control == "shuffled-labels":
        examples = shuffled_labels(examples, seeds)
    max_length = _max_length(config, task, trunk, report)
    found = features(task.format, examples, trunk.tokenizer, labels=labels, max_length=max_length, training=True)
    if not found:
        raise TaskDataError(
            "no row of the training data can be trained on", where=task.name, do="check that answers stand in their contexts and texts are not empty"
        )
    kind, settings = (
        (line.start.facts["kind"], dict(line.start.facts["settings"]))
        if line.start
        else (config.adapter.kind, resolve(kinds[config.adapter.kind], config.adapter.settings))
    )
    identity = _identity(config, task, trunk, parents, loaded, validation)
    return Prepared(config, task, trunk, parents, line, kind, settings, labels, loaded, validation, examples, found, max_length, device, identity)


def training_plan(config: RunConfig) -> TrainingPlan:
    """The training section as plain values; a fusion run has its own learning rate and penalty."""
    section = config.training.model_dump()
    values = {name: value for name, value in section.items() if name in TrainingPlan.__dataclass_fields__}
    if config.how == "fuse":
        values["learning_rate"] = config.fusion.learning_rate or config.training.learning_rate
    return TrainingPlan(**values, fusion_penalty=config.fusion.penalty / FUSION_PENALTY)


def planned_steps(prepared: Prepared, plan: TrainingPlan) -> int:
    """Optimiser steps of a whole training, without early stopping."""
    return plan.max_steps or Order([length(feature) for feature in prepared.features], plan.token_budget, plan.accumulation, plan.seed).steps(plan.epochs)


def _one_task(config: RunConfig, tasks: Sequence[str]) -> Task:
    if len(tasks) != 1:
        raise UsageError(f"one task at a time; got {len(tasks)}: {', '.join(tasks)}", do="train each task on its own and build on the runs with --how fuse")
    task = find_task(tasks[0], config.task.model_dump(exclude_none=True))
    if task.format in ("aligned", "pools"):
        raise UsageError(f"'{task.name}' trains nothing: it reads the encoder as it is", do=f"use `adapter-stilts eval RUN --tasks {task.name}`")
    if config.how in ("merge", "joint"):
        raise UsageError(f"--how {config.how} is not available in this version", do="use direct, sequential, stack or fuse")
    return task


def _validation(task: Task, where: Where, labels: tuple[str, ...] | None) -> Loaded | None:
    """The source language's validation split; None where there is none."""
    return load(task, "validation", task.train_language, where, labels) if has_split(task, "validation", where) else None


def _max_length(config: RunConfig, task: Task, trunk: Trunk, report: Reporter) -> int:
    wanted = config.training.max_length or task.max_length
    if wanted > trunk.max_length:
        report.say(f"inputs are cut at {trunk.max_length} tokens, which is all this trunk has positions for (asked for {wanted})")
    return min(wanted, trunk.max_length)


def _identity(config: RunConfig, task: Task, trunk: Trunk, parents: Sequence[Bundle], train: Loaded, validation: Loaded | None) -> str:
    origins = [origin_facts(loaded.origin) for loaded in (train, validation) if loaded is not None]
    hashes = [[file["sha256"] for file in origin.get("files", ())] or origin for origin in origins]
    return fingerprint(
        {
            "config": config,
            "task": task.name,
            "trunk": trunk.fingerprint,
            "precision": trunk.precision,
            "parents": [parent.manifest.identity for parent in parents],
            "data": hashes,
        }
    )
