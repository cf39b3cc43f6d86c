"""`doctor`: is this machine ready? Versions against those tested, devices, caches, whether the network is off."""

from __future__ import annotations

import os
import platform
import re
import shutil
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import constants

from adapter_stilts.data.tables import suffix
from adapter_stilts.encoder.trunk.precision import resolve_precision
from adapter_stilts.errors import MissingError, StiltsError
from adapter_stilts.tasks.base import Task, all_tasks, labels_shown, tasks
from adapter_stilts.tasks.reading.files import fits
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.source import SPLITS
from adapter_stilts.tasks.sources import languages_of, load

NAME, FLOOR = re.compile(r"[A-Za-z0-9._-]+"), re.compile(r"[>~=]=\s*([0-9][0-9.]*)")
HONOURED = ("HF_HOME", "HF_HUB_OFFLINE", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "NO_COLOR")


def doctor(data: Path | None = None) -> dict[str, Any]:
    """Facts and, under "problems", a sentence for each thing that would get in the way. Reaches no network.

    data  a folder to search for every task's files, or a file of one's own; labels found there are counted
    """
    packages = [_package(line) for line in requires("adapter-stilts") or () if "extra ==" not in line]
    environment = {name: os.environ[name] for name in HONOURED if name in os.environ}
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "packages": packages,
        "devices": _devices(),
        "disk": {"folder": str(Path.cwd()), "free_bytes": shutil.disk_usage(Path.cwd()).free},
        "hub": _hub(),
        "environment": environment | ({"HF_TOKEN": "set"} if "HF_TOKEN" in os.environ else {}),
    }
    if data is not None:
        facts["data"] = {"folder": str(data), **(_own_file(data) if data.is_file() else _tasks_in(data))}
    return {**facts, "problems": _problems(facts)}


def _package(line: str) -> dict[str, str]:
    """One requirement: its tested floor and what is installed."""
    named, floors = NAME.match(line), FLOOR.search(line)
    name, floor = named.group() if named else line, floors.group(1) if floors else ""
    try:
        installed = version(name)
        state = "older than tested" if release(installed) < release(floor) else "ok"
    except PackageNotFoundError:
        installed, state = "", "missing"
    return {"package": name, "tested": floor, "installed": installed, "state": state}


def release(text: str) -> tuple[int, ...]:
    """ "2.13.0+cpu" as (2, 13): numbers that can be compared, without trailing zeros."""
    numbers = [int(part) for part in re.findall(r"\d+", re.split(r"[+a-zA-Z]", text)[0])]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _devices() -> list[dict[str, Any]]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    rows: list[tuple[Any, ...]] = [("cpu", platform.machine(), memory, torch.get_num_threads())]
    cards = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    rows += [(f"cuda:{number}", card.name, card.total_memory, None) for number, card in enumerate(cards)]
    rows = [(*row, resolve_precision("auto", torch.device(row[0])) == "bf16") for row in rows]
    return [dict(zip(("device", "name", "memory_bytes", "threads", "bf16"), row, strict=True)) for row in rows]


def _hub() -> dict[str, Any]:
    """What is cached of the hub, by folder names alone; nothing is asked of the network."""
    cache = Path(constants.HF_HUB_CACHE)
    names = sorted(path.name for path in cache.iterdir()) if cache.is_dir() else []
    kept = {
        kind: [name.removeprefix(f"{kind}--").replace("--", "/") for name in names if name.startswith(f"{kind}--")]
        for kind in ("models", "datasets")
    }
    named = [task.name for task in all_tasks() if any(hub.id in kept["datasets"] for hub in task.source.hubs)]
    return {"cache": str(cache), "offline": bool(constants.HF_HUB_OFFLINE), "models": kept["models"], "tasks": named}


def _tasks_in(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise MissingError("no such folder", where=str(folder), do="name the folder that holds the tasks' files")
    where = Where("files", folder=folder)
    rows: list[dict[str, Any]] = []
    for task in all_tasks():
        files = task.source.files
        there = {split: list(languages_of(task, split, where)) if split in files else [] for split in SPLITS}
        rows += [{"task": task.name, **there}] if any(there.values()) else []
    own = [(tasks[str(row["task"])], row) for row in rows if tasks[str(row["task"])].source.any_name]
    labels = [_labels(task, split, row[split][0], where) for task, row in own for split in SPLITS if row[split]]
    return {"tasks": rows, "labels": [shown for shown in labels if shown]}


def _own_file(path: Path) -> dict[str, Any]:
    """What a file may be: the tasks named after a format that can read it, with its labels; what is wrong with it where
    none can."""
    where = Where("files", files={"train": (path,)})
    own = [task for task in all_tasks() if task.source.any_name]
    fitting = [task for task in own if fits(task, path)]
    meant = [task for task in own if task.format.file(path, suffix(path), task.layout()) is not None]
    read = [(task, languages_of(task, "train", where)[0]) for task in fitting or meant or own]
    labels = [shown for task, language in read if (shown := _labels(task, "train", language, where))]
    rows = [{"task": task.name, "train": [language], "validation": [], "test": []} for task, language in read]
    return {"tasks": rows if fitting else [], "labels": labels}


def _labels(task: Task, split: str, language: str, where: Where) -> dict[str, Any]:
    """The labels of a split of the user's own files, and what was decided of these; {} for a format without labels."""
    if not task.format.classes:
        return {}
    facts = {"task": task.name, "split": split, "language": language}
    try:
        loaded = load(task, split, language, where)
    except StiltsError as error:
        return {**facts, "problem": " ".join(filter(None, (error.what, error.where and f"({error.where})")))}
    shown = {"rows": len(loaded.examples), "labels": labels_shown(task, loaded.examples)}
    return {**facts, **shown, "remarks": "; ".join(loaded.origin.remarks)}


def _problems(facts: dict[str, Any]) -> list[str]:
    problems = [
        f"{row['package']} {row['installed'] or 'is not installed'}: {row['state']} ({row['tested']})"
        for row in facts["packages"]
        if row["state"] != "ok"
    ]
    if facts["disk"]["free_bytes"] < 1e9:
        problems.append("less than 1 GB is free on this disk")
    labels = facts.get("data", {}).get("labels", ())
    problems += [f"{read['task']} ({read['split']}): {read['problem']}" for read in labels if "problem" in read]
    if "data" in facts and not facts["data"]["tasks"]:
        what = f"no task's files were found in {facts['data']['folder']}"
        problems.append(f"{what}; `adapter-stilts list tasks --files` prints their names")
    return problems
