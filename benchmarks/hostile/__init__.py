"""Cases for `hostile_input.py`: kinds of hostile or broken input, each a generator that goes on as long as it is asked.

    KINDS["vectors"](random.Random(13))     Case("rows is -1", ("mine", ...), make)

`make(base, folder)` writes the files of a case; `base` holds what is good: a run, vectors, a trunk, a file of rows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping

from hostile.case import Case
from hostile.case import stage as stage
from hostile.rows import choices, rows_files
from hostile.runs import copies, runs
from hostile.texts import configurations, studies, task_files
from hostile.trunks import trunks
from hostile.vectors import arrays, vectors

KINDS: Mapping[str, Callable[[random.Random], Iterator[Case]]] = {
    "vectors": vectors,
    "arrays": arrays,
    "trunks": trunks,
    "configurations": configurations,
    "studies": studies,
    "tasks": task_files,
    "rows": rows_files,
    "choices": choices,
    "runs": runs,
    "copies": copies,
}
