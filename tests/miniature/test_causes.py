"""Causes and effects hang together, and wrong candidates are wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from adapter_stilts.miniature.causes import Cause, plausible, sample_cause
from adapter_stilts.miniature.questions import choices, endings
from adapter_stilts.miniature.rendering import Caused
from adapter_stilts.miniature.sampling import Sampler
from adapter_stilts.miniature.world import Clause, Thing


def test_shares_the_person_or_the_thing() -> None:
    sampler = Sampler(random.Random(2), "train")
    for _ in range(300):
        pair = sample_cause(sampler)
        if pair.cause.frame == "feel":
            assert pair.cause.agent == pair.effect.agent
        if pair.effect.verb in ("repair", "wash", "buy"):
            assert pair.effect.thing is not None
            assert pair.cause.thing == Thing(pair.effect.thing.noun)


def test_finds_a_tired_sleeper_plausible_and_a_hungry_one_not() -> None:
    assert plausible(Cause(Clause("sleep", "anna"), Clause("tired", "anna")))
    assert not plausible(Cause(Clause("sleep", "anna"), Clause("hungry", "anna")))


@pytest.mark.parametrize("make", [choices, endings])
def test_offers_one_plausible_candidate(make: Callable[[Sampler], Iterator[Caused]]) -> None:
    rows = make(Sampler(random.Random(4), "train"))
    for row in (next(rows) for _ in range(100)):
        prompt = row.prompt.meaning.first
        for index, candidate in enumerate(row.choices):
            clause = candidate.meaning.first
            pair = Cause(prompt, clause) if row.kind == "cause" else Cause(clause, prompt)
            assert plausible(pair) == (index == row.label)
