"""Jobs by turns: what is given out, what a stop does to those at work, and how their ends are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapter_stilts.study.turns import take_turns
from adapter_stilts.study.workers import Ended


@dataclass(frozen=True)
class Job:
    label: str
    log: Path = Path("log.txt")

    def perform(self, report):
        return {}


@dataclass
class Plan:
    """All jobs in a row, and how they ended; a failure stops the others where `strict`."""

    waiting: list[Job]
    strict: bool = False
    begun: list[str] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)

    def ready(self, busy):
        return list(self.waiting)

    def begin(self, job, busy):
        self.waiting.remove(job)
        self.begun.append(job.label)

    def settle(self, ended):
        self.ended[ended.job.label] = ended.state
        return ended.state == "done" or (ended.state == "failed" and not self.strict)


@dataclass
class Pretended:
    """Two workers; `ends` tells the states of jobs that do not end done, `raises` the job whose start is broken off."""

    ends: dict[str, str] = field(default_factory=dict)
    raises: str = ""
    limit: int = 2
    busy: list[Job] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def start(self, job):
        if job.label == self.raises:
            raise KeyboardInterrupt
        self.busy.append(job)

    def finished(self):
        job = self.busy.pop(0)
        return [Ended(job, self.ends.get(job.label, "done"), {}, "", 0, 0.1)]

    def stop(self):
        self.calls.append("stop")

    def close(self):
        self.calls.append("close")


def jobs(names):
    return [Job(name) for name in names]


def test_gives_out_everything_and_goes_on_after_a_failure_that_stops_nobody():
    plan, workers = Plan(jobs("abc")), Pretended({"b": "failed"})
    assert take_turns(plan, workers, lambda: False)
    assert plan.ended == {"a": "done", "b": "failed", "c": "done"}
    assert workers.calls == ["close"]


def test_counts_as_interrupted_what_seems_to_fail_when_somebody_asked_to_stop():
    asked = iter([False, True])  # the stop comes while both are at work
    plan, workers = Plan(jobs("abc")), Pretended({"a": "failed", "b": "failed"})
    assert not take_turns(plan, workers, lambda: next(asked, True))
    assert plan.ended == {"a": "interrupted", "b": "interrupted"}
    assert (plan.begun, workers.calls) == (["a", "b"], ["stop", "close"])


def test_keeps_the_failure_that_stopped_the_others_and_no_later_one():
    plan, workers = Plan(jobs("abc"), strict=True), Pretended({"a": "failed", "b": "failed"})
    assert not take_turns(plan, workers, lambda: False)
    assert plan.ended == {"a": "failed", "b": "interrupted"}


@pytest.mark.parametrize(("names", "whole"), [("ab", True), ("abc", False)])
def test_is_whole_when_the_stop_came_after_the_last_job_was_given_out(names, whole):
    asked = iter([False, True])
    plan = Plan(jobs(names))
    assert take_turns(plan, Pretended(), lambda: next(asked, True)) is whole
    assert plan.ended == {"a": "done", "b": "done"}


def test_leaves_nobody_at_work_when_it_is_broken_off():
    plan, workers = Plan(jobs("ab")), Pretended(raises="b")
    with pytest.raises(KeyboardInterrupt):
        take_turns(plan, workers, lambda: False)
    assert plan.ended == {"a": "interrupted", "b": "interrupted"}
    assert workers.calls == ["close"]
