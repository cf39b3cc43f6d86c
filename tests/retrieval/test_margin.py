"""Worked out by hand."""

import numpy as np
import pytest

from adapter_stilts.errors import UnknownName
from adapter_stilts.retrieval.margin import margin_scores

COSINE, FORWARD, BACKWARD = (np.array(values, dtype=np.float32) for values in ([0.9, 0.5], [0.4, 0.5], [0.8, 0.5]))


@pytest.mark.parametrize(
    ("margin", "expected"),
    [("ratio", [1.5, 1.0]), ("distance", [0.3, 0.0]), ("absolute", [0.9, 0.5]), ("csls", [0.6, 0.0])],
)
def test_compares_a_pair_with_its_neighbourhoods(margin, expected):
    scores = margin_scores(COSINE, FORWARD, BACKWARD, margin)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_puts_nought_over_nought_below_every_pair():
    zero = np.zeros(2, dtype=np.float32)
    assert margin_scores(np.array([0.0, 0.1], dtype=np.float32), zero, zero).tolist() == [-np.inf, np.inf]


def test_takes_neighbourhoods_of_a_whole_table():
    table = np.full((3, 4), 0.6, dtype=np.float32)
    assert margin_scores(
        table, np.full((3, 1), 0.3, dtype=np.float32), np.full((3, 4), 0.3, dtype=np.float32)
    ).shape == (3, 4)


def test_suggests_the_nearest_margin():
    with pytest.raises(UnknownName, match="did you mean 'ratio'"):
        margin_scores(COSINE, FORWARD, BACKWARD, "ration")
