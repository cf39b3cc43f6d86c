"""A study as stages that depend on each other, and as the cells of its table.

A stage trains one run or reads one target with one run. Its key is the fingerprint of everything the file says of it and of the stages
it builds on, so that what two cells share is one stage, and a stage keeps its folder when the grid around it changes.

    nli-s13 ──┬── xnli-sequential-nli-s13 ── read xnli
              ├── xnli-stack-nli-s13 ─────── read xnli
              └── read tatoeba
    xnli-direct-s13 ──────────────────────── read xnli        what gains are measured against; for tatoeba, the trunk alone
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
from adapter_stilts.config.study import EVERY, Intermediate, StudyConfig, Target
from adapter_stilts.runs.identity import weight_settings
from adapter_stilts.tasks.base import tasks as known_tasks
from adapter_stilts.tasks.user import find_task

DIRECT, SEQUENTIAL, STACK, FUSE, JOINT, READ = "direct", "sequential", "stack", "fuse", "joint", "read"
CONTROL_NAMES = {"shuffled-labels": "shuffled", "random-adapter": "random"}


@dataclass(frozen=True)
class Stage:
    """One piece of work: `train` leaves a run, `read` scores one target with a run, or with the trunk alone (no parents).

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
    seed: int
    how: str
    languages: tuple[str, ...] = ()
    split: str = ""


@dataclass(frozen=True)
class Cell:
    """One number of the table: a target after an intermediate run, under one seed; `base` is the reading it is compared with."""

    intermediate: str
    how: str
    target: str
    seed: int
    reading: str
    base: str
    control: bool = False


@dataclass(frozen=True)
class Grid:
    """Stages, each after those it builds on, and the cells they fill."""

    stages: tuple[Stage, ...]
    cells: tuple[Cell, ...]


@dataclass
class _Grown:
    """The grid while it is made: a stage is added once, however many cells need it."""

    study: StudyConfig
    stages: dict[str, Stage] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)

    def train(self, label: str, tasks: Sequence[str], config: RunConfig, parents: Sequence[str], how: str) -> str:
        key = fingerprint(["train", list(tasks), weight_settings(config.model_copy(update={"after": tuple(parents)}))])
        seed = config.training.seed
        self.stages.setdefault(key, Stage(key, f"{label}-s{seed}", "train", tuple(tasks), config, tuple(parents), seed, how))
        return key

    def read(self, target: Target, run: str, seed: int) -> str:
        config = _reading_config(self.study, target, seed)
        facts = [list(target.languages), target.split, config.trunk, config.data, config.retrieval, config.evaluation, config.task]
        key = fingerprint(["read", target.task, run, *facts])
        label = f"{target.task} with {self.stages[run].label if run else 'the trunk'}"
        parents = (run,) if run else ()
        self.stages.setdefault(key, Stage(key, label, "read", (target.task,), config, parents, seed, READ, target.languages, target.split))
        return key


def grid(study: StudyConfig) -> Grid:
    """Every stage and cell of a study; raises ConfigError for settings that do not go together."""
    grown = _Grown(study)
    for seed in study.seeds:
        learned = {entry.label: _intermediate(grown, entry, seed) for entry in study.intermediate}
        controls = _controls(grown, learned, seed)
        for target in study.targets:
            _cells(grown, target, learned, controls, seed)
    return Grid(tuple(grown.stages.values()), tuple(grown.cells))


def retrieval(task: str) -> bool:
    """Whether a target is read with intermediate runs as they are."""
    return find_task(task).retrieval


def sources_for(sources: Sequence[str], tasks: Sequence[str]) -> tuple[str, ...]:
    """The study's --data without what it names for other tasks."""
    return tuple(source for source in sources if not _others(source, tasks))


def _others(source: str, tasks: Sequence[str]) -> bool:
    key, equals, _ = source.partition("=")
    named = key.partition("/")[0]
    return bool(equals) and not Path(source).is_dir() and named in known_tasks and named not in tasks


def _intermediate(grown: _Grown, entry: Intermediate, seed: int) -> str:
    return grown.train(entry.label, entry.learned, _intermediate_config(grown.study, entry, seed), (), JOINT if len(entry.learned) > 1 else DIRECT)


def _controls(grown: _Grown, learned: Mapping[str, str], seed: int) -> dict[str, str]:
    """Runs that should learn nothing, by their label in the table."""
    found: dict[str, str] = {}
    entries = {entry.label: entry for entry in grown.study.intermediate}
    for control, labels in grown.study.controls.items():
        for label in labels:
            entry = entries[label]
            name = f"{label}-{CONTROL_NAMES[control]}"
            config = with_settings(_intermediate_config(grown.study, entry, seed), {"control": control})
            if control == "random-adapter":  # nothing is trained: the entries of a finished adapter, in another order
                config = _open(config, {"how": SEQUENTIAL}, plain_sampler=True)
                found[name] = grown.train(name, entry.learned[:1], config, (learned[label],), SEQUENTIAL)
            else:
                found[name] = grown.train(name, entry.learned, config, (), JOINT if len(entry.learned) > 1 else DIRECT)
    return found


