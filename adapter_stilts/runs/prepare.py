"""All that a run needs, loaded and checked before its first step: data, trunk, parents, labels, features, identity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapter_stilts.config.schema import Adapter, RunConfig
from adapter_stilts.data.feature import length
from adapter_stilts.encoder.kinds import above, kinds, resolve
from adapter_stilts.encoder.model import FUSION_PENALTY
from adapter_stilts.encoder.trunk.loading import Trunk, check_local, load_trunk
from adapter_stilts.errors import UsageError, refuse
from adapter_stilts.formats.base import Format
from adapter_stilts.planning.fit import limit_of
from adapter_stilts.runs.build import check_trunk
from adapter_stilts.runs.forecast.limits import precision_under, under_limit, work_of
from adapter_stilts.runs.identity import run_identity
from adapter_stilts.runs.lineage import Lineage, lineage, random_adapter
from adapter_stilts.runs.material import (
    check_assigned,
    for_task,
    history,
    leaks,
    refuse_unnamed,
    said_of,
    unlearned,
    validates_itself,
)
from adapter_stilts.runs.measure import masking_of
from adapter_stilts.runs.merges.merged import MergedRuns, merge_runs
from adapter_stilts.runs.task_data import SHUFFLED_LABELS, TaskData, read_rows, tokenised
from adapter_stilts.seeding import Seeds
from adapter_stilts.sharing.bundle import Bundle, Part, load_bundle
from adapter_stilts.sharing.places import trunk_place
from adapter_stilts.tasks.base import Task, labels_shown, under
from adapter_stilts.tasks.leaks import Seen
from adapter_stilts.tasks.reading.place import Loaded
from adapter_stilts.tasks.user import find_task
from adapter_stilts.training.course import course
from adapter_stilts.training.devices import Processes, pick_device, processes
from adapter_stilts.training.plan import Mixture, TrainingData, TrainingPlan, feature_data, long_enough
from adapter_stilts.training.sampler import shares
from adapter_stilts.training.usual import USUAL_EPOCHS

JOINT, FUSE, MERGE = "joint", "fuse", "merge"
FULL = "full"  # the kind that trains the trunk
RANDOM_ADAPTER = "random-adapter"  # the control whose adapter is its parent's with the entries permuted


@dataclass(frozen=True)
class Prepared:
    """Everything decided before the first step.

    name    of the run's folder and of the adapter made here
    data    the rows of its task; of a joint run, of each of its tasks
    fitted  what was changed so that it fits in memory
    rows    them as the training loop takes them
    shares  joint: how probable each task is in a step
    """

    config: RunConfig
    plan: TrainingPlan
    name: str
    trunk: Trunk
    parents: tuple[Bundle, ...]
    lineage: Lineage
    merged: MergedRuns | None
    data: tuple[TaskData, ...]
    rows: TrainingData | Mixture
    shares: Mapping[str, float]
    device: str
    processes: Processes
    identity: str
    fitted: str = ""

    @property
    def task(self) -> str:
        return ",".join(data.task.name for data in self.data)

    @property
    def loaded(self) -> list[Loaded]:
        """What was read, to learn from and to select with, task by task."""
        return [loaded for of_task in self.data for loaded in of_task.loaded]

    @property
    def history(self) -> tuple[Seen, ...]:
        """The rows that this run and all it builds on were trained or selected on."""
        return history(self.loaded if self.trains else (), (parent.manifest for parent in self.parents))

    @property
    def joint(self) -> bool:
        return self.config.how == JOINT

    @property
    def trains(self) -> bool:
        """Whether there is anything to train: a random adapter is a run without a step."""
        return self.config.control != RANDOM_ADAPTER

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole training, without early stopping; 0 where the clock alone ends it."""
        if not self.trains or (self.plan.minutes and not self.plan.max_steps):
            return 0
        return self.plan.max_steps or course(self.rows, self.plan, self.processes.count).steps(self.plan.epochs)

    @property
    def notes(self) -> Iterator[str]:
        """What a person should know before training starts."""
        plan, training, fusion = self.plan, self.config.training, self.config.fusion
        yield from filter(None, [self.fitted])
        yield from unlearned(parent.manifest for parent in self.parents)
        yield from self.merged.notes if self.merged is not None else ()
        ordered = sorted(self.shares.items(), key=lambda share: -share[1])
        if ordered:
            yield "of the steps, " + ", ".join(f"{100 * share:.3g} % learn {task}" for task, share in ordered)
        setting = f"training.{'batch_rows' if plan.batch_rows else 'token_budget'}"
        for data in (data for data in self.data if data.task.format.ranking):
            by_tokens = plan.token_budget * len(data.features) // sum(map(length, data.features))
            pairs = max(2, self.processes.count * (plan.batch_rows or by_tokens))
            what = f"{data.task.name}: about {pairs} pairs in a batch, each query told from the others' answers"
            yield f"{what}; {setting} is what makes them more, not training.accumulation"
        yield from (note for data in self.data for note in data.notes)
        for data in self.data:
            rows = [example for loaded in data.train for example in loaded.examples]
            if shown := labels_shown(data.task, rows):
                yield f"{data.task.name}: {len(rows):,} training rows, labels {shown}"
        yield from (sentence for loaded in self.loaded for sentence in said_of(loaded.origin))
        yield from validates_itself(self.loaded)
        seen = history(self.loaded, (parent.manifest for parent in self.parents))
        yield from (note for data in self.data for note in leaks(data.task, seen))
        if self.config.how == FUSE and training.learning_rate is not None:
            rate = f"fusion.learning_rate, which is {fusion.learning_rate:g}"
            yield f"training.learning_rate is not used: a fusion learns at {rate}"


