"""An existing Ray cluster as workers for work that comes in pieces: the only file that imports ray.

    with connected("auto") as cluster:
        whole = cluster.share(array)                            once for all pieces
        for result in cluster.each(function, [(whole, 0), (whole, 1)]):
            ...                                                 in the order of the pieces, whoever was done first

A piece whose worker dies is given to another one. Nothing is ever started but with the address "local". What a worker
raises is raised here, with its node named. Ray itself pickles what it carries between its own processes; nothing of
that is ever stored.
"""

from __future__ import annotations

import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from adapter_stilts import errors
from adapter_stilts.errors import DoesNotFit, MissingError, StiltsError, Unreachable, UsageError
from adapter_stilts.registry import unknown_name

Outcome = TypeVar("Outcome")

ENGINES = ("local", "ray")
LOCAL, AUTO = "local", "auto"
RETRIES = 5  # of a piece whose worker or node died
PATIENCE = 5.0  # seconds for an address to answer


@contextmanager
def cluster_of(engine: str, address: str | None) -> Iterator[Cluster | None]:
    """A cluster where the engine is "ray", None where it is "local". Raises what `connected` does, and UnknownName."""
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    if engine == LOCAL:
        if address is not None:
            raise UsageError("--ray-address without --engine ray", do="add it, or leave the address out")
        yield None
        return
    with connected(address) as cluster:
        yield cluster


@contextmanager
def connected(address: str | None) -> Iterator[Cluster]:
    """The cluster at an address: host:port, "auto" for the one this machine belongs to, "local" to start one here;
    None: RAY_ADDRESS, else "auto".

    Raises UsageError where ray is not installed, Unreachable where no cluster answers.
    """
    ray = _ray()
    where = address or os.environ.get("RAY_ADDRESS") or AUTO
    before, stopping = ray.is_initialized(), signal.getsignal(signal.SIGTERM)
    if not before:
        _connect(ray, where)
    with suppress(ValueError):  # another thread than the main one, where signals arrive
        signal.signal(signal.SIGTERM, stopping)  # Ray's own would end the process without a word
    try:
        yield Cluster(ray)
    finally:
        if not before:
            ray.shutdown()


class Cluster:
    """A cluster that is connected; `slots` pieces are worked on at once."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self.nodes = sum(bool(node["Alive"]) for node in ray.nodes())
        resources = ray.cluster_resources()
        self.slots, self._gpus = max(1, int(resources.get("CPU", 1))), int(resources.get("GPU", 0))

    def part_of(self, memory: float) -> float:
        """What one worker, or the process that waits for them, may have of a machine's memory."""
        return memory / (self.slots / max(1, self.nodes) + 1)

    def share(self, value: Any) -> Any:
        """A value that many pieces need, sent to each node once; pieces name it among their arguments."""
        return self._ray.put(value)

    def each(
        self, work: Callable[..., Outcome], pieces: Iterable[Sequence[Any]], *, gpu: bool = False
    ) -> Iterator[Outcome]:
        """What `work` returns for each piece's arguments, in their order. Pieces are taken as workers come free, so few
        of them are held at once.

        gpu  each piece needs a graphics card

        Raises what `work` raised, DoesNotFit where workers run out of memory, StiltsError where the cluster is lost.
        """
        slots = min(self.slots, self._gpus) if gpu else self.slots
        if not slots:
            what = "no worker of the cluster has a graphics card, and this process reads with one"
            raise UsageError(what, do="start it with CUDA_VISIBLE_DEVICES= here")
        task = self._ray.remote(num_cpus=1, num_gpus=int(gpu), max_retries=RETRIES, retry_exceptions=False)(_guarded)
        running: deque[Any] = deque()
        try:
            for piece in pieces:
                running.append(task.remote(work, *piece))
                if len(running) > slots:
                    yield self._got(running.popleft())
            while running:
                yield self._got(running.popleft())
        finally:
            for reference in running:
                with suppress(Exception):
                    self._ray.cancel(reference, force=True)

    def _got(self, reference: Any) -> Any:
        try:
            fine, node, value = self._ray.get(reference)
        except self._ray.exceptions.OutOfMemoryError as error:
            do = "lower --limit-gb, or give the workers more memory; what was finished is kept"
            raise DoesNotFit("a worker of the cluster ran out of memory", where=_first(error), do=do) from error
        except (self._ray.exceptions.RayError, ConnectionError) as error:
            do = "see to the cluster and run the same command again; what was finished is kept"
            raise StiltsError(f"the cluster failed: {type(error).__name__}", where=_first(error), do=do) from error
        if fine:
            return value
        name, what, where, do = value
        where = f"{where} (node {node})" if where else f"node {node}"
        raise getattr(errors, name, StiltsError)(what, where=where, do=do)


def check_visible(paths: Iterable[Path]) -> None:
    """For a worker: raises MissingError for a file that it cannot see."""
    for path in paths:
        if not path.exists():
            do = "put it on a file system that all nodes share, under the same path"
            raise MissingError("a worker of the cluster cannot see a file", where=str(path), do=do)


def _guarded(work: Callable[..., Outcome], *piece: Any) -> tuple[bool, str, Any]:
    """Our own errors as values: they carry more than Ray would bring across."""
    node = socket.gethostname()
    try:
        return True, node, work(*piece)
    except StiltsError as error:
        return False, node, (type(error).__name__, error.what, error.where, error.do)


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # Ray 2.60 warns of a change to come
    try:
        import ray
    except ImportError as error:
        what = "--engine ray needs ray, which is not installed"
        raise UsageError(what, do="pip install 'adapter-stilts[ray]'") from error
    return ray


def _connect(ray: Any, where: str) -> None:
    if where == LOCAL:
        ray.init(address=LOCAL, log_to_driver=False, logging_level="ERROR", include_dashboard=False)
        return
    here = "or --ray-address local to start one here for this command"
    do = f"start one (`ray start --head`), name one with --ray-address HOST:PORT, {here}"
    host, colon, port = where.removeprefix("ray://").rpartition(":")
    try:
        if colon and port.isdecimal():
            socket.create_connection((host, int(port)), PATIENCE).close()
        ray.init(address=where, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise Unreachable("no Ray cluster answers", where=where, do=do) from error


def _first(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).split("\n") if line.strip()]
    return lines[0] if lines else ""
