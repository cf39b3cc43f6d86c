"""`train` and `fuse`: verbs that leave a run behind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import progress, render
from .options import (
    RUNS,
    ConfigOption,
    ControlOption,
    DataOption,
    DryRunOption,
    HowOption,
    JsonOption,
    KindOption,
    OutOption,
    ResumeOption,
    SamplerOption,
    SeedOption,
    SetOption,
    TrunkOption,
    configuration,
    given,
    names,
)

TASK = "A task of `list tasks`, or a YAML file that describes one; several with commas for --how joint."
SOURCES = "Finished runs whose adapters are fused; they stay frozen."


def train(
    task: Annotated[str, typer.Argument(metavar="TASK", help=TASK)],
    trunk: TrunkOption = None,
    kind: KindOption = None,
    how: HowOption = None,
    after: Annotated[list[str] | None, given("--after", "RUN", "A finished run to build on (repeatable).")] = None,
    sampler: SamplerOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    seed: SeedOption = None,
    control: ControlOption = None,
    out: OutOption = None,
    resume: ResumeOption = True,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train an adapter and a head for a task.

    The trunk stays frozen. --how and --after build on earlier runs: their adapters are continued, stacked under or
    fused. --how joint trains one adapter for several tasks, with a head each.

    \b
    Examples:
      adapter-stilts train nli
      adapter-stilts train xnli --how stack --after runs/nli-1a2b3c4d
      adapter-stilts train nli,qa,mlm --how joint --sampler temperature --data mlm/train=texts.txt
      adapter-stilts train pair --data train=pairs.tsv --data validation=dev.tsv --trunk xlm-roberta-base
    """
    from adapter_stilts.runs import train as runs

    typed = {
        "TASK": ("task.name", task),
        "--trunk": ("trunk.name", trunk),
        "--kind": ("adapter.kind", kind),
        "--how": ("how", how),
        "--after": ("after", tuple(after or ())),
        "--sampler": ("training.sampler.name", sampler),
        "--data": ("data.sources", tuple(data or ())),
        "--seed": ("training.seed", seed),
        "--control": ("control", control),
    }
    chosen = configuration(config, settings, typed)
    how_run: dict[str, Any] = {"out": out, "runs": RUNS, "resume": resume, "overwrite": not resume, "dry_run": dry_run}
    render.finish(runs.train(chosen, names(task), **how_run, report=progress.reporter()), as_json)


def fuse(
    sources: Annotated[list[Path], typer.Argument(metavar="RUN", help=SOURCES)],
    target: Annotated[str, given("--target", "TASK", "The task that fusion layers and a head are trained for.")],
    trunk: TrunkOption = None,
    kind: KindOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    seed: SeedOption = None,
    control: ControlOption = None,
    out: OutOption = None,
    resume: ResumeOption = True,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train AdapterFusion over finished runs.

    Their adapters stay frozen; fusion layers and a head are trained for the target task, and what they listen to is
    reported per source, layer and language.

    \b
    Example:
      adapter-stilts fuse runs/nli-1a2b3c4d runs/qa-5e6f7a8b --target xnli
    """
    from adapter_stilts.runs import train as runs

    typed = {
        "--target": ("task.name", target),
        "RUN": ("after", tuple(str(source) for source in sources)),
        "fuse": ("how", "fuse"),
        "--trunk": ("trunk.name", trunk),
        "--kind": ("adapter.kind", kind),
        "--data": ("data.sources", tuple(data or ())),
        "--seed": ("training.seed", seed),
        "--control": ("control", control),
    }
    chosen = configuration(config, settings, typed)
    how_run: dict[str, Any] = {"out": out, "runs": RUNS, "resume": resume, "overwrite": not resume, "dry_run": dry_run}
    render.finish(runs.fuse(tuple(sources), target, chosen, **how_run, report=progress.reporter()), as_json)
