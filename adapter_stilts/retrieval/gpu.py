"""FAISS on graphics processors, where a build of it that can is installed and sees one; elsewhere nothing changes.

`faiss-gpu-cu12` and the conda builds have it, `faiss-cpu` has not. Similarities from either are compared again at full
precision, so the neighbours are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import faiss

if TYPE_CHECKING:
    from adapter_stilts.retrieval.compared import Numbers, Vectors

MOST = 2048  # neighbours that a GPU returns; more (long ties) are searched on the processor


def gpus() -> int:
    """How many this FAISS can use."""
    return int(faiss.get_num_gpus()) if hasattr(faiss, "StandardGpuResources") else 0


def on_gpus(trained: faiss.Index | None, shard: Vectors) -> OnGpus | None:
    """An index of the shard on all GPUs; None without any, or where it cannot live there (graphs, codes)."""
    if not gpus() or (trained is not None and not isinstance(trained, faiss.IndexIVFFlat)):
        return None
    if trained is not None:
        trained.reset()
    empty = faiss.IndexFlatIP(shard.shape[1]) if trained is None else trained
    index = faiss.index_cpu_to_all_gpus(empty)
    index.add(shard)
    return OnGpus(index, empty, shard)


class OnGpus:
    """Searches on the GPUs; on the processor where more neighbours are asked for than they return."""

    def __init__(self, index: faiss.Index, empty: faiss.Index, shard: Vectors) -> None:
        self._index, self._empty, self._shard = index, empty, shard

    def search(self, queries: Vectors, width: int) -> tuple[Vectors, Numbers]:
        if width <= MOST:
            return self._index.search(queries, width)
        if not self._empty.ntotal:
            self._empty.add(self._shard)
        return self._empty.search(queries, width)
