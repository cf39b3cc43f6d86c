"""Shards of a file read by the workers of a cluster; gathered, ordered and written here.

This process cuts the text and knows which sentences are new, so a worker is told token ids and gives back vectors: it needs the trunk and
the run, not the file. Shards are written in their order, so what lies in the folder is what one process would have written, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.environment import peak_memory
from adapter_stilts.errors import ArtefactError
from adapter_stilts.mining.cluster import Cluster, check_visible
from adapter_stilts.retrieval.embed import TokenIds
from adapter_stilts.retrieval.encoding import Gathered, Reading, vectors_of
from adapter_stilts.retrieval.pooling import Vectors
from adapter_stilts.runs.sentence_reader import SentenceReader, sentence_reader

MINIATURE = "miniature"


@dataclass(frozen=True)
class ReaderSpec:
    """What a worker loads: the same encoder, from the same places; `made` is what must come of it."""

    run: Path | None
    trunk: str
    revision: str | None
    precision: str
    layer: int
    made: str


@dataclass(frozen=True)
class Read:
    """The vectors of a shard's new sentences, and the most memory that the worker has held."""

    vectors: Vectors
    peak: int


def spec_of(reader: SentenceReader, run: Path | None) -> ReaderSpec:
    trunk, folder = reader.encoder.trunk, Path(reader.encoder.trunk.name)
    name = str(folder.resolve()) if folder.exists() and trunk.name != MINIATURE else trunk.name
    return ReaderSpec(run.resolve() if run else None, name, trunk.revision, trunk.precision, reader.layer, _identity(reader))


def spread(hands: Cluster, spec: ReaderSpec, reading: Reading, shards: Iterable[Gathered], *, gpu: bool) -> Iterator[tuple[Gathered, Read]]:
    """Every shard with its vectors, in order; as many are held here as are worked on."""
    waiting: list[Gathered] = []

    def pieces() -> Iterator[Sequence[object]]:
        for gathered in shards:
            waiting.append(gathered)
            yield spec, gathered.tokens, gathered.first, reading
            gathered.tokens = gathered.tokens[:0]  # the worker has them

    for found in hands.each(read_shard, pieces(), gpu=gpu):
        yield waiting.pop(0), found


def read_shard(spec: ReaderSpec, tokens: Sequence[TokenIds], lines: Sequence[int], reading: Reading) -> Read:
    """For a worker: the vectors of a shard's new sentences."""
    encoder = _reader(spec).encoder
    vectors = vectors_of(encoder, tokens, lines, reading)
    return Read(vectors, peak_memory(str(next(encoder.parameters()).device)))


@lru_cache(maxsize=1)
def _reader(spec: ReaderSpec) -> SentenceReader:
    """Loaded once by every worker. Raises MissingError for a folder it cannot see, ArtefactError for one that holds something else there."""
    check_visible([path for path in (spec.run, Path(spec.trunk)) if path is not None and path.is_absolute()])
    reader = sentence_reader(spec.run, spec.trunk, layer=spec.layer, revision=spec.revision, precision=spec.precision)
    if _identity(reader) != spec.made:
        do = "make the folders of all nodes the same, or put them on a file system that all share"
        raise ArtefactError("a worker of the cluster has another trunk or other adapters there", where=spec.trunk, do=do)
    return reader


def _identity(reader: SentenceReader) -> str:
    return fingerprint({name: value for name, value in reader.made.items() if name != "trunk_name"})
