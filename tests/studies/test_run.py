"""Jobs by turns: what is given out, what a stop does to those at work, and how their ends are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from multiprocessing import Pipe

import pytest

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.errors import Interrupted, TaskDataError
from adapter_stilts.studies.board import Board, Job, jobs_of, recorded
from adapter_stilts.studies.run import Turns
from adapter_stilts.studies.stages import Stage
from adapter_stilts.studies.workers import Ended


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


def stage(name, parents=(), reads=False):
    """A training, or the reading of its one parent, which works in the folder of that."""
    return Stage(name, name, "read" if reads else "train", ("nli",), RunConfig(), tuple(parents))


def work(tmp_path, stages, workers, stopping=lambda: False):
    board, steps = Board(tmp_path, {}, jobs_of(stages, tmp_path)), []
    Turns(board, workers, stopping, lambda done, total, detail: steps.append((done, total, detail))).take()
    return board, steps


@pytest.fixture
def stopped(tmp_path):
    """`stopped(stages, workers, stopping)`: the states of a study that does not come to its end."""

    def states(stages, workers, stopping=lambda: False, error=Interrupted):
        with pytest.raises(error):
            work(tmp_path, stages, workers, stopping)
        return {key: record["state"] for key, record in recorded(tmp_path).items()}

    return states


def test_gives_out_everything_and_goes_on_after_a_failure(tmp_path):
    workers = Pretended({"b": "failed"})
    board, _ = work(tmp_path, [stage("a"), stage("b"), stage("c"), stage("d", ["b"]), stage("e", ["d"])], workers)
    states = {key: (record["state"], record["error"]) for key, record in board.records.items()}
    assert states == {
        "a": ("done", ""), "b": ("failed", ""), "c": ("done", ""),
        "d": ("blocked", "b failed"), "e": ("blocked", "d blocked"),
    }
    assert workers.calls == ["close"]


def test_counts_as_interrupted_what_seems_to_fail_when_somebody_asked_to_stop(stopped):
    asked = iter([False, True])  # the stop comes while both are at work
    workers = Pretended({"a": "failed", "b": "failed"})
    states = stopped([stage("a"), stage("b"), stage("c")], workers, lambda: next(asked, True))
    assert states == {"a": "interrupted", "b": "interrupted", "c": "waiting"}
    assert workers.calls == ["stop", "close"]


def test_keeps_a_failure_before_the_job_that_was_stopped_and_none_after_it(stopped):
    workers = Pretended({"a": "failed", "b": "interrupted", "c": "failed"})
    states = stopped([stage("a"), stage("b"), stage("c"), stage("d")], workers)
    assert states == {"a": "failed", "b": "interrupted", "c": "interrupted", "d": "waiting"}


@pytest.mark.parametrize(("names", "whole"), [("ab", True), ("abc", False)])
def test_is_whole_when_the_stop_came_after_the_last_job_was_given_out(tmp_path, stopped, names, whole):
    asked = iter([False, True])
    stages = [stage(name) for name in names]
    if whole:
        work(tmp_path, stages, Pretended(), lambda: next(asked, True))
    else:
        stopped(stages, Pretended(), lambda: next(asked, True))
    states = {key: record["state"] for key, record in recorded(tmp_path).items()}
    assert states == {**dict.fromkeys(names, "waiting"), "a": "done", "b": "done"}


def test_leaves_nobody_at_work_when_it_is_broken_off(stopped):
    workers = Pretended(raises="b")
    assert stopped([stage("a"), stage("b")], workers, error=KeyboardInterrupt) == dict.fromkeys("ab", "interrupted")
    assert workers.calls == ["close"]


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
