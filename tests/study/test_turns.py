"""Jobs by turns: what is given out, what a stop does to those at work, and how their ends are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from multiprocessing import Pipe
from pathlib import Path

import pytest

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.errors import Interrupted, TaskDataError
from adapter_stilts.study.board import Board, jobs_of
from adapter_stilts.study.stages import Stage
from adapter_stilts.study.turns import run_all, take_turns
from adapter_stilts.study.workers import Ended


@dataclass(frozen=True)
class Job:
    label: str
    log: Path = Path("log.txt")


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
    together: list[tuple[str, ...]] = field(default_factory=list)

    def start(self, job):
        if job.label == self.raises:
            raise KeyboardInterrupt
        self.busy.append(job)

    def finished(self):
        self.together.append(tuple(job.label for job in self.busy))
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


def stage(name, parents=(), reads=False):
    """A training, or the reading of its one parent, which works in the folder of that."""
    return Stage(name, name, "read" if reads else "train", ("nli",), RunConfig(), tuple(parents), 13, "direct")


def work(tmp_path, stages, workers, stopping=lambda: False):
    board, steps = Board(tmp_path, {}, jobs_of(stages, tmp_path)), []
    run_all(board, workers, stopping, lambda done, total, detail: steps.append((done, total, detail)))
    return board, steps


def test_starts_a_stage_when_what_it_builds_on_is_done(tmp_path):
    workers = Pretended(limit=3)
    stages = [stage("a"), stage("b", ["a"]), stage("c"), stage("d", ["b", "c"])]
    _, steps = work(tmp_path, stages, workers)
    assert workers.together == [("a", "c"), ("c", "b"), ("b",), ("d",)]
    assert steps[:3] == [(0, 4, ""), (0, 4, "at a"), (0, 4, "at a, c")]
    assert (steps[-1], workers.calls) == ((4, 4, "d"), ["close"])


def test_never_puts_two_to_work_in_one_folder_or_more_than_there_are_workers(tmp_path):
    workers = Pretended(limit=2)
    work(
        tmp_path,
        [stage("x"), stage("a", ["x"], reads=True), stage("b", ["x"], reads=True), stage("c"), stage("d")],
        workers,
    )
    assert workers.together == [("x", "c"), ("c", "a"), ("a", "d"), ("d", "b"), ("b",)]


def test_lets_all_save_when_someone_asks_to_stop(tmp_path):
    asked = iter([False, True])
    workers = Pretended({"b": "interrupted"})
    with pytest.raises(Interrupted, match="1 of 3 stages are done, and progress is saved"):
        work(tmp_path, [stage("a"), stage("b"), stage("c")], workers, lambda: next(asked, True))
    assert (workers.calls, workers.busy) == (["stop", "close"], [])


def test_keeps_all_parts_of_an_error_on_the_way_between_processes():
    sent = TaskDataError("label 'neutal' is unknown", where="x.tsv, line 2", do="correct the row")
    one, other = Pipe()
    one.send(sent)
    again = other.recv()
    assert (type(again), str(again), again.what, again.where, again.do) == (
        TaskDataError,
        str(sent),
        sent.what,
        sent.where,
        sent.do,
    )
