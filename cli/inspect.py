"""`list ...` and `doctor`: what there is, from metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from adapter_stilts.errors import refuse

from . import render
from .options import RUNS, JsonOption, option

Listed: TypeAlias = Sequence[Mapping[str, Any]]
Columns: TypeAlias = Sequence[str] | Mapping[str, str]

DATA = "Also look which tasks' files lie in this folder, or what this file may be."
Shown: TypeAlias = Mapping[str, Callable[[Any], object]]


def tasks(
    files: Annotated[bool, option("--files", None, "Show the file names that --data DIR is searched for.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the tasks.

    Those named after a format (nli, pair, pos, qa, ...) read files of your own.

    \b
    Example:
      adapter-stilts list tasks --files
    """
    from adapter_stilts.runs.inspect import list_tasks

    listed = list_tasks()
    if files and not as_json:
        rows = [
            (row["task"], split, pattern)
            for row in listed
            for split, patterns in {**row["files"], "candidates": row["candidates"]}.items()
            for pattern in patterns
        ]
        render.table("", ("task", "split", "file"), rows)
    else:
        languages = {"languages": lambda codes: len(codes) or ""}
        _show("tasks", listed, as_json, ("task", "format", "metric", "languages", "summary"), languages)


def kinds(as_json: JsonOption = False) -> None:
    """List the kinds of adapter for --kind, with their settings.

    \b
    Example:
      adapter-stilts list kinds
    """
    from adapter_stilts.runs.inspect import list_kinds

    columns = {"kind": "kind", "summary": "what it is", "rate": "rate", "composes": "composes", "settings": "settings"}
    _show("kinds", list_kinds(), as_json, columns, {"settings": _settings})


def recipes(
    show: Annotated[str | None, option("--show", "NAME", "Print one in full.")] = None, as_json: JsonOption = False
) -> None:
    """List ready-made configurations.

    Each has the command that uses it; --config takes its name, or your own file. --json says what each is for, and
    where it lies.

    \b
    Examples:
      adapter-stilts list recipes
      adapter-stilts list recipes --show xnli-jiant
    """
    from adapter_stilts.runs.inspect import list_recipes, show_recipe

    if show is None:
        columns = {"name": "recipe", "task": "task", "protocol": "protocol", "command": "command"}
        _show("recipes", list_recipes(), as_json, columns)
        return
    recipe = show_recipe(show)
    render.document(recipe) if as_json else typer.echo(recipe["text"], nl=False)


def runs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that holds the runs.")] = RUNS,
    as_json: JsonOption = False,
) -> None:
    """List the runs in a folder, finished or not.

    \b
    Example:
      adapter-stilts list runs
    """
    from adapter_stilts.runs.inspect import list_runs

    listed = list_runs(folder) if folder != RUNS or folder.exists() else []
    names = ("run", "state", "scores", "task", "how", "kind", "learning_rate", "seed", "trunk", "composition")
    columns = {name: name.replace("learning_", "") for name in names}
    _show("runs", listed, as_json, columns, {"scores": _scores})


def languages(as_json: JsonOption = False) -> None:
    """List the languages of all tasks.

    \b
    Example:
      adapter-stilts list languages
    """
    from adapter_stilts.runs.inspect import list_languages

    _show("languages", list_languages(), as_json, ("language", "iso3", "tasks"))


