"""A folder of vectors before and while it is filled: what stands in it, and whether that is the same work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapter_stilts.errors import UsageError
from adapter_stilts.files import disk_errors, is_remains
from adapter_stilts.retrieval.stored.ledger import LEDGER, begin, read_ledger, repair
from adapter_stilts.runs.folder import LOCK, locked, remove_remains

TOLD_ONLY = ("file", "layout", "trunk_name", "format")  # for people: the vectors do not depend on it


def decides(made: dict[str, Any]) -> dict[str, Any]:
    """Of a ledger's first line, all that the vectors depend on."""
    return {name: value for name, value in made.items() if name not in TOLD_ONLY}


@contextmanager
def filling(folder: Path, made: dict[str, Any], *, overwrite: bool) -> Iterator[str]:
    """The folder for this process alone, begun or ready to be gone on with; gives what `state_of_vectors` does."""
    state_of_vectors(folder, made, overwrite=overwrite)  # refuses before a lock is written
    with locked(folder):
        state = state_of_vectors(folder, made, overwrite=overwrite)
        if state == "new":
            clear_vectors(folder)
            begin(folder, made)
        remove_remains(folder)
        repair(folder)
        yield state


def state_of_vectors(folder: Path, made: dict[str, Any], *, overwrite: bool) -> str:
    """ "new", or the state of unfinished or finished vectors of the same making; anything else is refused."""
    where, do = str(folder), "name another folder with -o"
    if folder.exists() and not folder.is_dir():
        raise UsageError("a file where the folder of vectors should be", where=where, do=do)
    entries = folder.iterdir() if folder.is_dir() else ()
    names = {entry.name for entry in entries if entry.name != LOCK and not is_remains(entry)}
    if names and LEDGER not in names:
        raise UsageError("the folder is not empty and holds no vectors", where=where, do=do)
    if overwrite or not names:
        return "new"
    ledger = read_ledger(folder)
    was, keys = ledger.made, {**decides(made), **decides(dict(ledger.made))}
    changed = [name for name in keys if was.get(name) != made.get(name)]
    if changed:
        was_and_asked = ", ".join(
            f"{name} {_short(was.get(name))} (asked for {_short(made.get(name))})" for name in changed
        )
        what = f"the folder holds other vectors: {was_and_asked}"
        raise UsageError(what, where=where, do=f"{do}, or add --overwrite to replace them")
    return "done" if ledger.sealed else "resumed"


def clear_vectors(folder: Path) -> None:
    """Remove the vectors of a folder, and nothing else; the ledger goes first."""
    with disk_errors(folder):
        (folder / LEDGER).unlink(missing_ok=True)
        for part in ("vectors", "scales", "texts"):
            for path in folder.glob(f"{part}-[0-9]*.npy"):
                path.unlink()


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 20 else f"{text[:12]}..."
