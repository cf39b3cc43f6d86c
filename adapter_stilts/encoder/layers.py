"""One layer of the trunk with adapters in it.

The arithmetic is XLM-R's own (a test compares it bit by bit with `XLMRobertaModel`); written out because adapters act
in the middle of it. The residual stream and the layer norms are float32 in every precision; under autocast the products
around them are bf16.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapter_stilts.encoder.attention import product
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
    return functional.layer_norm(
        hidden.float(), norm.normalized_shape, norm.weight.float(), norm.bias.float(), norm.eps
    )


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

    query, keys, values = (
        projected("query", attention.query),
        projected("key", attention.key),
        projected("value", attention.value),
    )
    if active is not None:
        keys, values, blocked = active.with_prefix(index, keys, values, blocked)
    dropout = attention.dropout.p if attention.training else 0.0
    mixed = product(query, keys, values, blocked, dropout)
    return mixed.transpose(1, 2).reshape(rows, length, heads * width)


def _project(linear: nn.Module, site: str, index: int, source: Tensor, active: Active | None) -> Tensor:
    hidden: Tensor = linear(source)
    return hidden if active is None else active.at(index, site, hidden, source)
