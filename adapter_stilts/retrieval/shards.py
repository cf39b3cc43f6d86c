"""Arrays on their way to disk: .npy files written a block of rows at a time, so that nothing is held twice."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.files import atomic_write


def write_npy(path: Path, shape: tuple[int, ...], dtype: str, blocks: Iterable[NDArray[Any]]) -> str:
    """Write an array of this shape whose rows come in blocks; returns the sha256 of the file. Raises DoesNotFit on a full disk."""
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
