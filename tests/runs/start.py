"""Trains one run in a process of its own, for tests that stop, kill or starve it.

Run by conftest.py's `process` with these globals:
    CONFIG   dotted keys of the configuration    OUT      the run's folder
    TELL     a connection: (step, total) after every step, then ("error", exit code, text) where it fails
    PAUSE    seconds to wait after every step    LARGEST  no file may grow beyond so many bytes; None: any size
"""

import resource
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.errors import StiltsError
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.train import train

CONFIG, OUT, TELL, PAUSE, LARGEST = (globals().get(name) for name in ("CONFIG", "OUT", "TELL", "PAUSE", "LARGEST"))


class Told(Silent):
    """Says every step to the test."""

    @contextmanager
    def progress(self, label):
        def advance(done, total, detail=""):
            TELL.send((done, total))
            time.sleep(PAUSE)

        yield advance


def main():
    signal.pthread_sigmask(
        signal.SIG_UNBLOCK, {signal.SIGINT}
    )  # a study's processes come from the same fork server, and block it
    if LARGEST is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, LARGEST))
    config = with_settings(RunConfig(), CONFIG)
    folder = Path(OUT)
    try:
        train(
            config,
            tuple(config.task.name.split(",")),
            out=folder,
            runs=folder.parent,
            resume=True,
            overwrite=False,
            dry_run=False,
            report=Told(),
        )
    except StiltsError as error:
        TELL.send(("error", error.exit_code, str(error)))
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
