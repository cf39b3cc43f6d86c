"""Who does the stages of a study: this process, one after another, or several at once, each in a process of its own.

    workers.start(job)        ->  later, from workers.finished():  Ended(job, "done", facts, "", 0, seconds)

A job that fails, whatever the reason, ends as "failed" with its one line; the others go on. A process of its own is
in a group of its own and blocks SIGINT, so that Ctrl-C reaches it once, through us; and it ends when we are gone, so
that a killed study leaves nobody at work.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

import torch

from adapter_stilts.errors import Interrupted, StiltsError
from adapter_stilts.files import own_file
from adapter_stilts.reporting import Advance, Reporter, Silent
from adapter_stilts.studies.board import Job
from adapter_stilts.studies.stage_run import perform

State = Literal["done", "failed", "interrupted"]
PRELOADED = ["adapter_stilts.studies.stage_run", "adapter_stilts.encoder.trunk.tokenizer"]
PATIENCE = 0.2  # seconds between looks at whether someone asked to stop


@dataclass(frozen=True)
class Ended:
    """How a job ended: facts of a done one, the error's one line and exit code of any other."""

    job: Job
    state: State
    facts: dict[str, Any]
    error: str
    exit_code: int
    seconds: float


class Here:
    """This process: `start` returns when the job has ended, so there is nobody to stop or to leave behind."""

    limit = 1

    def __init__(self, report: Reporter) -> None:
        self._report = report
        self._ended: list[Ended] = []

    def start(self, job: Job) -> None:
        self._ended.append(attempt(job, Logged(job.log, self._report)))

    def finished(self) -> list[Ended]:
        ended, self._ended = self._ended, []
        return ended

    def stop(self) -> None: ...

    def close(self) -> None: ...


@dataclass
class Apart:
    """At most `limit` processes, forked from one that has everything imported (Python's fork server); all block SIGINT.

    threads  of each; None: the processor's, shared out
    """

    limit: int
    threads: int | None = None
    _context: Any = field(default_factory=lambda: multiprocessing.get_context("forkserver"))
    _working: dict[BaseProcess, tuple[Job, Connection, Connection, float]] = field(default_factory=dict)

    def start(self, job: Job) -> None:
        self._context.set_forkserver_preload(PRELOADED)
        heard, tell = self._context.Pipe(duplex=False)
        watched, life = self._context.Pipe(duplex=False)
        shared = None if "OMP_NUM_THREADS" in os.environ else max(1, (os.cpu_count() or 1) // self.limit)
        process = self._context.Process(target=work, args=(job, tell, watched, self.threads or shared), name=job.label)
        with _without_ctrl_c():
            process.start()
        tell.close()
        watched.close()
        self._working[process] = (job, heard, life, time.perf_counter())

    def finished(self) -> list[Ended]:
        """The jobs that ended; waits a moment where none has."""
        wait([heard for _, heard, _, _ in self._working.values()], timeout=PATIENCE)
        working = list(self._working.items())
        return [self._ended(process) for process, (_, heard, _, _) in working if heard.poll() or not process.is_alive()]

    def stop(self) -> None:
        """Ask all to save and end."""
        for process in self._working:
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, signal.SIGTERM)

    def close(self) -> None:
        """Leave nobody behind."""
        for process, (_, heard, life, _) in self._working.items():
            process.kill()
            process.join()
            heard.close()
            life.close()
        self._working.clear()

    def _ended(self, process: BaseProcess) -> Ended:
        job, heard, life, started = self._working.pop(process)
        try:
            ended: Ended = heard.recv()
        except EOFError:
            process.join()
            ended = Ended(job, "failed", {}, _death(process.exitcode), 1, 0.0)
        process.join()
        heard.close()
        life.close()
        return replace(ended, job=job, seconds=round(time.perf_counter() - started, 3))


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """What is born here never gets a SIGINT, not even before it is in a group of its own; ours comes afterwards."""
    resource_tracker.ensure_running()  # its own start lets SIGINT through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Logged(Silent):
    """Writes what a job says to its log; its progress goes to whoever watches, its tables are in the manifests."""

    def __init__(self, log: Path, watched: Reporter | None = None) -> None:
        self._log = log
        self._watched = watched

    def say(self, text: str) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with own_file(self._log, "ab") as stream:
            stream.write(f"{text}\n".encode("utf-8", "backslashreplace"))

    @contextmanager
    def progress(self, label: str) -> Iterator[Advance]:
        with (self._watched or Silent()).progress(label) as advance:
            yield advance


def attempt(job: Job, report: Logged) -> Ended:
    """Do a job and catch whatever it fails with, so that the others go on."""
    started = time.perf_counter()
    state: State = "failed"
    facts: dict[str, Any] = {}
    try:
        state, facts, error, code = "done", perform(job, report), "", 0
    except (Interrupted, KeyboardInterrupt) as stopped:
        what = stopped.what if isinstance(stopped, Interrupted) else "stopped"
        state, error, code = "interrupted", what, Interrupted.exit_code
    except StiltsError as failed:
        report.say(str(failed))
        where = f" ({failed.where})" if failed.where else ""
        error, code = f"{type(failed).__name__}: {failed.what}{where}", failed.exit_code
    except Exception as failed:  # noqa: BLE001  (a fault of one job, even one of ours, must not end the others)
        report.say(traceback.format_exc())
        error, code = f"{type(failed).__name__}: {failed}", 1
    return Ended(job, state, facts, " ".join(error.split()), code, round(time.perf_counter() - started, 3))


def work(job: Job, tell: Connection, watched: Connection, threads: int | None) -> None:
    """A job in a process of its own."""
    os.setsid()
    threading.Thread(target=_end_with, args=(watched,), daemon=True).start()
    signal.signal(signal.SIGTERM, _interrupt)
    if threads is not None:
        torch.set_num_threads(threads)
    tell.send(attempt(job, Logged(job.log)))


def _end_with(watched: Connection) -> None:
    """End when whoever gave the work does: the other end of this connection is open as long as it lives."""
    try:
        watched.recv()
    except (EOFError, OSError):
        os._exit(Interrupted.exit_code)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"its process ended by {signal.Signals(-code).name}"
    return f"its process ended with code {code}"
