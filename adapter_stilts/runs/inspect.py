"""What there is: tasks, kinds, recipes, runs, languages; what a run says of itself. From metadata alone, no torch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from adapter_stilts.config.load import load
from adapter_stilts.config.recipes import Recipe, named_recipe, recipes
from adapter_stilts.encoder.kinds import kinds
from adapter_stilts.errors import ArtefactError, ConfigError, MissingError
from adapter_stilts.files import IDENTITY, read_json
from adapter_stilts.runs.results import means, read_results, readings
from adapter_stilts.sharing.manifest import CONFIG, MANIFEST, read_manifest
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.base import Task, all_tasks, tasks
from adapter_stilts.tasks.languages import iso1, iso3
from adapter_stilts.tasks.source import SPLITS, Hub

DEPTH = 3  # folders below the one asked for in which runs are looked for


def list_tasks() -> list[dict[str, Any]]:
    """Every task with its facts; `files` holds the names of its original release per split."""
    return [_task(task) for task in all_tasks()]


def list_kinds() -> list[dict[str, Any]]:
    """Every kind of adapter with its settings and the compositions it may take part in."""
    return [
        {
            "kind": kind.name,
            "composes": sorted(kind.composes),
            "summary": kind.summary,
            "rate": kind.rate,
            "settings": kind.settings,
            "paper": kind.paper,
            "modules": [part.module for part in kind.parts],
        }
        for kind in kinds.values()
    ]


def list_languages() -> list[dict[str, Any]]:
    """Every language that some task names, by its ISO 639-1 code, with the tasks that have it."""
    tasks_of: dict[str, set[str]] = {}
    for task in all_tasks():
        for language in (task.train_language, *task.languages, *task.extra_languages):
            tasks_of.setdefault(iso1(language), set()).add(task.name)
    return [{"language": code, "iso3": iso3(code), "tasks": sorted(tasks_of[code])} for code in sorted(tasks_of)]


def list_recipes() -> list[dict[str, Any]]:
    """The ready-made configurations: what each trains or reads, by whose numbers, its command, and where it lies."""
    return [{key: value for key, value in _recipe(recipe).items() if key != "text"} for recipe in recipes()]


def show_recipe(name: str) -> dict[str, Any]:
    """One ready-made configuration, `text` in full; raises UnknownName with the nearest."""
    return _recipe(named_recipe(name, "--show"))


def list_runs(folder: Path) -> list[dict[str, Any]]:
    """The runs in a folder and below, finished or not; a damaged one is listed with what is wrong."""
    if not folder.is_dir():
        do = "name the folder that holds the runs; `adapter-stilts train` makes ./runs"
        raise MissingError("no such folder", where=str(folder), do=do)
    return [_run(path) for path in _run_folders(folder)]


def info(folder: Path, sizes: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Everything a finished run says of itself: its manifest, its scores and their means, and its size in bytes.

    sizes  of the files that its manifest lists, where they are not in the folder
    """
    manifest = read_manifest(folder)
    rows = read_results(folder)
    there = {name: folder / name for name in manifest.files}
    sizes = sizes or {name: path.stat().st_size for name, path in there.items() if path.is_file()}
    size = sum(sizes.get(name, 0) for name in manifest.files)
    scores = {"results": [row.to_json() for row in rows], "means": means(rows).to_json()}
    facts = {**_set(folder), "rows": manifest.training.rows}
    return {"run": str(folder), **facts, **manifest.model_dump(mode="json"), "bytes": size, **scores}


def _recipe(recipe: Recipe) -> dict[str, Any]:
    return {"recipe": recipe.name + ("" if recipe.protocol else ".yaml"), **asdict(recipe), "path": str(recipe.path)}


def _task(task: Task) -> dict[str, Any]:
    facts, source = vars(task), vars(task.source)
    parts = (task, *(tasks[part] for part in task.parts))
    document = {
        "task": task.name,
        "format": task.format.name,
        **{name: facts[name] for name in ("metric", "summary", "aliases", "languages", "extra_languages", "parts")},
        "splits": [split for split in SPLITS if task.has_split(split)],
        "labels": task.labels or (),
        "trained_on": task.train_task or task.name,
        "files": {split: list(source["files"][split]) for split in SPLITS if split in source["files"]},
        "hub": asdict(task.source.hubs[0]) if task.source.hubs else None,
        "sources": [_source(hub) for part in parts for hub in part.source.hubs],
        **{name: source[name] for name in ("sizes", "candidates", "miniature", "licence", "paper", "stands_for")},
        "leaks": [asdict(leak) for leak in task.leaks],
        "substitutions": [*task.source.substitutions, *task.source.stand_ins.values()],
    }
    return {name: list(value) if isinstance(value, tuple) else value for name, value in document.items()}


