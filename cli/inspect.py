"""`list ...`, `info` and `doctor`: what there is, from metadata."""

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
    columns = ("run", "state", "task", "how", "composition", "trunk", "scores")
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
    from adapter_stilts.config.explain import explain
    from adapter_stilts.config.schema import RunConfig
    from adapter_stilts.config.study import StudyConfig

    rows = [vars(row) for row in explain(StudyConfig if study else RunConfig, prefix)]
    refuse(not rows, f"no setting begins with '{prefix}'", "see all: adapter-stilts list settings")
    _show("settings", rows, as_json, ("key", "default", "meaning"), {"default": _default})


LISTS: tuple[Callable[..., None], ...] = (tasks, kinds, recipes, runs, languages, settings)


def info(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run.")], as_json: JsonOption = False
) -> None:
    """Show what a run says of itself.

    Trunk, parts, parents, training and scores, from its manifest.

    \b
    Example:
      adapter-stilts info runs/nli-1a2b3c4d
    """
    from adapter_stilts.runs import inspect

    document = inspect.info(run)
    if as_json:
        render.document(document)
        return
    trunk, training = document["trunk"], document["training"]
    size = f"{trunk['layers']} layers of width {trunk['hidden']}"
    facts = {name: document[name] for name in ("run", "task", "how", "control", "composition")}
    facts["trunk"] = f"{trunk['name']} ({size}, {trunk['precision']}, fingerprint {trunk['fingerprint']})"
    facts["parents"] = [parent["name"] for parent in document["parents"]]
    facts["training"] = _pairs({key: value for key, value in training.items() if isinstance(value, int | float | str)})
    facts["learned"] = "; ".join(_learned(*pair) for pair in training.get("learned", {}).items())
    facts["seen"] = [f"{language} ({', '.join(tasks)})" for language, tasks in document["seen"].items()]
    facts |= {name: document[name] for name in ("seconds", "device", "licence", "bytes")}
    render.facts(facts | {"substitutions": "; ".join(document["substitutions"])})
    if document["tasks"]:
        _table("\ntasks", document["tasks"], ("task", "format", "languages", "rows", "share", "steps"))
    _table("\nparts", document["parts"], ("part", "role", "active", "trained", "parameters"))
    render.results(document["results"])


def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="Another.")],
    as_json: JsonOption = False,
) -> None:
    """Compare two runs: settings that differ, and scores over the same rows.

    \b
    Example:
      adapter-stilts compare runs/xcopa-direct runs/xcopa-after-hellaswag
    """
    from adapter_stilts.runs.compare import compare_runs
    from adapter_stilts.statistics.verdicts import points

    document = compare_runs(first, second)
    if as_json:
        render.document(document)
        return
    both = [str(first), str(second)]
    rows = [(row["key"], *map(_default, row["values"])) for row in document["settings"]]
    render.table("settings that differ", ("setting", *both), rows)
    for sentence in document["unlearned"]:
        typer.echo(sentence)
    for task in document["scores"]:
        lines = [(row["language"], row["scores"], row["difference"]) for row in task["languages"]]
        lines += [("mean", task["means"], task["difference"])] if len(lines) > 1 else []
        shown = [(name, *map(render.percent, scores), points(gain)) for name, scores, gain in lines]
        title = f"\n{task['task']} ({task['metric']}, {task['split']}, n {task['n']})"
        render.table(title, ("language", *both, "difference"), shown)
        typer.echo(f"{task['task']}: {task['sentence']}")
        if task["dropped"]:
            typer.echo(f"compared without {', '.join(task['dropped'])}, which only one of them has")


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
            typer.echo(f"{place}: {read['rows']:,} rows, labels {read['labels'] or 'none'}{remarks}")
    hub, disk = report["hub"], report["disk"]
    network = "off (HF_HUB_OFFLINE)" if hub["offline"] else "used for trunks and tasks of the hub, and nothing else"
    typer.echo("")
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


def _learned(task: str, learning: Mapping[str, Any]) -> str:
    """nli yes (accuracy 61.0, without learning 33.6)"""
    baseline, word = learning["baseline"], {True: "yes", False: "no", None: "not known"}[learning["learned"]]
    simple = max(baseline["chance"], baseline["majority"] or 0.0)
    score = f"{baseline['metric']} {render.percent(learning['score'])}"
    return f"{task} {word} ({score}, without learning {render.percent(simple)})"


def _settings(values: Mapping[str, object]) -> str:
    """Settings as they are typed after --set adapter.settings."""
    return ", ".join(f"{name}={_typed(value)}" for name, value in values.items())


def _default(value: object) -> str:
    """A setting's value as it is written in YAML."""
    return "-" if value is None or value in ((), [], {}, "") else _typed(value)


def _typed(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else render.cell(value)


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
