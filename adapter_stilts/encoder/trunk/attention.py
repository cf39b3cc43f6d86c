"""The product of attention, softmax(Q K^T / sqrt(d)) V, as torch's fused kernel gives it.

In bf16 on a CPU the backward pass of that kernel takes about six times as long as float32's. So what is differentiated
through there gets its gradient from a float32 product of the same operands, while the values it gives stay those of
inference, bit for bit.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def padding(attention_mask: Tensor) -> Tensor | None:
    """[B, T] of ones and zeros to [B, 1, 1, T], true where attention may not go; None where nothing is padded."""
    return None if bool(attention_mask.all()) else (attention_mask == 0)[:, None, None, :]


def product(query: Tensor, keys: Tensor, values: Tensor, blocked: Tensor | None, dropout: float = 0.0) -> Tensor:
    """What every query gathers: query [B, A, T, D], keys and values [B, A, S, D] to [B, A, T, D].

    blocked  [B, 1, 1, S], true where attention may not go; None where it may go anywhere
    """
    slow = query.dtype == torch.bfloat16 and query.device.type == "cpu"
    if not (slow and torch.is_grad_enabled() and query.requires_grad):
        return _fused(query, keys, values, blocked, dropout)
    if dropout == 0:
        mixed: Tensor = _BackwardInFloat32.apply(query, keys, values, blocked)  # type: ignore[no-untyped-call]
        return mixed
    return _in_float32(query, keys, values, blocked, dropout).to(query.dtype)


def _fused(query: Tensor, keys: Tensor, values: Tensor, blocked: Tensor | None, dropout: float) -> Tensor:
    added = None
    if blocked is not None:  # the least finite number, so that padding alone stays finite
        zeros = torch.zeros(blocked.shape, dtype=query.dtype, device=blocked.device)
        added = zeros.masked_fill(blocked, torch.finfo(query.dtype).min)
    return functional.scaled_dot_product_attention(query, keys, values, attn_mask=added, dropout_p=dropout)


def _in_float32(query: Tensor, keys: Tensor, values: Tensor, blocked: Tensor | None, dropout: float) -> Tensor:
    with torch.autocast("cpu", enabled=False):
        return _fused(query.float(), keys.float(), values.float(), blocked, dropout)


class _BackwardInFloat32(torch.autograd.Function):
    """The bf16 product forward, the gradient of the float32 product backward."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, keys: Tensor, values: Tensor, blocked: Tensor | None) -> Tensor:
        ctx.save_for_backward(query, keys, values, blocked)
        return _fused(query, keys, values, blocked, 0.0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, keys, values, blocked = ctx.saved_tensors
        needed = ctx.needs_input_grad[:3]
        operands = [
            tensor.detach().float().requires_grad_(need)
            for tensor, need in zip((query, keys, values), needed, strict=True)
        ]
        with torch.enable_grad():
            mixed = _in_float32(operands[0], operands[1], operands[2], blocked, 0.0)
        wanted = [operand for operand in operands if operand.requires_grad]
        made = iter(torch.autograd.grad(mixed, wanted, gradients[0].float()))
        return *(next(made).to(query.dtype) if need else None for need in needed), None
