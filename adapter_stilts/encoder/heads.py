"""Task heads: hidden states to logits, and their loss. A head belongs to one task and is never part of an adapter.

    head = build_head("pair", hidden=768, labels=3, seed=13)
    logits = head(hidden, batch)                 # [B, C] float32
    total, count = head.loss(logits, batch["labels"])

Padding never reaches a logit that counts: scores at padded tokens (span) and of choices that are not there (choice) are
-1e9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, TypeAlias, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapter_stilts.config.schema import HeadPool, Training
from adapter_stilts.data.feature import IGNORED
from adapter_stilts.encoder.in_batch import in_batch_loss
from adapter_stilts.encoder.transfer import copy_into
from adapter_stilts.errors import UsageError
from adapter_stilts.formats.base import formats
from adapter_stilts.registry import Registry, unknown_name
from adapter_stilts.seeding import Seeds, draw

NEVER = -1e9  # a score that no other score meets
USUAL = Training()
Batch: TypeAlias = Mapping[str, Tensor]
INITIAL = 0.02  # BERT's spread of fresh weights


class Head(nn.Module):
    """The output layer of one task, and the loss it learns by.

    outputs  how many it has whatever the labels; None: one a label
    """

    outputs: ClassVar[int | None] = None

    def __init__(self, hidden: int, outputs: int, dropout: float, pool: str) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """hidden [B, T, H] float32; batch: input_ids, attention_mask and, for masked text, labels."""
        raise NotImplementedError

    def loss(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, int]:
        """Summed cross-entropy and how many targets it sums over, so that any split of a batch adds up to the whole.

        A negative label is unknown and does not count.
        """
        return _cross_entropy(logits, labels)

    def batch_loss(self, read: Callable[[Batch], Tensor], batch: Batch) -> tuple[Tensor, int]:
        """The loss of a batch; `read` is the model, from a batch to logits."""
        return self.loss(read(batch), batch["labels"])

    def tie(
        self, word_embeddings: Callable[[], Tensor], before_decoder: Callable[[Tensor], Tensor], eps: float
    ) -> None:
        """Whose word embeddings to decode with, what to undo before them (invertible adapters), and the eps of the
        trunk's layer norms; most heads pass."""

    def named_tensors(self) -> dict[str, nn.Parameter]:
        """Its parameters by name."""
        return dict(self.named_parameters())


heads: Registry[type[Head]] = Registry("head")


@heads.register("sentence")
class SentenceHead(Head):
    """Dropout, dense, tanh, dropout, linear on the first token; [B, C]."""

    def __init__(self, hidden: int, outputs: int, dropout: float, pool: str) -> None:
        super().__init__(hidden, outputs, dropout, pool)
        self.dense = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, outputs)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        first = torch.tanh(self.dense(self.dropout(hidden[:, 0])))
        logits: Tensor = self.out(self.dropout(first))
        return logits


@heads.register("choice")
class ChoiceHead(SentenceHead):
    """One score per choice, [B*C, T, H] in, [B, C] out."""

    outputs = 1

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        there = batch["attention_mask"].any(-1)  # [B, C]
        return super().forward(hidden, batch).float().view(there.shape).masked_fill(~there, NEVER)


@heads.register("tags")
class TagHead(Head):
    """Dropout and linear on every token; [B, T, C]."""

    def __init__(self, hidden: int, outputs: int, dropout: float, pool: str) -> None:
        super().__init__(hidden, outputs, dropout, pool)
        self.out = nn.Linear(hidden, outputs)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        logits: Tensor = self.out(self.dropout(hidden))
        return logits

    def loss(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, int]:
        return _cross_entropy(logits.flatten(0, 1), labels.flatten())


@heads.register("span")
class SpanHead(Head):
    """How well each token starts and ends the answer; [B, T, 2]."""

    outputs = 2

    def __init__(self, hidden: int, outputs: int, dropout: float, pool: str) -> None:
        super().__init__(hidden, outputs, dropout, pool)
        self.out = nn.Linear(hidden, 2)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        logits: Tensor = self.out(hidden).float()  # half precision, under an autocast around us, cannot hold NEVER
        return logits.masked_fill(batch["attention_mask"].eq(0).unsqueeze(-1), NEVER)

    def loss(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, int]:
        """The mean of start and end, one target per row."""
        start, count = _cross_entropy(logits[..., 0], labels[:, 0])
        end, _ = _cross_entropy(logits[..., 1], labels[:, 1])
        return (start + end) / 2, count


