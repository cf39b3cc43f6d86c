"""Options that several verbs share, each written once, and the path from what was typed to a RunConfig."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from adapter_stilts.config.schema import RunConfig


class How(StrEnum):
    """How a target uses what was learned before."""

    direct = "direct"
    sequential = "sequential"
    stack = "stack"
    fuse = "fuse"
    merge = "merge"
    joint = "joint"


class Sampler(StrEnum):
    """How the task of the next step is drawn from several."""

    proportional = "proportional"
    uniform = "uniform"
    temperature = "temperature"
    capped = "capped"
    fixed = "fixed"


class Control(StrEnum):
    """A run that should learn nothing, to compare with."""

    none = "none"
    shuffled_labels = "shuffled-labels"
    random_adapter = "random-adapter"


class Protocol(StrEnum):
    """Whose rules a score follows."""

    xtreme = "xtreme"
    xtreme_r = "xtreme-r"
    jiant = "jiant"
    own = "own"


class Pool(StrEnum):
    """How the token states of a sentence become one vector."""

    mean = "mean"
    mean_words = "mean_words"
    first = "first"
    max = "max"


class Dtype(StrEnum):
    """How vectors are stored."""

    float32 = "float32"
    float16 = "float16"
    int8 = "int8"


class Layout(StrEnum):
    """How a file of sentences is laid out."""

    lines = "lines"
    ids = "ids"
    tsv = "tsv"
    jsonl = "jsonl"


class Margin(StrEnum):
    """How a pair's cosine is compared with those of its neighbours."""

    ratio = "ratio"
    distance = "distance"
    absolute = "absolute"
    csls = "csls"


class Engine(StrEnum):
    """Who does the work: this process, or the workers of a Ray cluster."""

    local = "local"
    ray = "ray"


class Split(StrEnum):
    """Which part of a task's data."""

    train = "train"
    validation = "validation"
    test = "test"


TrunkOption: TypeAlias = Annotated[
    str | None, typer.Option("--trunk", metavar="NAME", help="The pretrained XLM-R: a hub id, a folder, or `miniature` (the default).")
]
DataOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="DIR|SPLIT=FILE",
        help="A folder searched for each task's files by their release names, or train=FILE, validation=FILE, test=FILE (repeatable); "
        "of several tasks, TASK=DIR and TASK/train=FILE are for one.",
    ),
]
ConfigOption: TypeAlias = Annotated[
    Path | None, typer.Option("--config", metavar="FILE|NAME", help="A YAML configuration, or the name of a ready-made one: `list recipes`.")
]
SetOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, for example training.epochs=2 (repeatable).")
]
SeedOption: TypeAlias = Annotated[int | None, typer.Option("--seed", metavar="N", help="Everything random follows from it.")]
KindOption: TypeAlias = Annotated[str | None, typer.Option("--kind", metavar="NAME", help="The kind of adapter: `list kinds`.")]
ControlOption: TypeAlias = Annotated[Control | None, typer.Option("--control", help="A run that should learn nothing, to compare gains with.")]
LimitOption: TypeAlias = Annotated[float | None, typer.Option("--limit-gb", metavar="GB", help="Memory that training must fit in.")]
OutOption: TypeAlias = Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="The run's folder; by default runs/TASK-HASH.")]
ResumeOption: TypeAlias = Annotated[
    bool, typer.Option("--resume/--overwrite", help="Go on where the same run stopped (or say that it is done), or train it again and replace what is there.")
]
CentringOption: TypeAlias = Annotated[
    bool | None, typer.Option("--centring/--no-centring", help="Subtract the mean vector of each language's sentences first; by default as the protocol says.")
]
EngineOption: TypeAlias = Annotated[Engine, typer.Option("--engine", help="Who works: this process, or the workers of a Ray cluster that is running.")]
RayOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--ray-address", metavar="HOST:PORT", help="The cluster; by default RAY_ADDRESS, else this machine's own. `local` starts one here."),
]
DryRunOption: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Check everything and say what would be done; train and write nothing.")]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]

RUNS = Path("runs")


def names(text: str | None) -> tuple[str, ...]:
    """ "xnli,tatoeba" as names; () where nothing was typed."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def configuration(path: Path | None, settings: Sequence[str] | None, typed: Mapping[str, tuple[str, object]]) -> RunConfig:
    """The configuration from a file, `--set` and flags; `typed` maps a flag to the key it sets and the value, None where it was not given."""
    from adapter_stilts.config.load import Given, load
    from adapter_stilts.encoder.kinds import mistakes

    given = [Given(flag, key, list(value) if isinstance(value, tuple) else value) for flag, (key, value) in typed.items() if value is not None and value != ()]
    return load(path, settings or (), given, adapter=mistakes)
