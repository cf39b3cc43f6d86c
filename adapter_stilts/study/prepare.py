"""Everything a run needs, loaded and checked before its first step: data, trunk, parents, labels, features, identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter_stilts.config.schema import Adapter, RunConfig, Training
from adapter_stilts.data.examples import Example
from adapter_stilts.data.feature import Feature, length, token_rows
from adapter_stilts.data.features import features, misplaced_answers
from adapter_stilts.encoder.kinds import kinds, resolve
from adapter_stilts.encoder.model import FUSION_PENALTY
from adapter_stilts.encoder.trunk import Trunk, check_local, load_trunk
from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.seeding import Seeds
from adapter_stilts.sharing.bundle import Bundle, Part, load_bundle
from adapter_stilts.study.build import check_trunk
from adapter_stilts.study.controls import RANDOM_ADAPTER, SHUFFLED_LABELS, check_control, random_adapter, shuffled_labels
from adapter_stilts.study.identity import Decisions, run_identity
from adapter_stilts.study.lineage import Lineage, lineage
from adapter_stilts.study.material import subset, where_of
from adapter_stilts.tasks.base import Task, labels_of
from adapter_stilts.tasks.sources import Loaded, has_split, load
from adapter_stilts.tasks.user import find_task
from adapter_stilts.training.devices import Processes, pick_device, processes
from adapter_stilts.training.order import Order, smallest_batch
from adapter_stilts.training.plan import TrainingPlan
from adapter_stilts.training.rows import rows_needed

MERGE, JOINT, FUSE = "merge", "joint", "fuse"
FULL = "full"  # the kind that trains the trunk


@dataclass(frozen=True)
class Prepared:
    """Everything decided before the first step.

    kind, settings  of the adapter made here
    labels          in the order of the head's outputs; None for a format without any
    examples        the rows trained on, after sampling and the control
    notes           what a person should know before training starts
    """

    config: RunConfig
    plan: TrainingPlan
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
    processes: Processes
    identity: str
    notes: tuple[str, ...]

    @property
    def trains(self) -> bool:
        """Whether there is anything to train: a random adapter is a run without a step."""
        return self.config.control != RANDOM_ADAPTER

    @property
    def seeds(self) -> Seeds:
        return Seeds(self.config.training.seed)

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole training, without early stopping; 0 where the clock alone ends it."""
        if not self.trains or (self.plan.minutes and not self.plan.max_steps):
            return 0
        lengths, smallest = [length(feature) for feature in self.features], smallest_batch(rows_needed(self.task.format), self.processes.count)
        order = Order(lengths, self.plan.token_budget * self.processes.count, self.plan.accumulation, self.plan.seed, smallest)
        return self.plan.max_steps or order.steps(self.plan.epochs)


def prepare(config: RunConfig, tasks: Sequence[str]) -> Prepared:
    """Load and check everything a run needs; every refusal comes before the first step, the cheap ones first."""
    task = _one_task(config, tasks)
    config = config.model_copy(update={"task": config.task.model_copy(update={"name": tasks[0]})})
    plan = training_plan(config)
    seeds = Seeds(plan.seed)
    device = pick_device()
    together = processes(device)
    check_local(config.trunk.name)
    parents = tuple(load_bundle(Path(folder)) for folder in config.after)
    line = lineage(config.how, parents, task.name, config.adapter.kind, target_adapter=config.fusion.target_adapter, composition=config.composition)
    kind, settings = _kind(config.adapter, line.start)
    if config.control == RANDOM_ADAPTER:
        line = random_adapter(line, seeds)
    train, validation, labels = _data(config, task)
    examples = subset(train, config.training.rows, seeds)
    if config.control == SHUFFLED_LABELS:
        examples = shuffled_labels(task.format, examples, seeds)
    trunk = load_trunk(config.trunk.name, revision=config.trunk.revision, precision=_precision(config, kind, line), device=device)
    for parent in parents:
        check_trunk(trunk, parent)
    wanted = config.training.max_length or task.max_length
    max_length = min(wanted, trunk.max_length)
    found = _features(task, examples, trunk, labels, max_length)
    numbers = {**config.training.model_dump(include={"rows", "validation_rows", "head_dropout"}), "max_length": max_length}
    decisions = Decisions(config.how, config.control, kind, settings, labels, numbers, together.count)
    data = [train] if validation is None else [train, validation]
    return Prepared(
        config=config,
        plan=plan,
        task=task,
        trunk=trunk,
        parents=parents,
        lineage=line,
        kind=kind,
        settings=settings,
        labels=labels,
        train=train,
        validation=validation,
        examples=examples,
        features=found,
        max_length=max_length,
        device=str(device),
        processes=together,
        identity=run_identity(task, data, trunk, parents, line, plan, decisions),
        notes=(*_notes(task, examples, found, wanted, max_length), *_unused(config)),
    )


