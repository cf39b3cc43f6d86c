"""A run as a model of mteb: its vectors are those of `encode`, bit by bit, whatever batches mteb would make.

mteb.evaluate(stilts.mteb_model("runs/nli", layer=8), tasks=mteb.get_tasks(tasks=["Tatoeba"]))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mteb.models import ModelMeta
from numpy.typing import NDArray

from adapter_stilts.retrieval.embed import embed
from adapter_stilts.retrieval.protocols import MAX_LENGTH
from adapter_stilts.retrieval.reading import Reading
from adapter_stilts.runs.subject import sentence_reader

Vectors = NDArray[np.float32]


class Encoder:
    """mteb's EncoderProtocol over a run, or a bare trunk."""

    def __init__(self, run: Path | None, trunk: str | None = None, **options: Any) -> None:
        reader = sentence_reader(run, trunk, **options)
        self._encoder, self._layer = reader.encoder, reader.layer
        length = min(MAX_LENGTH, reader.rules.max_length, reader.encoder.trunk.config.max_length)
        pool = options.get("pool") or reader.rules.pool
        self._reading = Reading((reader.layer,), pool, length, reader.token_budget)
        name = f"adapter-stilts/{run.resolve().name}" if run is not None else str(trunk)
        self.mteb_model_meta = ModelMeta.create_empty({"name": name, "revision": None})

    def encode(self, inputs: Iterable[Mapping[str, Any]], **kwargs: Any) -> Vectors:
        """The unit vectors [N, H] of all texts of a data loader."""
        texts = [text.strip() for batch in inputs for text in batch["text"]]
        return embed(self._encoder, texts, self._reading)[self._layer]

    def similarity(self, first: Vectors, second: Vectors) -> Vectors:
        """Cosines [N, M] of unit vectors."""
        cosines: Vectors = np.asarray(first) @ np.asarray(second).T
        return cosines

    def similarity_pairwise(self, first: Vectors, second: Vectors) -> Vectors:
        """Cosines [N]."""
        cosines: Vectors = np.einsum("nh,nh->n", np.asarray(first), np.asarray(second))
        return cosines
