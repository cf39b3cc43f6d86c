"""All that a run needs, loaded and checked before its first step: data, trunk, parents, labels, features, identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adapter_stilts.config.schema import Adapter, RunConfig, Training
from adapter_stilts.data.feature import length
from adapter_stilts.encoder.kinds import kinds, resolve
from adapter_stilts.encoder.model import FUSION_PENALTY
from adapter_stilts.encoder.trunk import Trunk, check_local, load_trunk
from adapter_stilts.errors import UsageError
from adapter_stilts.runs import disclosure
from adapter_stilts.runs.build import check_trunk
from adapter_stilts.runs.controls import RANDOM_ADAPTER, check_control, random_adapter
from adapter_stilts.runs.identity import Decisions, run_identity
from adapter_stilts.runs.lineage import Lineage, lineage
from adapter_stilts.runs.masked import masking_of
from adapter_stilts.runs.material import check_assigned, for_task
from adapter_stilts.runs.task_data import TaskData, TaskRows, read_rows, tokenised
from adapter_stilts.seeding import Seeds
from adapter_stilts.sharing.bundle import Bundle, Part, load_bundle
from adapter_stilts.tasks.base import Task, under
from adapter_stilts.tasks.leaks import Seen
from adapter_stilts.tasks.reading.place import Loaded
from adapter_stilts.tasks.user import find_task
from adapter_stilts.training.course import course
from adapter_stilts.training.devices import Processes, pick_device, processes
from adapter_stilts.training.plan import Mixture, TrainingData, TrainingPlan
from adapter_stilts.training.rows import feature_data
from adapter_stilts.training.sampler import Sampler, shares

JOINT, FUSE = "joint", "fuse"
FULL = "full"  # the kind that trains the trunk


@dataclass(frozen=True)
class Prepared:
    """Everything decided before the first step.

    name            of the run's folder and of the adapter made here
    kind, settings  of that adapter
    data            the rows of its task; of a joint run, of each of its tasks
    shares          joint: how probable each task is in a step
    notes           what a person should know before training starts
    """

    config: RunConfig
    plan: TrainingPlan
    name: str
    trunk: Trunk
    parents: tuple[Bundle, ...]
    lineage: Lineage
    kind: str
    settings: dict[str, Any]
    data: tuple[TaskData, ...]
    shares: Mapping[str, float]
    device: str
    processes: Processes
    identity: str
    notes: tuple[str, ...]

    @property
    def history(self) -> tuple[Seen, ...]:
        """The rows that this run and all it builds on were trained or selected on."""
        return disclosure.history(_read(self.data) if self.trains else [], [parent.manifest for parent in self.parents])

    @property
    def joint(self) -> bool:
        return self.config.how == JOINT

    @property
    def trains(self) -> bool:
        """Whether there is anything to train: a random adapter is a run without a step."""
        return self.config.control != RANDOM_ADAPTER

    @property
    def seeds(self) -> Seeds:
        return Seeds(self.config.training.seed)

    @property
    def rows(self) -> TrainingData | Mixture:
        """The data as the training loop takes it."""
        found = {one.task.name: self._rows(one) for one in self.data}
        return Mixture(found, self.shares) if self.joint else next(iter(found.values()))

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole training, without early stopping; 0 where the clock alone ends it."""
        if not self.trains or (self.plan.minutes and not self.plan.max_steps):
            return 0
        return self.plan.max_steps or course(self.rows, self.plan, self.processes.count).steps(self.plan.epochs)

    def _rows(self, one: TaskData) -> TrainingData:
        masking = masking_of(one.task.format, self.trunk, self.config.training.mask_rate)
        return feature_data(one.features, one.task.format, self.trunk.pad_id, masking)


