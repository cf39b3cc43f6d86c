"""`encode`: a file of sentences to a folder of unit vectors, shard by shard; goes on where it was stopped, with the same bytes.

    encode(Request(Path("news.de.zst"), trunk="miniature"), out=Path("vectors/de"), ...)

The file is read twice: once to count its rows and find every mistake in it, once to encode it. Memory is that of the trunk, one
shard and a table of texts of a fixed size, however long the file is. A folder without a name of its own is called after all that
its bytes depend on, so the same text is never encoded twice by the same encoder. The ledger holds no time and no machine.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.data.sentences import Seen, Sentence, Source, Survey, sentence_source, sentences, survey
from adapter_stilts.environment import peak_memory
from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.files import bare_name
from adapter_stilts.mining.cluster import Cluster, hands_of
from adapter_stilts.mining.encode_centred import centred_folder
from adapter_stilts.mining.encode_memory import rows_of_a_shard
from adapter_stilts.mining.encode_spread import spec_of, spread
from adapter_stilts.mining.vector_folder import clear_vectors, decides, state_of_vectors
from adapter_stilts.registry import unknown_name
from adapter_stilts.reporting import Reporter
from adapter_stilts.retrieval.embed import MAX_LENGTH, check_reading
from adapter_stilts.retrieval.encoding import Reading, ShardVectors, encode_shard, gather, remember
from adapter_stilts.retrieval.known import KnownTexts
from adapter_stilts.retrieval.ledger import Shard, append, begin, read_ledger, repair, seal
from adapter_stilts.retrieval.pooling import poolings
from adapter_stilts.retrieval.quantised import DTYPES
from adapter_stilts.retrieval.shards import write_npy
from adapter_stilts.retrieval.vectors import ShardFiles, file_name
from adapter_stilts.runs.folder import locked, remove_remains
from adapter_stilts.runs.sentence_reader import SentenceReader, sentence_reader

REMEMBERED = 1 << 22  # texts of earlier shards that are not encoded again: 24 bytes each
TOLD = ("folder", "rows", "blank", "repeated", "cut", "dimension", "dtype", "shards", "layer", "pool", "centring", "encoded", "seconds", "sentences_per_second")


@dataclass(frozen=True)
class Request:
    """What to encode, with what, and how it is stored.

    layout, column  see `data/sentences.py`; None: as the file's name and first line say
    layer           None: where `own` reads for mining
    shard_rows      None: 65,536, or as many as fit under the limit
    token_budget    None: what suits the device
    limit_gb        memory that encoding must fit in
    centring        less the mean vector of the file's distinct sentences
    engine          "ray": shards are read by the workers of a Ray cluster, at `ray_address`
    """

    file: Path
    run: Path | None = None
    trunk: str | None = None
    revision: str | None = None
    precision: str = "auto"
    layer: int | None = None
    pool: str = "mean"
    layout: str | None = None
    column: str | None = None
    dtype: str = "float32"
    shard_rows: int | None = None
    token_budget: int | None = None
    max_length: int = MAX_LENGTH
    limit_gb: float | None = None
    centring: bool = False
    engine: str = "local"
    ray_address: str | None = None


def encode(request: Request, *, out: Path | None, runs: Path, overwrite: bool, dry_run: bool, report: Reporter) -> dict[str, Any]:
    """Encode what is missing; returns what lies in the folder then, and how fast it went.

    out  None: <runs>/vectors/<the file's name>-<8 hex of everything the vectors depend on>

    Raises TaskDataError for a mistake in the file (before anything is encoded), UsageError for settings or a folder that cannot be, DoesNotFit for
    a limit that is too low and on a full disk: finished shards are kept, and the same command goes on from there.
    """
    _check(request)
    source = sentence_source(request.file, request.layout, request.column)
    with report.progress(f"checking {request.file.name}") as progress:
        found = survey(source, lambda rows: progress(rows, 0))
    reader = sentence_reader(request.run, request.trunk, layer=request.layer, revision=request.revision, precision=request.precision)
    with hands_of("local" if dry_run else request.engine, None if dry_run else request.ray_address) as hands:
        if not request.centring or dry_run:
            return encode_with(reader, request, source, found, out=out, runs=runs, overwrite=overwrite, dry_run=dry_run, report=report, hands=hands)
        plain = replace(request, centring=False, dtype="float32")
        made = encode_with(reader, plain, source, found, out=None, runs=runs, overwrite=overwrite, dry_run=False, report=report, hands=hands)
    folder, state = centred_folder(Path(made["folder"]), out, request.dtype, overwrite=overwrite, report=report)
    return {**made, "folder": str(folder), "state": state, "dtype": request.dtype, "centring": True, "plain_folder": made["folder"]}


def encode_with(
    reader: SentenceReader,
    request: Request,
    source: Source,
    found: Survey,
    *,
    out: Path | None,
    runs: Path,
    overwrite: bool,
    dry_run: bool,
    report: Reporter,
    hands: Cluster | None = None,
) -> dict[str, Any]:
    """The same with an encoder that is loaded, a file that was surveyed, and a cluster that is connected: for several files with one encoder."""
    check_reading(reader.encoder, (reader.layer,))
    made = _made(reader, request, source, found)
    folder = out or runs / "vectors" / f"{Path(bare_name(request.file)).stem}-{fingerprint(decides(made))}"
    shards = math.ceil(found.rows / made["shard_rows"])
    known = state_of_vectors(folder, made, overwrite=overwrite)
    if dry_run:
        report.say(f"would encode {found.rows} rows of {request.file} in {shards} shards to {folder}")
        return {"folder": str(folder), "state": known, **_counts(made, ())}
    with locked(folder):
        if state_of_vectors(folder, made, overwrite=overwrite) == "new":
            clear_vectors(folder)
            begin(folder, made)
        remove_remains(folder)
        repair(folder)
        work, seen = _Work(folder, reader, request, found, report, hands), Seen()
        state = work.finish(seen.passing(sentences(source)))
        if state != "done" and seen.survey() != found:
            clear_vectors(folder)
            raise TaskDataError("the file changed while it was read", where=str(request.file), do="run the command again when it is at rest")
        if state != "done":
            seal(folder)
    found_there = work.summary()
    _tell(found_there, state, made["max_length"], report)
    return {"folder": str(folder), "state": state, **found_there}


class _Work:
    """One folder being filled."""

    def __init__(self, folder: Path, reader: SentenceReader, request: Request, found: Survey, report: Reporter, hands: Cluster | None) -> None:
        ledger = read_ledger(folder)
        self._hands, self._spec, self._worker_peak = hands, spec_of(reader, request.run), 0
        self._folder, self._encoder, self._rows, self._report = folder, reader.encoder, found.rows, report
        self._made, self._shards, self._sealed = ledger.made, list(ledger.shards), ledger.sealed
        self._size = int(ledger.made["shard_rows"])
        self._reading = Reading(reader.layer, request.pool, ledger.made["max_length"], ledger.made["token_budget"], request.dtype)
        self._name = request.file.name
        self._files, self._known = ShardFiles(folder, ledger), KnownTexts(REMEMBERED)
        self._read, self._seconds = 0, 0.0  # by this process

    def finish(self, rows: Iterator[Sentence]) -> str:
        """Encode the shards that are missing, from all rows of the file, which are read to the end; returns "new", "resumed" or "done"."""
        self._files.check_all()
        state = "done" if self._sealed else "resumed" if self._shards else "new"
        start = len(self._shards) * self._size
        if state == "resumed":
            self._report.say(f"going on at row {min(start, self._rows) + 1} of {self._rows}; the shards before it are whole")
        for shard in self._shards if state == "resumed" else ():
            remember(self._known, self._files.read("texts", shard.shard, slice(0, shard.rows)), shard.shard * self._size)
        started = time.monotonic()
        if start < self._rows:
            deque(islice(rows, start), maxlen=0)  # those that are encoded
            with self._report.progress(f"encoding {self._name}") as progress:
                firsts = range(start, self._rows, self._size)
                paces = (_Pace(progress, self._rows - start, first - start, min(self._size, self._rows - first), started) for first in firsts)
                for first, made in self._spread(rows, firsts, paces) if self._hands else self._here(rows, firsts, paces):
                    self._store(first // self._size, made)
        if state != "done":
            deque(rows, maxlen=0)  # what the file has beyond the rows that were counted
        self._read, self._seconds = max(0, self._rows - start), time.monotonic() - started
        return state

    def _here(self, rows: Iterator[Sentence], firsts: Iterable[int], paces: Iterable[_Pace]) -> Iterator[tuple[int, ShardVectors]]:
        for first, pace in zip(firsts, paces, strict=True):
            count = min(self._size, self._rows - first)
            yield first, encode_shard(self._encoder, rows, first, count, self._reading, self._known, pace)

    def _spread(self, rows: Iterator[Sentence], firsts: Sequence[int], paces: Iterable[_Pace]) -> Iterator[tuple[int, ShardVectors]]:
        assert self._hands is not None
        length = self._reading.max_length
        shards = (gather(self._encoder, rows, first, min(self._size, self._rows - first), length, self._known) for first in firsts)
        gpu = next(self._encoder.parameters()).device.type == "cuda"
        for first, pace, (gathered, read) in zip(firsts, paces, spread(self._hands, self._spec, self._reading, shards, gpu=gpu), strict=True):
            self._worker_peak = max(self._worker_peak, read.peak)
            yield first, gathered.with_vectors(read.vectors)
            pace(1, 1)

    def _store(self, number: int, made: ShardVectors) -> None:
        count = made.rows  # fewer where the file has become shorter, which is noticed at its end
        files = {}
        for part, shape, dtype, blocks in made.stored(self._reading.dtype, self._files.stored):
            name = file_name(part, number)
            files[name] = write_npy(self._folder / name, shape, dtype, blocks)
        shard = Shard(number, count, made.blank, made.repeated, made.cut, files)
        append(self._folder, shard)
        self._files.add(files)
        self._shards.append(shard)

    def summary(self) -> dict[str, Any]:
        device = str(next(self._encoder.parameters()).device)
        work: dict[str, Any] = {"encoded": self._read, "peak_memory": peak_memory(device), "device": device}
        if self._worker_peak:
            work["worker_peak_memory"] = self._worker_peak
        if self._read:
            work |= {"seconds": round(self._seconds, 3), "sentences_per_second": round(self._read / self._seconds, 1)}
        return {**_counts(self._made, self._shards), **work}


class _Pace:
    """Progress in rows of the file, from the share of a shard's sentences that is done, with the speed so far."""

    def __init__(self, progress: Callable[[int, int, str], None], total: int, before: int, rows: int, started: float) -> None:
        self._progress, self._total, self._before, self._rows, self._started = progress, total, before, rows, started

    def __call__(self, done: int, of: int) -> None:
        rows = self._before + self._rows * done // of
        seconds = time.monotonic() - self._started
        self._progress(rows, self._total, f"{rows / seconds:.0f} sentences/s" if seconds > 0 else "")


