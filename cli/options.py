"""Options that several verbs share, each written once, and the path from what was typed to a RunConfig."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from typer.core import TyperCommand

from adapter_stilts.environment import RUNS as RUNS
from adapter_stilts.registry import names_in, unknown_name

if TYPE_CHECKING:
    from adapter_stilts.config.schema import RunConfig

NUMBERS = "N[,N...]"  # the metavar of an option that takes several numbers
NUMBER = re.compile(r"[-+]?[\d.,]+([eE][-+]?\d+)?(,.*)?")
LIBRARY = "adapter_stilts."  # what a place in it is called by begins so


def option(flags: str, metavar: str | None, help: str, **more: Any) -> Any:
    """An option; `metavar` stands for its value, None for a switch."""
    return typer.Option(*flags.split(), metavar=metavar, help=help, **more)


def named(flag: str, place: str, help: str) -> Any:
    """An option whose value is a name of the registry at a place of the library (registry.py), or one of those after
    "|"."""

    def checked(value: str) -> str:
        if value not in choices(place):
            raise unknown_name(flag, value, choices(place))
        return value

    return typer.Option(flag, metavar=f"{LIBRARY}{place}", parser=checked, help=help)


def joined(args: list[str], flags: set[str]) -> list[str]:
    """What was typed, with the numbers after a flag as its value: "--weights 1 -0.5" is "--weights=1,-0.5"."""
    whole: list[str] = []
    for word in args:
        follows = bool(whole) and whole[-1].partition("=")[0] in flags and NUMBER.fullmatch(word)
        if follows:
            whole[-1] += f"{',' if '=' in whole[-1] else '='}{word}"
        else:
            whole.append(word)
    return whole


def choices(place: str) -> tuple[str, ...]:
    registry, *more = place.split("|")
    return (*names_in(f"{LIBRARY}{registry}"), *more)


class StiltsCommand(TyperCommand):
    """A verb; the names its options may have are read when its help is asked for, and numbers may follow an option that
    takes several."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        several = {flag for param in self.params if getattr(param, "metavar", "") == NUMBERS for flag in param.opts}
        return super().parse_args(ctx, joined(args, several))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        for option in self.params:
            metavar = getattr(option, "metavar", None) or ""
            if metavar.startswith(LIBRARY):
                option.metavar = f"[{'|'.join(choices(metavar.removeprefix(LIBRARY)))}]"
        super().format_options(ctx, formatter)


Text: TypeAlias = str | None
HowOption: TypeAlias = Annotated[Text, named("--how", "config.schema:How", "How the run uses what was learned before.")]
SamplerOption: TypeAlias = Annotated[
    Text, named("--sampler", "training.sampler:samplers", "--how joint: how the task of each step is drawn.")
]
ControlOption: TypeAlias = Annotated[
    Text, named("--control", "config.schema:Control", "A run that should learn nothing, to compare gains with.")
]
ProtocolOption: TypeAlias = Annotated[
    Text, named("--protocol", "formats.protocols:target_protocols", "Whose rules are followed.")
]
PoolOption: TypeAlias = Annotated[
    Text, named("--pool", "retrieval.pooling:poolings", "How token states become a sentence vector.")
]
MarginOption: TypeAlias = Annotated[
    Text, named("--margin", "retrieval.margin:margins", "How a pair's cosine is compared with its neighbours'.")
]
LayoutOption: TypeAlias = Annotated[
    Text, named("--format", "data.sentences:LAYOUTS", "How files are read, where name and first line do not tell.")
]
WHO = "Who works: this process, or the workers of a Ray cluster that is running."
EngineOption: TypeAlias = Annotated[str, named("--engine", "mining.cluster:ENGINES", WHO)]
TrunkOption: TypeAlias = Annotated[
    Text, option("--trunk", "NAME", "The pretrained encoder: a hub id, a folder, `miniature`. Your own data need one.")
]
SOURCES = (
    "A folder searched for each task's files by their release names, or train=FILE, validation=FILE, test=FILE "
    "(repeatable); of several tasks, TASK=DIR and TASK/train=FILE are for one."
)
DataOption: TypeAlias = Annotated[list[str] | None, option("--data", "DIR|SPLIT=FILE", SOURCES)]
ConfigOption: TypeAlias = Annotated[
    Path | None,
    option("--config", "FILE|NAME", "A YAML configuration, or the name of a ready-made one: `list recipes`."),
]
SetOption: TypeAlias = Annotated[
    list[str] | None, option("--set", "KEY=VALUE", "Change one setting, for example training.epochs=2 (repeatable).")
]
SeedOption: TypeAlias = Annotated[int | None, option("--seed", "N", "Everything random follows from it.")]
KindOption: TypeAlias = Annotated[Text, option("--kind", "NAME", "The kind of adapter: `list kinds`.")]
FROM_LAYER = "Adapters in the layers above this hidden state alone; those below run once for each text."
FromLayerOption: TypeAlias = Annotated[int | None, option("--from-layer", "N", FROM_LAYER)]
OutOption: TypeAlias = Annotated[Path | None, option("-o --out", "DIR", "The run's folder; by default runs/TASK-HASH.")]
AGAIN = "Go on where the same run stopped (or say that it is done), or train it again and replace what is there."
ResumeOption: TypeAlias = Annotated[bool, option("--resume/--overwrite", None, AGAIN)]
CENTRED = "Subtract the mean vector of each language's sentences first; by default as the protocol says."
CentringOption: TypeAlias = Annotated[bool | None, option("--centring/--no-centring", None, CENTRED)]
CLUSTER = "The cluster; by default RAY_ADDRESS, else this machine's own. `local` starts one here."
RayOption: TypeAlias = Annotated[Text, option("--ray-address", "HOST:PORT", CLUSTER)]
DryRunOption: TypeAlias = Annotated[
    bool, option("--dry-run", None, "Check everything and say what would be done; train and write nothing.")
]
ReaderOption: TypeAlias = Annotated[
    Path | None, option("--run", "RUN", "A finished run to encode with; leave it out to use a bare trunk.")
]
LayerOption: TypeAlias = Annotated[Text, option("--layer", "N|last", "Where vectors are read; 0 is the embedding.")]
COLUMN = "The column or field of the sentence; a number, from 0, in a table without a header."
ColumnOption: TypeAlias = Annotated[Text, option("--column", "NAME|N", COLUMN)]
TARGET_COLUMN = "The column of TGT, where it is another."
TargetColumnOption: TypeAlias = Annotated[Text, option("--target-column", "NAME|N", TARGET_COLUMN)]
NeighboursOption: TypeAlias = Annotated[int | None, option("-k", "N", "Neighbours that a margin compares with.")]
JsonOption: TypeAlias = Annotated[bool, option("--json", None, "Print one JSON document on stdout.")]

TARGET = "Sentences of the other language."


def names(text: str | None) -> tuple[str, ...]:
    """ "xnli,tatoeba" as names; () where nothing was typed."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def configuration(path: Path | None, settings: Sequence[str] | None, **typed: object) -> RunConfig:
    """The configuration from a file, `--set`, and what was typed for the words of config/words.py."""
    from adapter_stilts.config import words
    from adapter_stilts.encoder.kinds import mistakes

    return words.configuration(path, settings or (), typed, adapter=mistakes)
