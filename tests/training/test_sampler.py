"""Shares are those of the formulas, and draws follow the shares."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.config.schema import Sampler
from adapter_stilts.errors import UnknownName, UsageError
from adapter_stilts.training.sampler import draw, shares


def sampler(name: str = "proportional", **settings: object) -> Sampler:
    return Sampler(name=name, **settings)


SIZES = {"a": 100, "b": 400, "c": 1600}
sizes = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 10**7), min_size=2)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (sampler(), (100 / 2100, 400 / 2100, 1600 / 2100)),
        (sampler("uniform"), (1 / 3, 1 / 3, 1 / 3)),
        (sampler("temperature", temperature=2.0), (10 / 70, 20 / 70, 40 / 70)),
        (sampler("temperature", temperature=2.0, cap=400), (10 / 50, 20 / 50, 20 / 50)),
        (sampler("temperature", temperature=0.5), (1 / 273, 16 / 273, 256 / 273)),
        (sampler("capped", cap=400), (100 / 900, 400 / 900, 400 / 900)),
        (sampler("fixed", weights={"c": 1, "a": 2, "b": 5}), (2 / 8, 5 / 8, 1 / 8)),
    ],
)
def test_gives_each_task_the_share_of_its_formula(chosen, expected):
    assert shares(chosen, SIZES) == pytest.approx(dict(zip(SIZES, expected, strict=True)), rel=1e-12)


@given(sizes, st.floats(0.05, 1e6), st.none() | st.integers(1, 10**6))
def test_gives_probabilities_whatever_the_sizes(tasks, temperature, cap):
    for name in ("proportional", "uniform", "temperature", "capped"):
        found = shares(sampler(name, temperature=temperature, cap=cap), tasks)
        assert list(found) == list(tasks)
        assert sum(found.values()) == pytest.approx(1)
        assert all(0 <= share <= 1 for share in found.values())


@given(sizes)
def test_is_proportional_at_temperature_one_and_even_at_a_high_one(tasks):
    assert shares(sampler("temperature", temperature=1.0), tasks) == pytest.approx(shares(sampler(), tasks))
    assert shares(sampler("temperature", temperature=1e9), tasks) == pytest.approx(
        shares(sampler("uniform"), tasks), rel=1e-6
    )


@pytest.mark.parametrize("name", ["proportional", "uniform", "temperature"])
@pytest.mark.parametrize("seed", [1, 13])
def test_draws_each_task_as_often_as_its_share_says(name, seed):
    """Within five standard deviations of a binomial count: a right sampler fails once in 1.7 million counts."""
    chances, draws = shares(sampler(name), SIZES), 3000
    found = [draw(chances, seed, step) for step in range(draws)]
    for task, chance in chances.items():
        assert abs(found.count(task) - draws * chance) <= 5 * math.sqrt(draws * chance * (1 - chance))


def test_draws_steps_independently_of_each_other():
    """A task follows itself as often as its share says: 5 standard deviations of a binomial count."""
    found = [draw({"a": 0.3, "b": 0.7}, 4, step) for step in range(4000)]
    after = [following for one, following in itertools.pairwise(found) if one == "a"]
    assert abs(after.count("a") - 0.3 * len(after)) <= 5 * math.sqrt(len(after) * 0.3 * 0.7)


def test_draws_the_same_for_a_seed_and_a_step_and_others_for_another_seed():
    chances = shares(sampler("uniform"), SIZES)
    one, other = ([draw(chances, seed, step) for step in range(50)] for seed in (3, 4))
    assert one == [draw(chances, 3, step) for step in range(50)]
    assert one != other


def test_never_draws_a_task_without_a_chance():
    assert {draw({"a": 0.0, "b": 1 - 1e-12, "c": 0.0}, 0, step) for step in range(200)} == {"b"}


def test_refuses_an_unknown_sampler_and_weights_of_other_tasks():
    with pytest.raises(UnknownName, match=r"no sampler called 'proportionate'(.|\n)*did you mean 'proportional'"):
        shares(Sampler.model_construct(name="proportionate"), SIZES)
    with pytest.raises(UsageError, match=r"no weight for b, c(.|\n)*training.sampler.weights.b=1"):
        shares(sampler("fixed", weights={"a": 1.0}), SIZES)
    with pytest.raises(UnknownName, match="no task of this mixture called 'd'"):
        shares(sampler("fixed", weights={"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}), SIZES)
