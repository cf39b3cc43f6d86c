"""Vectors kept on disk beside what made them, and read again only where all of that is the same.

    key = VectorKey(trunk="4f1c...", composition="mnli 9a...", layer=14, pool="mean", precision="bf16", max_length=512)
    keep(path, key, sentences, vectors)
    kept(path, key, sentences)      the vectors; None where the file is of another key or other sentences, or is damaged

    <path>.npy     the vectors, [N, H] float32
    <path>.json    what they are: the key, the hash of the sentences and their number, the sha256 of the .npy

What says that a file is whole is written last. A file whose bytes do not match its sha256 is never used, and the log
says so.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import read_json, sha256, write_json
from adapter_stilts.retrieval.compared import Vectors
from adapter_stilts.retrieval.stored.arrays import write_npy

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


def keep(path: Path, key: VectorKey, sentences: Sequence[str], vectors: Vectors) -> None:
    """Store vectors [N, H] under `path`.npy. Raises DoesNotFit on a full disk."""
    path.with_suffix(".json").unlink(missing_ok=True)
    digest = write_npy(path, vectors.shape, "float32", [np.asarray(vectors, dtype=np.float32)])
    write_json(path.with_suffix(".json"), {**_facts(key, sentences), "sha256": digest})


def kept(path: Path, key: VectorKey, sentences: Sequence[str]) -> Vectors | None:
    """The vectors of these sentences, or None where there are none that can be trusted."""
    if not path.is_file() or not path.with_suffix(".json").is_file():
        return None
    try:
        facts = read_json(path.with_suffix(".json"))
        same = {**facts, "sha256": ""} == {**_facts(key, sentences), "sha256": ""}
        whole = facts["sha256"] == sha256(path)
    except (TaskDataError, KeyError, TypeError):
        same, whole = True, False
    if same and not whole:
        log.warning("%s is damaged: its vectors are computed again", path)
    if not same or not whole:
        return None
    vectors: Vectors = np.load(path, allow_pickle=False)
    return vectors


def text_hash(sentences: Sequence[str]) -> str:
    """The hash of a list of sentences; each is preceded by its length, so that no other list has the same bytes."""
    digest = hashlib.sha256()
    for sentence in sentences:
        content = sentence.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()


def _facts(key: VectorKey, sentences: Sequence[str]) -> dict[str, Any]:
    return {**asdict(key), "texts": text_hash(sentences), "sentences": len(sentences)}
