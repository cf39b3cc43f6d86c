"""`list ...`, `info` and `doctor`: what there is, from metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from . import render
from .options import RUNS, JsonOption


def tasks(
    files: Annotated[
        bool, typer.Option("--files", help="Show the file names that --data DIR is searched for.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the tasks.

    Those named after a format (nli, pair, pos, qa, ...) read files of your own.

    \b
    Example:
      adapter-stilts list tasks --files
    """
    from adapter_stilts.runs import inspect as study

    listed = study.list_tasks()
    if as_json:
        render.document({"tasks": listed})
    elif files:
        named = [(row["task"], {**row["files"], "candidates": row["candidates"]}) for row in listed]
        rows = [
            (task, split, pattern) for task, files in named for split, patterns in files.items() for pattern in patterns
        ]
        render.table("", ("task", "split", "file"), rows)
    else:
        render.table("", ("task", "format", "metric", "languages", "summary"), [_task(row) for row in listed])


def kinds(as_json: JsonOption = False) -> None:
    """List the kinds of adapter for --kind, with their settings.

    \b
    Example:
      adapter-stilts list kinds
    """
    from adapter_stilts.runs import inspect as study

    listed = study.list_kinds()
    if as_json:
        render.document({"kinds": listed})
    else:
        rows = [(row["kind"], row["summary"], row["composes"], _settings(row["settings"])) for row in listed]
        render.table("", ("kind", "what it is", "composes", "settings"), rows)


def recipes(
    show: Annotated[str | None, typer.Option("--show", metavar="NAME", help="Print one in full.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List ready-made configurations.

    Each has the command that uses it; --config takes its name, or your own file. --json says what each is for, and
    where it lies.

    \b
    Examples:
      adapter-stilts list recipes
      adapter-stilts list recipes --show xnli-jiant
    """
    from adapter_stilts.runs import inspect as study

    if show is not None:
        recipe = study.show_recipe(show)
        render.document(recipe) if as_json else typer.echo(recipe["text"], nl=False)
        return
    listed = study.list_recipes()
    if as_json:
        render.document({"recipes": listed})
    else:
        render.table(
            "",
            ("recipe", "task", "protocol", "command"),
            [(row["name"], row["task"], row["protocol"], row["command"]) for row in listed],
        )


def runs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that holds the runs.")] = RUNS,
    as_json: JsonOption = False,
) -> None:
    """List the runs in a folder, finished or not.

    \b
    Example:
      adapter-stilts list runs
    """
    from adapter_stilts.runs import inspect as study

    listed = study.list_runs(folder) if folder != RUNS or folder.exists() else []
    if as_json:
        render.document({"runs": listed})
    else:
        rows = [
            (
                row["run"],
                row["state"],
                row.get("task"),
                row.get("how"),
                row.get("composition"),
                row.get("trunk"),
                _scores(row["scores"]),
            )
            for row in listed
        ]
        render.table("", ("run", "state", "task", "how", "composition", "trunk", "scores"), rows)


def languages(as_json: JsonOption = False) -> None:
    """List the languages of all tasks.

    \b
    Example:
      adapter-stilts list languages
    """
    from adapter_stilts.runs import inspect as study

    listed = study.list_languages()
    if as_json:
        render.document({"languages": listed})
    else:
        render.table(
            "", ("language", "iso3", "tasks"), [(row["language"], row["iso3"], row["tasks"]) for row in listed]
        )


LISTS: Mapping[str, Callable[..., None]] = {
    "tasks": tasks,
    "kinds": kinds,
    "recipes": recipes,
    "runs": runs,
    "languages": languages,
}


def info(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run.")], as_json: JsonOption = False
) -> None:
    """Show what a run says of itself.

    Trunk, parts, parents, training and scores, from its manifest.

    \b
    Example:
      adapter-stilts info runs/nli-1a2b3c4d
    """
    from adapter_stilts.runs import inspect as study

    document = study.info(run)
    if as_json:
        render.document(document)
        return
    trunk, training = document["trunk"], document["training"]
    facts = {name: document[name] for name in ("run", "task", "how", "control", "composition")}
    facts["trunk"] = (
        f"{trunk['name']} ({trunk['layers']} layers of width {trunk['hidden']}, {trunk['precision']}, "
        f"fingerprint {trunk['fingerprint']})"
    )
    facts["parents"] = [parent["name"] for parent in document["parents"]]
    facts["training"] = _pairs(
        {name: value for name, value in training.items() if isinstance(value, (int, float, str))}
    )
    facts["seen"] = [f"{language} ({', '.join(tasks)})" for language, tasks in document["seen"].items()]
    facts |= {name: document[name] for name in ("seconds", "device", "licence", "bytes")}
    render.facts(facts | {"substitutions": "; ".join(document["substitutions"])})
    if document["tasks"]:
        columns = ("task", "format", "languages", "rows", "share", "steps")
        render.table("\ntasks", columns, [[task.get(name) for name in columns] for task in document["tasks"]])
    render.table(
        "\nparts",
        ("part", "role", "active", "trained", "parameters"),
        [
            [part.get(name) for name in ("part", "role", "active", "trained", "parameters")]
            for part in document["parts"]
        ],
    )
    render.results(document["results"])


def doctor(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Also look which tasks' files lie in this folder.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check this machine.

    Versions against those the tests run with, devices, what is cached of the hub, and with --data which tasks' files
    lie in a folder.

    \b
    Example:
      adapter-stilts doctor
    """
    from adapter_stilts.runs import doctor as study

    report = study.doctor(data)
    if as_json:
        render.document(report)
        return
    render.table(
        "packages", ("package", "tested", "installed", "state"), [tuple(row.values()) for row in report["packages"]]
    )
    rows = [
        (row["device"], row["name"], f"{row['memory_bytes'] / 2**30:.1f} GB", row["threads"], row["bf16"])
        for row in report["devices"]
    ]
    render.table("\ndevices", ("device", "name", "memory", "threads", "bf16"), rows)
    if "data" in report:
        render.table(
            "\ndata", ("task", "train", "validation", "test"), [tuple(row.values()) for row in report["data"]["tasks"]]
        )
    hub, disk = report["hub"], report["disk"]
    typer.echo("")
    render.facts(
        {
            "python": report["python"],
            "network": "off (HF_HUB_OFFLINE)"
            if hub["offline"]
            else "used for trunks and tasks of the hub, and nothing else",
            "hub cache": hub["cache"],
            "cached models": hub["models"],
            "cached tasks": hub["tasks"],
            "free disk": f"{disk['free_bytes'] / 1e9:.1f} GB",
            "environment": _pairs(report["environment"]),
            "problems": "; ".join(report["problems"]) or "none",
        }
    )


def _task(row: Mapping[str, Any]) -> tuple[object, ...]:
    return row["task"], row["format"], row["metric"], len(row["languages"]) or "", row["summary"]


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={render.cell(value)}" for name, value in values.items())


def _settings(values: Mapping[str, object]) -> str:
    """Settings as they are typed after --set adapter.settings."""
    return ", ".join(f"{name}={_typed(value)}" for name, value in values.items())


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
