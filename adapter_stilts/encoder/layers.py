"""One layer of the trunk with adapters in it.

The arithmetic is XLM-R's own (a test compares it bit by bit with `XLMRobertaModel`); written out because adapters act in the middle of
it. The residual stream and the layer norms are float32 in every precision; under autocast the products around them are bf16.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapter_stilts.encoder.sites import Active

if TYPE_CHECKING:
    from transformers.models.xlm_roberta.modeling_xlm_roberta import XLMRobertaEmbeddings, XLMRobertaLayer, XLMRobertaSelfAttention


def embed(embeddings: XLMRobertaEmbeddings, input_ids: Tensor) -> Tensor:
    """Token ids [B, T] to hidden state 0, [B, T, H] float32."""
    pad = embeddings.padding_idx
    tokens = input_ids.ne(pad).int()
    positions = torch.cumsum(tokens, dim=1).type_as(tokens) * tokens + pad  # padded tokens keep the padding position
    total = embeddings.word_embeddings(input_ids).float() + embeddings.token_type_embeddings.weight[0].float()
    total = total + embeddings.position_embeddings(positions.long()).float()
    dropped: Tensor = embeddings.dropout(normalise(embeddings.LayerNorm, total))
    return dropped


def run_layer(layer: XLMRobertaLayer, index: int, hidden: Tensor, blocked: Tensor | None, active: Active | None) -> Tensor:
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
    return functional.layer_norm(hidden.float(), norm.normalized_shape, norm.weight.float(), norm.bias.float(), norm.eps)


def padding(attention_mask: Tensor) -> Tensor | None:
    """[B, T] of ones and zeros to [B, 1, 1, T], true where attention may not go; None where nothing is padded."""
    return None if bool(attention_mask.all()) else (attention_mask == 0)[:, None, None, :]


def _attend(attention: XLMRobertaSelfAttention, index: int, hidden: Tensor, blocked: Tensor | None, active: Active | None) -> Tensor:
    heads, width = attention.num_attention_heads, attention.attention_head_size
    rows, length, _ = hidden.shape

    def projected(site: str, linear: nn.Module) -> Tensor:
        return _project(linear, site, index, hidden, active).view(rows, length, heads, width).transpose(1, 2)

    query, keys, values = projected("query", attention.query), projected("key", attention.key), projected("value", attention.value)
    if active is not None:
        keys, values, blocked = active.with_prefix(index, keys, values, blocked)
    dropout = attention.dropout.p if attention.training else 0.0
    trained = torch.is_grad_enabled() and attention.query.weight.requires_grad
    if trained and query.dtype == torch.bfloat16 and query.device.type == "cpu":
        mixed = _in_float32(query, keys, values, blocked, dropout).to(query.dtype)
    else:
        mixed = functional.scaled_dot_product_attention(query, keys, values, attn_mask=_additive(blocked, query.dtype), dropout_p=dropout)
    return mixed.transpose(1, 2).reshape(rows, length, heads * width)


def _in_float32(query: Tensor, keys: Tensor, values: Tensor, blocked: Tensor | None, dropout: float) -> Tensor:
    """The attention product of a trunk that trains in bf16 on a CPU, where torch's bf16 backward of it takes six times as long."""
    with torch.autocast("cpu", enabled=False):
        return functional.scaled_dot_product_attention(
            query.float(), keys.float(), values.float(), attn_mask=_additive(blocked, torch.float32), dropout_p=dropout
        )


def _project(linear: nn.Module, site: str, index: int, source: Tensor, active: Active | None) -> Tensor:
    hidden: Tensor = linear(source)
    return hidden if active is None else active.at(index, site, hidden, source)


def _additive(blocked: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """What is added to attention scores: the least finite number rather than minus infinity, so that a row of padding alone stays finite."""
    return None if blocked is None else torch.zeros(blocked.shape, dtype=dtype, device=blocked.device).masked_fill(blocked, torch.finfo(dtype).min)
