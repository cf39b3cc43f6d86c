"""`plan`: will it fit, and how long will it take."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from . import options, progress, render
from .options import option

TASK = "The task, for the length of its inputs."
ROWS = "Training rows; without them steps are told only where training.max_steps names them."
MEAN = "Their mean length in tokens; by default half of the longest."
LABELS = "Classes or tags."
FUSED = "A fusion of N adapters in the place of one."
BELOW = "Frozen adapters under the one that trains (--how stack)."
DEVICE = "cpu, or cuda: then it is the memory of the card that is told."
PROBE = "Measure: four steps with random weights, in a process of its own."


def plan(
    task: Annotated[str, typer.Argument(metavar="[TASK]", help=TASK)] = "",
    trunk: options.TrunkOption = None,
    kind: options.KindOption = None,
    from_layer: options.FromLayerOption = None,
    rows: Annotated[int | None, option("--rows", "N", ROWS, min=1)] = None,
    mean_length: Annotated[float | None, option("--mean-length", "TOKENS", MEAN, min=1)] = None,
    labels: Annotated[int, option("--labels", "N", LABELS, min=1)] = 2,
    fused: Annotated[int, option("--fused", "N", FUSED, min=0)] = 0,
    below: Annotated[int, option("--below", "N", BELOW, min=0)] = 0,
    limit: options.LimitOption = None,
    device: Annotated[str, option("--device", "NAME", DEVICE)] = "cpu",
    probe: Annotated[bool, option("--probe", None, PROBE)] = False,
    config: options.ConfigOption = None,
    settings: options.SetOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Tell what a training will hold in memory, by cause, and how long it takes.

    Numbers come from the trunk's config.json alone: nothing is downloaded or loaded. --limit-gb finds the settings that
    fit, as `train --limit-gb` does. Seconds need a rate, which --probe measures once.

    \b
    Examples:
      adapter-stilts plan xnli --trunk FacebookAI/xlm-roberta-large --rows 392702 --limit-gb 4
      adapter-stilts plan --trunk FacebookAI/xlm-roberta-base --kind lora --rows 10000 --mean-length 45 --probe
    """
    from adapter_stilts.runs.forecast.foresee import Rows, foresee

    chosen = options.configuration(config, settings, trunk=trunk, kind=kind, from_layer=from_layer)
    what: dict[str, Any] = {"limit_gb": limit, "below": below, "fused": fused, "device": device, "probe": probe}
    found = foresee(chosen, task, Rows(rows, mean_length, labels), **what, report=progress.reporter())
    document = found.document()
    if as_json:
        render.document({**document, "results": []})
        return
    render.table("", ("memory", "GB"), [(cause, f"{size / 1e9:.2f}") for cause, size in found.memory.items()])
    render.say(f"{found.bytes / 1e9:.2f} GB {'on the card' if device != 'cpu' else 'in all'}; {_settings(document)}")
    if found.said:
        render.say(f"to fit {limit:g} GB: {found.said}")
    render.say(_time(document))


def _settings(document: dict[str, Any]) -> str:
    chosen = document["settings"]
    again = ", activations computed again" if chosen["training.gradient_checkpointing"] else ""
    return (
        f"{chosen['training.token_budget']:,} tokens at once, {chosen['training.accumulation']} times a step, "
        f"rows of at most {chosen['training.max_length']} tokens, trunk in {chosen['trunk.precision']}{again}"
    )


def _time(document: dict[str, Any]) -> str:
    steps, seconds = document["steps"], document["seconds"]
    if steps is None:
        return "steps: not known without --rows or training.max_steps"
    if seconds is None:
        return f"{steps:,} steps; how long they take is not known of this machine: --probe measures it"
    from adapter_stilts.reporting import span

    return f"{steps:,} steps, about {span(seconds)}"
