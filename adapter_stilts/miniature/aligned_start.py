"""Word embeddings aligned across languages before a step is trained: latent semantic analysis of translation pairs.

Tokens are rows, English sentences (with all their translations) columns; after tf-idf weighting, a truncated SVD gives
tokens that occur in translations of the same sentences like vectors. Levy, Søgaard and Goldberg (2017),
https://arxiv.org/abs/1608.05426
"""

from __future__ import annotations

import torch
from torch import Tensor

from adapter_stilts.miniature.pretraining_rows import Corpus

ITERATIONS = 4  # of the randomised SVD's power method
EXTRA = 8  # vectors kept beyond the rank asked for while iterating
SPREAD = 0.02  # as far from zero, per dimension, as a fresh embedding


def aligned_embeddings(corpus: Corpus, vocabulary: int, hidden: int) -> Tensor:
    """[vocabulary, hidden]: unit vectors times 0.02 * sqrt(hidden); all zeros for a token that is in no pair.

    Draws from torch's global generator.
    """
    counts = _counts(corpus, vocabulary)
    left, values = left_vectors(_weighted(counts), hidden)
    paired = torch.zeros(vocabulary, 1).index_fill(0, counts.indices()[0], 1.0)
    vectors = torch.nn.functional.pad(left * values.sqrt(), (0, hidden - len(values)))
    lengths = vectors.norm(dim=1, keepdim=True)
    aligned: Tensor = paired * vectors / lengths.clamp(min=1e-9) * SPREAD * hidden**0.5
    return aligned


def left_vectors(table: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The left singular vectors [rows, rank] and values [rank] of a sparse table, largest first.

    There are fewer where the table is smaller. The right vectors, one a sentence, are never made.
    Halko, Martinsson and Tropp (2011), https://arxiv.org/abs/0909.4061
    """
    flipped = table.t().coalesce()
    size = min(rank + EXTRA, *table.shape)
    basis = _orthonormal(torch.sparse.mm(table, torch.randn(table.shape[1], size)))
    for _ in range(ITERATIONS):
        basis = _orthonormal(torch.sparse.mm(table, torch.sparse.mm(flipped, basis)))
    projected = torch.sparse.mm(flipped, basis)  # [columns, size]
    squares, turn = torch.linalg.eigh(projected.T @ projected)
    kept = min(rank, size)
    return (basis @ turn).flip(1)[:, :kept], squares.clamp(min=0).sqrt().flip(0)[:kept]


def _orthonormal(columns: Tensor) -> Tensor:
    basis: Tensor = torch.linalg.qr(columns).Q
    return basis.contiguous()  # a sparse product with LAPACK's column order is twenty times slower


def _counts(corpus: Corpus, vocabulary: int) -> Tensor:
    """Sparse [vocabulary, sentences]: how often a token occurs in an English sentence or one of its translations."""
    columns: dict[bytes, int] = {}
    tokens, places = [], []
    for rows in corpus.pairs.values():
        for a, b, c, d in rows:
            column = columns.setdefault(corpus.ids[c:d].numpy().tobytes(), len(columns))
            tokens += [corpus.ids[a:b], corpus.ids[c:d]]
            places.append(torch.full((b - a + d - c,), column))
    where = torch.stack([torch.cat(tokens).long(), torch.cat(places)])
    return _sparse(where, torch.ones(where.shape[1]), (vocabulary, len(columns)))


def _weighted(counts: Tensor) -> Tensor:
    """1 + log count, divided by the square root of how many sentences have the token, then columns to unit length."""
    (tokens, places), values = counts.indices(), 1 + counts.values().log()
    spread = torch.bincount(tokens, minlength=counts.shape[0]).float()
    values = values / spread[tokens].sqrt()
    lengths = torch.zeros(counts.shape[1]).index_add(0, places, values.square()).sqrt()
    return _sparse(counts.indices(), values / lengths[places].clamp(min=1e-3), counts.shape)


def _sparse(where: Tensor, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    return torch.sparse_coo_tensor(where, values, shape, check_invariants=False).coalesce()
