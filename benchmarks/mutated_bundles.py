"""What comes of bundles that were damaged or forged? Promise: refused with exit code 4, or read exactly as they say.

Ten thousand bundles made from one by the generator of the tests (tests/exchange/mutations.py), folders and .zip
files: flipped bytes, cut and swapped files, tensors of other types and shapes, forged headers, hostile names and
values, planted pickles and YAML, links and pipes; in half of them all hashes are computed anew. Counted: how many were
refused and read, and every one that ended otherwise, left something behind, or reached for the network. Not measured:
time, but for the whole.

    python benchmarks/mutated_bundles.py [--bundles 10000] [--first 0]
"""

from __future__ import annotations

import resource
import runpy
import shutil
import socket
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from record import options, record

MUTATIONS = Path(__file__).parents[1] / "tests/exchange/mutations.py"
SHOWN = 5


def main() -> None:
    asked = options(__doc__, bundles=10_000, first=0)
    mutations: dict[str, Any] = runpy.run_path(str(MUTATIONS))
    warnings.simplefilter("ignore")  # zipfile warns of the names that we make it write twice
    socket.socket = _network  # type: ignore[misc, assignment]
    root = Path(tempfile.mkdtemp())
    pristine = mutations["whole"](root / "pristine")
    came: Counter[str] = Counter()
    anew: Counter[str] = Counter()
    otherwise = []
    start = time.perf_counter()
    for seed in range(asked.first, asked.first + asked.bundles):
        try:
            done, how = mutations["trial"](seed, pristine, root / "trial")
            came[how] += 1
            anew[how] += "hashed anew" in done
        except Exception as error:  # noqa: BLE001  (any other end is what is looked for)
            otherwise.append(f"{seed}: {type(error).__name__}: {error}"[:200])
            shutil.rmtree(root / "trial", ignore_errors=True)
    shutil.rmtree(root)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    counts = {"bundles": asked.bundles, "first": asked.first, **came, "otherwise": len(otherwise)}
    counts |= {f"{how}, hashed anew": count for how, count in anew.items()}
    measured = {"seconds": round(time.perf_counter() - start, 1), "peak_mb": round(peak), "examples": otherwise[:SHOWN]}
    record("mutated_bundles", {"question": "mutated_bundles", **counts, **measured})


def _network(*_: object, **__: object) -> NoReturn:
    raise AssertionError("it reached for the network")


if __name__ == "__main__":
    main()