@heads.register("mask")
class MaskHead(Head):
    """Dense, gelu, norm, then the trunk's own word embeddings as decoder; [masked tokens, V] in reading order."""

    def __init__(self, hidden: int, outputs: int, dropout: float, pool: str) -> None:
        super().__init__(hidden, outputs, dropout, pool)
        self.dense = nn.Linear(hidden, hidden)
        self.layer_norm = nn.LayerNorm(hidden)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self._tied: tuple[Callable[[], Tensor], Callable[[Tensor], Tensor]] | None = None

    def tie(
        self, word_embeddings: Callable[[], Tensor], before_decoder: Callable[[Tensor], Tensor], eps: float
    ) -> None:
        self._tied = (word_embeddings, before_decoder)
        self.layer_norm.eps = eps

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        if self._tied is None:
            do = "put it in a TaskModel, or call tie() first"
            raise UsageError("a head for masked text needs the trunk's word embeddings", do=do)
        word_embeddings, before_decoder = self._tied
        read = hidden[masked(batch)]  # [P, H]
        read = before_decoder(self.layer_norm(functional.gelu(self.dense(read))))
        weight = word_embeddings()
        return functional.linear(read.to(weight.dtype), weight).float() + self.bias

    def loss(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, int]:
        return _cross_entropy(logits, labels[labels != IGNORED])


@heads.register("ranking")
class RankingHead(Head):
    """A text as a unit vector, [B, H]; the same head for queries and candidates.

    pooler   dense and tanh on the first token, as XTREME-R does it
    mean     the mean over all tokens, with nothing to train but the scale

    `scale` multiplies cosines in the in-batch softmax; it is learned from 100 on.
    """

    def __init__(self, hidden: int, outputs: int, dropout: float, pool: str) -> None:
        super().__init__(hidden, outputs, dropout, pool)
        if pool not in get_args(HeadPool):
            raise unknown_name("pooling of a ranking head", pool, get_args(HeadPool))
        self.pool = pool
        self.dense = nn.Linear(hidden, hidden) if pool == "pooler" else None
        self.scale = nn.Parameter(torch.tensor([100.0]))

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        if self.dense is not None:
            pooled = torch.tanh(self.dense(hidden[:, 0]))
        else:
            weights = batch["attention_mask"].to(hidden.dtype).unsqueeze(-1)
            pooled = (hidden * weights).sum(1) / weights.sum(1)
        return functional.normalize(pooled.float(), dim=-1)

    def batch_loss(self, read: Callable[[Batch], Tensor], batch: Batch) -> tuple[Tensor, int]:
        """Queries are compared with the candidates of all processes, but with those of this batch alone.

        A step of two small batches therefore has fewer negatives than one of a large batch.
        """
        candidates = read({"input_ids": batch["candidate_ids"], "attention_mask": batch["candidate_mask"]})
        return in_batch_loss(read(batch), candidates, self.scale, batch["labels"])


def build_head(
    format: str,
    hidden: int,
    labels: int,
    seed: int,
    mask_head: Mapping[str, Tensor] | None = None,
    dropout: float = USUAL.head_dropout,
    pool: str = USUAL.head_pool,
) -> Head:
    """A fresh head for a format of that name; its weights depend on `seed` and the sizes alone.

    labels      classes or tags; the vocabulary's size for masked text; ignored by heads that have outputs of their own
    mask_head   for masked text, the pretrained head to start from (Trunk.mask_head)
    pool        for ranking (RankingHead)
    """
    trained = [name for name in formats if formats[name].head]
    if format not in trained:
        raise unknown_name("head for the format", format, trained)
    made = heads[formats[format].head]
    if labels < 1 and made.outputs is None and not formats[format].ranking:
        raise UsageError(f"a head needs at least one label, and {labels} were given", do="check the task's labels")

    def fresh() -> Head:
        """With BERT's initial weights: N(0, 0.02), zero biases."""
        head = made(hidden, made.outputs or labels, dropout, pool)
        for module in head.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=INITIAL)
                nn.init.zeros_(module.bias)
        return head

    head = draw(Seeds(seed).number(f"head/{format}"), fresh)
    if formats[format].masked and mask_head is not None:
        copy_into("the trunk's masked-LM head", head, mask_head)
    return head


def masked(batch: Batch) -> Tensor:
    """[B, T] true where a masked token is to be told: where labels say so, else every token."""
    return batch["labels"] != IGNORED if "labels" in batch else batch["attention_mask"].bool()


def _cross_entropy(logits: Tensor, labels: Tensor) -> tuple[Tensor, int]:
    known = labels >= 0
    targets = labels.masked_fill(~known, IGNORED)
    return functional.cross_entropy(logits.float(), targets, ignore_index=IGNORED, reduction="sum"), int(known.sum())
