"""A study as stages that depend on each other, and as the cells of its table.

A stage trains one run or reads one target with one run. Its key is the fingerprint of everything the file says of it
and of the stages it builds on, so that what two cells share is one stage, and a stage keeps its folder when the grid
around it changes.

    nli-s13 ──┬── xnli-sequential-nli-s13 ── read xnli
              ├── xnli-stack-nli-s13 ─────── read xnli
              └── read tatoeba
    xnli-direct-s13 ──────────────────────── read xnli        what gains are measured against
                                             read tatoeba     with the trunk alone: the same for retrieval
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.config.load import load, with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.config.study import DIRECT, EVERY, GROUPED, Intermediate, StudyConfig, Target, control_label
from adapter_stilts.runs.identity import weight_settings
from adapter_stilts.tasks.base import tasks as known_tasks
from adapter_stilts.tasks.user import find_task

SEQUENTIAL, STACK, FUSE, MERGE, JOINT, READ = "sequential", "stack", "fuse", "merge", "joint", "read"


@dataclass(frozen=True)
class Stage:
    """One piece of work: `train` leaves a run, `read` scores a target with a run, or the trunk alone (no parents).

    key      names its content; `label` is for people
    config   of the run, its `after` left open: the parents' folders are known when it runs
    parents  keys of the stages it builds on
    languages, split   read: what is scored
    """

    key: str
    label: str
    work: Literal["train", "read"]
    tasks: tuple[str, ...]
    config: RunConfig
    parents: tuple[str, ...]
    languages: tuple[str, ...] = ()
    split: str = ""

    @property
    def seed(self) -> int:
        return self.config.training.seed

    @property
    def how(self) -> str:
        return READ if self.work == "read" else self.config.how

    def to_json(self) -> dict[str, Any]:
        """What it is, for study.json and --dry-run."""
        named = {"stage": self.label, "key": self.key, "work": self.work, "tasks": list(self.tasks)}
        return {**named, "how": self.how, "seed": self.seed, "after": list(self.parents)}


@dataclass(frozen=True)
class Cell:
    """One number of the table: a target after an intermediate run, under one seed.

    base     the reading it is compared with
    control  which one the intermediate run is, "" where it is none
    of       of a control: the intermediate run that it is the control of
    """

    intermediate: str
    how: str
    target: str
    task: str
    seed: int
    reading: str
    base: str
    control: str = ""
    of: str = ""


@dataclass(frozen=True)
class Grid:
    """Stages, each after those it builds on, and the cells they fill."""

    stages: tuple[Stage, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class _Arm:
    """The stages that a target builds on; which control they are, and of what ("" where they are none)."""

    keys: tuple[str, ...]
    control: str = ""
    of: str = ""


@dataclass
class _Grown:
    """The grid while it is made: a stage is added once, however many cells need it."""

    study: StudyConfig
    stages: dict[str, Stage] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)

    def train(self, label: str, tasks: Sequence[str], config: RunConfig, parents: Sequence[str] = ()) -> str:
        key = fingerprint(["train", list(tasks), weight_settings(config.model_copy(update={"after": tuple(parents)}))])
        label = f"{label}-s{config.training.seed}"
        self.stages.setdefault(key, Stage(key, label, "train", tuple(tasks), config, tuple(parents)))
        return key

    def read(self, target: Target, run: str, seed: int) -> str:
        config = _config(self.study, target, seed)
        facts = [config.trunk, config.data, config.retrieval, config.evaluation, config.task]
        key = fingerprint(["read", target.task, run, list(target.languages), target.split, *facts])
        label = f"{target.label} with {self.stages[run].label if run else 'the trunk'}"
        parents, what = (run,) if run else (), (target.languages, target.split)
        self.stages.setdefault(key, Stage(key, label, "read", target.learned, config, parents, *what))
        return key


def grid(study: StudyConfig) -> Grid:
    """Every stage and cell of a study; raises ConfigError for settings that do not go together."""
    grown = _Grown(study)
    for seed in study.seeds:
        arms = _arms(grown, seed)
        for target in study.targets:
            _cells(grown, target, arms, seed)
    return Grid(tuple(grown.stages.values()), tuple(grown.cells))


def retrieval(task: str) -> bool:
    """Whether a target is read with intermediate runs as they are."""
    return find_task(task).retrieval


def sources_for(sources: Sequence[str], tasks: Sequence[str]) -> tuple[str, ...]:
    """The study's --data without what it names for other tasks."""
    keys = {source: source.partition("=")[0] for source in sources if "=" in source and not Path(source).is_dir()}
    named = {source: key.partition("/")[0] for source, key in keys.items()}
    return tuple(source for source in sources if named.get(source) not in known_tasks or named[source] in tasks)


def _arms(grown: _Grown, seed: int) -> dict[str, _Arm]:
    """Intermediate runs by label, and then what should learn nothing. A control waits for the run that it is made of:
    shuffled labels are learned to the step that run kept, and a random adapter is its entries in another order."""
    entries = {entry.label: entry for entry in grown.study.intermediate}
    configs = {label: _intermediate_config(grown.study, entry, seed) for label, entry in entries.items()}
    arms = {label: _Arm((grown.train(label, entry.learned, configs[label]),)) for label, entry in entries.items()}
    for control, labels in grown.study.controls.items():
        for label in labels:
            name, tasks = control_label(label, control), entries[label].learned
            config = with_settings(configs[label], {"control": control})
            if control == "random-adapter":  # nothing is trained
                tasks, config = tasks[:1], _open(_plain_sampler(config), {"how": SEQUENTIAL})
            arms[name] = _Arm((grown.train(name, tasks, config, arms[label].keys),), control, label)
    return arms


