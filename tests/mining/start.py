"""Mines in a process of its own, for tests that kill it.

Run by test_kill.py with these globals: FIELDS of the request, OUT, PAUSE seconds after every block of a search.
"""

import time
from contextlib import contextmanager
from pathlib import Path

from adapter_stilts.mining.mine import mine
from adapter_stilts.mining.request import Mining
from adapter_stilts.reporting import Silent
from adapter_stilts.retrieval import saved, search

FIELDS, OUT, PAUSE = (globals().get(name) for name in ("FIELDS", "OUT", "PAUSE"))


class Slow(Silent):
    """Waits at every step, so that a kill meets the search at work."""

    @contextmanager
    def progress(self, label):
        yield lambda done, total, detail="": time.sleep(PAUSE)


if __name__ == "__main__":
    search.Steps.__init__.__defaults__ = (64, 32)  # many small steps
    saved.Saved.__init__.__defaults__ = (0.0, *saved.Saved.__init__.__defaults__[1:])  # a state after every one
    mine(Mining(**FIELDS), out=Path(OUT), runs=Path(OUT).parent, overwrite=False, dry_run=False, report=Slow())
