"""Task heads: hidden states to logits, one shape per format. A head belongs to one task and is never part of an adapter.

    head = build_head("pair", hidden=768, labels=3, seed=13)
    logits = head(hidden, batch)                 # [B, C] float32
    total, count = loss("pair", logits, batch["labels"])

Padding never reaches a logit that counts: scores at padded tokens (span) and of choices that are not there (choice) are -1e9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapter_stilts.data.examples import Format
from adapter_stilts.encoder.backends.base import draw
from adapter_stilts.encoder.transfer import copy_into
from adapter_stilts.errors import UsageError
from adapter_stilts.registry import unknown_name
from adapter_stilts.seeding import Seeds

IGNORED = -100  # a target that does not count
NEVER = -1e9  # a score that no other score meets
INITIAL = 0.02  # BERT's spread of fresh weights


class Head(nn.Module):
    """The output layer of one task."""

    def forward(self, hidden: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """hidden [B, T, H] float32; batch: input_ids, attention_mask and, for masked text, labels."""
        raise NotImplementedError

    def named_tensors(self) -> dict[str, nn.Parameter]:
        """Its parameters by name."""
        return dict(self.named_parameters())


class SentenceHead(Head):
    """pair, single: dropout, dense, tanh, dropout, linear on the first token; [B, C]."""

    def __init__(self, hidden: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, labels)

    def forward(self, hidden: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        first = torch.tanh(self.dense(self.dropout(hidden[:, 0])))
        logits: Tensor = self.out(self.dropout(first))
        return logits


class ChoiceHead(SentenceHead):
    """choice: one score per choice, [B*C, T, H] in, [B, C] out."""

    def forward(self, hidden: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        there = batch["attention_mask"].any(-1)  # [B, C]
        return super().forward(hidden, batch).float().view(there.shape).masked_fill(~there, NEVER)


class TagHead(Head):
    """tags: dropout and linear on every token; [B, T, C]."""

    def __init__(self, hidden: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(hidden, labels)

    def forward(self, hidden: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        logits: Tensor = self.out(self.dropout(hidden))
        return logits


class SpanHead(Head):
    """span: how well each token starts and ends the answer; [B, T, 2]."""

    def __init__(self, hidden: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.out = nn.Linear(hidden, 2)

    def forward(self, hidden: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        logits: Tensor = self.out(hidden).float()  # half precision, under an autocast around us, cannot hold NEVER
        return logits.masked_fill(batch["attention_mask"].eq(0).unsqueeze(-1), NEVER)


class MaskHead(Head):
    """text: dense, gelu, norm, then the trunk's own word embeddings as decoder; [masked tokens, V] in reading order."""

    def __init__(self, hidden: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden, hidden)
        self.layer_norm = nn.LayerNorm(hidden, eps=1e-5)
        self.bias = nn.Parameter(torch.zeros(labels))
        self._tied: tuple[Callable[[], Tensor], Callable[[Tensor], Tensor]] | None = None

    def tie(self, word_embeddings: Callable[[], Tensor], before_decoder: Callable[[Tensor], Tensor]) -> None:
        """Whose word embeddings to decode with, and what to undo before them (invertible adapters)."""
        self._tied = (word_embeddings, before_decoder)

    def forward(self, hidden: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        if self._tied is None:
            raise UsageError("a head for masked text needs the trunk's word embeddings", do="put it in a TaskModel, or call tie() first")
        word_embeddings, before_decoder = self._tied
        read = hidden[masked(batch)]  # [P, H]
        read = before_decoder(self.layer_norm(functional.gelu(self.dense(read))))
        weight = word_embeddings()
        return functional.linear(read.to(weight.dtype), weight).float() + self.bias


class RankingHead(Head):
    """ranking: a text as a unit vector, [B, H]; the same head for queries and candidates.

    pooler   dense and tanh on the first token, as XTREME-R does it
    mean     the mean over all tokens, with nothing to train but the scale

    `scale` multiplies cosines in the in-batch softmax; it is learned from 100 on.
    """

    def __init__(self, hidden: int, pool: str) -> None:
        super().__init__()
        self.pool = pool
        self.dense = nn.Linear(hidden, hidden) if pool == "pooler" else None
        self.scale = nn.Parameter(torch.tensor([100.0]))

    def forward(self, hidden: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        if self.dense is not None:
            pooled = torch.tanh(self.dense(hidden[:, 0]))
        else:
            weights = batch["attention_mask"].to(hidden.dtype).unsqueeze(-1)
            pooled = (hidden * weights).sum(1) / weights.sum(1)
        return functional.normalize(pooled.float(), dim=-1)


HEADS: dict[str, type[SentenceHead] | type[TagHead] | type[SpanHead] | type[MaskHead]] = {
    "pair": SentenceHead,
    "single": SentenceHead,
    "tags": TagHead,
    "span": SpanHead,
    "choice": ChoiceHead,
    "text": MaskHead,
}


POOLS = ("pooler", "mean")


def build_head(
    format: Format, hidden: int, labels: int, seed: int, dropout: float = 0.1, mask_head: Mapping[str, Tensor] | None = None, pool: str = "pooler"
) -> Head:
    """A fresh head; its weights depend on `seed` and the sizes alone.

    labels      classes or tags; ignored for span (2), choice (1) and ranking; the vocabulary's size for text
    mask_head   for text, the pretrained head to start from (Trunk.mask_head)
    pool        for ranking, how a text becomes a vector: "pooler" or "mean"
    """
    if format == "ranking":
        return _ranking_head(hidden, seed, pool)
    if format not in HEADS:
        raise unknown_name("head for the format", format, [*HEADS, "ranking"])
    if labels < 1:
        raise UsageError(f"a head needs at least one label, and {labels} were given", do="check the task's labels")
    outputs = 1 if format == "choice" else labels
    head = draw(Seeds(seed).number(f"head/{format}"), lambda: _initialised(HEADS[format](hidden, outputs, dropout)))
    assert isinstance(head, Head)
    if format == "text" and mask_head is not None:
        copy_into("the trunk's masked-LM head", head, mask_head, depth=0, layers=0)
    return head


def _ranking_head(hidden: int, seed: int, pool: str) -> Head:
    if pool not in POOLS:
        raise unknown_name("pooling of a ranking head", pool, POOLS)
    head = draw(Seeds(seed).number("head/ranking"), lambda: _initialised(RankingHead(hidden, pool)))
    assert isinstance(head, RankingHead)
    return head


def masked(batch: Mapping[str, Tensor]) -> Tensor:
    """[B, T] true where a masked token is to be told: where labels say so, else every token."""
    return batch["labels"] != IGNORED if "labels" in batch else batch["attention_mask"].bool()


def loss(format: Format, logits: Tensor, labels: Tensor) -> tuple[Tensor, int]:
    """Summed cross-entropy and the number of targets it sums over, so that any split of a batch adds up to the whole.

    A negative label is unknown and does not count. span: the mean of start and end, one target per row.
    """
    if format == "span":
        start, count = _cross_entropy(logits[..., 0], labels[:, 0])
        end, _ = _cross_entropy(logits[..., 1], labels[:, 1])
        return (start + end) / 2, count
    if format == "tags":
        return _cross_entropy(logits.flatten(0, 1), labels.flatten())
    if format == "text":
        return _cross_entropy(logits, labels[labels != IGNORED])
    return _cross_entropy(logits, labels)


def _cross_entropy(logits: Tensor, labels: Tensor) -> tuple[Tensor, int]:
    known = labels >= 0
    return functional.cross_entropy(logits.float(), labels.masked_fill(~known, IGNORED), ignore_index=IGNORED, reduction="sum"), int(known.sum())


def _initialised(head: Head) -> Head:
    """BERT's initial weights: N(0, 0.02), zero biases."""
    for module in head.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=INITIAL)
            nn.init.zeros_(module.bias)
    return head
