"""Encodes one file in a process of its own, for tests that kill it.

Run by test_encode_kill.py with these globals:
    REQUEST  fields of the Request
    OUT      the folder
    TELL     a connection: every (label, done) that is told
    PAUSE    seconds to wait after each
"""

import time
from contextlib import contextmanager
from pathlib import Path

from adapter_stilts.mining.encode import Encoding, encode
from adapter_stilts.reporting import Silent
from adapter_stilts.retrieval import saved

REQUEST, OUT, TELL, PAUSE = (globals().get(name) for name in ("REQUEST", "OUT", "TELL", "PAUSE"))


class Told(Silent):
    """Says every batch to the test."""

    @contextmanager
    def progress(self, label):
        def advance(done, total, detail=""):
            TELL.send((label, done))
            time.sleep(PAUSE)

        yield advance


if __name__ == "__main__":
    saved.Saved.__init__.__defaults__ = (0.0, *saved.Saved.__init__.__defaults__[1:])  # a state after every batch
    encode(Encoding(**REQUEST), out=Path(OUT), runs=Path(OUT), overwrite=False, dry_run=False, report=Told())