def settings(
    prefix: Annotated[str, typer.Argument(metavar="[PREFIX]", help="Only keys that begin so: training.")] = "",
    study: Annotated[bool, option("--study", None, "The keys of a study's file instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List every setting with its default and what it means.

    \b
    Examples:
      adapter-stilts list settings training.
      adapter-stilts list settings --study
    """
    from adapter_stilts.config.explain import explain, written
    from adapter_stilts.config.schema import RunConfig
    from adapter_stilts.config.study import StudyConfig

    rows = [vars(row) for row in explain(StudyConfig if study else RunConfig, prefix)]
    refuse(not rows, f"no setting begins with '{prefix}'", "see all: adapter-stilts list settings")
    _show("settings", rows, as_json, ("key", "default", "meaning"), {"default": written})


LISTS: tuple[Callable[..., None], ...] = (tasks, kinds, recipes, runs, languages, settings)


def doctor(
    data: Annotated[Path | None, option("--data", "PATH", DATA)] = None,
    as_json: JsonOption = False,
) -> None:
    """Check this machine.

    Versions against those the tests run with, devices, what is cached of the hub, and with --data which tasks' files
    lie in a folder, or what a file may be, with the labels found in files of your own.

    \b
    Example:
      adapter-stilts doctor
    """
    from adapter_stilts.runs import doctor

    report = doctor.doctor(data)
    if as_json:
        render.document(report)
        return
    _table("packages", report["packages"], ("package", "tested", "installed", "state"))
    columns = {"device": "device", "name": "name", "memory_bytes": "memory", "threads": "threads", "bf16": "bf16"}
    _table("\ndevices", report["devices"], columns, {"memory_bytes": lambda size: f"{size / 2**30:.1f} GB"})
    if "data" in report:
        _table("\ndata", report["data"]["tasks"], ("task", "train", "validation", "test"))
        for read in (each for each in report["data"]["labels"] if "rows" in each):
            remarks = f" ({read['remarks']})" if read["remarks"] else ""
            place = f"{read['task']} ({read['split']}, {read['language']})"
            render.say(f"{place}: {read['rows']:,} rows, labels {read['labels'] or 'none'}{remarks}")
    hub, disk = report["hub"], report["disk"]
    network = "off (HF_HUB_OFFLINE)" if hub["offline"] else "used for trunks and tasks of the hub, and nothing else"
    render.say("")
    render.facts(
        {
            "python": report["python"],
            "network": network,
            "hub cache": hub["cache"],
            "cached models": hub["models"],
            "cached tasks": hub["tasks"],
            "free disk": f"{disk['free_bytes'] / 1e9:.1f} GB",
            "environment": _pairs(report["environment"]),
            "problems": "; ".join(report["problems"]) or "none",
        }
    )


def _show(noun: str, rows: Listed, as_json: bool, columns: Columns, shown: Shown | None = None) -> None:
    if as_json:
        render.document({noun: rows})
    else:
        _table("", rows, columns, shown)


def _table(title: str, rows: Listed, columns: Columns, shown: Shown | None = None) -> None:
    """Some keys of every row. columns: the keys, maybe with other names for them; shown: key -> how its values look."""
    look = shown or {}
    cells = [[look[key](row[key]) if key in look else row.get(key) for key in columns] for row in rows]
    render.table(title, [*(columns.values() if isinstance(columns, Mapping) else columns)], cells)


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={render.cell(value)}" for name, value in values.items())


def _settings(values: Mapping[str, object]) -> str:
    """Settings as they are typed after --set adapter.settings."""
    from adapter_stilts.config.explain import written

    return ", ".join(f"{name}={written(value)}" for name, value in values.items())


def _scores(scores: Sequence[Mapping[str, Any]]) -> str:
    """xcopa 60.7 (10 languages), tatoeba 11.0 to 18.2 (9 languages, 5 readings), nli 37.0 (en, validation)"""
    sentences = []
    for score in scores:
        span = render.percent(score["lowest"])
        span += f" to {render.percent(score['highest'])}" if score["readings"] > 1 else ""
        languages = score["languages"]
        notes = [languages[0] if len(languages) == 1 else f"{len(languages)} languages"]
        notes += [score["split"]] if score["split"] != "test" else []
        notes += [f"{score['readings']} readings"] if score["readings"] > 1 else []
        sentences.append(f"{score['task']} {span} ({', '.join(notes)})")
    return ", ".join(sentences)