def _source(hub: Hub) -> dict[str, Any]:
    """A data set of the hub. certainty: of what is known of its files; note: where its rows are not the published."""
    names = ("id", "config", "splits", "languages", "candidates", "certainty", "note")
    facts = {name: getattr(hub, name) for name in names}
    return {**facts, "languages": [*hub.languages], "revision": hub.revision or "newest"}


def _run_folders(folder: Path, depth: int = DEPTH) -> Iterable[Path]:
    # one that cannot be read may hold runs: better named than passed over
    if not os.access(folder, os.R_OK | os.X_OK) or any((folder / name).is_file() for name in (MANIFEST, IDENTITY)):
        yield folder
    elif depth:
        below = (path for path in folder.iterdir() if not path.name.startswith("."))  # ".nli.unfinished" of a pull
        for child in sorted(path for path in below if path.is_dir() and not path.is_symlink()):
            yield from _run_folders(child, depth - 1)


def _run(folder: Path) -> dict[str, Any]:
    if not os.access(folder, os.R_OK | os.X_OK):
        return {"run": str(folder), "state": "unreadable: permission denied", "scores": []}
    try:
        rows = read_results(folder)
        facts = _finished(folder) if (folder / MANIFEST).is_file() else _claimed(folder, rows)
    except (ArtefactError, MissingError) as error:
        return {"run": str(folder), "state": f"damaged: {error.what}", "scores": []}
    return {"run": str(folder), **facts, "scores": _summed(rows)}


def _summed(rows: Sequence[Result]) -> list[dict[str, Any]]:
    """Every task and split by the mean over its languages; of several readings (protocols, layers), the extremes."""
    read_as: dict[tuple[str, str], list[list[Result]]] = {}
    for task, of_task in readings(rows).items():
        for (_, split, _), read in of_task.items():
            read_as.setdefault((task, split), []).append(read)
    summed = []
    for (task, split), every in read_as.items():
        scores = [sum(row.score for row in read) / len(read) for read in every]
        languages = sorted({row.language for read in every for row in read})
        span = {"readings": len(scores), "lowest": min(scores), "highest": max(scores)}
        summed.append({"task": task, "split": split, "languages": languages, **span})
    return summed


def _finished(folder: Path) -> Mapping[str, Any]:
    manifest = read_manifest(folder)
    state = "finished" if manifest.control == "none" else f"finished ({manifest.control})"
    unlearned = list(manifest.unlearned)
    if unlearned and manifest.control == "none":
        state += ", did not learn" + ("" if manifest.did_not_learn else f" {' '.join(unlearned)}")
    named = manifest.model_dump(include={"task", "how", "composition"})
    more = {"trunk": manifest.trunk.name, "seed": manifest.seeds.get("training"), "unlearned": unlearned}
    return {"state": state, **named, **more, **_set(folder)}


def _set(folder: Path) -> dict[str, Any]:
    """What decided a run most, of its configuration; nothing where that is of another version."""
    try:
        config = load(folder / CONFIG)
    except (ConfigError, MissingError):
        return {}
    rate = config.fusion.learning_rate if config.how == "fuse" else config.training.learning_rate
    return {"kind": config.adapter.kind, "learning_rate": rate}


def _claimed(folder: Path, rows: Sequence[Result]) -> Mapping[str, Any]:
    """A run that goes on, or the scores of a bare trunk, which was never trained and has no configuration."""
    if rows and not (folder / CONFIG).is_file():
        return {"state": "scores of a trunk", "task": ",".join(dict.fromkeys(row.task for row in rows))}
    identity = read_json(folder / IDENTITY)
    if not isinstance(identity, dict):
        raise ArtefactError(f"{IDENTITY} is damaged", where=str(folder), do="train the run again with --overwrite")
    return {"state": "unfinished", "task": identity.get("name", "")}
