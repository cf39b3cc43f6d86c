"""Vectors sorted into cells and kept as 16-bit floats: half of IVF's memory.

Twice the neighbours are read and compared again in full.
"""

from __future__ import annotations

from typing import Any

import faiss

from adapter_stilts.retrieval.compared import Vectors
from adapter_stilts.retrieval.indexes import cells
from adapter_stilts.retrieval.indexes.base import SPARE, Index, IndexSettings, indexes


def ivf_sq(sample: Vectors, rows: int, settings: IndexSettings) -> faiss.Index:
    """IndexIVFScalarQuantizer, fp16; whole vectors are stored, not what remains beside their cell's centre."""
    lists, probes = cells.numbers(rows, settings)
    width = sample.shape[1]
    half = faiss.ScalarQuantizer.QT_fp16
    flat = faiss.IndexFlatIP(width)
    index = faiss.IndexIVFScalarQuantizer(flat, width, lists, half, faiss.METRIC_INNER_PRODUCT, False)
    return cells.trained(index, sample, probes, settings)


halved: Any = {"extra": lambda width: 2 * width + 8, "candidates": lambda k: 2 * k + SPARE, "compressed": True}
indexes.add("ivf-sq", Index("cells of 16-bit vectors", ivf_sq, cells.sample_size, **halved))
