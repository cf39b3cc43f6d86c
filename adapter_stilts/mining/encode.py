"""`encode`: a file of sentences to a folder of unit vectors, shard by shard; goes on where it was stopped, with the
same bytes.

    encode(Encoding(Path("news.de.zst"), trunk="miniature"), out=Path("vectors/de"), ...)

The file is read twice: once to count its rows and find every mistake in it, once to encode it. Memory is that of the
trunk, one shard and a table of texts of a fixed size, however long the file is. A folder without a name of its own is
called after all that its bytes depend on, so the same text is never encoded twice by the same encoder. The ledger holds
no time and no machine.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.data.sentences import Seen, Sentence, sentences, survey
from adapter_stilts.environment import peak_memory
from adapter_stilts.errors import TaskDataError, refuse
from adapter_stilts.files import bare_name
from adapter_stilts.mining.cluster import Cluster, cluster_of
from adapter_stilts.mining.folder import (
    centred_folder,
    clear_unfinished,
    clear_vectors,
    decides,
    filling,
    state_of_vectors,
    unfinished,
)
from adapter_stilts.mining.memory import REMEMBERED, rows_of_a_shard
from adapter_stilts.mining.pace import Pace
from adapter_stilts.mining.sides import TextFile, surveyed
from adapter_stilts.mining.workers import read_by_workers, spec_of
from adapter_stilts.registry import unknown_name
from adapter_stilts.reporting import Reporter
from adapter_stilts.retrieval.protocols import MAX_LENGTH, protocol
from adapter_stilts.retrieval.reading import Overrides, Reading
from adapter_stilts.retrieval.saved import Saved
from adapter_stilts.retrieval.stored.arrays import DTYPES, write_shard
from adapter_stilts.retrieval.stored.encoding import ShardRows, gather, remember, vectors_of
from adapter_stilts.retrieval.stored.known import KnownTexts, as_keys
from adapter_stilts.retrieval.stored.ledger import Shard, append, read_ledger, seal
from adapter_stilts.retrieval.stored.vectors import ShardFiles
from adapter_stilts.runs.subject import SentenceReader, sentence_reader, trunk_of

COUNTS = ("folder", "rows", "blank", "repeated", "cut", "dimension", "dtype", "shards", "layer", "pool", "centring")
REPORTED = (*COUNTS, "encoded", "seconds", "sentences_per_second")  # what a person is shown of an encoding


@dataclass(frozen=True)
class Encoding:
    """What to encode, with what, and how it is stored.

    wanted          layer, pooling and centring; the rest as `own` mines
    layout, column  see `data/sentences.py`; None: as the file's name and first line say
    shard_rows      None: 65,536, or as many as fit under the limit on memory
    token_budget    None: what suits the device
    engine          "ray": shards are read by the workers of a Ray cluster, at `ray_address`
    """

    file: Path
    run: Path | None = None
    trunk: str | None = None
    revision: str | None = None
    precision: str = "auto"
    wanted: Overrides = field(default_factory=Overrides)
    layout: str | None = None
    column: str | None = None
    dtype: str = "float32"
    shard_rows: int | None = None
    token_budget: int | None = None
    max_length: int = MAX_LENGTH
    limit_gb: float | None = None
    engine: str = "local"
    ray_address: str | None = None

    @classmethod
    def from_config(cls, config: RunConfig, file: Path, *, run: Path | None = None, **given: Any) -> Encoding:
        """The encoding of a configuration; `given` are the fields that no configuration has."""
        trunk, revision, precision = trunk_of(config), config.trunk.revision, config.trunk.precision
        return cls(file, run, trunk, revision, precision, Overrides.from_config(config), **given)

    def reading(self, reader: SentenceReader) -> Reading:
        """How that encoder reads."""
        pool = self.wanted.pool or reader.rules.pool
        length = min(self.max_length, reader.rules.max_length, reader.encoder.trunk.config.max_length)
        return Reading((reader.layer,), pool, length, self.token_budget or reader.token_budget)


def encode(
    request: Encoding, *, out: Path | None, runs: Path, overwrite: bool, dry_run: bool, report: Reporter
) -> dict[str, Any]:
    """Encode what is missing; returns what lies in the folder then, and how fast it went.

    out  None: <runs>/vectors/<the file's name>-<8 hex of everything the vectors depend on>

    Raises TaskDataError for a mistake in the file (before anything is encoded), UsageError for settings or a folder
    that cannot be, DoesNotFit for a limit that is too low and on a full disk: finished shards are kept, and the same
    command goes on from there.
    """
    _check(request)
    file = surveyed(request.file, request.layout, request.column, report)
    wanted = request.wanted
    how: Any = {"layer": wanted.one_layer(), "revision": request.revision, "precision": request.precision}
    how["prefix"] = wanted.prefix
    reader = sentence_reader(request.run, request.trunk, pool=request.wanted.pool, **how)
    reader.tell(request.reading(reader), request.wanted, report.say)
    if dry_run:
        planned = _made(reader, request, file)
        folder, rows = out or _folder(runs, planned), planned["rows"]
        state = state_of_vectors(folder, planned, overwrite=overwrite)
        shards = math.ceil(rows / planned["shard_rows"])
        report.say(f"would encode {rows} rows of {request.file} in {shards} shards to {folder}")
        return {"folder": str(folder), "state": state, **_counts(planned, ())}
    with cluster_of(request.engine, request.ray_address) as cluster:
        encoder = Encoder(reader, runs, report, cluster, overwrite)
        if not request.wanted.centring:
            return encoder.vectors(request, file, out)
        made = encoder.vectors(replace(request, dtype="float32"), file)
    folder, state = centred_folder(Path(made["folder"]), out, request.dtype, overwrite=overwrite, report=report)
    own = {"folder": str(folder), "state": state, "dtype": request.dtype, "centring": True}
    return {**made, **own, "plain_folder": made["folder"]}


@dataclass(frozen=True)
class Encoder:
    """An encoder that is loaded, where its vectors are kept, and who works: a cluster, or this process."""

    reader: SentenceReader
    runs: Path
    report: Reporter
    cluster: Cluster | None
    overwrite: bool = False

    def vectors(self, request: Encoding, file: TextFile, out: Path | None = None) -> dict[str, Any]:
        """The vectors of a file that was surveyed, as they come; returns what `encode` does."""
        made = _made(self.reader, request, file)
        folder, stamp = out or _folder(self.runs, made), _stamp(request.file)
        with filling(folder, made, overwrite=self.overwrite):
            work, seen = _Work(folder, self, request), Seen()
            state = work.finish(seen.passing(sentences(file.source)))
            surveys = [seen.survey()] + ([survey(file.source)] if _stamp(request.file) != stamp else [])
            if state != "done" and any(each != file.survey for each in surveys):
                clear_vectors(folder)
                do = "run the command again when it is at rest"
                raise TaskDataError("the file changed while it was read", where=str(request.file), do=do)
            if state != "done":
                clear_unfinished(folder)
                seal(folder)
        summary = work.summary()
        rows, blank, cut = (summary[name] for name in ("rows", "blank", "cut"))
        if state == "done":
            self.report.say("these vectors are there already, whole (--overwrite makes them again)")
        if blank == rows:
            self.report.say(f"none of the {rows} rows has any text: there is no vector to search")
        elif blank:
            self.report.say(f"{blank} of {rows} rows have no text: they keep their places, are zero, and are marked")
        if cut:
            read = f"the {made['max_length']} tokens that are read"
            self.report.say(f"{cut} sentences are longer than {read}; their ends were left out")
        return {"folder": str(folder), "state": state, **summary}


class _Work:
    """One folder being filled."""

    def __init__(self, folder: Path, encoder: Encoder, request: Encoding) -> None:
        self._folder, self._request, ledger = folder, request, read_ledger(folder)
        self._reader, self._report, self._cluster = encoder.reader, encoder.report, encoder.cluster
        self._made, self._shards, self._sealed = ledger.made, list(ledger.shards), ledger.sealed
        self._size, self._rows = int(ledger.made["shard_rows"]), int(ledger.made["rows"])
        self._files, self._known = ShardFiles(folder, ledger), KnownTexts(REMEMBERED)
        self._read, self._seconds, self._worker_peak = 0, 0.0, 0  # of this process

    def finish(self, rows: Iterator[Sentence]) -> str:
        """Encode the missing shards, reading all rows of the file to the end; returns "new", "resumed" or "done"."""
        self._files.check_all()
        start, inside = len(self._shards) * self._size, unfinished(self._folder, len(self._shards)).exists()
        state = "done" if self._sealed else "resumed" if self._shards or inside else "new"
        if state == "resumed":
            at = f"in the shard of row {start + 1}" if inside else f"at row {min(start, self._rows) + 1}"
            self._report.say(f"going on {at} of {self._rows}; the shards before it are whole")
            for done in self._shards:
                keys = self._files.read("texts", done.shard, slice(0, done.rows))
                remember(self._known, keys, done.shard * self._size)
        started = time.monotonic()
        if start < self._rows:
            deque(islice(rows, start), maxlen=0)  # those that are encoded
            with self._report.progress(f"encoding {self._request.file.name}") as progress:
                pace = Pace(progress, self._rows, start)
                for shard in self._read_shards(rows, start, pace):
                    self._store(shard)
            self._read = max(0, self._rows - pace.before)
        if state != "done":
            deque(rows, maxlen=0)  # what the file has beyond the rows that were counted
        self._seconds = time.monotonic() - started
        return state

    def _count(self, first: int) -> int:
        """The rows of the shard that starts there."""
        return min(self._size, self._rows - first)

    def _read_shards(self, rows: Iterator[Sentence], start: int, pace: Pace) -> Iterator[ShardRows]:
        """The shards from that row on, cut into tokens here and read here, or by the workers of a cluster."""
        encoder, reading = self._reader.encoder, self._request.reading(self._reader)
        firsts = range(start, self._rows, self._size)
        shards = (gather(encoder, rows, at, self._count(at), reading.max_length, self._known) for at in firsts)
        if self._cluster is None:
            for number, at in enumerate(firsts, start=len(self._shards)):
                shard = next(shards)
                identity = fingerprint([decides(dict(self._made)), number, len(shard.tokens)])
                saved = Saved(unfinished(self._folder, number), identity)
                told = partial(pace.tell, at, self._count(at))
                shard.new = vectors_of(encoder, shard.tokens, shard.first, reading, told, saved)
                shard.tokens.clear()  # before the next is cut into tokens
                yield shard
                del shard
            return
        spec, gpu = spec_of(self._reader, self._request.run), self._device.startswith("cuda")
        read = read_by_workers(self._cluster, spec, reading, shards, gpu=gpu)
        for at, (shard, worker_peak) in zip(firsts, read, strict=True):
            self._worker_peak = max(self._worker_peak, worker_peak)
            for done in (0, 1):
                pace.tell(at, self._count(at), done, 1)
            yield shard

    def _store(self, made: ShardRows) -> None:
        """The next shard; it has fewer rows where the file has become shorter, which is noticed at its end."""
        number, dtype = len(self._shards), self._request.dtype
        blocks = partial(made.blocks, dtype=dtype, earlier=self._files.stored)
        files = write_shard(self._folder, number, (made.rows, made.new.shape[1]), dtype, blocks, as_keys(made.keys))
        shard = Shard(number, made.rows, made.blank, made.repeated, made.cut, files)
        append(self._folder, shard)
        unfinished(self._folder, number).unlink(missing_ok=True)
        self._files.add(files)
        self._shards.append(shard)

    @property
    def _device(self) -> str:
        return str(next(self._reader.encoder.parameters()).device)

    def summary(self) -> dict[str, Any]:
        work = {"encoded": self._read, "peak_memory": peak_memory(self._device), "device": self._device}
        if self._worker_peak:
            work["worker_peak_memory"] = self._worker_peak
        if self._read:
            work |= {"seconds": round(self._seconds, 3), "sentences_per_second": round(self._read / self._seconds, 1)}
        return {**_counts(self._made, self._shards), **work}


def _stamp(file: Path) -> tuple[int, int, int]:
    """What a file's system says of its content without reading it: other where a line that was read has changed."""
    facts = file.stat()
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


