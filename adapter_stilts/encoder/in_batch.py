"""The in-batch softmax: every query of a batch against the positives of all of them.

    logits[i, j] = scale * cos(query i, candidate j)        the right answer of row i is candidate i

A candidate that is row i's positive once more (the same id or the same tokens) is no negative of it: it is left out of
row i's softmax. Where several processes share a batch, each compares its own queries with the candidates of all, so
that the sum over processes is the loss of the whole batch. Gradient accumulation does not do that: negatives come from
one forward pass. Ruder et al. (2021), https://aclanthology.org/2021.emnlp-main.802
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional

NEVER = float("-inf")


def in_batch_loss(queries: Tensor, candidates: Tensor, scale: Tensor, labels: Tensor) -> tuple[Tensor, int]:
    """Summed cross-entropy, and how many queries it sums over.

    queries, candidates  [B, H] unit vectors
    scale                the temperature's inverse
    labels               [B, N] what tells equal positives: two rows that agree in any column have the same one
    """
    own = torch.arange(len(queries), device=queries.device)
    others = labels
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        sizes = _sizes(len(queries), queries.device)
        candidates = _Gathered.apply(candidates, sizes)  # type: ignore[no-untyped-call]
        others, own = _gather(labels, sizes), own + sum(sizes[: dist.get_rank()])
    again = (labels[:, None] == others[None]).any(-1)  # [B, all]
    again[torch.arange(len(own), device=own.device), own] = False
    logits = (scale * (queries @ candidates.T)).float().masked_fill(again, NEVER)
    return functional.cross_entropy(logits, own, reduction="sum"), len(queries)


class _Gathered(torch.autograd.Function):
    """The rows of all processes, by rank; each process gets back the gradient of its own, summed over all."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, sizes: list[int]) -> Tensor:
        ctx.sizes = sizes
        return _gather(rows, sizes)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        total = gradients[0].contiguous()
        dist.all_reduce(total)
        first = sum(ctx.sizes[: dist.get_rank()])
        return total[first : first + ctx.sizes[dist.get_rank()]], None


def _sizes(own: int, device: torch.device) -> list[int]:
    """How many rows each process has."""
    sizes = torch.zeros(dist.get_world_size(), dtype=torch.int64, device=device)
    sizes[dist.get_rank()] = own
    dist.all_reduce(sizes)
    return [int(size) for size in sizes]


def _gather(rows: Tensor, sizes: list[int]) -> Tensor:
    """Rows of every process; processes may have different numbers of them, and a gather wants equal ones."""
    padded = rows.new_zeros((max(sizes), *rows.shape[1:]))
    padded[: len(rows)] = rows.detach()
    parts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(parts, padded)
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])
