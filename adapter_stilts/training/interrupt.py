"""Ctrl-C and SIGTERM: the first asks training to stop after the current step, the second aborts at once.

    with StopSignal() as stop:
        Run(model, data, plan, stop=stop).to_the_end()   # raises Interrupted once the checkpoint is on disk

`stop.request()` does by program what the first signal does. Handlers are only installed in the main thread, where
Python allows them; the old ones are back after the block. Under a launcher of several processes one Ctrl-C arrives
twice, as SIGINT from the terminal and as SIGTERM from the launcher; there only the same signal twice aborts.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Whether someone asked to stop."""

    def __init__(self) -> None:
        self.requested = False
        self._seen: set[int] = set()
        self._before: dict[signal.Signals, Any] = {}

    def request(self) -> None:
        """Ask for a stop after the current step."""
        self.requested = True

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        launched = os.environ.get("WORLD_SIZE", "1") not in ("", "0", "1")
        if number in self._seen or (self.requested and not launched):
            self._restore()
            raise KeyboardInterrupt
        self._seen.add(number)
        self.request()
        # written past Python's buffers: a handler may run in the middle of another write to stderr
        name = signal.Signals(number).name
        os.write(2, f"\n{name}: stopping after this step and saving; once more aborts at once\n".encode())

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
