"""The demo's pieces: their order, what stops them, and how their errors come back from other processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import Pipe
from pathlib import Path

import pytest

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.errors import Interrupted, StiltsError, TaskDataError, UnknownName
from adapter_stilts.study.demo_work import Piece, run_pieces
from adapter_stilts.study.workers import Apart, Ended


@dataclass
class Pretended:
    """Workers that note who was at work together; `ends` says how a piece ends ("done" unless told)."""

    limit: int
    ends: dict[str, Ended[Piece]] = field(default_factory=dict)
    busy: list[Piece] = field(default_factory=list)
    together: list[tuple[str, ...]] = field(default_factory=list)
    stopped: bool = False
    closed: bool = False

    def start(self, job: Piece) -> None:
        self.busy.append(job)

    def finished(self) -> list[Ended[Piece]]:
        self.together.append(tuple(piece.label for piece in self.busy))
        first = self.busy.pop(0)
        usual = Ended(first, "interrupted", {}, "stopped", 130, 0.1) if self.stopped else Ended(first, "done", {}, "", 0, 0.1)
        return [self.ends.get(first.label, usual)]

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        self.closed = True


def piece(name: str, needs: tuple[str, ...] = (), folder: str = "", **work: object) -> Piece:
    return Piece(name, needs, Path(folder or name), Path("runs"), Path(f"{name}.txt"), False, **work)


def run(pieces: list[Piece], workers: Pretended, stopping: Callable[[], bool] = lambda: False) -> list[tuple[int, int]]:
    steps: list[tuple[int, int]] = []
    run_pieces(pieces, workers, stopping, lambda done, total, label: steps.append((done, total)))
    return steps


def test_starts_a_piece_when_what_it_needs_is_done():
    workers = Pretended(limit=3)
    steps = run([piece("a"), piece("b", ("a",)), piece("c"), piece("d", ("b", "c"))], workers)
    assert workers.together == [("a", "c"), ("c", "b"), ("b",), ("d",)]
    assert (steps[-1], workers.closed, workers.stopped) == ((4, 4), True, False)


def test_never_puts_two_to_work_in_one_folder_or_more_than_there_are_workers():
    workers = Pretended(limit=2)
    run([piece("a", folder="x"), piece("b", folder="x"), piece("c"), piece("d")], workers)
    assert workers.together == [("a", "c"), ("c", "b"), ("b", "d"), ("d",)]


def test_stops_the_others_and_raises_the_error_of_the_one_that_failed():
    broken, other = piece("b"), piece("a")
    error = TaskDataError("the file breaks off", where="x.tsv, line 3")
    workers = Pretended(limit=2, ends={"b": Ended(broken, "failed", {}, "text", 3, 0.1, error)})
    with pytest.raises(TaskDataError, match="breaks off"):
        run([broken, other, piece("c", ("a",))], workers)
    assert (workers.stopped, workers.closed, workers.together) == (True, True, [("b", "a"), ("a",)])


def test_says_which_piece_a_fault_of_ours_was_in_and_where_its_log_is():
    broken = piece("b")
    with pytest.raises(StiltsError, match=r"b: ZeroDivisionError: a fault(.|\n)*b\.txt"):
        run([broken], Pretended(limit=1, ends={"b": Ended(broken, "failed", {}, "ZeroDivisionError: a fault", 1, 0.1)}))


def test_lets_all_save_when_someone_asks_to_stop():
    asked = iter([False, True])
    workers = Pretended(limit=2)
    with pytest.raises(Interrupted, match="1 of 3 pieces are done"):
        run([piece("a"), piece("b"), piece("c")], workers, lambda: next(asked, True))
    assert (workers.stopped, workers.closed, workers.busy) == (True, True, [])


def test_brings_an_error_back_from_another_process_as_it_was(tmp_path):
    one = Piece("wrong", (), tmp_path / "run", tmp_path, tmp_path / "log.txt", False, config=RunConfig(), task="nnli")
    with pytest.raises(UnknownName) as found:
        run_pieces([one], Apart(1, threads=1), lambda: False, lambda done, total, label: None)
    assert (found.value.exit_code, "nli" in str(found.value)) == (2, True)
    assert "nnli" in (tmp_path / "log.txt").read_text()


def test_keeps_all_parts_of_an_error_on_the_way():
    sent = TaskDataError("label 'neutal' is unknown", where="x.tsv, line 2", do="correct the row")
    one, other = Pipe()
    one.send(sent)
    again = other.recv()
    assert (type(again), str(again), again.what, again.where, again.do) == (TaskDataError, str(sent), sent.what, sent.where, sent.do)
