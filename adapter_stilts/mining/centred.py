"""Vectors less their mean: a folder of `encode` to another one, shard by shard, resumable like the first.

The mean is that of a file's distinct sentences and is known only when all are encoded, so the vectors as they come are
kept as well (in float32, under the name of their content) and these are made of them. The ledger says `"centring":
true`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.errors import TaskDataError
from adapter_stilts.mining.folder import decides, filling
from adapter_stilts.reporting import Reporter
from adapter_stilts.retrieval.blocks import Centred, Chosen
from adapter_stilts.retrieval.distinct import by_first_rows
from adapter_stilts.retrieval.stored.arrays import ROWS_AT_ONCE, narrowed, write_shard
from adapter_stilts.retrieval.stored.ledger import append, read_ledger, seal
from adapter_stilts.retrieval.stored.vectors import EncodedFolder


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
