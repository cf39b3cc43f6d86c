"""Vectors kept on disk under a name made from everything they depend on, so that a changed setting can never find old ones.

    cache = VectorCache(folder)
    key = VectorKey(trunk="4f1c...", composition="mnli 9a3b...", layer=14, pool="mean", precision="bf16", max_length=512)
    vectors = embed_cached(cache, key, encoder, sentences, layers=(14,))

    <folder>/<32 hex>.npy     the vectors, [N, H] float32
    <folder>/<32 hex>.json    what they are: the key, the number of sentences, the sha256 of the .npy

A file whose bytes do not match its sha256 is never used: it is made again, and the log says so.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import atomic_write, read_json, sha256, write_json
from adapter_stilts.retrieval.embed import TOKEN_BUDGET, embed_layers
from adapter_stilts.retrieval.pooling import Vectors

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VectorKey:
    """What vectors depend on beside their texts."""

    trunk: str  # the fingerprint of its weights
    composition: str  # what is active, with the hashes of its adapters; "" for the bare trunk
    layer: int
    pool: str
    precision: str
    max_length: int

    def name(self, texts: str) -> str:
        """The file's name, for texts with this hash."""
        return hashlib.sha256(json.dumps([asdict(self), texts], sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class VectorCache:
    """A folder of vectors by content."""

    folder: Path

    def get(self, key: VectorKey, sentences: Sequence[str]) -> Vectors | None:
        """The vectors of these sentences, or None where there are none that can be trusted."""
        path = self._path(key, sentences)
        if not path.is_file() or not path.with_suffix(".json").is_file():
            return None
        if not _intact(path):
            log.warning("%s is damaged: its vectors are computed again", path)
            return None
        vectors: Vectors = np.load(path, allow_pickle=False)
        return vectors

    def put(self, key: VectorKey, sentences: Sequence[str], vectors: Vectors) -> None:
        """Store vectors [N, H]; what says that they are whole is written last."""
        path = self._path(key, sentences)
        path.with_suffix(".json").unlink(missing_ok=True)
        with atomic_write(path) as stream:
            np.save(stream, np.asarray(vectors, dtype=np.float32), allow_pickle=False)
        write_json(path.with_suffix(".json"), {**asdict(key), "texts": text_hash(sentences), "sentences": len(sentences), "sha256": sha256(path)})

    def _path(self, key: VectorKey, sentences: Sequence[str]) -> Path:
        return self.folder / f"{key.name(text_hash(sentences))}.npy"


def embed_cached(
    cache: VectorCache | None,
    key: VectorKey,
    encoder: AdapterEncoder,
    sentences: Sequence[str],
    *,
    layers: Iterable[int],
    token_budget: int = TOKEN_BUDGET,
    progress: Callable[[int, int], None] | None = None,
) -> dict[int, Vectors]:
    """Unit vectors by layer, those that are missing computed in one pass; `key.layer` is set to each layer in turn.

    None for the cache computes all of them and stores nothing.
    """
    wanted = list(layers)
    known = {layer: cache.get(replace(key, layer=layer), sentences) for layer in wanted} if cache else {}
    found = {layer: vectors for layer, vectors in known.items() if vectors is not None}
    missing = [layer for layer in wanted if layer not in found]
    if missing:
        made = embed_layers(encoder, sentences, layers=missing, pool=key.pool, token_budget=token_budget, max_length=key.max_length, progress=progress)
        for layer, vectors in made.items():
            if cache:
                cache.put(replace(key, layer=layer), sentences, vectors)
        found |= made
    return {layer: found[layer] for layer in wanted}


def text_hash(sentences: Sequence[str]) -> str:
    """The hash of a list of sentences; each is preceded by its length, so that no other list has the same bytes."""
    digest = hashlib.sha256()
    for sentence in sentences:
        content = sentence.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()


def _intact(path: Path) -> bool:
    try:
        return bool(read_json(path.with_suffix(".json"))["sha256"] == sha256(path))
    except (TaskDataError, KeyError, TypeError):
        return False
