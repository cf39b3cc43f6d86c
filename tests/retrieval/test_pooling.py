"""Pooled by hand on two sentences of unlike length."""

import numpy as np
import pytest
import torch

from adapter_stilts.errors import StiltsError
from adapter_stilts.retrieval.pooling import centred, poolings, unit

HIDDEN = torch.tensor([[[1.0], [2.0], [6.0], [100.0]], [[-1.0], [-3.0], [-4.0], [-8.0]]])
MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])


@pytest.mark.parametrize(
    ("pool", "expected"),
    [("mean", [3.0, -4.0]), ("mean_words", [2.0, -3.5]), ("first", [1.0, -1.0]), ("max", [6.0, -1.0])],
)
def test_pools_over_the_tokens_that_are_there(pool, expected):
    assert poolings[pool](HIDDEN, MASK)[:, 0].tolist() == expected


def test_falls_on_the_marks_where_there_is_no_word():
    assert poolings["mean_words"](HIDDEN[:1], torch.tensor([[1, 1, 0, 0]])).item() == 1.5


@pytest.mark.parametrize(
    ("wrong", "message"), [([0.0, 0.0], "zero"), ([np.nan, 1.0], "not finite"), ([np.inf, 1.0], "not finite")]
)
def test_names_the_line_of_a_vector_without_direction(wrong, message):
    with pytest.raises(StiltsError, match=rf"{message}\n  where: line 2"):
        unit(np.array([[1.0, 1.0], wrong], dtype=np.float32))


def test_keeps_the_direction_of_very_small_and_very_large_vectors():
    scaled = unit(np.array([[3e-30, 4e-30], [3e30, 4e30]], dtype=np.float32))
    np.testing.assert_allclose(scaled, [[0.6, 0.8], [0.6, 0.8]], atol=1e-6)


def test_takes_the_mean_away_and_scales_again():
    # By hand: the mean is (1/2, 1/2); what is left is (1, -1) / sqrt(2) and its opposite.
    np.testing.assert_allclose(centred(np.eye(2, dtype=np.float32)), np.array([[1, -1], [-1, 1]]) / 2**0.5, atol=1e-7)
