"""A run on disk: where it lies, whether it may be written, and its results.

    runs/nli-1a2b3c4d/
      identity.json config.yaml manifest.json metrics.jsonl results.json README.md
      adapter/ head/ fusion/ predictions/ units/ vectors/ checkpoints/

A folder belongs to one identity (the fingerprint of everything that decides the weights). The same identity resumes or is done;
another one is refused unless the caller says to overwrite. One process at a time: a lock that dies with its holder.
"""

from __future__ import annotations

import errno
import fcntl
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.errors import ArtefactError, MissingError, StiltsError, UsageError
from adapter_stilts.files import disk_errors, sha256, write_json
from adapter_stilts.sharing.manifest import CONFIG, MANIFEST
from adapter_stilts.sharing.manifest import IDENTITY as IDENTITY
from adapter_stilts.sharing.sealed import read_sealed, unreadable, write_sealed
from adapter_stilts.sharing.weight_files import ROLES, is_remains, remove_weights

State = Literal["new", "resumable", "done"]
STATES: tuple[State, ...] = ("new", "resumable", "done")
LOCK = ".lock"
RESULTS = "results.json"
PRODUCTS = ("predictions", "units")  # files that a row of results names
HASHES = "sha256"
FILES = (CONFIG, "metrics.jsonl", RESULTS, "README.md")
FOLDERS = {
    "checkpoints": ("step-*", ".partial-*"),
    "fusion": ("attention.json",),
    "predictions": ("*/*.tsv", "*/*.json", "*/*.jsonl"),
    "units": ("*/*.npy",),
    "sweep": ("*.json", "*.yaml"),
    "vectors": ("*/*.npy", "*/*.json"),
}


def state_of(folder: Path, identity: str, *, overwrite: bool) -> State:
    """What stands in `folder`: nothing, an unfinished or a finished run of the same identity; anything else is refused.

    overwrite  a run of any identity counts as nothing; a folder that holds no run is refused all the same
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError("a file where the run's folder should be", where=str(folder), do="name another folder with -o")
    if not folder.exists() or not any(entry.name != LOCK and not is_remains(entry) for entry in folder.iterdir()):
        return "new"
    if not (folder / IDENTITY).is_file():
        raise UsageError("the folder is not empty and holds no run", where=str(folder), do="name another folder with -o")
    if overwrite:
        return "new"
    found = _identity(folder)
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
    """Remove what a run wrote, and nothing else that may lie in the folder; the manifest goes first, the claim last."""
    with disk_errors(folder):
        (folder / MANIFEST).unlink(missing_ok=True)
        remove_weights(folder)
        for name, patterns in FOLDERS.items():
            for pattern in patterns:
                for path in sorted((folder / name).glob(pattern)):
                    _remove(path)
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        remove_remains(folder)
        for name in (*FOLDERS, *ROLES):
            _remove_empty(folder / name)
        (folder / IDENTITY).unlink(missing_ok=True)


def remove_remains(folder: Path) -> None:
    """Remove what writes left behind whose process was killed; only for who holds the folder."""
    with disk_errors(folder):
        for path in sorted(folder.rglob(".*.partial")):
            path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; a second one is refused. The lock goes with the process, however it ends.

    Where the work fails before anything but the claim was written, the folder goes too.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / LOCK).open("w")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise StiltsError(f"the folder cannot be locked: {error.strerror}", where=str(folder), do="use a folder on a local disk") from error
            raise UsageError("another process is working on this run", where=str(folder), do="wait for it, or name another folder with -o") from error
        try:
            yield
        except BaseException:
            _leave_nothing(folder)
            raise


def _leave_nothing(folder: Path) -> None:
    """Remove a folder that holds a lock and a claim, and nothing that was worked for."""
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else {RESULTS}
    if names <= {LOCK, IDENTITY}:
        for name in (IDENTITY, LOCK):
            (folder / name).unlink(missing_ok=True)
        _remove_empty(folder)


def read_results(folder: Path) -> list[dict[str, Any]]:
    """The rows of results.json, [] where there is none; a changed file is an ArtefactError."""
    path = folder / RESULTS
    if not path.is_file():
        return []
    document = read_sealed(path, RESULTS, do="remove it and evaluate again")
    return list(document["results"])


def write_results(folder: Path, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """results.json: one row per task, protocol, language and metric, and the means over languages and tasks.

    A row carries the sha256 of the files it names, as they are when it is first written.
    """
    ordered = sorted((row if HASHES in row else _hashed(folder, row) for row in rows), key=result_key)
    document = {"results": ordered, "means": means(ordered)}
    write_sealed(folder / RESULTS, document)
    return document


def without_predictions(rows: Iterable[Mapping[str, Any]], path: str) -> list[Mapping[str, Any]]:
    """Rows that named a predictions file, which has been written anew without a score, name it no longer."""
    return [_without(_without(row, HASHES), "predictions") if row.get("predictions") == path else row for row in rows]


def merge_results(old: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rows by key; a new row replaces an old one of the same task, protocol, split, language, metric and settings.

    A predictions file holds the last reading written to it: rows of other settings that named the same file name it no longer.
    """
    fresh = {result_key(row): row for row in new}
    written = {row["predictions"]: row.get("settings") for row in fresh.values() if "predictions" in row}
    kept = (_without(row, HASHES) if row.get("predictions") in written else row for row in old)  # of a file that was written anew
    rows = {result_key(row): row for row in kept} | fresh
    return [_without(row, "predictions") if written.get(row.get("predictions"), row.get("settings")) != row.get("settings") else row for row in rows.values()]


