"""`train` and `fuse`: verbs that leave a run behind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options, progress, render
from .options import names, option

TASK = "A task of `list tasks`, or a YAML file that describes one; several with commas for --how joint."
LANGUAGE = "The language of the training rows, where files do not tell it by name or column; several with commas."
SOURCES = "Finished runs whose adapters are fused; they stay frozen."


def train(
    task: Annotated[str, typer.Argument(metavar="TASK", help=TASK)],
    trunk: options.TrunkOption = None,
    kind: options.KindOption = None,
    from_layer: options.FromLayerOption = None,
    how: options.HowOption = None,
    after: Annotated[list[str] | None, option("--after", "RUN", "A finished run to build on (repeatable).")] = None,
    sampler: options.SamplerOption = None,
    data: options.DataOption = None,
    language: Annotated[str | None, option("--language", "CODE", LANGUAGE)] = None,
    config: options.ConfigOption = None,
    settings: options.SetOption = None,
    seed: options.SeedOption = None,
    control: options.ControlOption = None,
    out: options.OutOption = None,
    resume: options.ResumeOption = True,
    dry_run: options.DryRunOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Train an adapter and a head for a task.

    The trunk stays frozen. --how and --after build on earlier runs: their adapters are continued, stacked under or
    fused. --how joint trains one adapter for several tasks, with a head each.

    \b
    Examples:
      adapter-stilts train nli
      adapter-stilts train xnli --how stack --after runs/nli-1a2b3c4d
      adapter-stilts train nli,qa,mlm --how joint --data mlm/train=texts.txt --trunk xlm-roberta-base
      adapter-stilts train pair --data train=pairs.tsv --data validation=dev.tsv --trunk xlm-roberta-base
    """
    from adapter_stilts.runs import train as runs

    built = {"task": task, "trunk": trunk, "kind": kind, "how": how, "after": after, "sampler": sampler}
    rows: Any = {"data": data, "language": names(language), "from_layer": from_layer}
    chosen = options.configuration(config, settings, **built, **rows, seed=seed, control=control)
    render.finish(runs.train(chosen, names(task), **_where(out, resume, dry_run)), as_json)


def fuse(
    sources: Annotated[list[Path], typer.Argument(metavar="RUN", help=SOURCES)],
    target: Annotated[str, option("--target", "TASK", "The task that fusion layers and a head are trained for.")],
    trunk: options.TrunkOption = None,
    kind: options.KindOption = None,
    from_layer: options.FromLayerOption = None,
    data: options.DataOption = None,
    config: options.ConfigOption = None,
    settings: options.SetOption = None,
    seed: options.SeedOption = None,
    control: options.ControlOption = None,
    out: options.OutOption = None,
    resume: options.ResumeOption = True,
    dry_run: options.DryRunOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Train AdapterFusion over finished runs.

    Their adapters stay frozen; fusion layers and a head are trained for the target task, and what they listen to is
    reported per source, layer and language.

    \b
    Example:
      adapter-stilts fuse runs/nli-1a2b3c4d runs/qa-5e6f7a8b --target xnli
    """
    from adapter_stilts.runs import train as runs

    built = {"target": target, "sources": [str(run) for run in sources], "fuse": "fuse", "trunk": trunk, "kind": kind}
    rows: Any = {"data": data, "from_layer": from_layer}
    chosen = options.configuration(config, settings, **built, **rows, seed=seed, control=control)
    render.finish(runs.fuse(tuple(sources), target, chosen, **_where(out, resume, dry_run)), as_json)


def _where(out: Path | None, resume: bool, dry_run: bool) -> dict[str, Any]:
    again = {"resume": resume, "overwrite": not resume, "dry_run": dry_run}
    return {"out": out, "runs": options.RUNS, **again, "report": progress.reporter()}
