"""`study`: a whole grid of runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from adapter_stilts.errors import StudyFailed

from . import progress, render
from .options import DataOption, DryRunOption, JsonOption, TrunkOption


def study(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A YAML file that describes the study, or the name of a ready-made one: `list recipes`.")],
    trunk: TrunkOption = None,
    data: DataOption = None,
    jobs: Annotated[int, typer.Option("--jobs", metavar="N", help="Stages at once, each in a process of its own; 1 does them one after another.")] = 1,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="The study's folder; by default studies/NAME.")] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run a grid of intermediate tasks, hows, targets and seeds.

    What several cells share is trained once. The same command again does only what is missing or failed; a failing cell does not stop the others, and the
    exit code is then 6. --dry-run lists every stage with its rows, steps and size without loading a model. --trunk and --data take the place of the file's.

    \b
    Examples:
      adapter-stilts study studies/miniature --jobs 2
      adapter-stilts study studies/paper --dry-run
    """
    from adapter_stilts.config.recipes import recipe_file
    from adapter_stilts.study import grid

    found = grid.study(recipe_file(file), out=out, jobs=jobs, dry_run=dry_run, report=progress.reporter(), trunk=trunk, data=tuple(data or ()))
    if as_json:
        render.document(found)
    elif dry_run:
        _plan(found)
    else:
        _tables(found)
    if found["failed"]:
        advice = f"see {found['out']}/study.json and logs/; the same command does what is missing"
        raise StudyFailed(f"{found['failed']} of {len(found['stages'])} stages are not done", do=advice)


def _plan(found: Mapping[str, Any]) -> None:
    planned = found["planned"]
    started = any(one["state"] != "new" for one in planned)
    columns = ("stage", "how", "rows", "steps at most", "MB", "builds on", *(["state"] if started else []))
    rows = [(one["stage"], one["how"], one["rows_text"], _steps(one), _megabytes(one["bytes"]), len(one["after"]) or "", one["state"]) for one in planned]
    render.table("", columns, [row[: len(columns)] for row in rows])
    typer.echo(found["totals"]["sentence"])
    if started:
        typer.echo(f"of which are not done: {found['missing']['sentence']}")


def _tables(found: Mapping[str, Any]) -> None:
    """Intermediate runs by targets; then the means over targets."""
    entries = found["entries"]
    targets = list(dict.fromkeys(one["target"] for one in entries))
    rows: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for one in entries:
        rows.setdefault((one["intermediate"], one["how"]), {})[one["target"]] = one
    drawn = []
    for (label, how), cells in rows.items():
        drawn.append((_arm(label, cells.values()), how, _seeds(cells.values()), *(_cell(cells.get(target)) for target in targets)))
    render.table("score, and gain over direct in points (95 %)", ("intermediate", "how", "seeds", *targets), drawn)
    means = [(_arm(one["intermediate"], [one]), one["how"], *(_mean(one, part) for part in ("all", "trained"))) for one in found["means"]]
    if means:
        render.table("\nmeans over targets", ("intermediate", "how", "all targets", "without retrieval"), means)
    for leak in dict.fromkeys(leak for one in entries for leak in one["leaks"]):
        typer.echo(f"* {leak}")
    typer.echo(f"study  {found['out']}")


def _arm(label: str, cells: Any) -> str:
    return (label or "none") + (" (control)" if any(one["control"] for one in cells) else "")


def _seeds(cells: Any) -> int:
    return min(len(one["seeds"]) for one in cells)


def _cell(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return ""
    text = render.percent(one["score"]) + (" *" if one["leaks"] else "")
    return text if one["gain"] is None else f"{text}  {_points(one['gain'])} ({_points(one['interval'][0])} to {_points(one['interval'][1])})"


def _mean(one: Mapping[str, Any], part: str) -> str:
    gain = one[f"{part}_gain"]
    return render.percent(one[part]) + ("" if gain is None else f"  {_points(gain)}")


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def _steps(one: Mapping[str, Any]) -> str:
    if one["work"] == "read":
        return ""
    return "unknown" if one["steps"] is None else ("about " if one["about"] else "") + render.cell(one["steps"])


def _megabytes(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e6:.1f}" if size else ""
