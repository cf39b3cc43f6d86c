import numpy as np
import pytest
import torch

from adapter_stilts.miniature.aligned_start import aligned_embeddings, left_vectors
from adapter_stilts.miniature.pretraining_rows import Corpus


def test_finds_the_singular_vectors_that_lapack_finds():
    """Reference: numpy's full SVD of the same table, whose values fall off, up to the sign of each vector."""
    generator = np.random.default_rng(0)
    left, right = np.linalg.qr(generator.normal(size=(40, 12)))[0], np.linalg.qr(generator.normal(size=(60, 12)))[0]
    table = (left * 0.5 ** np.arange(12)) @ right.T
    torch.manual_seed(1)
    vectors, values = left_vectors(torch.tensor(table, dtype=torch.float32).to_sparse_coo(), 5)
    expected, singular, _ = np.linalg.svd(table)
    np.testing.assert_allclose(values, singular[:5], rtol=1e-3)
    np.testing.assert_allclose(np.abs((vectors.numpy() * expected[:, :5]).sum(0)), 1, atol=1e-3)


def test_puts_translations_of_a_word_together():
    """A toy of two languages: word w is token 5 + w in one and 25 + w in the other; a pair is three words in both."""
    draw = torch.Generator().manual_seed(2)
    words = torch.randint(20, (400, 3), generator=draw)
    ids = torch.cat([words + 5, words + 25], 1).flatten().int()
    pairs = [(6 * row, 6 * row + 3, 6 * row + 3, 6 * row + 6) for row in range(400)]
    torch.manual_seed(1)
    vectors = aligned_embeddings(Corpus(ids, {"xx": []}, {"xx": pairs}), vocabulary=50, hidden=24)
    assert vectors[:5].abs().sum() == vectors[45:].abs().sum() == 0
    assert vectors[5:45].norm(dim=1) == pytest.approx(0.02 * 24**0.5, rel=1e-4)
    cosine = torch.nn.functional.normalize(vectors[5:25]) @ torch.nn.functional.normalize(vectors[25:45]).T
    assert (cosine.argmax(1) == torch.arange(20)).all()
    assert cosine.diagonal().min() > 0.9


def test_pads_where_the_table_is_smaller_than_the_embedding():
    ids = torch.tensor([5, 6, 7, 8], dtype=torch.int32)
    vectors = aligned_embeddings(Corpus(ids, {"xx": []}, {"xx": [(0, 2, 2, 4)]}), vocabulary=9, hidden=16)
    assert vectors.shape == (9, 16)
    assert vectors.isfinite().all()