def training_plan(config: RunConfig) -> TrainingPlan:
    """The training section as plain values; a fusion run has its own learning rate and penalty."""
    section = config.training.model_dump()
    values = {name: value for name, value in section.items() if name in TrainingPlan.__dataclass_fields__}
    if config.how == FUSE:
        values["learning_rate"] = config.fusion.learning_rate
    return TrainingPlan(**values, fusion_penalty=config.fusion.penalty / FUSION_PENALTY)


def _one_task(config: RunConfig, tasks: Sequence[str]) -> Task:
    """The task, if the configuration asks for something this version does."""
    if not any(tasks):
        raise UsageError("no task is named", do="name one of `adapter-stilts list tasks`, or a YAML file that describes one")
    if len(tasks) != 1:
        raise UsageError(f"one task at a time; got {len(tasks)}: {', '.join(tasks)}", do="train each task on its own and build on the runs with --how fuse")
    task = find_task(tasks[0], config.task.model_dump(exclude_none=True))
    if task.retrieval:
        raise UsageError(f"'{task.name}' trains nothing: it reads the encoder as it is", do=f"use `adapter-stilts eval RUN --tasks {task.name}`")
    if config.how in (MERGE, JOINT):
        raise UsageError(f"--how {config.how} is not available in this version", do="use direct, sequential, stack or fuse")
    if config.training.limit_gb is not None:
        advice = "lower training.token_budget and raise training.accumulation, or set training.gradient_checkpointing=true"
        raise UsageError("--limit-gb is not available in this version", where="training.limit_gb", do=advice)
    check_control(config.control, config.how, task.format)
    return task


def _kind(wanted: Adapter, start: Part | None) -> tuple[str, dict[str, Any]]:
    """Kind and settings of the new adapter: those of the one it continues, else those of the configuration."""
    settings: dict[str, Any] = resolve(kinds[wanted.kind], wanted.settings)
    if start is None:
        return wanted.kind, settings
    kind = start.facts["kind"]
    given: dict[str, Any] = resolve(kinds[kind], start.facts["settings"])
    if wanted != Adapter() and (kind, given) != (wanted.kind, settings):
        what = f"--how sequential continues an adapter of kind {kind} with its settings, and another was asked for: {wanted.kind}"
        raise UsageError(what, where="adapter", do="leave --kind and adapter.settings out, or use --how stack")
    return kind, given


def _precision(config: RunConfig, kind: str, line: Lineage) -> str:
    """What the configuration says; "auto" is float32 where the trunk itself is trained, here or by a parent."""
    trains_trunk = (kind == FULL and line.new) or any(part.facts["kind"] == FULL for part in line.frozen.values())
    return "fp32" if trains_trunk and config.trunk.precision == "auto" else config.trunk.precision


def _data(config: RunConfig, task: Task) -> tuple[Loaded, Loaded | None, tuple[str, ...] | None]:
    """The training split, the source language's validation split where there is one, and the labels that all training rows have."""
    where = where_of(config.data.sources, config.trunk.name, columns=config.task.columns)
    train = load(task, "train", task.train_language, where)
    labels = labels_of(task, train.examples)
    validation = load(task, "validation", task.train_language, where, labels) if has_split(task, "validation", where) else None
    return train, validation, labels


def _features(task: Task, examples: Sequence[Example], trunk: Trunk, labels: Sequence[str] | None, max_length: int) -> list[Feature]:
    found = features(task.format, examples, trunk.tokenizer, labels=labels, max_length=max_length, training=True)
    if not found:
        what = "no row of the training data can be trained on"
        raise TaskDataError(what, where=task.name, do="check that answers stand in their contexts and texts are not empty")
    return found


def _notes(task: Task, examples: Sequence[Example], found: Sequence[Feature], wanted: int, max_length: int) -> tuple[str, ...]:
    notes = []
    if task.format == "span" and (skipped := misplaced_answers(examples)):
        notes.append(f"{skipped} of {len(examples)} questions are left out: their answer is not where the data says it is")
    if wanted > max_length and any(len(row) >= max_length for feature in found for row in token_rows(feature)):
        notes.append(f"inputs are cut at {max_length} tokens, which is all this trunk has positions for (asked for {wanted})")
    return tuple(notes)


def _unused(config: RunConfig) -> list[str]:
    """A learning rate that was given and is not the one of this run."""
    if config.how != FUSE or config.training.learning_rate == Training().learning_rate:
        return []
    return [f"training.learning_rate is not used: a fusion learns at fusion.learning_rate, which is {config.fusion.learning_rate:g}"]
