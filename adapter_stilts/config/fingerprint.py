"""A value to its short hash, which names its cache and its run folder.

The hash is of the value's canonical JSON: keys sorted, no spaces, shortest floats.
"""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel


def fingerprint(*values: object) -> str:
    """8 hexadecimal digits over the values in order: configurations, sections, and anything JSON can hold, nested as it
    may be.

    Raises TypeError for a value that has no JSON form and ValueError for one that is not a number (nan, infinity): such
    a value has no canonical text.
    """
    canonical = json.dumps(
        values, default=_plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no canonical form: {value!r}")
