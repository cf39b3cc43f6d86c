"""A folder of vectors before and while it is filled: what stands in it, and whether that is the same work; and one of
vectors less their mean, made of a finished folder shard by shard, resumable like the first.

The mean is that of a file's distinct sentences and is known only when all are encoded, so the vectors as they come are
kept as well, in float32, under the name of their content. The ledger says `"centring": true`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.files import LEDGER, disk_errors, is_remains
from adapter_stilts.reporting import Reporter
from adapter_stilts.retrieval.blocks import Centred, Chosen
from adapter_stilts.retrieval.distinct import by_first_rows
from adapter_stilts.retrieval.stored.arrays import ROWS_AT_ONCE, narrowed, write_shard
from adapter_stilts.retrieval.stored.ledger import append, begin, read_ledger, repair, seal
from adapter_stilts.retrieval.stored.vectors import EncodedFolder
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
        clear_unfinished(folder)


def unfinished(folder: Path, shard: int) -> Path:
    """What is done of a shard that is being read, until it is whole."""
    return folder / f"unfinished-{shard:05d}.npz"


def clear_unfinished(folder: Path) -> None:
    for path in folder.glob("unfinished-[0-9]*.npz"):
        path.unlink()


def centred_folder(plain: Path, out: Path | None, dtype: str, *, overwrite: bool, report: Reporter) -> tuple[Path, str]:
    """Make the centred vectors of a finished folder; returns where they lie, and "new", "resumed" or "done".

    out  None: beside the plain ones, under a name made of what they depend on

    Raises TaskDataError for a file with fewer than two different sentences, UsageError where the folder holds something
    else.
    """
    vectors, ledger = EncodedFolder(plain), read_ledger(plain)
    made = {**ledger.made, "dtype": dtype, "centring": True}
    folder = out or plain.parent / f"{plain.name.rpartition('-')[0]}-{fingerprint(decides(made))}"
    with filling(folder, made, overwrite=overwrite) as state:
        if state != "done":
            mean = _mean(vectors)
            with report.progress("centring") as progress:
                for shard in ledger.shards[len(read_ledger(folder).shards) :]:
                    start = shard.shard * int(made["shard_rows"])
                    rows = range(start, start + shard.rows)
                    blocks, texts = partial(_blocks, vectors, mean, rows, dtype), vectors.texts(start, rows.stop)
                    files = write_shard(folder, shard.shard, (len(rows), vectors.dimension), dtype, blocks, texts)
                    append(folder, replace(shard, files=files))
                    progress(shard.shard + 1, len(ledger.shards))
            seal(folder)
    return folder, state


def _mean(vectors: EncodedFolder) -> NDArray[np.float64]:
    rows = by_first_rows(vectors.first_rows(), vectors.blank).rows
    if len(rows) < 2:
        do = "leave centring out, or give a file with more text"
        what = f"{len(rows)} different sentences: nothing is left of a vector less the mean of one"
        raise TaskDataError(what, where=str(vectors.path), do=do)
    return Centred.of(Chosen(vectors, rows)).mean


def _blocks(
    vectors: EncodedFolder, mean: NDArray[np.float64], rows: range, dtype: str, part: str
) -> Iterator[NDArray[Any]]:
    """A part of some rows as it is stored; blank ones stay zero."""
    for first in rows[::ROWS_AT_ONCE]:
        last = min(first + ROWS_AT_ONCE, rows.stop)
        seen = np.flatnonzero(~vectors.blank[first:last]) + first
        piece = np.zeros((last - first, vectors.dimension), dtype=np.float32)
        if len(seen):
            piece[seen - first] = Centred(Chosen(vectors, seen), mean).block(0, len(seen))
        yield narrowed(piece, dtype)[part]


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 20 else f"{text[:12]}..."
