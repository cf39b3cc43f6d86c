"""XLM-R: its weights by the names of its files, and its layers with adapters in them.

The arithmetic and the names are those of `XLMRobertaModel` (a test compares them bit by bit); written out because
adapters act in the middle of a layer. The residual stream and the layer norms are float32 in every precision; under
autocast the products around them are bf16.

Conneau et al. (2020), https://arxiv.org/abs/1911.02116
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapter_stilts.encoder.activations import activation
from adapter_stilts.encoder.modules.base import PROJECTIONS
from adapter_stilts.encoder.sites import Active
from adapter_stilts.encoder.trunk.attention import product
from adapter_stilts.encoder.trunk.base import Shape, TrunkModel
from adapter_stilts.encoder.trunk.config import TrunkConfig
from adapter_stilts.encoder.trunk.dropout import dropout
from adapter_stilts.encoder.trunk.rows import UsedRows
from adapter_stilts.encoder.trunk.weights import MASK_HEAD


class XLMR(TrunkModel):
    """An XLM-R with random weights N(0, initializer_range), drawn in the order of transformers 4."""

    architecture = "XLMRobertaForMaskedLM"
    stored = "roberta."
    mask_head = MappingProxyType({name: f"lm_head.{name}" for name in MASK_HEAD})
    projections = MappingProxyType({site: (place, None) for site, place in PROJECTIONS.items()})

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.shape = shape(config)
        self.embeddings = self.embedded(config)
        layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.encoder = nn.ModuleDict({"layer": layers})
        self.apply(partial(initialise, std=config.initializer_range))

    @property
    def layers(self) -> nn.ModuleList:
        layers = self.encoder["layer"]
        assert isinstance(layers, nn.ModuleList)
        return layers

    @property
    def word_embeddings(self) -> nn.Embedding | UsedRows:
        return self.embeddings.word_embeddings

    def embedded(self, config: TrunkConfig) -> Embeddings:
        """What makes hidden state 0: all that families of this form differ in."""
        return Embeddings(config)

    def embed(self, input_ids: Tensor) -> Tensor:
        hidden: Tensor = self.embeddings(input_ids)
        return hidden

    def run(self, index: int, hidden: Tensor, padding: Tensor | None, active: Active | None) -> Tensor:
        after: Tensor = self.layers[index](index, hidden, padding, active)
        return after


def shape(config: TrunkConfig) -> Shape:
    """What adapters must know of an XLM-R of these numbers."""
    hidden, wide = config.hidden_size, config.intermediate_size
    projections = dict.fromkeys(("query", "key", "value", "attention_dense"), (hidden, hidden))
    projections |= {"intermediate": (hidden, wide), "output_dense": (wide, hidden)}
    dropout = config.attention_probs_dropout_prob
    return Shape(config.num_hidden_layers, hidden, config.num_attention_heads, projections, dropout)


class Embeddings(nn.Module):
    """Word, position and one token type, summed in float32 and normalised."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        width, self.padding_idx = config.hidden_size, config.pad_token_id
        self.word_embeddings: nn.Embedding | UsedRows
        self.word_embeddings = nn.Embedding(config.vocab_size, width, padding_idx=self.padding_idx)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, width)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        places = (config.max_position_embeddings, width, self.padding_idx)
        self.position_embeddings = nn.Embedding(*places)  # drawn twice, as in transformers
        self.dropout = config.hidden_dropout_prob

    def forward(self, input_ids: Tensor) -> Tensor:
        tokens = input_ids.ne(self.padding_idx).int()
        positions = torch.cumsum(tokens, dim=1).type_as(tokens) * tokens + self.padding_idx  # padding keeps its own
        total = self.word_embeddings(input_ids).float() + self.token_type_embeddings.weight[0].float()
        total = total + self.position_embeddings(positions.long()).float()
        return dropout(normalise(self.LayerNorm, total), self.dropout, self.training)


class Layer(nn.Module):
    """Attention and a feed-forward block, each added to what it read and normalised."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        width, wide = config.hidden_size, config.intermediate_size
        self.attention = Attention(config)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, wide)})
        self.output = Output(wide, config)
        self.function = activation(config.hidden_act)
        self.heads, self.dropout = config.num_attention_heads, config.hidden_dropout_prob
        self.attention_dropout = config.attention_probs_dropout_prob

    def forward(self, index: int, hidden: Tensor, padding: Tensor | None, active: Active | None) -> Tensor:
        after = self.attention.output
        mixed = self._attend(index, hidden, padding, active)
        attended = self._dropped(project(after.dense, "attention_dense", index, mixed, active))
        if active is not None:
            attended = active.at(index, "attention", attended, hidden, partial(_after, after.LayerNorm, hidden))
        middle = _after(after.LayerNorm, hidden, attended)

        after = self.output
        wide = self.function(project(self.intermediate["dense"], "intermediate", index, middle, active))
        narrow = self._dropped(project(after.dense, "output_dense", index, wide, active))
        if active is not None:
            narrow = active.at(index, "output", narrow, middle, partial(_after, after.LayerNorm, middle))
        return _after(after.LayerNorm, middle, narrow)

    def _attend(self, index: int, hidden: Tensor, padding: Tensor | None, active: Active | None) -> Tensor:
        linears, (rows, length, width) = self.attention.self, hidden.shape

        def projected(site: str) -> Tensor:
            wide = project(linears[site], site, index, hidden, active)
            return wide.view(rows, length, self.heads, width // self.heads).transpose(1, 2)

        query, keys, values = projected("query"), projected("key"), projected("value")
        if active is not None:
            keys, values, padding = active.with_prefix(index, keys, values, padding)
        mixed = product(query, keys, values, padding, self.attention_dropout if self.training else 0.0)
        return mixed.transpose(1, 2).reshape(rows, length, width)

    def _dropped(self, hidden: Tensor) -> Tensor:
        return dropout(hidden, self.dropout, self.training)


class Attention(nn.Module):
    """Its projections, and what follows them."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.self = nn.ModuleDict({site: nn.Linear(width, width) for site in ("query", "key", "value")})
        self.output = Output(width, config)


class Output(nn.Module):
    """The last projection of a block and the norm of its sum with the residual."""

    def __init__(self, inputs: int, config: TrunkConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)


def normalise(norm: nn.LayerNorm, hidden: Tensor) -> Tensor:
    """Layer norm in float32, whatever came in."""
    weight, bias = norm.weight.float(), None if norm.bias is None else norm.bias.float()
    return functional.layer_norm(hidden.float(), norm.normalized_shape, weight, bias, norm.eps)


def _after(norm: nn.LayerNorm, residual: Tensor, computed: Tensor) -> Tensor:
    return normalise(norm, computed + residual)


def project(linear: nn.Module, site: str, index: int, source: Tensor, active: Active | None) -> Tensor:
    """A projection of `source`, with what the adapters at its site add."""
    hidden: Tensor = linear(source)
    return hidden if active is None else active.at(index, site, hidden, source, partial(product_of, linear))


def product_of(linear: nn.Module, source: Tensor) -> Tensor:
    """What a projection makes of an input, without its bias."""
    made: Tensor = linear(source)
    bias: Any = linear.bias
    return made if bias is None else made - bias


def initialise(module: nn.Module, std: float) -> None:
    """A module's own weights N(0, std); biases and padding's row are zero."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=std)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        nn.init.zeros_(module.weight[module.padding_idx])