def prepare(config: RunConfig, names: Sequence[str], limit_gb: float | None = None) -> Prepared:
    """Load and check everything a run needs; every refusal comes before the first step, the cheap ones first.

    limit_gb  memory that it must fit in; None: what the machine has
    """
    limit_of(limit_gb)
    tasks = _tasks(config, names)
    config = config.model_copy(update={"task": config.task.model_copy(update={"name": ",".join(names)})})
    joint, seeds = config.how == JOINT, Seeds(config.training.seed)
    device = pick_device()
    together = processes(device)
    if not config.after:
        refuse_unnamed(config.trunk, config.data.sources)
    parents = tuple(load_bundle(Path(folder)) for folder in config.after)
    config = _on_trunk_of(config, parents)
    check_local(config.trunk.name)
    manifests = [parent.manifest for parent in parents]
    first = tasks[0].name
    spoken = for_task(config.data.language, first, [first], "data.language") if not joint else ()
    name = JOINT if joint else "-".join((first, *spoken))  # with its languages, where the configuration names them
    more: Any = {"target_adapter": config.fusion.target_adapter, "composition": config.composition}
    merged = merge_runs(parents, config.merge, config.training.seed) if config.how == MERGE else None
    if merged is not None:
        more["merged"], manifests = merged.part, list(merged.made_of)
    line = lineage(config.how, parents, name, config.adapter.kind, **more)
    kind, settings = _kind(config, line.start)
    line = replace(line, kind=kind, settings=settings)
    if config.control == RANDOM_ADAPTER:
        line = random_adapter(line, seeds)
    rows = [read_rows(config, task, [task.name for task in tasks]) for task in tasks]
    precision = _precision(config, kind, line)
    if limit_gb is not None:
        precision = precision_under(limit_gb, precision, config, line, device)
    trunk = load_trunk(config.trunk.name, revision=config.trunk.revision, precision=precision, device=device)
    for parent in parents:
        check_trunk(trunk, parent)
    layers = trunk.config.num_hidden_layers
    if config.adapter.from_layer >= layers:
        what = f"no layer lies above hidden state {config.adapter.from_layer} of a trunk of {layers} layers"
        raise UsageError(what, where="adapter.from_layer", do=f"choose one from 1 to {layers - 1}, or 0 for all layers")
    data = tuple(tokenised(of_task, trunk, config.training.max_length) for of_task in rows)
    sizes = {of_task.task.name: len(of_task.examples) for of_task in data}
    chances = shares(config.training.sampler, sizes) if joint else {}
    to_learn = _to_learn(config, trunk, data, chances)
    plan = training_plan(config, kind)
    work = work_of(config, plan, trunk.config, line, data, precision=trunk.precision, device=device.type)
    chosen = bool({"token_budget", "batch_rows"} & config.training.model_fields_set)
    compared = any(of_task.task.format.ranking for of_task in data)
    plan, fitted = under_limit(plan, work, limit_gb, chosen=chosen, compared=compared)
    if not (config.training.epochs or plan.max_steps or plan.minutes):
        plan = long_enough(plan, course(to_learn, plan, together.count).steps(1))
    config = _as_planned(config, plan)
    return Prepared(
        config=config,
        plan=plan,
        name=name,
        trunk=trunk,
        parents=parents,
        lineage=line,
        merged=merged,
        data=data,
        rows=to_learn,
        shares=chances,
        device=str(device),
        processes=together,
        identity=run_identity(config, plan, trunk, manifests, line, data, together.count),
        fitted=fitted,
    )