def _made(reader: SentenceReader, request: Request, source: Source, found: Survey) -> dict[str, Any]:
    """The first line of the ledger."""
    trunk = reader.encoder.trunk
    where = source.layout + (f", {request.column}" if request.column else "")
    reading = {"max_length": min(request.max_length, trunk.max_length), "token_budget": request.token_budget or reader.token_budget}
    shard_rows = rows_of_a_shard(reader.encoder, request.shard_rows, request.limit_gb, rows=found.rows, remembered=REMEMBERED, **reading)
    return {
        "file": str(request.file),
        "layout": where,
        "text": found.sha256,
        "rows": found.rows,
        **reader.made,
        "pool": request.pool,
        **reading,
        "dimension": trunk.hidden,
        "dtype": request.dtype,
        "shard_rows": shard_rows,
    }


def _counts(made: Any, shards: Any) -> dict[str, Any]:
    counts = {name: sum(getattr(shard, name) for shard in shards) for name in ("blank", "repeated", "cut")}
    told = {name: made[name] for name in ("rows", "dimension", "dtype", "trunk_name", "trunk", "composition", "layer", "pool", "text")}
    return {**told, **counts, "shards": len(shards), "shard_rows": made["shard_rows"]}


def _check(request: Request) -> None:
    if request.pool not in poolings:
        raise unknown_name("pooling", request.pool, poolings)
    if request.dtype not in DTYPES:
        raise unknown_name("type to store vectors in", request.dtype, DTYPES)
    if 0 in (request.shard_rows, request.token_budget) or min(request.shard_rows or 1, request.token_budget or 1) < 0:
        raise UsageError("a shard has at least one row, and a batch at least one token", do="give a larger number")
    if request.file.exists() and not (request.file.is_file() or request.file.is_dir()):
        raise TaskDataError("a pipe cannot be encoded: it is read twice, and again to go on after a stop", where=str(request.file), do="write it to a file")


def _tell(found: Mapping[str, Any], state: str, max_length: int, report: Reporter) -> None:
    """What a person should know of these vectors."""
    if state == "done":
        report.say("these vectors are there already, whole (--overwrite makes them again)")
    if found["blank"] == found["rows"]:
        report.say(f"none of the {found['rows']} rows has any text: there is no vector to search")
    elif found["blank"]:
        report.say(f"{found['blank']} of {found['rows']} rows have no text: they keep their places, are zero, and are marked")
    if found["cut"]:
        report.say(f"{found['cut']} sentences are longer than the {max_length} tokens that are read; their ends were left out")
