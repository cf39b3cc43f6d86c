"""What identifies a trunk: a hash of its weights, whatever they are called, sharded, stored or run in.

Each tensor is hashed as its float32 values. Every float16 and bfloat16 value is a float32 value, so a file stored in
half precision has the fingerprint of the same file widened; rounding a float32 file to half precision changes its
weights and its fingerprint. The pooler and the heads are not part of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

PIECE = 1 << 22  # values hashed at a time


def rows_per_piece(shape: torch.Size) -> int:
    """How many rows of a tensor are hashed at a time."""
    return max(1, PIECE // max(1, shape[1:].numel()))


def piece_digest(piece: Tensor) -> bytes:
    """The hash of some rows, as their float32 values."""
    return hashlib.sha256(piece.detach().to("cpu", torch.float32).contiguous().numpy().data).digest()


def tensor_digest(tensor: Tensor) -> bytes:
    """The digests of a tensor's pieces, one after another."""
    step = rows_per_piece(tensor.shape)
    return b"".join(piece_digest(tensor[start : start + step]) for start in range(0, len(tensor), step))


def fingerprint(digests: Mapping[str, tuple[torch.Size, bytes]]) -> str:
    """32 hexadecimal digits from each tensor's name, shape and digest."""
    whole = hashlib.sha256()
    for name, (shape, digest) in sorted(digests.items()):
        whole.update(f"{name} {list(shape)} {digest.hex()}\n".encode())
    return whole.hexdigest()[:32]
