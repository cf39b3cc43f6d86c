"""The demo's pieces of work, and who does them: several processes at once, those that others build on first.

    run_pieces([Piece("sequential", needs=("hellaswag",), config=..., folder=..., ...), ...], workers, lambda: False, advance)

A piece is a training, a reading, or both, in one run's folder. Every process computes with one thread, so that the scores are the same
whatever the number of cores (sums are rounded otherwise where threads share them, and a hundred rows learned from that start end elsewhere).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.errors import Interrupted, StiltsError
from adapter_stilts.study.evaluate import evaluate
from adapter_stilts.study.reporting import Advance, Reporter
from adapter_stilts.study.subject import Request
from adapter_stilts.study.train import train
from adapter_stilts.study.workers import Ended, Workers


@dataclass(frozen=True)
class Piece:
    """Something to do in a run's folder.

    label   its name among the pieces
    needs   names of the pieces that come first
    config  what to train there; None: nothing
    task    that it trains
    reads   what to evaluate then; None: nothing
    log     where its talk goes
    """

    label: str
    needs: tuple[str, ...]
    folder: Path
    runs: Path
    log: Path
    overwrite: bool
    config: RunConfig | None = None
    task: str = ""
    reads: Request | None = None

    def perform(self, report: Reporter) -> dict[str, Any]:
        """Do what of it is missing. Raises what `train` and `evaluate` raise."""
        if self.config is not None:
            train(self.config, (self.task,), out=self.folder, runs=self.runs, resume=True, overwrite=self.overwrite, dry_run=False, report=report)
        if self.reads is not None:
            out = self.folder if self.reads.run is None else None
            evaluate(self.reads, out=out, runs=self.runs, overwrite=self.overwrite, dry_run=False, report=report)
        return {}


def run_pieces(pieces: Sequence[Piece], workers: Workers[Piece], stopping: Callable[[], bool], advance: Advance) -> None:
    """Do all of them, no two in one folder at once. The first that fails stops the others, which save; its error is raised.

    stopping  whether someone asked to stop; raises Interrupted once all have saved
    """
    waiting, busy, done = list(pieces), list[Piece](), set[str]()
    broken: Ended[Piece] | None = None
    try:
        while (waiting or busy) and broken is None and not stopping():
            for piece in _ready(waiting, busy, done)[: workers.limit - len(busy)]:
                waiting.remove(piece)
                busy.append(piece)
                advance(len(done), len(pieces), f"at {', '.join(one.label for one in busy)}")
                workers.start(piece)
            broken = _settle(workers, busy, done, broken)
        if busy:
            workers.stop()
        while busy:
            broken = _settle(workers, busy, done, broken)
    finally:
        workers.close()
    if broken is not None and broken.state == "failed":
        raise broken.raised or StiltsError(f"{broken.job.label}: {broken.error}", where=str(broken.job.log), do="run the same command again to go on")
    if len(done) < len(pieces):
        what = f"stopped; {len(done)} of {len(pieces)} pieces are done, and progress is saved"
        raise Interrupted(what, do="run the same command again to go on")
    advance(len(done), len(pieces), "done")


def _ready(waiting: Sequence[Piece], busy: Sequence[Piece], done: set[str]) -> list[Piece]:
    """Those whose turn it may be, first come first."""
    taken = {piece.folder for piece in busy}
    found = []
    for piece in waiting:
        if piece.folder not in taken and done.issuperset(piece.needs):
            taken.add(piece.folder)
            found.append(piece)
    return found


def _settle(workers: Workers[Piece], busy: list[Piece], done: set[str], broken: Ended[Piece] | None) -> Ended[Piece] | None:
    """Take in those that ended; returns one that did not end well, `broken` or a new one, a failure before an interruption."""
    for ended in workers.finished():
        busy.remove(ended.job)
        if ended.state == "done":
            done.add(ended.job.label)
        elif broken is None or broken.state == "interrupted":
            broken = ended
    return broken
