"""A value to its short hash, which names its cache and its run folder.

The hash is of the value's canonical JSON: keys sorted, no spaces, shortest floats. Two configurations share a fingerprint exactly
when they must give the same result, so everything that decides a result is in it. Left out are only:

    training.checkpoint_steps   resuming is exact, so when a checkpoint was written changes nothing
    training.log_steps          how often a line is logged

The output folder is no part of a configuration, so moving a run does not change its name. Where the data lies is part of it: other
files may lie elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel

from adapter_stilts.config.schema import RunConfig

DECIDES_NOTHING = {"training": {"checkpoint_steps", "log_steps"}}


def identity(config: RunConfig) -> dict[str, Any]:
    """What of a configuration decides its results, as JSON values."""
    return config.model_dump(mode="json", exclude=DECIDES_NOTHING)


def fingerprint(*values: object) -> str:
    """8 hexadecimal digits over the values in order: configurations, sections, and anything JSON can hold, nested as it may be.

    Raises TypeError for a value that has no JSON form and ValueError for one that is not a number (nan, infinity): such a value
    has no canonical text.
    """
    canonical = json.dumps(values, default=_plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]


def _plain(value: object) -> object:
    if isinstance(value, RunConfig):
        return identity(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no canonical form: {value!r}")
