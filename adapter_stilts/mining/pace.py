"""How far an encoding is: rows of the file for a bar, and the speed of this process alone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from adapter_stilts.reporting import Advance


@dataclass
class Pace:
    """Is told the done share of shard after shard, each for the first time before anything of it is read here.

    before  rows that were read by a process that was stopped
    """

    progress: Advance
    rows: int
    before: int
    _shard: int = -1
    _began: float = field(default_factory=time.monotonic)

    def tell(self, first: int, count: int, done: int, of: int) -> None:
        """`done` of `of` tokens are read of the shard of `count` rows that starts at row `first`."""
        part = count * done // of
        if first != self._shard:
            self._shard, self.before = first, self.before + part
        own, seconds = first + part - self.before, time.monotonic() - self._began
        self.progress(first + part, self.rows, f"{own / seconds:.0f} sentences/s" if own and seconds else "")
