"""Vectors less their mean: a folder of `encode` to another one, shard by shard, resumable like the first.

The mean is that of a file's distinct sentences and is known only when all are encoded, so the vectors as they come are
kept as well (in float32, under the name of their content) and these are made of them. The ledger says `"centring":
true`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.errors import TaskDataError
from adapter_stilts.mining.folder import decides, filling
from adapter_stilts.reporting import Reporter
from adapter_stilts.retrieval.blocks import Centred, Chosen
from adapter_stilts.retrieval.compared import Vectors
from adapter_stilts.retrieval.distinct import by_first_rows
from adapter_stilts.retrieval.stored.arrays import narrowed, write_npy
from adapter_stilts.retrieval.stored.ledger import Shard, append, read_ledger, seal
from adapter_stilts.retrieval.stored.vectors import StoredVectors, file_name, open_vectors

ROWS_AT_ONCE = 1 << 12


def centred_folder(plain: Path, out: Path | None, dtype: str, *, overwrite: bool, report: Reporter) -> tuple[Path, str]:
    """Make the centred vectors of a finished folder; returns where they lie, and "new", "resumed" or "done".

    out  None: beside the plain ones, under a name made of what they depend on

    Raises TaskDataError for a file with fewer than two different sentences, UsageError where the folder holds something
    else.
    """
    vectors, ledger = open_vectors(plain), read_ledger(plain)
    made = {**ledger.made, "dtype": dtype, "centring": True}
    folder = out or plain.parent / f"{plain.name.rpartition('-')[0]}-{fingerprint(decides(made))}"
    with filling(folder, made, overwrite=overwrite) as state:
        if state != "done":
            mean = _mean(vectors)
            with report.progress("centring") as progress:
                for shard in ledger.shards[len(read_ledger(folder).shards) :]:
                    append(folder, _written(folder, vectors, mean, shard, made))
                    progress(shard.shard + 1, len(ledger.shards))
            seal(folder)
    return folder, state


def _mean(vectors: StoredVectors) -> NDArray[np.float64]:
    first = vectors.first_rows()
    assert first is not None
    rows = by_first_rows(first, vectors.blank).rows
    if len(rows) < 2:
        do = "leave centring out, or give a file with more text"
        what = f"{len(rows)} different sentences: nothing is left of a vector less the mean of one"
        raise TaskDataError(what, where=str(vectors.path), do=do)
    return Centred.of(Chosen(vectors, rows)).mean


def _written(
    folder: Path, vectors: StoredVectors, mean: NDArray[np.float64], shard: Shard, made: dict[str, Any]
) -> Shard:
    """One shard's files; blank rows stay zero."""
    start, dtype = shard.shard * int(made["shard_rows"]), str(made["dtype"])
    stop = start + shard.rows
    parts: dict[str, tuple[tuple[int, ...], str]] = {"vectors": ((shard.rows, vectors.dimension), dtype)}
    parts |= {"scales": ((shard.rows,), "float32")} if dtype == "int8" else {}
    files = {}
    for place, (part, (shape, kind)) in enumerate(parts.items()):
        stored = (narrowed(piece, dtype)[place] for piece in _pieces(vectors, mean, start, stop))
        blocks = (block for block in stored if block is not None)
        files[file_name(part, shard.shard)] = write_npy(folder / file_name(part, shard.shard), shape, kind, blocks)
    texts = vectors.texts(start, stop)
    assert texts is not None
    name = file_name("texts", shard.shard)
    files[name] = write_npy(folder / name, texts.shape, "uint8", [texts])
    return replace(shard, files=files)


def _pieces(vectors: StoredVectors, mean: NDArray[np.float64], start: int, stop: int) -> Iterator[Vectors]:
    for first in range(start, stop, ROWS_AT_ONCE):
        last = min(first + ROWS_AT_ONCE, stop)
        seen = np.flatnonzero(~vectors.blank[first:last]) + first
        piece = np.zeros((last - first, vectors.dimension), dtype=np.float32)
        if len(seen):
            piece[seen - first] = Centred(Chosen(vectors, seen), mean).block(0, len(seen))
        yield piece
