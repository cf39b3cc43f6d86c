"""Where a long search or reading stands, on disk: one file, replaced whole, so that a kill leaves the last state saved.

saved = Saved(folder / "forward.npz", identity)
done = saved.load(arrays)           fills the arrays and says how many steps they hold; 0 where nothing fits
saved.offer(done, arrays)           writes them if the last time is long enough ago
saved.save(done, arrays)            writes them now
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.errors import ArtefactError
from adapter_stilts.files import atomic_write

SECONDS = 30.0  # of work that a kill may cost, at most


@dataclass
class Saved:
    """A state file; `identity` says of what work, so that other work never picks it up."""

    path: Path
    identity: str
    seconds: float = SECONDS
    clock: Callable[[], float] = time.monotonic
    _last: float | None = field(default=None, repr=False)

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> int:
        """Fill `arrays` from the file. Raises ArtefactError where it is damaged."""
        self._last = self.clock()
        if not self.path.exists():
            return 0
        try:
            with np.load(self.path, allow_pickle=False) as kept:
                if str(kept["identity"]) != self.identity:
                    return 0
                for name, array in arrays.items():
                    array[...] = kept[name]
                return int(kept["done"])
        except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
            do = "remove the file; what it holds is then done again"
            what = f"the saved state of unfinished work is damaged: {error}"
            raise ArtefactError(what, where=str(self.path), do=do) from error

    def offer(self, done: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        if self._last is None or self.clock() - self._last >= self.seconds:
            self.save(done, arrays)

    def save(self, done: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Raises DoesNotFit on a full disk; the state before stays."""
        with atomic_write(self.path) as stream:
            np.savez(stream, identity=np.array(self.identity), done=np.array(done), **arrays)  # type: ignore[arg-type]
        self._last = self.clock()
