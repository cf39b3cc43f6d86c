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
from adapter_stilts.reporting import Advance, Reporter
from adapter_stilts.runs.evaluate import evaluate
from adapter_stilts.runs.subject import Request
from adapter_stilts.runs.train import train
from adapter_stilts.study.turns import one_a_folder, take_turns
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
    turns = _Turns(pieces, advance)
    whole = take_turns(turns, workers, stopping)
    if turns.broken is not None:
        job, error = turns.broken.job, turns.broken.error
        raise turns.broken.raised or StiltsError(f"{job.label}: {error}", where=str(job.log), do="run the same command again to go on")
    if not whole:
        what = f"stopped; {len(turns.done)} of {len(pieces)} pieces are done, and progress is saved"
        raise Interrupted(what, do="run the same command again to go on")
    advance(len(pieces), len(pieces), "done")


class _Turns:
    """Pieces by turns: those whose needs are done, no two in one folder. Whatever does not end well stops the others."""

    def __init__(self, pieces: Sequence[Piece], advance: Advance) -> None:
        self._waiting = list(pieces)
        self._total = len(pieces)
        self._advance = advance
        self.done: set[str] = set()
        self.broken: Ended[Piece] | None = None

    def ready(self, busy: Sequence[Piece]) -> list[Piece]:
        return one_a_folder((piece for piece in self._waiting if self.done.issuperset(piece.needs)), busy)

    def begin(self, job: Piece, busy: Sequence[Piece]) -> None:
        self._waiting.remove(job)
        self._advance(len(self.done), self._total, f"at {', '.join(one.label for one in busy)}")

    def settle(self, ended: Ended[Piece]) -> bool:
        if ended.state == "done":
            self.done.add(ended.job.label)
        elif ended.state == "failed" and self.broken is None:
            self.broken = ended
        return ended.state == "done"