def _folder(runs: Path, made: dict[str, Any]) -> Path:
    return runs / "vectors" / f"{Path(bare_name(Path(made['file']))).stem}-{fingerprint(decides(made))}"


def _made(reader: SentenceReader, request: Encoding, file: TextFile) -> dict[str, Any]:
    """The first line of the ledger."""
    reading, rows = request.reading(reader), file.survey.rows
    return {
        "file": str(request.file),
        "layout": file.source.layout + (f", {request.column}" if request.column else ""),
        "text": file.survey.sha256,
        "rows": rows,
        **reader.made,
        "pool": reading.pool,
        "max_length": reading.max_length,
        "token_budget": reading.token_budget,
        "dimension": reader.encoder.trunk.config.hidden_size,
        "dtype": request.dtype,
        "shard_rows": rows_of_a_shard(reader.encoder, reading, rows, request.shard_rows, request.limit_gb),
    }


def _counts(made: Mapping[str, Any], shards: Sequence[Shard]) -> dict[str, Any]:
    names = ("rows", "dimension", "dtype", "trunk_name", "trunk", "composition", "layer", "pool", "text")
    counts = {name: sum(getattr(shard, name) for shard in shards) for name in ("blank", "repeated", "cut")}
    return {name: made.get(name) for name in names} | counts | {"shards": len(shards), "shard_rows": made["shard_rows"]}


def _check(request: Encoding) -> None:
    request.wanted.over(protocol("own", "bucc2018"))
    request.wanted.one_layer()
    if request.dtype not in DTYPES:
        raise unknown_name("type to store vectors in", request.dtype, DTYPES)
    empty = any(size is not None and size < 1 for size in (request.shard_rows, request.token_budget))
    refuse(empty, "a shard has at least one row, and a batch at least one token", "give a larger number")
    if request.file.exists() and not (request.file.is_file() or request.file.is_dir()):
        what = "a pipe cannot be encoded: it is read twice, and again to go on after a stop"
        raise TaskDataError(what, where=str(request.file), do="write it to a file")