def prepare(config: RunConfig, tasks: Sequence[str]) -> Prepared:
    """Load and check everything a run needs; every refusal comes before the first step, the cheap ones first."""
    found = _tasks(config, tasks)
    config = config.model_copy(update={"task": config.task.model_copy(update={"name": ",".join(tasks)})})
    plan = training_plan(config)
    seeds = Seeds(plan.seed)
    device = pick_device()
    together = processes(device)
    check_local(config.trunk.name)
    parents = tuple(load_bundle(Path(folder)) for folder in config.after)
    names = tuple(task.name for task in found)
    name = JOINT if config.how == JOINT else _named(found[0], config)
    line = lineage(
        config.how,
        parents,
        name,
        config.adapter.kind,
        target_adapter=config.fusion.target_adapter,
        composition=config.composition,
    )
    kind, settings = _kind(config.adapter, line.start)
    if config.control == RANDOM_ADAPTER:
        line = random_adapter(line, seeds)
    rows = [read_rows(config, task, names) for task in found]
    trunk = load_trunk(
        config.trunk.name, revision=config.trunk.revision, precision=_precision(config, kind, line), device=device
    )
    for parent in parents:
        check_trunk(trunk, parent)
    data = tuple(tokenised(one, trunk, config.training.max_length) for one in rows)
    sampler = Sampler(**config.training.sampler.model_dump())
    chances = shares(sampler, {one.task.name: len(one.examples) for one in data}) if config.how == JOINT else {}
    decisions = Decisions(
        config.how,
        config.control,
        kind,
        settings,
        {one.task.name: one.labels for one in data},
        {**config.training.model_dump(include={"rows", "validation_rows", "head_dropout"}), **_numbers(config, data)},
        together.count,
        asdict(sampler) if config.how == JOINT else {},
    )
    return Prepared(
        config=config,
        plan=plan,
        name=name,
        trunk=trunk,
        parents=parents,
        lineage=line,
        kind=kind,
        settings=settings,
        data=data,
        shares=chances,
        device=str(device),
        processes=together,
        identity=run_identity(found, _read(rows), trunk, parents, line, plan, decisions),
        notes=(
            *_mixed(chances),
            *_compared(data, plan, together.count),
            *(note for one in data for note in one.notes),
            *_disclosed(rows, parents),
            *_unused(config),
        ),
    )


def training_plan(config: RunConfig) -> TrainingPlan:
    """The training section as plain values; a fusion run has its own learning rate and penalty."""
    section = config.training.model_dump()
    values = {name: value for name, value in section.items() if name in TrainingPlan.__dataclass_fields__}
    if config.how == FUSE:
        values["learning_rate"] = config.fusion.learning_rate
    adamw: dict[str, Any] = {"betas": (0.9, 0.999), "epsilon": 1e-8}  # PyTorch's
    return TrainingPlan(**values, **adamw, fusion_penalty=config.fusion.penalty / FUSION_PENALTY)


def _tasks(config: RunConfig, names: Sequence[str]) -> tuple[Task, ...]:
    """The tasks, if the configuration asks for something this version does."""
    if not any(names):
        raise UsageError(
            "no task is named", do="name one of `adapter-stilts list tasks`, or a YAML file that describes one"
        )
    if len(names) > 1 and config.how != JOINT:
        advice = (
            "add --how joint to learn them together, or train each on its own and build on the runs with --how fuse"
        )
        raise UsageError(f"one task at a time; got {len(names)}: {', '.join(names)}", do=advice)
    found = tuple(
        under(find_task(name, config.task.model_dump(exclude_none=True)), config.evaluation.protocol) for name in names
    )
    for task in found:
        if task.retrieval:
            raise UsageError(
                f"'{task.name}' trains nothing: it reads the encoder as it is",
                do=f"use `adapter-stilts eval RUN --tasks {task.name}`",
            )
    if config.how == JOINT:
        _check_joint(config, [task.name for task in found])
    for task in found:
        check_control(config.control, config.how, task.format)
    return found


def _check_joint(config: RunConfig, names: Sequence[str]) -> None:
    """Refuse a mixture of one task, of a task twice, and what is said of tasks without saying of which."""
    if len(names) < 2:
        raise UsageError(
            f"--how joint learns several tasks at once, and one is named: {names[0]}",
            do=f"name more, for example {names[0]},mlm",
        )
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(
            f"'{twice}' is named twice", do="name each task once; training.sampler.weights makes one more frequent"
        )
    check_assigned(config.data.sources, names)
    if given := next((key for key in ("columns", "labels", "ignore_labels") if getattr(config.task, key)), None):
        what = f"task.{given} describes one task, and there are {len(names)}"
        raise UsageError(
            what,
            where=f"task.{given}",
            do="describe that task in a YAML file, and name the file in the place of the task",
        )