def check_control(control: str, how: str, format: Format[Any]) -> None:
    """Refuse a control, a run that should learn nothing and that gains are compared with, which has no meaning here."""
    what, advice = f"--control {control} needs a task with labels", "leave it out for masked language modelling"
    refuse(control == SHUFFLED_LABELS and not format.deals, what, advice)
    what = f"--control {control} permutes the adapter of a run, and --how {how} continues none"
    advice = "make the random adapter by --how sequential --after RUN --control random-adapter"
    advice += "; then build on that run as on any other"
    refuse(control == RANDOM_ADAPTER and how != "sequential", what, advice)


def _to_learn(
    config: RunConfig, trunk: Trunk, data: Sequence[TaskData], chances: Mapping[str, float]
) -> TrainingData | Mixture:
    """The data as the training loop takes it."""
    rows = {}
    for of_task in data:
        masking = masking_of(of_task.task.format, trunk, config.training.mask_rate)
        rows[of_task.task.name] = feature_data(
            of_task.features, of_task.task.format, trunk.config.pad_token_id, masking
        )
    return Mixture(rows, chances) if config.how == JOINT else next(iter(rows.values()))


def training_plan(config: RunConfig, kind: str) -> TrainingPlan:
    """The section `training`, at the kind's own rate where it names none; a fusion has a rate and a penalty of its own.

    Shuffled labels are not selected by true ones: a control that keeps the step that is best on these has learned of
    them.
    """
    rate = config.fusion.learning_rate if config.how == FUSE else config.training.learning_rate or kinds[kind].rate
    section = {**vars(config.training), "learning_rate": rate, "epochs": config.training.epochs or USUAL_EPOCHS}
    select = config.control != SHUFFLED_LABELS and config.training.keep_step is None
    return TrainingPlan(**section, select=select, fusion_penalty=config.fusion.penalty / FUSION_PENALTY)


def _as_planned(config: RunConfig, plan: TrainingPlan) -> RunConfig:
    """The configuration with what was left open or had to fit in memory, as the run will say of itself."""
    decided: dict[str, object] = {} if config.how == FUSE else {"learning_rate": plan.learning_rate}
    if not plan.max_steps and not plan.minutes:
        decided |= {"epochs": plan.epochs, "evaluate_steps": plan.evaluate_steps}
    fitted = ("token_budget", "batch_rows", "accumulation", "gradient_checkpointing")
    sizes = {name: getattr(plan, name) for name in fitted}
    decided |= {name: value for name, value in sizes.items() if value != getattr(config.training, name)}
    return config.model_copy(update={"training": config.training.model_copy(update=decided)})


