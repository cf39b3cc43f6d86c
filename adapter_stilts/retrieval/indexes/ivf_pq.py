"""Vectors sorted into cells and kept as a few dozen bytes each; the eight times k best are compared again in full.

Product quantisation cuts a vector into parts and stores for each the nearest of 256 patterns (of 16 for fewer vectors
than that takes). Jégou, Douze and Schmid (2011), https://ieeexplore.ieee.org/document/5432202
"""

from __future__ import annotations

import faiss
import numpy as np

from adapter_stilts.retrieval.compared import Vectors
from adapter_stilts.retrieval.indexes import cells
from adapter_stilts.retrieval.indexes.base import Index, IndexSettings, indexes

PARTS = 64  # bytes of a stored vector, at most
AGAIN = 8  # candidates per neighbour
POINTS = 39  # vectors FAISS wants per pattern


def ivf_pq(sample: Vectors, rows: int, settings: IndexSettings) -> faiss.Index:
    """IndexIVFPQ of `parts(H)` bytes a vector."""
    lists, probes = cells.numbers(rows, settings)
    width = sample.shape[1]
    sample = sample if len(sample) > 1 else np.repeat(sample, 2, axis=0)  # a part has two patterns at least
    bits = 8 if len(sample) >= POINTS << 8 else 4 if len(sample) >= POINTS << 4 else 1
    index = faiss.IndexIVFPQ(faiss.IndexFlatIP(width), width, lists, parts(width), bits, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.seed = settings.seed
    index.pq.cp.min_points_per_centroid = max(1, min(POINTS, len(sample) >> bits))
    return cells.trained(index, sample, probes, settings)


def parts(width: int) -> int:
    """The largest number of parts up to 64, and up to a quarter of the width, that divides the width."""
    return max(number for number in range(1, max(1, min(PARTS, width // 4)) + 1) if width % number == 0)


def sample(rows: int, settings: IndexSettings) -> int:
    return min(rows, max(cells.sample_size(rows, settings), (POINTS + 1) << 8))


SUMMARY = "cells of bytes, re-ranked in full"
coded = Index(SUMMARY, ivf_pq, sample, lambda width: parts(width) + 8, lambda k: AGAIN * k, compressed=True)
indexes.add("ivf-pq", coded)
