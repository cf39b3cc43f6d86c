"""Batches: every row once, within the budget, little padding, the same from the same generator."""

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.data.batches import at_least, row_batches, token_budget_batches
from adapter_stilts.errors import TaskDataError


def generator(seed=13):
    return torch.Generator().manual_seed(seed)


@given(
    st.lists(st.integers(1, 600), max_size=200),
    st.integers(1, 3000),
    st.integers(1, 64),
    st.integers(1, 4),
    st.integers(0, 99),
)
def test_holds_every_row_once_within_the_budget(lengths, budget, window, multiple, seed):
    batches = token_budget_batches(lengths, budget, generator(seed), window, multiple)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= budget for batch in batches)


@given(st.lists(st.integers(1, 600), max_size=300), st.integers(1, 20), st.integers(0, 99))
def test_holds_so_many_rows_in_every_batch_but_the_last(lengths, rows, seed):
    batches = row_batches(lengths, rows, generator(seed))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert [len(batch) for batch in batches] == [rows] * (len(lengths) // rows) + (
        [len(lengths) % rows] if len(lengths) % rows else []
    )
    assert batches == row_batches(lengths, rows, generator(seed))


def test_pads_little_where_rows_are_counted():
    lengths = [3 + row * 7919 % 125 for row in range(5000)]
    area = sum(len(batch) * max(lengths[row] for row in batch) for batch in row_batches(lengths, 32, generator()))
    assert (area - sum(lengths)) / area < 0.05


@given(st.lists(st.integers(1, 600), min_size=1, max_size=300), st.integers(600, 3000))
def test_pads_less_than_a_twentieth_whatever_the_lengths(lengths, budget):
    batches = token_budget_batches(lengths, budget, generator())
    area = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    assert (area - sum(lengths)) / area < 0.05


@pytest.mark.parametrize("budget", [1024, 4096, 16384])
def test_pads_little_and_fills_its_batches_on_lengths_like_those_of_sentences(budget):
    draw = random.Random(5)
    lengths = [min(512, max(3, int(draw.lognormvariate(3.4, 0.6)))) for _ in range(5000)]
    batches = token_budget_batches(lengths, budget, generator())
    area = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    assert (area - sum(lengths)) / area < 0.05
    if budget <= 4096:  # beyond that, 5,000 rows are too few to fill batches of like lengths
        assert area / len(batches) > 0.75 * budget


def test_gives_the_same_batches_for_the_same_generator_alone():
    lengths = [random.Random(1).randrange(3, 90) for _ in range(500)]
    assert token_budget_batches(lengths, 512, generator(1)) == token_budget_batches(lengths, 512, generator(1))
    assert token_budget_batches(lengths, 512, generator(1)) != token_budget_batches(lengths, 512, generator(2))


def test_keeps_to_multiples_but_at_the_ends_of_windows():
    lengths = [7] * 100
    batches = token_budget_batches(lengths, 70, generator(), multiple=4)
    assert sorted(map(len, batches), reverse=True) == [8] * 12 + [4]


def test_gives_a_row_beyond_the_budget_a_batch_of_its_own():
    batches = token_budget_batches([5, 900, 5], 10, generator())
    assert sorted(map(sorted, batches)) == [[0, 2], [1]]


def test_makes_no_batch_of_nothing():
    assert token_budget_batches([], 100, generator()) == []


@given(st.lists(st.integers(1, 40), min_size=3, max_size=80), st.integers(10, 120), st.integers(2, 3))
def test_leaves_no_row_without_others_to_compare_with(lengths, budget, smallest):
    batches = token_budget_batches(lengths, budget, torch.Generator().manual_seed(1))
    found = at_least(batches, lengths, budget, smallest)
    assert sorted(row for batch in found for row in batch) == list(range(len(lengths)))
    assert all(len(batch) >= smallest for batch in found)
    fitting = [batch for batch in batches if len(batch) >= smallest]
    assert sum(batch in found for batch in fitting) >= len(fitting) - (
        smallest - 1
    )  # only what is left over joins another batch


def test_brings_lone_rows_of_like_length_together():
    assert at_least([[0], [1], [2, 3], [4], [5]], [30, 9, 5, 5, 31, 10], 32, 2) == [[2, 3], [1, 5], [0, 4]]
    assert at_least([[0, 1], [2, 3], [4]], [4, 4, 9, 9, 8], 30, 2) == [
        [0, 1],
        [2, 3, 4],
    ]  # 27 tokens; beside the short ones it would be 24, 16 more


def test_refuses_fewer_rows_than_a_batch_compares():
    with pytest.raises(TaskDataError, match="1 training rows, and a batch needs 2"):
        at_least([[0]], [4], 100, 2)