def check_products(folder: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Refuse predictions and units that are not those of the scores; a bundle may have left them out."""
    for row in rows:
        for noun, expected in row.get(HASHES, {}).items():
            path = folder / row[noun]
            if path.is_file() and sha256(path) != expected:
                raise ArtefactError(f"{row[noun]} is not the file that was scored: it was changed or damaged", where=str(path), do=_score_again(folder, row))


def read_units(folder: Path, row: Mapping[str, Any]) -> NDArray[np.float64]:
    """The sums [N, S] that a score was made of; MissingError or ArtefactError where they are not there as they were."""
    path = folder / row["units"]
    if not path.is_file():
        raise MissingError(f"the sums that the score of {row['task']} was made of are not there", where=str(path), do=_score_again(folder, row))
    check_products(folder, [row])
    units: NDArray[np.float64] = np.load(path, allow_pickle=False)
    return units


def result_key(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What a score is the score of."""
    return (row["task"], row["protocol"], row["split"], row["language"], row["metric"], json.dumps(row.get("settings", {}), sort_keys=True))


def readings(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[tuple[str, str, str], list[Mapping[str, Any]]]]:
    """The headline rows of every task by how they were read: protocol, split and settings (as JSON)."""
    found: dict[str, dict[tuple[str, str, str], list[Mapping[str, Any]]]] = {}
    for row in rows:
        if row.get("headline"):
            reading = (row["protocol"], row["split"], json.dumps(row.get("settings", {}), sort_keys=True))
            found.setdefault(row["task"], {}).setdefault(reading, []).append(row)
    return found


def means(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The unweighted mean over languages of every task's headline metric, and over tasks with and without retrieval.

    A task read in several ways (protocols, splits, layers) has a mean for each under "tasks"; it enters the means over tasks only
    where it was read in one. Validation scores enter none. "unseen" is the mean over the languages that no training rows were in.
    """
    tested = readings(row for row in rows if row["split"] != "validation")
    tasks = {task: [_task_mean(*reading, of_task) for reading, of_task in found.items()] for task, found in tested.items()}
    retrieval = {row["task"] for row in rows if row.get("retrieval")}
    single = {task: found[0]["score"] for task, found in tasks.items() if len(found) == 1}
    trained = [score for task, score in single.items() if task not in retrieval]
    return {"tasks": tasks, "with_retrieval": _mean(list(single.values())), "without_retrieval": _mean(trained)}


def _hashed(folder: Path, row: Mapping[str, Any]) -> Mapping[str, Any]:
    paths = {noun: folder / row[noun] for noun in PRODUCTS if noun in row}
    found = {noun: sha256(path) for noun, path in paths.items() if path.is_file()}
    return {**row, HASHES: found} if found else row


def _score_again(folder: Path, row: Mapping[str, Any]) -> str:
    return f"score it again: adapter-stilts eval {folder} --tasks {row['task']} --languages {row['language']} --split {row['split']} --overwrite"


def _without(row: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != key}


def _task_mean(protocol: str, split: str, settings: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    unseen = [row["score"] for row in rows if not row.get("seen")]
    found = {"protocol": protocol, "split": split, "settings": json.loads(settings), "score": _mean([row["score"] for row in rows]), "languages": len(rows)}
    return found if len(unseen) == len(rows) else {**found, "unseen": {"score": _mean(unseen), "languages": len(unseen)}}


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _identity(folder: Path) -> str:
    try:
        return str(json.loads((folder / IDENTITY).read_bytes())["identity"])
    except OSError as error:
        raise unreadable(error, folder / IDENTITY) from error
    except (ValueError, KeyError, TypeError) as error:
        what = f"{IDENTITY} is damaged, so it cannot be told whose run this is"
        raise ArtefactError(what, where=str(folder), do="name another folder with -o, or add --overwrite to replace it") from error


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_empty(folder: Path) -> None:
    """Remove a folder and those in it, as far as they are empty."""
    if folder.is_dir() and not folder.is_symlink():
        for child in sorted(folder.iterdir()):
            _remove_empty(child)
        if not any(folder.iterdir()):
            folder.rmdir()
