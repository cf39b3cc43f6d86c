"""What a study is, as values: a grid of intermediate tasks, ways to build on them, targets and seeds.

    name: example
    trunk: {name: miniature}
    intermediate: [nli, {name: both, tasks: [nli, qa], sampler: {name: uniform}}, {task: nli, name: sw, language: sw}]
    hows: [sequential, stack]
    after: {stack: [nli, nli-shuffled]}
    targets: [xnli, {task: panx, languages: [de, sw]}, tatoeba]
    controls: {shuffled-labels: [nli]}
    seeds: [13, 17]

Every target is trained directly as well: that is what gains are measured against. Numbers come from a recipe
(`recipes`), then from `settings` and those of the role and of the entry, which are keys of a run's configuration
("training.epochs").
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from adapter_stilts.config.schema import Adapter, Int, Languages, Protocol, Sampler, Section, Texts, Trunk

StudyHow = Literal["sequential", "stack", "fuse", "merge"]
Use = Literal["sequential", "stack", "fuse", "merge", "read"]
GROUPED = ("fuse", "merge")  # ways that build on several runs at once
StudyControl = Literal["shuffled-labels", "random-adapter"]
Split = Literal["validation", "test"]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
EVERY = "all"  # the fusion of all intermediate runs, where none is named
DIRECT = "direct"  # in a fusion: the target's own direct run


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise PydanticCustomError("name", "should be a name of letters, digits, '.', '_', '+' and '-'")
    return value


def _task_alone(value: object) -> object:
    """`- nli` is short for `- task: nli`."""
    return {"task": value} if isinstance(value, str) else value


def _several(value: object) -> object:
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


def _recipes(value: object) -> object:
    """One protocol, or a recipe for each task."""
    if isinstance(value, str) or (isinstance(value, dict) and all(isinstance(name, str) for name in value.values())):
        return value
    raise PydanticCustomError("recipes", "should be a protocol, or a mapping of tasks to recipes")


def control_label(label: str, control: str) -> str:
    """What the control of an intermediate run is called: nli-shuffled, nli-random."""
    return f"{label}-{control.partition('-')[0]}"


Name = Annotated[str, AfterValidator(_name)]
Settings = dict[str, Any]
Seed = Annotated[Int, Field(ge=0, lt=2**63)]


class Intermediate(Section):
    """What is learned first: one task, or several at once.

    task      one task; or
    tasks     several, mixed by `sampler`
    mlm       learn masked language modelling beside it or them
    name      in tables and folders; "" is the task's own
    language  of its rows: translated data
    recipe    in the place of the study's
    settings  over those of the study
    """

    name: str = ""
    task: str = ""
    tasks: Texts = ()
    mlm: bool = False
    sampler: Sampler | None = None
    language: Languages = ()
    recipe: str = ""
    settings: Settings = Field(default_factory=dict)

    @property
    def learned(self) -> tuple[str, ...]:
        """The tasks, masked language modelling last."""
        named = self.tasks or ((self.task,) if self.task else ())
        return (*named, "mlm") if self.mlm and "mlm" not in named else named

    @property
    def label(self) -> str:
        return self.name or "+".join(self.learned)


class Target(Section):
    """What is scored: a task that is trained after each intermediate run, or a retrieval task that is read with it.

    task         its name
    name         in tables and folders; "" is the task's own
    languages    () is all there are
    hows, after  () and {} are the study's
    protocol     whose rules its scores follow; None: the study's
    split        which rows are scored
    recipe       in the place of the study's
    settings     over those of the study
    """

    task: str
    name: str = ""
    languages: Texts = ()
    hows: tuple[StudyHow, ...] = ()
    after: dict[Use, Texts] = Field(default_factory=dict)
    protocol: Protocol | None = None
    split: Split = "test"
    recipe: str = ""
    settings: Settings = Field(default_factory=dict)

    @property
    def learned(self) -> tuple[str, ...]:
        return (self.task,)

    @property
    def label(self) -> str:
        return self.name or self.task


class TableOptions(Section):
    """What the table compares, and how.

    zero_shot     means of trained targets leave out the language of the training rows, which is scored beside them
    over_control  gains over the better control of the same intermediate run and how as well
    nested        intervals and p of several seeds are for other languages as well, not for those scored alone
    holm          the family that p is corrected over: the gains of a row, of a target, or all of the table
    equal_within  a fraction: gains that are surely smaller count as equal
    """

    zero_shot: bool = True
    over_control: bool = False
    nested: bool = False
    holm: Literal["row", "target", "all"] = "row"
    equal_within: Annotated[float, Field(gt=0, lt=1)] | None = None


class StudyConfig(Section):
    """One study.

    name      of the study, and of its folder under studies/
    adapter   in the place of the recipe's
    data      as after --data
    intermediate  what is learned first
    hows      ways to build on it: sequential, stack, fuse, merge
    targets   what is scored: tasks that are trained after it, and retrieval tasks that are read with it
    seeds     every cell is done under each
    settings  keys of a run's configuration, over its recipe
    intermediate_settings, target_settings  the same for one role, over these
    after     how -> the intermediate runs and controls it builds on (fuse, merge: the fusions); not named: all of them.
              "read" are those that a target is read with as they are: retrieval by all, trained targets by none
              unless named
    fusions   name -> the intermediate runs that are fused or merged, "direct" for the target's own direct run; {}:
              "all" of them
    controls  control -> the intermediate runs it is made of
    recipes   a protocol (TASK-PROTOCOL for every task that has one), or task -> recipe
    protocol  whose rules scores follow; None: the recipe's
    sizes     task -> training rows, for --dry-run where the data cannot be read and nothing is documented
    """

    name: Name
    trunk: Trunk = Trunk()
    adapter: Adapter | None = None
    data: Texts = ()
    intermediate: tuple[Annotated[Intermediate, BeforeValidator(_task_alone)], ...] = Field(min_length=1)
    hows: Annotated[tuple[StudyHow, ...], BeforeValidator(_several)] = Field(("sequential",), min_length=1)
    after: dict[Use, Texts] = Field(default_factory=dict)
    fusions: dict[str, Texts] = Field(default_factory=dict)
    targets: tuple[Annotated[Target, BeforeValidator(_task_alone)], ...] = Field(min_length=1)
    controls: dict[StudyControl, Texts] = Field(default_factory=dict)
    seeds: Annotated[tuple[Seed, ...], BeforeValidator(_several)] = Field((13,), min_length=1, max_length=1000)
    recipes: Annotated[str | dict[str, str], BeforeValidator(_recipes)] = Field(default_factory=dict)
    protocol: Protocol | None = None
    settings: Settings = Field(default_factory=dict)
    intermediate_settings: Settings = Field(default_factory=dict)
    target_settings: Settings = Field(default_factory=dict)
    sizes: dict[str, Annotated[Int, Field(ge=1)]] = Field(default_factory=dict)
    table: TableOptions = TableOptions()

    @model_validator(mode="after")
    def _fusions_are_asked_for(self) -> StudyConfig:
        every = {*self.hows, *(how for target in self.targets for how in target.hows)}
        if self.fusions and every.isdisjoint(GROUPED):
            message = "no `hows` asks for fuse or merge; add one, or leave this out"
            raise PydanticCustomError("conflict", "{message}", {"key": "fusions", "other": "hows", "message": message})
        return self
