"""A run on disk: where it lies, and whether it may be written.

    runs/nli-1a2b3c4d/
      identity.json config.yaml manifest.json metrics.jsonl results.json README.md local.yaml places.json
      adapter/ head/ fusion/ predictions/ reports/ units/ vectors/ checkpoints/

A folder belongs to one identity (the fingerprint of everything that decides the weights). The same identity resumes or
is done; another one is refused unless the caller says to overwrite. One process at a time: a lock that dies with its
holder.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from adapter_stilts.config.explain import different
from adapter_stilts.config.load import load
from adapter_stilts.config.places import LOCAL, travelling
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.errors import ArtefactError, ConfigError, StiltsError, UsageError
from adapter_stilts.files import IDENTITY, MADE_OF, disk_errors, from_json, is_remains, own_file, read_bytes, write_json
from adapter_stilts.sharing.bundle import remove_weights
from adapter_stilts.sharing.manifest import CONFIG, MANIFEST, METRICS, RESULTS, ROLES, TASK_FILE
from adapter_stilts.sharing.places import PLACES
from adapter_stilts.sharing.sealed import unreadable

State = Literal["new", "resumable", "done"]
STATES: tuple[State, ...] = ("new", "resumable", "done")
LOCK = ".lock"
SHOWN = 3  # settings that a refusal names
ANOTHER = "name another folder with -o"
FILES = (CONFIG, LOCAL, PLACES, TASK_FILE, METRICS, RESULTS, "README.md")
FOLDERS = {
    "checkpoints": ("step-*", ".partial-*"),
    "fusion": ("attention.json",),
    "predictions": (MADE_OF, "*/*.tsv", "*/*.json", "*/*.jsonl"),
    "reports": ("*/*.json", "*/*.md"),
    "units": ("*/*.npy",),
    "sweep": ("*.json", "*.yaml"),
    "vectors": ("*/*.npy", "*/*.json"),
}


def state_of(folder: Path, identity: str, *, overwrite: bool, asked: RunConfig | None = None) -> State:
    """What stands in `folder`: nothing, an unfinished or a finished run of the same identity; anything else is refused.

    overwrite  a run of any identity counts as nothing; a folder that holds no run is refused all the same
    asked      the configuration of the identity, so that a refusal can say what differs
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError("a file where the run's folder should be", where=str(folder), do=ANOTHER)
    if not folder.exists() or not any(entry.name != LOCK and not is_remains(entry) for entry in folder.iterdir()):
        return "new"
    if not (folder / IDENTITY).is_file():
        raise UsageError("the folder is not empty and holds no run", where=str(folder), do=ANOTHER)
    if overwrite:
        return "new"
    advice = f"{ANOTHER}, or add --overwrite to replace it"
    try:
        holder = str(from_json(read_bytes(folder / IDENTITY))["identity"])
    except OSError as error:
        raise unreadable(error, folder / IDENTITY) from error
    except (ValueError, KeyError, TypeError) as error:
        what = f"{IDENTITY} is damaged, so it cannot be told whose run this is"
        raise ArtefactError(what, where=str(folder), do=advice) from error
    if holder != identity:
        what = f"the folder holds a run of another configuration ({_difference(folder, asked)})"
        raise UsageError(what, where=str(folder), do=advice)
    return "done" if (folder / MANIFEST).is_file() else "resumable"


def _difference(folder: Path, asked: RunConfig | None) -> str:
    """What a run's configuration differs in from the one asked for, as far as it can be told."""
    if asked is None or not (folder / CONFIG).is_file():
        return "of another encoder, other data or other settings"
    try:
        differing = different(load(folder / CONFIG), travelling(asked))
    except StiltsError:
        return f"its {CONFIG} cannot be read"
    if not differing:
        return "the same settings on other rows, another trunk or other parents"
    said = [f"{key} is {_value(there)} there and {_value(here)} here" for key, there, here in differing[:SHOWN]]
    return "; ".join(said) + (f"; and {len(differing) - SHOWN} more" if len(differing) > SHOWN else "")


def _value(value: object) -> str:
    return "not set" if value in (None, "", [], {}) else str(value)


def config_of(folder: Path) -> RunConfig:
    """The configuration of a finished run; ArtefactError where it is none that this version reads."""
    try:
        return load(folder / CONFIG)
    except ConfigError as error:
        advice = "fetch the bundle again, or use the version of adapter-stilts that made it"
        raise ArtefactError(error.what, where=str(folder / CONFIG), do=advice) from error


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
                    if path.is_dir() and not path.is_symlink():
                        shutil.rmtree(path)
                    else:
                        path.unlink(missing_ok=True)
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
        _refuse_links(folder)
        stream = own_file(folder / LOCK, "w")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                what = f"the folder cannot be locked: {error.strerror}"
                raise StiltsError(what, where=str(folder), do="use a folder on a local disk") from error
            what = "another process is working on this run"
            raise UsageError(what, where=str(folder), do=f"wait for it, or {ANOTHER}") from error
        try:
            yield
        except BaseException:
            _leave_nothing(folder)
            raise


def _refuse_links(folder: Path) -> None:
    """Raise ArtefactError for a folder in this one that lies elsewhere: what is written to it would be written there.
    A link in the place of a file is replaced when the file is written."""
    for base, inner, _ in os.walk(folder):
        if link := next((Path(base, name) for name in inner if Path(base, name).is_symlink()), None):
            what = "a symbolic link in the place of a folder: nothing is written through it"
            raise ArtefactError(what, where=str(link), do=f"remove it, or {ANOTHER}")


def _leave_nothing(folder: Path) -> None:
    """Remove a folder that holds a lock and a claim, and nothing that was worked for."""
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else {RESULTS}
    if names <= {LOCK, IDENTITY}:
        for name in (IDENTITY, LOCK):
            (folder / name).unlink(missing_ok=True)
        _remove_empty(folder)


def _remove_empty(folder: Path) -> None:
    """Remove a folder and those in it, as far as they are empty."""
    if folder.is_dir() and not folder.is_symlink():
        for child in sorted(folder.iterdir()):
            _remove_empty(child)
        if not any(folder.iterdir()):
            folder.rmdir()
