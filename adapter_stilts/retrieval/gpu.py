"""FAISS on graphics processors, where a build of it that can is installed and sees one; elsewhere nothing changes.

`faiss-gpu-cu12` and the conda builds have it, `faiss-cpu` has not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import faiss

from adapter_stilts.retrieval.compared import Numbers, Vectors

Ask: TypeAlias = Callable[[Vectors, int], tuple[Vectors, Numbers]]

MOST = 2048  # neighbours that a GPU returns; more (long ties) are searched on the processor


def gpus() -> int:
    """How many this FAISS can use."""
    return int(faiss.get_num_gpus()) if hasattr(faiss, "StandardGpuResources") else 0


def on_gpus(trained: faiss.Index | None, shard: Vectors) -> Ask | None:
    """A search of the shard on all GPUs; None without any, or where the index cannot live there (graphs, codes)."""
    if not gpus() or (trained is not None and not isinstance(trained, faiss.IndexIVFFlat)):
        return None
    if trained is not None:
        trained.reset()
    here = faiss.IndexFlatIP(shard.shape[1]) if trained is None else trained
    there = faiss.index_cpu_to_all_gpus(here)
    there.add(shard)

    def ask(queries: Vectors, width: int) -> tuple[Vectors, Numbers]:
        if width <= MOST:
            return there.search(queries, width)
        if not here.ntotal:
            here.add(shard)
        return here.search(queries, width)

    return ask
