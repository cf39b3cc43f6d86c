"""Vectors sorted into cells and kept as 16-bit floats: half of IVF's memory.

Twice the neighbours are read and compared again in full.
"""

from __future__ import annotations

import faiss

from adapter_stilts.retrieval.indexes import cells
from adapter_stilts.retrieval.indexes.base import Index, IndexSettings, Vectors, indexes
from adapter_stilts.retrieval.indexes.exact import SPARE


def ivf_sq(sample: Vectors, rows: int, settings: IndexSettings) -> faiss.Index:
    """IndexIVFScalarQuantizer, fp16; the vectors themselves are stored, not what remains of them beside their cell's
    centre.
    """
    lists, probes = cells.numbers(rows, settings)
    width = sample.shape[1]
    half = faiss.ScalarQuantizer.QT_fp16
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(width), width, lists, half, faiss.METRIC_INNER_PRODUCT, False
    )
    return cells.trained(index, sample, probes, settings)


indexes.add(
    "ivf-sq",
    Index(
        ivf_sq,
        cells.sample_size,
        extra=lambda width: 2 * width + 8,
        candidates=lambda k: 2 * k + SPARE,
        compressed=True,
        summary="cells of 16-bit vectors",
    ),
)
