"""Arrays on disk: .npy files written a block of rows at a time; unit vectors in fewer bytes, and back; and vectors kept
beside what made them, which are read again only where all of that is the same.

    float32   as they are; bit-equal when read
    float16   rounded to the nearest; read as float32 and brought to length 1 again
    int8      one scale per row: scale = max |x| / 127, stored round(x / scale); read as stored * scale, brought to
              length 1 again

No component of an int8 row is off by more than half its scale before the length is restored, so a vector of H
components is off by at most sqrt(H) * max |x| / 254. XLM-R's vectors have a few components far larger than the others,
which make the scale coarse for the rest.

    keep(path, key, sentences, vectors)      <path>.npy, and <path>.json with the key, the hash and number of the
                                             sentences and the sha256 of the .npy, which is written last
    kept(path, key, sentences)               the vectors; None where the files are of others or damaged
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.errors import TaskDataError
from adapter_stilts.files import atomic_write, read_json, sha256, write_json
from adapter_stilts.retrieval.compared import Vectors

log = logging.getLogger(__name__)

DTYPES = ("float32", "float16", "int8")
PARTS = ("vectors", "scales", "texts")  # of a shard, a file each
LARGEST = 127
ROWS_AT_ONCE = 1 << 12  # of vectors on their way to a file


def narrowed(vectors: Vectors, dtype: str) -> dict[str, NDArray[Any]]:
    """Unit vectors [N, H] as they are stored, and of int8 their scales [N]. A row of zeros stays one."""
    if dtype != "int8":
        return {"vectors": vectors.astype(dtype)}
    scales = (np.abs(vectors).max(axis=1) / LARGEST).astype(np.float32)
    stored = np.rint(vectors / np.where(scales == 0, 1, scales)[:, None])
    return {"vectors": np.clip(stored, -LARGEST, LARGEST).astype(np.int8), "scales": scales}


def widened(vectors: NDArray[Any], scales: Vectors | None = None) -> Vectors:
    """Stored rows as float32 unit vectors [N, H]; a row of zeros stays one."""
    if vectors.dtype == np.float32:
        return vectors
    vectors = vectors.astype(np.float32)
    if scales is not None:
        vectors *= scales[:, None]
    lengths = np.sqrt(np.einsum("nh,nh->n", vectors, vectors, dtype=np.float64))[:, None]
    vectors /= np.where(lengths == 0, 1, lengths).astype(np.float32)
    return vectors


def write_npy(path: Path, shape: tuple[int, ...], dtype: str, blocks: Iterable[NDArray[Any]]) -> str:
    """Write an array of this shape whose rows come in blocks; returns the sha256 of the file.

    Raises DoesNotFit on a full disk.
    """
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape})
    digest, rows = hashlib.sha256(header.getvalue()), 0
    with atomic_write(path) as stream:
        stream.write(header.getvalue())
        for block in blocks:
            content = block.tobytes()
            digest.update(content)
            stream.write(content)
            rows += len(block)
        assert rows == shape[0], f"{rows} rows written of {shape[0]}"
    return digest.hexdigest()


def write_shard(
    folder: Path,
    number: int,
    shape: tuple[int, int],
    dtype: str,
    blocks: Callable[[str], Iterable[NDArray[Any]]],
    texts: NDArray[np.uint8],
) -> dict[str, str]:
    """Write the files of a shard [n, H] (see `vectors.py`), and give the sha256 of each.

    blocks  the rows of "vectors", and of int8 those of "scales", as they are stored
    texts   [n, 16] a hash of each row's text
    """
    parts: dict[str, tuple[tuple[int, ...], str, Iterable[NDArray[Any]]]] = {}
    parts["vectors"] = (shape, dtype, blocks("vectors"))
    if dtype == "int8":
        parts["scales"] = (shape[:1], "float32", blocks("scales"))
    parts["texts"] = (texts.shape, "uint8", [texts])
    return {(name := file_name(part, number)): write_npy(folder / name, *array) for part, array in parts.items()}


def file_name(part: str, shard: int) -> str:
    """ "vectors-00003.npy"."""
    return f"{part}-{shard:05d}.npy"


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
