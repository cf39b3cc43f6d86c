"""BERT's form: mBERT, LaBSE, multilingual-e5-small, multilingual MiniLM.

The layers are XLM-R's (`xlmr.py`). Positions count from 0, whatever is padding, and the second text of a pair has a
token type of its own: `[CLS] a [SEP]` is of type 0, `b [SEP]` after it of type 1.

Devlin et al. (2019), https://arxiv.org/abs/1810.04805
"""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor, nn

from adapter_stilts.encoder.trunk.config import BertConfig, TrunkConfig
from adapter_stilts.encoder.trunk.dropout import dropout
from adapter_stilts.encoder.trunk.xlmr import XLMR, Embeddings, normalise


class Bert(XLMR):
    """A BERT with random weights N(0, initializer_range)."""

    architecture = "BertForMaskedLM"
    stored = "bert."
    mask_head = MappingProxyType(
        {
            "dense.weight": "cls.predictions.transform.dense.weight",
            "dense.bias": "cls.predictions.transform.dense.bias",
            "layer_norm.weight": "cls.predictions.transform.LayerNorm.weight",
            "layer_norm.bias": "cls.predictions.transform.LayerNorm.bias",
            "bias": "cls.predictions.bias",
        }
    )

    def embedded(self, config: TrunkConfig) -> Embeddings:
        assert isinstance(config, BertConfig)
        return BertEmbeddings(config)


class BertEmbeddings(Embeddings):
    """Word, position and token type, summed in float32 and normalised."""

    def __init__(self, config: BertConfig) -> None:
        nn.Module.__init__(self)
        width = config.hidden_size
        self.padding_idx, self.end = config.pad_token_id, config.eos_token_id if config.pair_types else None
        self.word_embeddings = nn.Embedding(config.vocab_size, width, padding_idx=self.padding_idx)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, width)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.dropout = config.hidden_dropout_prob

    def forward(self, input_ids: Tensor) -> Tensor:
        words, types = self.word_embeddings(input_ids).float(), self.token_type_embeddings(self._types(input_ids))
        total = words + types.float() + self.position_embeddings.weight[: input_ids.shape[-1]].float()
        return dropout(normalise(self.LayerNorm, total), self.dropout, self.training)

    def _types(self, input_ids: Tensor) -> Tensor:
        """1 for what follows the first end of a text, 0 for padding, and for all where the tokenizer knows no types."""
        if self.end is None:
            return torch.zeros_like(input_ids)
        ends = input_ids.eq(self.end).long()
        later = (ends.cumsum(-1) - ends).gt(0) & input_ids.ne(self.padding_idx)
        return later.long()
