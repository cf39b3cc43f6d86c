"""Settings that fit a limit, and what is said where none do."""

from dataclasses import replace

import pytest

from adapter_stilts.encoder.trunk.config import BASE, LARGE
from adapter_stilts.environment import memory_there_is
from adapter_stilts.errors import DoesNotFit, UsageError
from adapter_stilts.planning.fit import GB, SURE, choices, fit, limit_of
from adapter_stilts.planning.memory import Work, memory, peak

WORK = Work(BASE, tokens=4096, length=128, data=100_000)


def test_leaves_what_fits_as_it_was():
    choice = fit(WORK, accumulation=1, limit=100 * GB)
    assert choice.work == WORK
    assert choice.accumulation == 1
    assert choice.told(WORK) == ""


def test_a_smaller_batch_comes_before_recomputing_and_a_step_stays_as_large():
    whole = SURE * peak(WORK)
    choice = fit(WORK, accumulation=2, limit=0.8 * whole)
    assert not choice.work.checkpointing
    assert choice.work.tokens * choice.accumulation == 2 * WORK.tokens
    assert SURE * choice.bytes <= 0.8 * whole
    assert "tokens at once" in choice.told(WORK)


def test_each_choice_that_is_tried_later_is_no_larger_within_its_way():
    tried = list(choices(WORK, 1))
    sizes = [choice.bytes for choice in tried if choice.work.checkpointing]
    assert sizes == sorted(sizes, reverse=True)
    assert tried[-1].work.tokens == WORK.length


def test_recomputes_where_batches_do_not_suffice():
    whole = replace(WORK, precision="fp32", trunk=LARGE)
    tight = SURE * peak(replace(whole, tokens=128, checkpointing=True))
    assert fit(whole, accumulation=1, limit=tight).work.checkpointing


def test_says_what_would_fit():
    with pytest.raises(DoesNotFit) as caught:
        fit(WORK, accumulation=1, limit=0.3 * GB)
    assert caught.value.exit_code == 5
    assert "libraries 0.40" in caught.value.what
    assert "the limit is 0.30 GB" in caught.value.what
    assert "--limit-gb" in caught.value.do
    needed = float(caught.value.do.split("--limit-gb ")[1].split()[0])
    assert fit(WORK, accumulation=1, limit=needed * GB)


def test_advice_names_a_length_that_fits():
    work = replace(WORK, trunk=LARGE, length=512, tokens=512, checkpointing=True)
    limit = SURE * peak(replace(work, tokens=128, length=128))
    with pytest.raises(DoesNotFit, match=r"training.max_length=\d+") as caught:
        fit(work, accumulation=1, limit=limit)
    length = int(caught.value.do.split("max_length=")[1].split(";")[0])
    assert fit(replace(work, tokens=length, length=length), accumulation=1, limit=limit)


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_is_a_number_above_0(limit):
    with pytest.raises(UsageError, match="above 0"):
        limit_of(limit)


def test_without_a_limit_it_is_the_memory_there_is(monkeypatch):
    assert 1e8 < memory_there_is() < 1e14
    monkeypatch.setattr("adapter_stilts.planning.fit.memory_there_is", lambda device: 1.5 * GB)
    assert fit(WORK, accumulation=1, limit=None).bytes * SURE <= 1.35 * GB


def test_batches_that_may_not_change_are_recomputed_at_most():
    choice = fit(WORK, accumulation=3, limit=0.8 * SURE * peak(WORK), fixed=True)
    assert choice.work == replace(WORK, checkpointing=True)
    assert choice.accumulation == 3


def test_reading_needs_less_and_has_no_steps():
    work = replace(WORK, training=False, tokens=65536)
    assert "activations" not in memory(work)
    choice = fit(work, accumulation=1, limit=SURE * peak(replace(work, tokens=1024)))
    assert choice.work.tokens < 65536
    assert SURE * choice.bytes <= SURE * peak(replace(work, tokens=1024))
    assert "a step" not in choice.told(work)
