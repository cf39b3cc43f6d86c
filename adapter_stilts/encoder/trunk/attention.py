"""The product of attention, softmax(Q K^T / sqrt(d)) V, as torch's fused kernel gives it.

In bf16 on a CPU the backward pass of that kernel takes about six times as long as float32's. So what is differentiated
through there gets its gradient from a float32 product of the same operands, while the values it gives stay those of
inference, bit for bit.

With dropout torch has no fused kernel on a CPU: it keeps the weights of all pairs of tokens four times over for the
backward pass. There they are computed anew, from the operands and a byte for each pair that says what was dropped; with
the same draws, values and gradients are those of torch.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from adapter_stilts.encoder.trunk.dropout import draw


def padding(attention_mask: Tensor) -> Tensor | None:
    """[B, T] of ones and zeros to [B, 1, 1, T], true where attention may not go; None where nothing is padded."""
    return None if bool(attention_mask.all()) else (attention_mask == 0)[:, None, None, :]


def product(query: Tensor, keys: Tensor, values: Tensor, blocked: Tensor | None, dropout: float = 0.0) -> Tensor:
    """What every query gathers: query [B, A, T, D], keys and values [B, A, S, D] to [B, A, T, D].

    blocked  [B, 1, 1, S], true where attention may not go; None where it may go anywhere
    """
    mixed: Tensor
    learned = torch.is_grad_enabled() and any(operand.requires_grad for operand in (query, keys, values))
    if query.device.type != "cpu" or not learned:
        return _fused(query, keys, values, blocked, dropout)
    if dropout > 0:
        mixed = _WithDropout.apply(query, keys, values, blocked, dropout)  # type: ignore[no-untyped-call]
        return mixed
    if query.dtype == torch.bfloat16:
        mixed = _BackwardInFloat32.apply(query, keys, values, blocked)  # type: ignore[no-untyped-call]
        return mixed
    return _fused(query, keys, values, blocked, dropout)


def _fused(query: Tensor, keys: Tensor, values: Tensor, blocked: Tensor | None, dropout: float) -> Tensor:
    added = None if blocked is None else _added(blocked, query.dtype)
    return functional.scaled_dot_product_attention(query, keys, values, attn_mask=added, dropout_p=dropout)


def _added(blocked: Tensor, dtype: torch.dtype) -> Tensor:
    """What is added to scores: 0, or the least finite number, so that padding alone stays finite."""
    zeros = torch.zeros(blocked.shape, dtype=dtype, device=blocked.device)
    return zeros.masked_fill(blocked, torch.finfo(dtype).min)


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
        with torch.enable_grad(), torch.autocast("cpu", enabled=False):
            mixed = _fused(operands[0], operands[1], operands[2], blocked, 0.0)
        wanted = [operand for operand in operands if operand.requires_grad]
        made = iter(torch.autograd.grad(mixed, wanted, gradients[0].float()))
        return *(next(made).to(query.dtype) if need else None for need in needed), None


class _WithDropout(torch.autograd.Function):
    """softmax(Q K^T / sqrt(d)) V in float32 with some weights dropped, step by step as torch's own does it."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, keys: Tensor, values: Tensor, blocked: Tensor | None, dropout: float
    ) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            weights = _weights(*_scaled(query, keys), blocked)
            gone, ctx.scale = draw(weights, dropout)
            ctx.save_for_backward(query, keys, values, blocked, gone)
            return (weights.mul_(ctx.scale).masked_fill_(gone, 0) @ _float32(values)).to(query.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, keys, values, blocked, gone = ctx.saved_tensors
        with torch.autocast("cpu", enabled=False):
            (scaled_query, scaled_keys), gradient = _scaled(query, keys), _float32(gradients[0])
            weights, scale = _weights(scaled_query, scaled_keys, blocked), _scale(query)
            of_values = (weights * ctx.scale).masked_fill_(gone, 0).transpose(-2, -1) @ gradient
            of_weights = (gradient @ _float32(values).transpose(-2, -1)).mul_(ctx.scale).masked_fill_(gone, 0)
            of_scores = torch._softmax_backward_data(of_weights, weights, -1, torch.float32)
            of_query = (of_scores @ scaled_keys).mul_(scale)
            of_keys = (scaled_query.transpose(-2, -1) @ of_scores).transpose(-2, -1).mul(scale)
        every = zip((of_query, of_keys, of_values), ctx.needs_input_grad, strict=False)
        return *(each.to(query.dtype) if needed else None for each, needed in every), None, None


def _scale(query: Tensor) -> float:
    """The root of 1 / sqrt(d): queries and keys are each multiplied by it."""
    return math.sqrt(1 / math.sqrt(query.shape[-1]))


def _scaled(query: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    return _float32(query).mul_(_scale(query)), _float32(keys).mul_(_scale(query))


def _float32(operand: Tensor) -> Tensor:
    """A copy of its own, laid out as batched products read it, so that they make none."""
    return operand.to(torch.float32, memory_format=torch.contiguous_format, copy=True)


def _weights(query: Tensor, keys: Tensor, blocked: Tensor | None) -> Tensor:
    scores = query @ keys.transpose(-2, -1)
    return torch.softmax(scores if blocked is None else scores.add_(_added(blocked, scores.dtype)), -1)