def _fused(study: StudyConfig, arms: Mapping[str, _Arm], direct: str) -> dict[str, _Arm]:
    """The fusions by name, and the controls of those that fuse nothing but intermediate runs with such a control."""
    named = study.fusions or {EVERY: tuple(entry.label for entry in study.intermediate)}
    keys = {**{label: arm.keys[0] for label, arm in arms.items()}, DIRECT: direct}
    fused = {name: _Arm(tuple(keys[part] for part in parts)) for name, parts in named.items()}
    for control, labels in study.controls.items():
        for name, parts in named.items():
            if {*parts} - {DIRECT} <= {*labels}:
                own = [part if part == DIRECT else control_label(part, control) for part in parts]
                fused[control_label(name, control)] = _Arm(tuple(keys[part] for part in own), control, name)
    return fused


def _cells(grown: _Grown, target: Target, arms: Mapping[str, _Arm], seed: int) -> None:
    """One target under one seed: directly (retrieval: by the trunk alone), and after intermediate runs and controls."""
    study, read_alone = grown.study, retrieval(target.task)
    after = {str(use): names for use, names in (study.after | target.after).items()}

    def train(how: str, label: str = "", parents: Sequence[str] = ()) -> str:
        config = _open(_config(study, target, seed), {"how": how})
        return grown.train("-".join(filter(None, (target.label, how, label))), target.learned, config, parents)

    def cell(label: str, how: str, run: str, arm: _Arm = _Arm(())) -> None:
        reading = grown.read(target, run, seed)
        grown.cells.append(Cell(label, how, target.label, target.task, seed, reading, base, arm.control, arm.of))

    direct = "" if read_alone else train(DIRECT)
    base = grown.read(target, direct, seed)
    cell("", DIRECT, direct)
    for how in () if read_alone else target.hows or study.hows:
        usable = _fused(study, arms, direct) if how in GROUPED else arms
        for label in after.get(how) or usable:
            cell(label, how, train(how, label, usable[label].keys), usable[label])
    for label in after.get(READ) or (arms if read_alone else ()):
        cell(label, READ, arms[label].keys[0], arms[label])


def _intermediate_config(study: StudyConfig, entry: Intermediate, seed: int) -> RunConfig:
    several = len(entry.learned) > 1
    config = _config(study, entry, seed)
    settings: dict[str, Any] = {"how": JOINT if several else DIRECT}
    if entry.language:
        settings["data.language"] = list(entry.language)
    if entry.sampler is not None:
        settings |= {f"training.sampler.{key}": value for key, value in entry.sampler.model_dump().items()}
    return _open(config if several else _plain_sampler(config), settings)


def _config(study: StudyConfig, entry: Intermediate | Target, seed: int) -> RunConfig:
    """A run's configuration, or a reading's: from a recipe and the study's settings; what comes later wins."""
    named = entry.recipe or _recipe(study, entry.label, entry.learned)
    base = _recipe_config(named) if named else RunConfig()
    settings: dict[str, Any] = {f"trunk.{key}": value for key, value in study.trunk.model_dump().items()}
    if study.adapter is not None:
        settings |= {f"adapter.{key}": value for key, value in dict(study.adapter).items()}
    if study.data:
        settings["data.sources"] = list(sources_for(study.data, entry.learned))
    role = study.intermediate_settings if isinstance(entry, Intermediate) else study.target_settings
    protocol = None if isinstance(entry, Intermediate) else entry.protocol
    if protocol or study.protocol:
        settings["evaluation.protocol"] = protocol or study.protocol
    own = {**study.settings, **role, **entry.settings, "training.seed": seed}
    config = with_settings(_plain_sampler(base.model_copy(update={"how": DIRECT})), {**settings, **own})
    # the recipe's sampler mixes several tasks, which `how` says last
    return _sampled(config, base) if len(entry.learned) > 1 and named else config


def _plain_sampler(config: RunConfig) -> RunConfig:
    return _sampled(config, RunConfig())


def _sampled(config: RunConfig, like: RunConfig) -> RunConfig:
    training = config.training.model_copy(update={"sampler": like.training.sampler})
    return config.model_copy(update={"training": training})


@cache
def _recipe_config(name: str) -> RunConfig:
    return load(Path(name))


def _recipe(study: StudyConfig, label: str, tasks: Sequence[str]) -> str:
    if isinstance(study.recipes, str):
        return f"{label if len(tasks) > 1 else tasks[0]}-{study.recipes}"
    return study.recipes.get(label) or (study.recipes.get(tasks[0], "") if len(tasks) == 1 else "")


def _open(config: RunConfig, settings: Mapping[str, Any]) -> RunConfig:
    """The configuration with `how` set and `after` left open; checked with a parent in the place of its own."""
    after = [] if settings["how"] in (DIRECT, JOINT) else ["PARENT"]
    return with_settings(config, {**settings, "after": after}).model_copy(update={"after": ()})
