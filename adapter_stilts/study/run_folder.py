"""A run on disk: where it lies, whether it may be written, and its results.

    runs/nli-1a2b3c4d/
      config.yaml manifest.json metrics.jsonl results.json README.md adapter/ head/ fusion/ predictions/ vectors/ checkpoints/

A folder belongs to one identity (the fingerprint of everything that decides the weights). The same identity resumes or is done;
another one is refused unless the caller says to overwrite. One process at a time: a lock that dies with its holder.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from adapter_stilts.errors import ArtefactError, UsageError
from adapter_stilts.files import disk_errors, read_json, write_json
from adapter_stilts.sharing.manifest import MANIFEST

State = Literal["new", "resumable", "done"]
IDENTITY = "identity.json"
OWN = ("config.yaml", IDENTITY, MANIFEST, "metrics.jsonl", "results.json", "README.md", "adapter", "head", "fusion", "predictions", "vectors", "checkpoints")


def state_of(folder: Path, identity: str, *, overwrite: bool) -> State:
    """What stands in `folder`: nothing, an unfinished or a finished run of the same identity; anything else is refused."""
    if not folder.exists() or not any(entry.name != ".lock" for entry in folder.iterdir()):
        return "new"
    if overwrite:
        return "new"
    path = folder / IDENTITY
    if not path.is_file():
        raise UsageError("the folder is not empty and holds no run", where=str(folder), do="name another folder with -o, or add --overwrite")
    found = read_json(path).get("identity")
    if found != identity:
        raise UsageError(
            f"the folder holds a run of another configuration ({found}, asked for {identity})",
            where=str(folder),
            do="name another folder with -o, or add --overwrite to replace it",
        )
    return "done" if (folder / MANIFEST).is_file() else "resumable"


def claim(folder: Path, identity: str, name: str) -> None:
    """Mark a folder as this run's."""
    write_json(folder / IDENTITY, {"identity": identity, "name": name})


def clear(folder: Path) -> None:
    """Remove what a run wrote, and nothing else that may lie in the folder."""
    for name in OWN:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; a second one is refused. The lock goes with the process, however it ends."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / ".lock").open("w")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError("another process is working on this run", where=str(folder), do="wait for it, or name another folder with -o") from error
        yield


def read_results(folder: Path) -> list[dict[str, Any]]:
    """The rows of results.json, [] where there is none; a changed file is an ArtefactError."""
    path = folder / "results.json"
    if not path.is_file():
        return []
    document = read_json(path)
    rows = document.get("results", [])
    if document.get("checksum") != _checksum(rows):
        raise ArtefactError("the scores were changed after they were written", where=str(path), do="remove results.json and evaluate again")
    return list(rows)


def write_results(folder: Path, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """results.json: one row per task, protocol, language and metric, and the means over languages and tasks."""
    ordered = sorted(
        rows, key=lambda row: (row["task"], row["protocol"], row["split"], row["language"], row["metric"], json.dumps(row.get("settings", {}), sort_keys=True))
    )
    document = {"results": ordered, "means": means(ordered), "checksum": _checksum(ordered)}
    write_json(folder / "results.json", document)
    return document


def merge_results(old: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rows by key; a new row replaces an old one of the same task, protocol, split, language, metric and settings."""
    rows = {result_key(row): row for row in old}
    rows.update({result_key(row): row for row in new})
    return list(rows.values())


def result_key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (row["task"], row["protocol"], row["split"], row["language"], row["metric"], json.dumps(row.get("settings", {}), sort_keys=True))


def means(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The unweighted mean over languages of every task's headline metric, and over tasks with and without retrieval.

    A task read at several settings (layers) has a mean for each under "tasks"; it enters the mean over tasks only where one setting was read.
    """
    by_task: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if row.get("headline") and row["split"] != "validation":
            by_task.setdefault(row["task"], {}).setdefault(json.dumps(row.get("settings", {}), sort_keys=True), []).append(row["score"])
    tasks = {
        task: [{"settings": json.loads(key), "score": sum(v) / len(v), "languages": len(v)} for key, v in settings.items()]
        for task, settings in by_task.items()
    }
    retrieval = {row["task"] for row in rows if row.get("retrieval")}
    single = {task: found[0]["score"] for task, found in tasks.items() if len(found) == 1}
    trained = [score for task, score in single.items() if task not in retrieval]
    every = list(single.values())
    return {"tasks": tasks, "with_retrieval": _mean(every), "without_retrieval": _mean(trained)}


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _checksum(rows: Sequence[Mapping[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(list(rows), sort_keys=True, ensure_ascii=False).encode()).hexdigest()
