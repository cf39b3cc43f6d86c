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

from adapter_stilts.errors import MissingError
from adapter_stilts.tasks.base import Task, all_tasks
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.reading.sources import languages_of
from adapter_stilts.tasks.source import SPLITS

NAME, FLOOR = re.compile(r"[A-Za-z0-9._-]+"), re.compile(r"[>~=]=\s*([0-9][0-9.]*)")
HONOURED = ("HF_HOME", "HF_HUB_OFFLINE", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "NO_COLOR")


def doctor(data: Path | None = None) -> dict[str, Any]:
    """Facts and, under "problems", a sentence for each thing that would get in the way. Reaches no network.

    data  a folder to search for every task's files
    """
    packages = [_package(line) for line in requires("adapter-stilts") or () if "extra ==" not in line]
    set_here = {name: os.environ[name] for name in HONOURED if name in os.environ}
    report: dict[str, Any] = {
        "python": platform.python_version(),
        "packages": packages,
        "devices": _devices(),
        "disk": {"folder": str(Path.cwd()), "free_bytes": shutil.disk_usage(Path.cwd()).free},
        "hub": _hub(),
        "environment": set_here | ({"HF_TOKEN": "set"} if "HF_TOKEN" in os.environ else {}),
    }
    if data is not None:
        report["data"] = {"folder": str(data), "tasks": _tasks_in(data)}
    return {**report, "problems": _problems(report)}


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
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text(encoding="utf-8").split() if cpuinfo.is_file() else []
    native = "avx512_bf16" in flags or "amx_bf16" in flags
    devices = [_device("cpu", platform.machine(), memory, torch.get_num_threads(), native)]
    for number in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(number)
        devices.append(_device(f"cuda:{number}", gpu.name, gpu.total_memory, None, gpu.major >= 8))
    return devices


def _device(device: str, name: str, memory: int, threads: int | None, bf16: bool) -> dict[str, Any]:
    return {"device": device, "name": name, "memory_bytes": memory, "threads": threads, "bf16": bf16}


def _hub() -> dict[str, Any]:
    """What is cached of the hub, by folder names alone; nothing is asked of the network."""
    cache = Path(constants.HF_HUB_CACHE)
    names = sorted(path.name for path in cache.iterdir()) if cache.is_dir() else []
    kept = {
        kind: [name.removeprefix(f"{kind}--").replace("--", "/") for name in names if name.startswith(f"{kind}--")]
        for kind in ("models", "datasets")
    }
    tasks = [task.name for task in all_tasks() if any(hub.id in kept["datasets"] for hub in task.source.hubs)]
    return {"cache": str(cache), "offline": bool(constants.HF_HUB_OFFLINE), "models": kept["models"], "tasks": tasks}


def _tasks_in(folder: Path) -> list[dict[str, Any]]:
    if not folder.is_dir():
        raise MissingError("no such folder", where=str(folder), do="name the folder that holds the tasks' files")
    rows = [
        {"task": task.name, **{split: _languages(task, split, folder) for split in SPLITS}}
        for task in all_tasks()
        if task.source.files
    ]
    return [row for row in rows if any(row[split] for split in SPLITS)]


def _languages(task: Task, split: str, folder: Path) -> list[str]:
    return list(languages_of(task, split, Where("files", folder=folder))) if split in task.source.files else []


def _problems(report: dict[str, Any]) -> list[str]:
    problems = [
        f"{row['package']} {row['installed'] or 'is not installed'}: {row['state']} ({row['tested']})"
        for row in report["packages"]
        if row["state"] != "ok"
    ]
    if report["disk"]["free_bytes"] < 1e9:
        problems.append("less than 1 GB is free on this disk")
    if "data" in report and not report["data"]["tasks"]:
        names = "`adapter-stilts list tasks --files` prints their names"
        problems.append(f"no task's files were found in {report['data']['folder']}; {names}")
    return problems
