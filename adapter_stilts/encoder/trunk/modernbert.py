"""ModernBERT's form: mmBERT.

A layer normalises what a block reads, not what it leaves: the stream itself is only ever added to. Attention turns
queries and keys by their positions (rotary), most layers see a window of tokens alone, the feed-forward block is gated
(GeGLU), and there are no biases. Hidden state L, the last, is normalised; those before are the stream.

Adapters on the stream read it through a norm without weights, since the next norm that has some is the next layer's.
A prefix is seen from everywhere, near or far, and is not turned.

Warner et al. (2024), https://arxiv.org/abs/2412.13663; Marone et al. (2025), https://arxiv.org/abs/2509.06888
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapter_stilts.encoder.activations import activation
from adapter_stilts.encoder.sites import Active
from adapter_stilts.encoder.trunk.attention import product
from adapter_stilts.encoder.trunk.base import Shape, TrunkModel
from adapter_stilts.encoder.trunk.config import ModernBertConfig, TrunkConfig
from adapter_stilts.encoder.trunk.dropout import dropout
from adapter_stilts.encoder.trunk.rows import UsedRows
from adapter_stilts.encoder.trunk.xlmr import initialise, normalise, project


class ModernBert(TrunkModel):
    """A ModernBERT with random weights N(0, initializer_range)."""

    architecture = "ModernBertForMaskedLM"
    stored = "model."
    mask_head = MappingProxyType(
        {
            "dense.weight": "head.dense.weight",
            "dense.bias": "head.dense.bias",
            "layer_norm.weight": "head.norm.weight",
            "layer_norm.bias": "head.norm.bias",
            "bias": "decoder.bias",
        }
    )
    projections = MappingProxyType(
        {
            "query": ("attn.Wqkv", 0),
            "key": ("attn.Wqkv", 1),
            "value": ("attn.Wqkv", 2),
            "attention_dense": ("attn.Wo", None),
            "intermediate": ("mlp.Wi", None),
            "output_dense": ("mlp.Wo", None),
        }
    )

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        assert isinstance(config, ModernBertConfig)
        width, wide = config.hidden_size, config.intermediate_size
        projections = dict.fromkeys(("query", "key", "value", "attention_dense"), (width, width))
        projections |= {"intermediate": (width, 2 * wide), "output_dense": (wide, width)}
        dropout = config.attention_probs_dropout_prob
        self.shape = Shape(config.num_hidden_layers, width, config.num_attention_heads, projections, dropout)
        words = nn.Embedding(config.vocab_size, width, padding_idx=config.pad_token_id)
        self.embeddings = nn.ModuleDict({"tok_embeddings": words, "norm": _norm(config)})
        layers = nn.ModuleList(Layer(config, index) for index in range(config.num_hidden_layers))
        self._modules["layers"] = layers  # named by the files as the property is
        self.final_norm = _norm(config)
        self.dropout = config.embedding_dropout
        self.apply(partial(initialise, std=config.initializer_range))

    @property
    def layers(self) -> nn.ModuleList:
        layers = self._modules["layers"]
        assert isinstance(layers, nn.ModuleList)
        return layers

    @property
    def word_embeddings(self) -> nn.Embedding | UsedRows:
        words = self.embeddings["tok_embeddings"]
        assert isinstance(words, nn.Embedding | UsedRows)
        return words

    def embed(self, input_ids: Tensor) -> Tensor:
        hidden = normalised(self.embeddings["norm"], self.word_embeddings(input_ids))
        return dropout(hidden, self.dropout, self.training)

    def run(self, index: int, hidden: Tensor, padding: Tensor | None, active: Active | None) -> Tensor:
        after: Tensor = self.layers[index](index, hidden, padding, active)
        return normalise(self.final_norm, after) if index == self.shape.layers - 1 else after


class Layer(nn.Module):
    """Attention and a gated feed-forward block, each added to the stream, whose norm it read."""

    def __init__(self, config: ModernBertConfig, index: int) -> None:
        super().__init__()
        width, wide = config.hidden_size, config.intermediate_size
        self.attn_norm = _norm(config) if index else nn.Identity()  # the embeddings are normalised already
        self.attn = nn.ModuleDict({"Wqkv": _linear(width, 3 * width), "Wo": _linear(width, width)})
        self.mlp_norm = _norm(config)
        self.mlp = nn.ModuleDict({"Wi": _linear(width, 2 * wide), "Wo": _linear(wide, width)})
        self.function = activation(config.hidden_act)
        self.heads, self.dropout = config.num_attention_heads, config.hidden_dropout_prob
        self.attention_dropout, self.eps = config.attention_probs_dropout_prob, config.layer_norm_eps
        whole = index % config.global_attn_every_n_layers == 0
        self.reach = None if whole else config.local_attention // 2
        self.base = config.global_rope_theta if whole else config.local_rope_theta

    def forward(self, index: int, hidden: Tensor, padding: Tensor | None, active: Active | None) -> Tensor:
        read = normalised(self.attn_norm, hidden)
        gathered = self._attend(index, read, padding, active)
        mixed = project(self.attn["Wo"], "attention_dense", index, gathered, active)
        attended = dropout(mixed, self.attention_dropout, self.training)
        if active is not None:
            attended = active.at(index, "attention", attended, read, partial(self._after, hidden))
        middle = hidden + attended

        read = normalised(self.mlp_norm, middle)
        value, gate = project(self.mlp["Wi"], "intermediate", index, read, active).chunk(2, dim=-1)
        wide = dropout(self.function(value) * gate, self.dropout, self.training)
        narrow = project(self.mlp["Wo"], "output_dense", index, wide, active)
        if active is not None:
            narrow = active.at(index, "output", narrow, read, partial(self._after, middle))
        return middle + narrow

    def _attend(self, index: int, read: Tensor, padding: Tensor | None, active: Active | None) -> Tensor:
        rows, length, width = read.shape
        parts = dict(zip(("query", "key", "value"), self.attn["Wqkv"](read).chunk(3, dim=-1), strict=True))
        if active is not None:
            thirds = enumerate(parts.items())
            parts = {site: active.at(index, site, part, read, partial(self._third, at)) for at, (site, part) in thirds}
        split = (rows, length, self.heads, width // self.heads)
        query, keys, values = (parts[site].view(split).transpose(1, 2) for site in ("query", "key", "value"))
        query, keys = turned(query, self.base), turned(keys, self.base)
        if active is not None:
            keys, values, padding = active.with_prefix(index, keys, values, padding)
        blocked = padding if self.reach is None else near(padding, length, keys, self.reach)
        mixed = product(query, keys, values, blocked, self.attention_dropout if self.training else 0.0)
        return mixed.transpose(1, 2).reshape(rows, length, width)

    def _third(self, number: int, source: Tensor) -> Tensor:
        """Queries, keys or values of an input."""
        made: Tensor = self.attn["Wqkv"](source).chunk(3, dim=-1)[number]
        return made

    def _after(self, residual: Tensor, computed: Tensor) -> Tensor:
        return functional.layer_norm((residual + computed).float(), residual.shape[-1:], eps=self.eps)


def turned(vectors: Tensor, base: float) -> Tensor:
    """Queries or keys [B, heads, T, d] with their positions in them, as angles of d / 2 pairs.

    Su et al. (2021), https://arxiv.org/abs/2104.09864
    """
    length, width = vectors.shape[-2:]
    with torch.autocast(vectors.device.type, enabled=False):
        steps = torch.arange(0, width, 2, device=vectors.device, dtype=torch.int64).float() / width
        places = torch.arange(length, device=vectors.device).float()
        angles = torch.outer(places, 1.0 / base**steps)  # [T, d / 2]
        angles = torch.cat((angles, angles), dim=-1)
        cosine, sine = angles.cos().to(vectors.dtype), angles.sin().to(vectors.dtype)
    first, second = vectors.chunk(2, dim=-1)
    return vectors * cosine + torch.cat((-second, first), dim=-1) * sine


def near(padding: Tensor | None, length: int, keys: Tensor, reach: int) -> Tensor | None:
    """What a token may not attend to: padding, and tokens more than `reach` away; keys before the sentence are near.

    padding   [B, 1, 1, S] or None; keys [B, heads, S, d], the last `length` of them the sentence's own

    Returns [1 or B, 1, T, S], or `padding` where no token is that far.
    """
    if not torch.compiler.is_exporting() and length <= reach + 1:
        return padding
    places = torch.arange(length, device=keys.device)
    far = (places[:, None] - places[None]).abs() > reach
    far = functional.pad(far, (keys.shape[-2] - length, 0))[None, None]
    return far if padding is None else far | padding


def normalised(norm: nn.Module, hidden: Tensor) -> Tensor:
    """Layer norm in float32, or what came in where there is no norm."""
    return normalise(norm, hidden) if isinstance(norm, nn.LayerNorm) else hidden


def _norm(config: TrunkConfig) -> nn.LayerNorm:
    return nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps, bias=False)


def _linear(inputs: int, outputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs, bias=False)
