"""What the workers of a cluster do: read the sentences of a shard, and search a piece of the vectors.

Reading: this process cuts the text and knows which sentences are new; a worker, which needs the trunk and the run but
not the file, is told token ids and gives back vectors. Shards are written here, in their order.

Searching: workers open the vectors by their paths and send back neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.environment import peak_memory
from adapter_stilts.errors import ArtefactError, DoesNotFit
from adapter_stilts.mining.cluster import Cluster, check_visible
from adapter_stilts.retrieval.blocks import Blocks, Centred, Chosen
from adapter_stilts.retrieval.compared import Numbers, Vectors
from adapter_stilts.retrieval.embed import TokenIds
from adapter_stilts.retrieval.indexes import indexes
from adapter_stilts.retrieval.plan import GB, SearchPlan, Sizes, peak, resident
from adapter_stilts.retrieval.reading import Reading
from adapter_stilts.retrieval.search import Piece, Running, Steps, Trained, Workers, search_piece
from adapter_stilts.retrieval.stored.encoding import ShardRows, vectors_of
from adapter_stilts.retrieval.stored.vectors import open_vectors
from adapter_stilts.runs.subject import SentenceReader, sentence_reader

MINIATURE = "miniature"
SAME_FOLDERS = "make the folders of all nodes the same, or put them on a file system that all share"


@dataclass(frozen=True)
class ReaderSpec:
    """What a worker loads: the same encoder, from the same places; `made` is what must come of it."""

    run: Path | None
    trunk: str
    revision: str | None
    precision: str
    layer: int
    made: str
    prefix: str = ""


@dataclass(frozen=True)
class SideSpec:
    """Where a side's vectors lie, what they must be, and the mean to take off; the rows searched travel apart."""

    path: Path
    rows: int
    dimension: int
    text: str
    mean: NDArray[np.float64] | None = None


def spec_of(reader: SentenceReader, run: Path | None) -> ReaderSpec:
    trunk, folder = reader.encoder.trunk, Path(reader.encoder.trunk.name)
    name = str(folder.resolve()) if folder.exists() and trunk.name != MINIATURE else trunk.name
    run = run.resolve() if run else None
    return ReaderSpec(run, name, trunk.revision, trunk.precision, reader.layer, _identity(reader), trunk.prefix)


def read_by_workers(
    cluster: Cluster, spec: ReaderSpec, reading: Reading, shards: Iterable[ShardRows], *, gpu: bool
) -> Iterator[tuple[ShardRows, int]]:
    """Every shard with its vectors, in order, and the most memory its worker held; few shards are held here."""
    waiting: list[ShardRows] = []

    def pieces() -> Iterator[Sequence[object]]:
        for shard in shards:
            waiting.append(shard)
            yield spec, shard.tokens, shard.first, reading
            shard.tokens = []  # the worker has them

    for vectors, held in cluster.each(read_shard, pieces(), gpu=gpu):
        waiting[0].new = vectors
        yield waiting.pop(0), held


def read_shard(
    spec: ReaderSpec, tokens: Sequence[TokenIds], lines: Sequence[int], reading: Reading
) -> tuple[Vectors, int]:
    """For a worker: the vectors of a shard's new sentences, and the most memory that it has held."""
    encoder = _reader(spec).encoder
    vectors = vectors_of(encoder, tokens, lines, reading)
    return vectors, peak_memory(str(next(encoder.parameters()).device))


def workers_of(cluster: Cluster, queries: Blocks, base: Blocks, chosen: SearchPlan) -> Workers:
    """The cluster as workers that search."""
    (left, left_rows), (right, right_rows) = (_parts(side) for side in (queries, base))
    rows = cluster.share(left_rows), cluster.share(right_rows)

    def each(trained: Trained | None, pieces: Iterable[Piece]) -> Iterator[Running]:
        index = None if trained is None else cluster.share(trained)
        return cluster.each(search_rows, ((left, right, chosen, index, piece, *rows) for piece in pieces))

    return Workers(cluster.slots, each)


def search_rows(
    left: SideSpec,
    right: SideSpec,
    chosen: SearchPlan,
    trained: Trained | None,
    piece: Piece,
    left_rows: Numbers,
    right_rows: Numbers,
) -> Running:
    """For a worker: one piece.

    Raises MissingError for vectors it cannot see, ArtefactError for others in their place, DoesNotFit over the limit.
    """
    check_visible((left.path, right.path))
    held, way = resident(), chosen.way
    shard = Steps(piece.base[1] - piece.base[0], way.steps.query_rows)
    sizes = Sizes(piece.queries[1] - piece.queries[0], shard.base_rows, left.dimension, chosen.k)
    needed = peak(sizes, indexes[way.index], shard, held, way.settings)
    if needed > chosen.limit:
        has = f"for a shard of {shard.base_rows} vectors and has {held / GB:.2f} GB already"
        what = f"a worker needs {needed / GB:.2f} GB {has}, the limit is {chosen.limit / GB:.2f} GB"
        raise DoesNotFit(what, do="raise --limit-gb")
    return search_piece(_opened(left, left_rows), _opened(right, right_rows), chosen.k, way, piece, trained)


@lru_cache(maxsize=1)
def _reader(spec: ReaderSpec) -> SentenceReader:
    """Loaded once by every worker.

    Raises MissingError for a folder it cannot see, ArtefactError for one that holds something else there.
    """
    check_visible([path for path in (spec.run, Path(spec.trunk)) if path is not None and path.is_absolute()])
    how: Any = {"layer": spec.layer, "revision": spec.revision, "precision": spec.precision}
    how["prefix"] = spec.prefix
    reader = sentence_reader(spec.run, spec.trunk, **how)
    if _identity(reader) != spec.made:
        what = "a worker of the cluster has another trunk or other adapters there"
        raise ArtefactError(what, where=spec.trunk, do=SAME_FOLDERS)
    return reader


def _identity(reader: SentenceReader) -> str:
    return fingerprint({name: value for name, value in reader.made.items() if name != "trunk_name"})


def _parts(side: Blocks) -> tuple[SideSpec, Numbers]:
    """A side that is searched as what travels."""
    whole, mean = (side.whole, side.mean) if isinstance(side, Centred) else (side, None)
    assert isinstance(whole, Chosen)
    stored: Any = whole.whole
    text = str(stored.made.get("text", ""))
    return SideSpec(stored.path.resolve(), stored.rows, stored.dimension, text, mean), whole.numbers


def _opened(spec: SideSpec, rows: Numbers) -> Blocks:
    vectors = open_vectors(spec.path)
    if (vectors.rows, vectors.dimension, str(vectors.made.get("text", ""))) != (spec.rows, spec.dimension, spec.text):
        what = "a worker of the cluster has other vectors there"
        raise ArtefactError(what, where=str(spec.path), do=SAME_FOLDERS)
    chosen = Chosen(vectors, rows)
    return chosen if spec.mean is None else Centred(chosen, spec.mean)
