"""Vectors for the mining benchmarks: planted pairs, written to disk a block at a time.

The first `pairs` rows of both sides are pairs, moved to random places: a target is its source, a common direction and
noise. Every other row is a stranger. Blocks have generators of their own, so a file of any size takes little memory to
make.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 14


def write_side(
    path: Path, rows: int, width: int, pairs: NDArray[np.int64], *, seed: int, side: int, noise: float = 0.6
) -> None:
    """A .npy file of unit vectors [rows, width]; row pairs[i] of both sides is pair i."""
    place = np.full(rows, -1, dtype=np.int64)
    place[pairs] = np.arange(len(pairs))
    common = np.random.default_rng([seed, 2]).standard_normal(width, dtype=np.float32)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, width))
    for start in range(0, rows, BLOCK):
        stop = min(start + BLOCK, rows)
        block = np.random.default_rng([seed, 3 + side, start]).standard_normal((stop - start, width), dtype=np.float32)
        own = place[start:stop]
        if (own >= 0).any():
            draws = (np.random.default_rng([seed, 5, int(number)]) for number in own[own >= 0])
            shared = np.stack([draw.standard_normal(width, dtype=np.float32) for draw in draws])
            block[own >= 0] = shared + noise * block[own >= 0]
        block += common
        array[start:stop] = block / np.linalg.norm(block, axis=1, keepdims=True)
    array.flush()


def planted(
    folder: Path, rows: int, width: int, *, share: float = 0.1, seed: int = 13
) -> tuple[Path, Path, NDArray[np.int64], NDArray[np.int64]]:
    """(source file, target file, source rows, target rows) of planted pairs; made once per folder and settings."""
    draw = np.random.default_rng([seed, 1])
    count = max(1, int(share * rows))
    left, right = (draw.permutation(rows)[:count] for _ in range(2))
    paths = [folder / f"{name}-{rows}x{width}-{share}-{seed}.npy" for name in ("source", "target")]
    for side, (path, numbers) in enumerate(zip(paths, (left, right), strict=True)):
        if not path.exists():
            partial = path.with_suffix(".partial.npy")
            write_side(partial, rows, width, numbers, seed=seed, side=side)
            partial.rename(path)
    return paths[0], paths[1], left, right
