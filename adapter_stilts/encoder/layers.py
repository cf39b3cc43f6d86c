"""One layer of the trunk with adapters in it.

The arithmetic is XLM-R's own (a test compares it bit by bit with `XLMRobertaModel`); written out because adapters act
in the middle of it. The residual stream and the layer norms are float32 in every precision; under autocast the products
around them are bf16.

The product of attention, softmax(Q K^T / sqrt(d)) V, is torch's fused kernel's. In bf16 on a CPU the backward pass of
that kernel takes about six times as long as float32's. So what is differentiated through there gets its gradient from a
float32 product of the same operands, while the values it gives stay those of inference, bit for bit.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapter_stilts.encoder.sites import Active

if TYPE_CHECKING:
    from transformers.models.xlm_roberta.modeling_xlm_roberta import (
        XLMRobertaEmbeddings,
        XLMRobertaLayer,
        XLMRobertaSelfAttention,
    )


def embed(embeddings: XLMRobertaEmbeddings, input_ids: Tensor) -> Tensor:
    """Token ids [B, T] to hidden state 0, [B, T, H] float32."""
    pad = embeddings.padding_idx
    tokens = input_ids.ne(pad).int()
    positions = torch.cumsum(tokens, dim=1).type_as(tokens) * tokens + pad  # padded tokens keep the padding position
    total = embeddings.word_embeddings(input_ids).float() + embeddings.token_type_embeddings.weight[0].float()
    total = total + embeddings.position_embeddings(positions.long()).float()
    dropped: Tensor = embeddings.dropout(normalise(embeddings.LayerNorm, total))
    return dropped


def run_layer(
    layer: XLMRobertaLayer, index: int, hidden: Tensor, blocked: Tensor | None, active: Active | None
) -> Tensor:
    """hidden [B, T, H] float32 through layer `index`; `blocked` is what `padding` gives."""
    attention, output = layer.attention, layer.output

    attended = attention.output.dropout(attention.output.dense(_attend(attention.self, index, hidden, blocked, active)))
    if active is not None:
        attended = active.at(index, "attention", attended, hidden, partial(normalise, attention.output.LayerNorm))
    middle = normalise(attention.output.LayerNorm, attended + hidden)

    wide = _project(layer.intermediate.dense, "intermediate", index, middle, active)
    wide = layer.intermediate.intermediate_act_fn(wide)
    narrow = output.dropout(_project(output.dense, "output_dense", index, wide, active))
    if active is not None:
        narrow = active.at(index, "output", narrow, middle, partial(normalise, output.LayerNorm))
    return normalise(output.LayerNorm, narrow + middle)


def normalise(norm: nn.LayerNorm, hidden: Tensor) -> Tensor:
    """Layer norm in float32, whatever came in."""
    weight, bias = norm.weight.float(), norm.bias.float()
    return functional.layer_norm(hidden.float(), norm.normalized_shape, weight, bias, norm.eps)


def padding(attention_mask: Tensor) -> Tensor | None:
    """[B, T] of ones and zeros to [B, 1, 1, T], true where attention may not go; None where nothing is padded."""
    return None if bool(attention_mask.all()) else (attention_mask == 0)[:, None, None, :]


def _attend(
    attention: XLMRobertaSelfAttention, index: int, hidden: Tensor, blocked: Tensor | None, active: Active | None
) -> Tensor:
    heads, width = attention.num_attention_heads, attention.attention_head_size
    rows, length, _ = hidden.shape

    def projected(site: str, linear: nn.Module) -> Tensor:
        return _project(linear, site, index, hidden, active).view(rows, length, heads, width).transpose(1, 2)

    query, keys = projected("query", attention.query), projected("key", attention.key)
    values = projected("value", attention.value)
    if active is not None:
        keys, values, blocked = active.with_prefix(index, keys, values, blocked)
    dropout = attention.dropout.p if attention.training else 0.0
    mixed = product(query, keys, values, blocked, dropout)
    return mixed.transpose(1, 2).reshape(rows, length, heads * width)


def _project(linear: nn.Module, site: str, index: int, source: Tensor, active: Active | None) -> Tensor:
    hidden: Tensor = linear(source)
    return hidden if active is None else active.at(index, site, hidden, source)


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
