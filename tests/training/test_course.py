"""A mixture's steps: how many there are, and that each task goes through its own rows."""

from __future__ import annotations

import pytest
import torch
from plans import plan as make_plan

from adapter_stilts.data.batches import TASK
from adapter_stilts.training.checkpoint import State
from adapter_stilts.training.course import course
from adapter_stilts.training.plan import Mixture, TrainingData

PLAN = make_plan(token_budget=60, epochs=2, seed=3)
LENGTHS = {"a": [5 + number % 7 for number in range(90)], "b": [12 + number % 3 for number in range(40)]}


def data(task):
    """Rows that say their number; ten of task a are a, of b 1000 + b."""
    start = 1000 * (task == "b")
    return TrainingData(LENGTHS[task], lambda rows: {"input_ids": torch.tensor([[start + row] for row in rows])})


@pytest.fixture
def mixture():
    return Mixture({task: data(task) for task in LENGTHS}, {"a": 0.75, "b": 0.25})


def turns(found, steps):
    state, taken = State(), []
    for _ in range(steps):
        turn = found.turn(state)
        found.advance(state, turn)
        taken.append(turn)
    return state, taken


@pytest.mark.parametrize(("accumulation", "processes"), [(1, 1), (3, 1), (2, 2)])
def test_has_as_many_steps_as_the_tasks_would_take_on_their_own(mixture, accumulation, processes):
    """jiant's rule, epochs * ceil(batches / accumulation) added over tasks, counted here from batches of the same
    budget."""
    plan = make_plan(token_budget=60, accumulation=accumulation, seed=3)
    both = course(mixture, plan, processes)
    for epochs in (1, 2, 3):
        state, total = State(), 0
        while state.epoch < epochs:
            both.advance(state, both.turn(state))
            total += 1
        assert total == both.steps(epochs)
        assert state.batch == 0
    floor = sum(-(-sum(lengths) // (60 * processes * accumulation)) for lengths in LENGTHS.values())
    assert floor <= both.steps(1) <= 2 * floor


def test_learns_one_task_a_step_and_says_which(mixture):
    _, taken = turns(course(mixture, make_plan(token_budget=60, accumulation=2, seed=3), 1), 30)
    assert {turn.task for turn in taken} == {"a", "b"}
    for turn in taken:
        for batch in turn.batches:
            number = list(LENGTHS).index(turn.task)
            assert batch[TASK].tolist() == [number] * len(batch["input_ids"])
            assert all((row >= 1000) == (turn.task == "b") for row in batch["input_ids"].flatten().tolist())


def test_takes_each_task_through_every_row_once_an_epoch(mixture):
    state, taken = turns(course(mixture, PLAN, 1), 60)
    for task, lengths in LENGTHS.items():
        rows = [
            row % 1000
            for turn in taken
            if turn.task == task
            for batch in turn.batches
            for row in batch["input_ids"].flatten().tolist()
        ]
        whole = len(rows) // len(lengths)
        assert whole >= 1
        for epoch in range(whole):
            assert sorted(rows[epoch * len(lengths) : (epoch + 1) * len(lengths)]) == list(range(len(lengths)))
        assert state.tasks[task].epoch >= whole
    assert sum(place.step for place in state.tasks.values()) == state.step == 60


def test_orders_the_rows_of_tasks_of_one_size_differently():
    same = Mixture({"a": data("a"), "b": data("a")}, {"a": 0.5, "b": 0.5})
    _, taken = turns(course(same, PLAN, 1), 40)
    first = {
        task: next(turn for turn in taken if turn.task == task).batches[0]["input_ids"].tolist() for task in ("a", "b")
    }
    assert first["a"] != first["b"]


def test_goes_on_from_a_place_as_if_it_had_come_there_by_itself(mixture):
    """Nothing is kept but the place: a course made anew gives the same turn at every step."""
    walked, state = course(mixture, PLAN, 1), State()
    for _ in range(45):
        fresh = course(mixture, PLAN, 1).turn(state)
        turn = walked.turn(state)
        assert fresh.task == turn.task
        assert all(
            torch.equal(one["input_ids"], other["input_ids"])
            for one, other in zip(fresh.batches, turn.batches, strict=True)
        )
        walked.advance(state, turn)
