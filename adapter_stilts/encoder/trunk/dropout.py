"""Dropout of the trunk. On a CPU torch draws a number for every entry, which took an eighth of a training step on a
trunk 384 wide; here four entries share 64 random bits.

p is rounded to a multiple of 1 / 65,536, and what is kept is scaled by it as rounded: means stay as they are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

LEVELS = 1 << 16


def dropout(hidden: Tensor, p: float, training: bool) -> Tensor:
    """`hidden` with each entry dropped with probability p in training, the others scaled by 1 / (1 - p)."""
    if not training or p in (0, 1) or hidden.device.type != "cpu":
        return functional.dropout(hidden, p, training)
    dropped: Tensor = _Dropped.apply(hidden, *draw(hidden, p))  # type: ignore[no-untyped-call]
    return dropped


def draw(like: Tensor, p: float) -> tuple[Tensor, float]:
    """Which entries of a tensor on the CPU go, and what scales those that stay; from torch's global generator."""
    level = min(round(p * LEVELS), LEVELS - 1)
    words = torch.empty(-(-like.numel() // 4), dtype=torch.int64).random_(-(1 << 63), None)
    gone = words.view(torch.int16)[: like.numel()].view(like.shape) < level - LEVELS // 2
    return gone, LEVELS / (LEVELS - level)


class _Dropped(torch.autograd.Function):
    """Keeps a byte an entry for the way back."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, gone: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(gone)
        ctx.scale = scale
        return (hidden * scale).masked_fill_(gone, 0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gone,) = ctx.saved_tensors
        return (gradients[0] * ctx.scale).masked_fill_(gone, 0), None, None
