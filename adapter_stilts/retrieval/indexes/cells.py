"""What the IVF indexes share: k-means sorts vectors into cells; a query is compared with its nearest cells alone."""

from __future__ import annotations

import math

import faiss
import numpy as np

from adapter_stilts.errors import UsageError
from adapter_stilts.retrieval.compared import Vectors
from adapter_stilts.retrieval.indexes.base import IndexSettings

TRAINING_POINTS = 39  # vectors FAISS wants per cell for its k-means


def default_lists(number: int) -> int:
    """4 sqrt(N) cells, fewer where k-means would not have enough vectors for each."""
    return max(1, min(round(4 * math.sqrt(number)), number // TRAINING_POINTS))


def default_probes(lists: int) -> int:
    """One cell in 32, and at least eight."""
    return min(lists, max(8, lists // 32))


def sample_size(rows: int, settings: IndexSettings) -> int:
    """Enough for k-means; a fixed function of the rows, so that the cells do not depend on memory."""
    return min(rows, (TRAINING_POINTS + 1) * (settings.lists or default_lists(rows)))


def numbers(rows: int, settings: IndexSettings) -> tuple[int, int]:
    """(cells, cells searched). Raises UsageError for more cells than vectors or more probes than cells."""
    lists = settings.lists or default_lists(rows)
    probes = settings.probes or default_probes(lists)
    if lists > rows or probes > lists:
        what = f"{lists} lists and {probes} probes for {rows} vectors"
        raise UsageError(what, do="use at most as many lists as vectors, and at most as many probes as lists")
    return lists, probes


def trained(index: faiss.IndexIVF, sample: Vectors, probes: int, settings: IndexSettings) -> faiss.IndexIVF:
    index.cp.seed = settings.seed
    points = max(1, min(TRAINING_POINTS, len(sample) // index.nlist))
    index.cp.min_points_per_centroid = points  # fewer is the caller's choice: no message on stderr
    index.train(np.ascontiguousarray(sample))
    index.nprobe = probes
    return index