def _named(task: Task, config: RunConfig) -> str:
    """The name of a task's adapter: with its languages, where the configuration names them."""
    chosen = for_task(config.data.language, task.name, [task.name], "data.language")
    return "-".join((task.name, *chosen))


def _numbers(config: RunConfig, data: Sequence[TaskData]) -> dict[str, Any]:
    """The lengths of inputs, the mask rate where text is masked, and how a ranking makes vectors."""
    masks = {"mask_rate": config.training.mask_rate} if any(one.task.format.masked for one in data) else {}
    ranks = [one.task.query_length for one in data if one.task.format.ranking]
    pools = {"query_length": ranks, "head_pool": config.training.head_pool} if ranks else {}
    return {"max_length": [one.max_length for one in data], **masks, **pools}


def _disclosed(rows: Sequence[TaskRows], parents: Sequence[Bundle]) -> list[str]:
    """Rows left out, and what the runs that this one builds on give away of its tasks."""
    seen = disclosure.history(_read(rows), [parent.manifest for parent in parents])
    return [*disclosure.dropped(_read(rows)), *(note for one in rows for note in disclosure.leaks(one.task, seen))]


def _compared(data: Sequence[TaskData], plan: TrainingPlan, processes: int) -> list[str]:
    """How many others a query is told from, where the rows of a batch are each other's negatives."""
    notes = []
    for one in data:
        if one.task.format.ranking:
            by_tokens = plan.token_budget * len(one.features) // sum(length(feature) for feature in one.features)
            pairs = processes * (plan.batch_rows or by_tokens)
            setting = f"training.{'batch_rows' if plan.batch_rows else 'token_budget'}"
            notes.append(
                f"{one.task.name}: about {max(2, pairs)} pairs in a batch, each query told from the others' answers; "
                f"{setting} is what makes them more, not training.accumulation"
            )
    return notes


def _mixed(chances: Mapping[str, float]) -> list[str]:
    """How often each task is learned, the most frequent first."""
    ordered = sorted(chances.items(), key=lambda one: -one[1])
    return (
        [f"of the steps, {', '.join(f'{100 * share:.3g} % learn {task}' for task, share in ordered)}"]
        if ordered
        else []
    )


def _read(rows: Sequence[TaskRows]) -> list[Loaded]:
    return [loaded for one in rows for loaded in (*one.train, *one.validation)]


def _kind(wanted: Adapter, start: Part | None) -> tuple[str, dict[str, Any]]:
    """Kind and settings of the new adapter: those of the one it continues, else those of the configuration."""
    settings: dict[str, Any] = resolve(kinds[wanted.kind], wanted.settings)
    if start is None:
        return wanted.kind, settings
    kind = start.facts["kind"]
    given: dict[str, Any] = resolve(kinds[kind], start.facts["settings"])
    if wanted != Adapter() and (kind, given) != (wanted.kind, settings):
        what = f"--how sequential continues an adapter of kind {kind} with its settings"
        advice = "leave --kind and adapter.settings out, or use --how stack"
        raise UsageError(f"{what}, and another was asked for: {wanted.kind}", where="adapter", do=advice)
    return kind, given


def _precision(config: RunConfig, kind: str, line: Lineage) -> str:
    """What the configuration says; "auto" is float32 where the trunk itself is trained, here or by a parent."""
    trains_trunk = (kind == FULL and line.new) or any(part.facts["kind"] == FULL for part in line.frozen.values())
    return "fp32" if trains_trunk and config.trunk.precision == "auto" else config.trunk.precision


def _unused(config: RunConfig) -> list[str]:
    """A learning rate that was given and is not the one of this run."""
    if config.how != FUSE or config.training.learning_rate == Training().learning_rate:
        return []
    rate = f"fusion.learning_rate, which is {config.fusion.learning_rate:g}"
    return [f"training.learning_rate is not used: a fusion learns at {rate}"]
