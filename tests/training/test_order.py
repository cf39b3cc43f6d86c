import pytest
import torch

from adapter_stilts.errors import TaskDataError
from adapter_stilts.training.course import Order, seed_step

LENGTHS = [3 + row % 7 for row in range(200)]


def test_visits_every_row_once_an_epoch_in_another_order_each_time():
    order = Order(LENGTHS, 60, 3, seed=1)
    first, second = order.batches(0), order.batches(1)
    assert (
        sorted(row for batch in first for row in batch)
        == sorted(row for batch in second for row in batch)
        == list(range(200))
    )
    assert first != second
    assert Order(LENGTHS, 60, 3, seed=1).batches(1) == second
    assert Order(LENGTHS, 60, 3, seed=2).batches(1) != second


def test_counts_the_steps_of_all_epochs():
    order = Order(LENGTHS, 60, 3, seed=1)
    steps = 0
    for epoch in range(4):
        batch = 0
        while batch < len(order.batches(epoch)):
            batch += len(order.group(epoch, batch))
            steps += 1
    assert order.steps(4) == steps


def test_gives_a_step_exactly_the_rows_that_a_protocol_fixes():
    order = Order(LENGTHS, 60, 4, seed=1, rows=8)
    groups = [order.group(0, batch) for batch in range(0, len(order.batches(0)), 4)]
    assert [sum(map(len, group)) for group in groups] == [32, 32, 32, 32, 32, 32, 8]
    assert order.steps(2) == 2 * 7
    assert sorted(row for group in groups for batch in group for row in batch) == list(range(200))


def test_masks_a_batch_the_same_way_whenever_it_is_asked():
    order = Order(LENGTHS, 60, 1, seed=1)
    draws = [
        torch.rand(3, generator=order.masks(epoch, batch)).tolist() for epoch, batch in ((0, 0), (0, 1), (1, 0), (0, 0))
    ]
    assert draws[0] == draws[3]
    assert len({tuple(draw) for draw in draws}) == 3


def test_gives_every_step_and_process_its_own_dropout():
    draws = set()
    with torch.random.fork_rng():
        for step, rank in ((0, 0), (1, 0), (0, 1)):
            seed_step(4, step, rank)
            draws.add(float(torch.rand(())))
    assert len(draws) == 3


def test_refuses_an_empty_training_set():
    with pytest.raises(TaskDataError, match="no training examples"):
        Order([], 60, 1, seed=1)
