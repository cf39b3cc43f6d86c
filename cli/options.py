"""Options that several verbs share, each written once, and the path from what was typed to a RunConfig."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from typer.core import TyperCommand

from adapter_stilts.registry import names_in, unknown_name

if TYPE_CHECKING:
    from adapter_stilts.config.schema import RunConfig


def given(flag: str, metavar: str, help: str) -> Any:
    """An option of one verb, with a value."""
    return typer.Option(flag, metavar=metavar, help=help)


def named(flag: str, place: str, help: str) -> Any:
    """An option whose value is a name of the registry at a place (registry.py), or one of those after "|"."""

    def checked(value: str) -> str:
        if value not in choices(place):
            raise unknown_name(flag, value, choices(place))
        return value

    return typer.Option(flag, metavar=place, parser=checked, help=help)


def choices(place: str) -> tuple[str, ...]:
    registry, *more = place.split("|")
    return (*names_in(registry), *more)


class StiltsCommand(TyperCommand):
    """A verb; the names its options may have are read when its help is asked for."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        for option in self.params:
            place = getattr(option, "metavar", None) or ""
            if place.startswith("adapter_stilts."):
                option.metavar = f"[{'|'.join(choices(place))}]"
        super().format_options(ctx, formatter)


HowOption: TypeAlias = Annotated[
    str | None, named("--how", "adapter_stilts.config.schema:How", "How the run uses what was learned before.")
]
SamplerOption: TypeAlias = Annotated[
    str | None,
    named(
        "--sampler",
        "adapter_stilts.training.sampler:samplers",
        "--how joint: how the task of each step is drawn.",
    ),
]
ControlOption: TypeAlias = Annotated[
    str | None,
    named(
        "--control", "adapter_stilts.config.schema:Control", "A run that should learn nothing, to compare gains with."
    ),
]
ProtocolOption: TypeAlias = Annotated[
    str | None, named("--protocol", "adapter_stilts.config.schema:Protocol", "Whose rules are followed.")
]
PoolOption: TypeAlias = Annotated[
    str | None,
    named("--pool", "adapter_stilts.retrieval.pooling:poolings", "How token states become a sentence vector."),
]
MarginOption: TypeAlias = Annotated[
    str | None,
    named(
        "--margin",
        "adapter_stilts.retrieval.margin:margins",
        "How a pair's cosine is compared with its neighbours'.",
    ),
]
LayoutOption: TypeAlias = Annotated[
    str | None,
    named(
        "--format",
        "adapter_stilts.data.sentences:LAYOUTS",
        "How files are read, where name and first line do not tell.",
    ),
]
EngineOption: TypeAlias = Annotated[
    str,
    named(
        "--engine",
        "adapter_stilts.mining.cluster:ENGINES",
        "Who works: this process, or the workers of a Ray cluster that is running.",
    ),
]
TrunkOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--trunk", metavar="NAME", help="The pretrained XLM-R: a hub id, a folder, or `miniature` (the default)."
    ),
]
DataOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="DIR|SPLIT=FILE",
        help="A folder searched for each task's files by their release names, or train=FILE, validation=FILE, "
        "test=FILE (repeatable); "
        "of several tasks, TASK=DIR and TASK/train=FILE are for one.",
    ),
]
ConfigOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE|NAME", help="A YAML configuration, or the name of a ready-made one: `list recipes`."
    ),
]
SetOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, for example training.epochs=2 (repeatable)."),
]
SeedOption: TypeAlias = Annotated[
    int | None, typer.Option("--seed", metavar="N", help="Everything random follows from it.")
]
KindOption: TypeAlias = Annotated[
    str | None, typer.Option("--kind", metavar="NAME", help="The kind of adapter: `list kinds`.")
]
OutOption: TypeAlias = Annotated[
    Path | None, typer.Option("-o", "--out", metavar="DIR", help="The run's folder; by default runs/TASK-HASH.")
]
ResumeOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--resume/--overwrite",
        help="Go on where the same run stopped (or say that it is done), or train it again and replace what is there.",
    ),
]
CentringOption: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--centring/--no-centring",
        help="Subtract the mean vector of each language's sentences first; by default as the protocol says.",
    ),
]
RayOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="HOST:PORT",
        help="The cluster; by default RAY_ADDRESS, else this machine's own. `local` starts one here.",
    ),
]
DryRunOption: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Check everything and say what would be done; train and write nothing.")
]


ReaderOption: TypeAlias = Annotated[
    Path | None, given("--run", "RUN", "A finished run to encode with; leave it out to use a bare trunk.")
]
LayerOption: TypeAlias = Annotated[int | None, given("--layer", "N", "Where vectors are read; 0 is the embedding.")]
ColumnOption: TypeAlias = Annotated[
    str | None,
    given("--column", "NAME|N", "The column or field of the sentence; a number, from 0, in a TSV without a header."),
]
NeighboursOption: TypeAlias = Annotated[int | None, given("-k", "N", "Neighbours that a margin compares with.")]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]

RUNS = Path("runs")


def names(text: str | None) -> tuple[str, ...]:
    """ "xnli,tatoeba" as names; () where nothing was typed."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def configuration(
    path: Path | None, settings: Sequence[str] | None, typed: Mapping[str, tuple[str, object]]
) -> RunConfig:
    """The configuration from a file, `--set` and flags; `typed` maps a flag to the key it sets and the value, None where
    it was not given."""
    from adapter_stilts.config.load import Given, load
    from adapter_stilts.encoder.kinds import mistakes

    given = [
        Given(flag, key, list(value) if isinstance(value, tuple) else value)
        for flag, (key, value) in typed.items()
        if value is not None and value != ()
    ]
    return load(path, settings or (), given, adapter=mistakes)
