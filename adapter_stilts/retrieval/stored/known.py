"""Texts that have vectors already, by their hash: a table of a fixed size, so that memory does not grow with the file.

    known = KnownTexts(capacity=4_000_000)
    known.add(keys, rows)          keys [N, 16] uint8, rows [N] int64
    known.find(keys)               [N] int64: the row of each text, -1 where it is not known

24 bytes a text. When the table is full, further texts are not remembered; what is in it never changes, and it follows
from the texts before alone, so a process that starts again in the middle of a file knows what one without a break would
know.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Keys: TypeAlias = NDArray[np.uint8]
Rows: TypeAlias = NDArray[np.int64]

HASH_BYTES = 16
BLANK = bytes(HASH_BYTES)  # what stands where a text's hash would, in a row without text


def text_key(text: str) -> bytes:
    """16 bytes that tell a text from every other."""
    return hashlib.blake2b(text.encode(), digest_size=HASH_BYTES).digest()


def as_keys(keys: list[bytes]) -> Keys:
    """[N, 16]."""
    return np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, HASH_BYTES)


def first_of_keys(keys: NDArray[np.uint64]) -> Rows:
    """The first row with the same key of each row, [N] from [N, 2]."""
    order = np.lexsort((keys[:, 1], keys[:, 0]))  # stable: rows of one key stay in order
    fresh = np.ones(len(keys), dtype=np.bool_)
    fresh[1:] = (keys[order[1:]] != keys[order[:-1]]).any(axis=1)
    first = np.empty(len(keys), dtype=np.int64)
    first[order] = order[np.flatnonzero(fresh)][np.cumsum(fresh) - 1]
    return first


class KnownTexts:
    """Rows by text, sorted by the first half of the hash; the second half tells apart what shares the first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._first, self._second = np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.uint64)
        self._rows = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, keys: Keys) -> Rows:
        """The row of each text, -1 where it is not known.

        Of two texts that share half a hash only the earlier is known.
        """
        first, second = _halves(keys)
        if not len(self):
            return np.full(len(keys), -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self._first, first), len(self) - 1)
        same = (self._first[place] == first) & (self._second[place] == second)
        return np.where(same, self._rows[place], -1)

    def add(self, keys: Keys, rows: Rows) -> None:
        """Remember texts that are not known yet, in the order given, as long as there is room."""
        new = np.flatnonzero(self.find(keys) < 0)
        _, earliest = np.unique(keys[new], axis=0, return_index=True)
        new = new[np.sort(earliest)][: self._capacity - len(self)]
        first, second = _halves(keys[new])
        order = np.argsort(first, kind="stable")
        place = np.searchsorted(self._first, first[order], side="right")
        self._first = np.insert(self._first, place, first[order])
        self._second = np.insert(self._second, place, second[order])
        self._rows = np.insert(self._rows, place, rows[new][order])


def _halves(keys: Keys) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    halves = np.ascontiguousarray(keys).view(np.uint64)
    return halves[:, 0], halves[:, 1]