def _tasks(config: RunConfig, names: Sequence[str]) -> tuple[Task, ...]:
    """The tasks, if the configuration asks for something this version does."""
    advice = "name one of `adapter-stilts list tasks`, or a YAML file that describes one"
    refuse(not any(names), "no task is named", advice)
    advice = "add --how joint to learn them together, or train each on its own and build on the runs with --how fuse"
    what = f"one task at a time; got {len(names)}: {', '.join(names)}"
    refuse(len(names) > 1 and config.how != JOINT, what, advice)
    settings = config.task.model_dump(exclude_none=True)
    tasks = tuple(under(find_task(name, settings), config.evaluation.protocol) for name in names)
    for task in tasks:
        what = f"'{task.name}' trains nothing: it reads the encoder as it is"
        refuse(task.retrieval, what, f"use `adapter-stilts eval RUN --tasks {task.name}`")
    if config.how == JOINT:
        _check_joint(config, [task.name for task in tasks])
    for task in tasks:
        check_control(config.control, config.how, task.format)
    return tasks


def _on_trunk_of(config: RunConfig, parents: Sequence[Bundle]) -> RunConfig:
    """The configuration with the trunk that the parents were trained on, unless it names one."""
    if not parents or "name" in config.trunk.model_fields_set:
        return config
    facts = parents[0].manifest.trunk
    name = trunk_place(parents[0].folder, facts)
    named = {"name": name, "revision": facts.revision, "prefix": config.trunk.prefix or facts.prefix}
    return config.model_copy(update={"trunk": config.trunk.model_copy(update=named)})


def _check_joint(config: RunConfig, names: Sequence[str]) -> None:
    """Refuse a mixture of one task, of a task twice, and what is said of tasks without saying of which."""
    what = f"--how joint learns several tasks at once, and one is named: {names[0]}"
    refuse(len(names) < 2, what, f"name more, for example {names[0]},mlm")
    for name in names:
        advice = "name each task once; training.sampler.weights makes one more frequent"
        refuse(names.count(name) > 1, f"'{name}' is named twice", advice)
    check_assigned(config.data.sources, names)
    for key in ("columns", "labels", "ignore_labels"):
        if getattr(config.task, key):
            what = f"task.{key} describes one task, and there are {len(names)}"
            advice = "describe that task in a YAML file, and name the file in the place of the task"
            raise UsageError(what, where=f"task.{key}", do=advice)


def _kind(config: RunConfig, start: Part | None) -> tuple[str, dict[str, Any]]:
    """Kind and settings of the new adapter: those of the one it starts from, else those of the configuration."""
    wanted = config.adapter
    settings: dict[str, Any] = resolve(kinds[wanted.kind], wanted.settings)
    if start is None:
        return wanted.kind, above(kinds[wanted.kind], settings, wanted.from_layer)
    kind = start.facts["kind"]
    continued: dict[str, Any] = resolve(kinds[kind], start.facts["settings"])
    settings = continued if config.how == MERGE else settings  # a merged adapter has the rank that its parents need
    if (wanted.kind, wanted.settings) != (Adapter().kind, {}) and (kind, continued) != (wanted.kind, settings):
        what = f"--how {config.how} continues an adapter of kind {kind} with its settings"
        advice = "leave --kind and adapter.settings out, or use --how stack"
        raise UsageError(f"{what}, and another was asked for: {wanted.kind}", where="adapter", do=advice)
    return kind, continued


def _precision(config: RunConfig, kind: str, line: Lineage) -> str:
    """What the configuration says; "auto" is float32 where the trunk itself is trained, here or by a parent."""
    trains_trunk = (kind == FULL and line.new) or any(part.facts["kind"] == FULL for part in line.frozen.values())
    return "fp32" if trains_trunk and config.trunk.precision == "auto" else config.trunk.precision
