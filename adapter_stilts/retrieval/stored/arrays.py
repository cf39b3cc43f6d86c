"""Arrays on their way to disk: .npy files written a block of rows at a time, and unit vectors in fewer bytes, and back.

    float32   as they are; bit-equal when read
    float16   rounded to the nearest; read as float32 and brought to length 1 again
    int8      one scale per row: scale = max |x| / 127, stored round(x / scale); read as stored * scale, brought to
              length 1 again

No component of an int8 row is off by more than half its scale before the length is restored, so a vector of H
components is off by at most sqrt(H) * max |x| / 254. XLM-R's vectors have a few components far larger than the others,
which make the scale coarse for the rest.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.files import atomic_write
from adapter_stilts.retrieval.compared import Vectors

DTYPES = ("float32", "float16", "int8")
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