def _cells(grown: _Grown, target: Target, learned: Mapping[str, str], controls: Mapping[str, str], seed: int) -> None:
    """One target under one seed: directly, and after every intermediate run and control in every way."""
    arms = {**learned, **controls}
    if retrieval(target.task):
        base = grown.read(target, "", seed)
        grown.cells.append(Cell("", DIRECT, target.task, seed, base, base))
        for label, key in arms.items():
            grown.cells.append(Cell(label, READ, target.task, seed, grown.read(target, key, seed), base, label in controls))
        return
    base = grown.read(target, _target(grown, target, DIRECT, "", (), seed), seed)
    grown.cells.append(Cell("", DIRECT, target.task, seed, base, base))
    for how in target.hows or grown.study.hows:
        after = {name: tuple(learned[one] for one in names) for name, names in _fusions(grown.study).items()} if how == FUSE else _alone(arms)
        for label, parents in after.items():
            run = _target(grown, target, how, label, parents, seed)
            grown.cells.append(Cell(label, how, target.task, seed, grown.read(target, run, seed), base, label in controls))


def _alone(arms: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {label: (key,) for label, key in arms.items()}


def _fusions(study: StudyConfig) -> dict[str, tuple[str, ...]]:
    return dict(study.fusions) or {EVERY: tuple(entry.label for entry in study.intermediate)}


def _target(grown: _Grown, target: Target, how: str, label: str, parents: tuple[str, ...], seed: int) -> str:
    study = grown.study
    config = _config(study, target.task, (target.task,), target.recipe, study.target_settings, target.settings, target.protocol, seed)
    config = _open(config, {"how": how})
    return grown.train("-".join((target.task, how, *([label] if label else []))), (target.task,), config, parents, how)


def _intermediate_config(study: StudyConfig, entry: Intermediate, seed: int) -> RunConfig:
    learned = entry.learned
    config = _config(study, entry.label, learned, entry.recipe, study.intermediate_settings, entry.settings, None, seed)
    settings: dict[str, Any] = {"how": JOINT if len(learned) > 1 else DIRECT}
    if entry.language:
        settings["data.language"] = list(entry.language)
    if entry.sampler is not None:
        settings |= {f"training.sampler.{key}": value for key, value in entry.sampler.model_dump().items()}
    return _open(config, settings, plain_sampler=len(learned) == 1)


def _reading_config(study: StudyConfig, target: Target, seed: int) -> RunConfig:
    """What a reading is asked with: data, protocol, and how sentences become vectors."""
    return _config(study, target.task, (target.task,), target.recipe, study.target_settings, target.settings, target.protocol, seed)


def _config(
    study: StudyConfig,
    label: str,
    tasks: Sequence[str],
    recipe: str,
    role: Mapping[str, Any],
    own: Mapping[str, Any],
    protocol: str | None,
    seed: int,
) -> RunConfig:
    """A run's configuration from a recipe and the study's settings; what comes later wins."""
    named = recipe or _recipe(study, label, tasks)
    base = _recipe_config(named) if named else RunConfig()
    base = base.model_copy(update={"how": DIRECT, "training": base.training.model_copy(update={"sampler": RunConfig().training.sampler})})
    settings: dict[str, Any] = {f"trunk.{key}": value for key, value in study.trunk.model_dump().items()}
    if study.adapter is not None:
        settings |= {"adapter.kind": study.adapter.kind, "adapter.settings": dict(study.adapter.settings)}
    if study.data:
        settings["data.sources"] = list(sources_for(study.data, tasks))
    if protocol or study.protocol:
        settings["evaluation.protocol"] = protocol or study.protocol
    config = with_settings(base, {**settings, **study.settings, **role, **own, "training.seed": seed})
    if len(tasks) > 1 and named:  # the recipe's sampler mixes several tasks, which `how` says last
        sampler = _recipe_config(named).training.sampler
        config = config.model_copy(update={"training": config.training.model_copy(update={"sampler": sampler})})
    return config


@cache
def _recipe_config(name: str) -> RunConfig:
    return load(Path(name))


def _recipe(study: StudyConfig, label: str, tasks: Sequence[str]) -> str:
    if isinstance(study.recipes, str):
        return f"{label if len(tasks) > 1 else tasks[0]}-{study.recipes}"
    return study.recipes.get(label) or (study.recipes.get(tasks[0], "") if len(tasks) == 1 else "")


def _open(config: RunConfig, settings: Mapping[str, Any], *, plain_sampler: bool = False) -> RunConfig:
    """The configuration with `how` set and `after` left open; checked with a parent that stands for those it will have."""
    if plain_sampler:
        config = config.model_copy(update={"training": config.training.model_copy(update={"sampler": RunConfig().training.sampler})})
    needs = settings["how"] not in (DIRECT, JOINT)
    checked = with_settings(config, {**settings, "after": ["PARENT"] if needs else []})
    return checked.model_copy(update={"after": ()})
