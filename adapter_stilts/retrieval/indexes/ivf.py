"""Vectors sorted into cells and kept whole.

Approximate: recall says how much it misses. Each cell is one matrix product with all the queries that probe it
(cell_search.py); the cells cost a k-means first. One cell in 32 costs a third of `exact` at a hundred thousand vectors,
a sixth at a million (benchmarks/mining_growth.py). On 36,000 sentence vectors of 256 dimensions (36 languages, layer 4
of a small XLM-R) recall at 4 was 0.96; one cell in 8 gave 0.995.
"""

from __future__ import annotations

import faiss

from adapter_stilts.retrieval import cell_search
from adapter_stilts.retrieval.compared import Vectors
from adapter_stilts.retrieval.indexes import cells
from adapter_stilts.retrieval.indexes.base import Index, IndexSettings, indexes


def ivf(sample: Vectors, rows: int, settings: IndexSettings) -> faiss.Index:
    """IndexIVFFlat; 4 sqrt(N) cells, one in 32 of them searched, unless the settings say otherwise."""
    lists, probes = cells.numbers(rows, settings)
    width = sample.shape[1]
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, lists, faiss.METRIC_INNER_PRODUCT)
    return cells.trained(index, sample, probes, settings)


def beside(queries: int, places: int, rows: int, settings: IndexSettings) -> int:
    return cell_search.beside(queries, cells.numbers(rows, settings)[1], places)


whole = Index("cells of whole vectors", ivf, cells.sample_size, lambda width: cell_search.HELD, beside=beside)
indexes.add("ivf", whole)
