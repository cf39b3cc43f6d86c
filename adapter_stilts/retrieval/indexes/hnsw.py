"""A graph of near vectors that a query walks through. Fast for few queries; to build it costs more than the searches of
one mining.

The graph is built by one thread, since with several it, and so its answers, would differ from run to run. It cannot be
cut into shards. Malkov and Yashunin (2018), https://arxiv.org/abs/1603.09320
"""

from __future__ import annotations

import faiss

from adapter_stilts.retrieval.compared import Vectors
from adapter_stilts.retrieval.indexes.base import Index, IndexSettings, indexes

LINKS, BREADTH = 32, 128


def hnsw(sample: Vectors, rows: int, settings: IndexSettings) -> faiss.Index:
    """IndexHNSWFlat of 32 links a vector, built and walked 128 wide."""
    index = faiss.IndexHNSWFlat(sample.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = index.hnsw.efSearch = BREADTH
    return index


def graph_bytes(width: int) -> int:
    """The vectors once more, and the links: twice as many on the lowest level, 4 bytes each, and a few above."""
    return 4 * width + 4 * 2 * LINKS + 32


graph = Index("a graph, in one piece", hnsw, lambda rows, settings: 1, graph_bytes, sharded=False, one_thread=True)
indexes.add("hnsw", graph)
