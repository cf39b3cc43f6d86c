"""Word embeddings of which only those rows are in memory that a text has asked for; the others stay in the file.

XLM-R's table has 250,002 rows, two thirds of all its weights, and the texts of a run use some thousands of them. The
trunk is frozen, so the rest is read when it is needed: outputs are those of the whole table, bit by bit.

    rows = UsedRows(StoredRows(path, "roberta.embeddings.word_embeddings.weight"), torch.bfloat16)
    rows(input_ids)        [B, T] to [B, T, H]; reads what is new
    rows.weight            [V, H]; reads all that is left, for a decoder of masked text, or to save the trunk
"""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapter_stilts.errors import ArtefactError

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
FEWEST = 1024  # rows that there is room for at first


class StoredRows:
    """The rows of one tensor [V, H] in a safetensors file that was verified; the file stays open."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._file = path, os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        length = int.from_bytes(self._read(bytearray(8), 0), "little")
        entry: dict[str, Any] = json.loads(bytes(self._read(bytearray(length), 8)))[name]
        self.count, self.width = entry["shape"]
        self._dtype = DTYPES[entry["dtype"]]
        self._start = 8 + length + entry["data_offsets"][0]

    def read(self, rows: Sequence[int]) -> Tensor:
        """Some rows, named in rising order, as [n, H] float32."""
        size = self.width * self._dtype.itemsize
        values = bytearray(len(rows) * size)
        view, done = memoryview(values), 0
        for _, run in groupby(enumerate(rows), lambda pair: pair[1] - pair[0]):  # neighbours in the file, at once
            together = [row for _, row in run]
            end = done + len(together) * size
            self._read(view[done:end], self._start + together[0] * size)
            done = end
        return torch.frombuffer(values, dtype=self._dtype).view(len(rows), self.width).float()

    def _read(self, into: bytearray | memoryview, start: int) -> bytearray | memoryview:
        """Fill a buffer from a place of the file on."""
        view, done = memoryview(into), 0
        while done < len(view):
            read = os.preadv(self._file, [view[done:]], start + done)
            if not read:
                what, do = "the weights were cut short while they were in use", "fetch the trunk again"
                raise ArtefactError(what, where=str(self._path), do=do)
            done += read
        return into


class UsedRows(nn.Module):
    """A frozen embedding over stored rows. A copy of it is a whole `nn.Embedding`, which may be trained."""

    held: Tensor  # [room, H]
    place: Tensor  # [V]: where a token's row is in `held`, -1 where it is not

    def __init__(self, stored: StoredRows, dtype: torch.dtype) -> None:
        super().__init__()
        self._stored, self._used, self._in_order = stored, 0, False
        self.register_buffer("held", torch.empty((0, stored.width), dtype=dtype), persistent=False)
        self.register_buffer("place", torch.full((stored.count,), -1, dtype=torch.int32), persistent=False)

    def forward(self, input_ids: Tensor) -> Tensor:
        places = self.place[input_ids]
        new = places < 0
        if bool(new.any()):
            self._take(torch.unique(input_ids[new]))
            places = self.place[input_ids]
        return functional.embedding(places, self.held)

    @property
    def size(self) -> int:
        """Numbers in the whole table."""
        size: int = self._stored.count * self._stored.width
        return size

    @property
    def weight(self) -> Tensor:
        """The whole table, which stays in memory from then on."""
        if not self._in_order:
            self._used = 0
            self._take(torch.arange(len(self.place), device=self.place.device))
            self._in_order = True
        return self.held

    @torch.inference_mode(mode=False)  # what is made in it could not be added to outside it
    @torch.no_grad()
    def _take(self, rows: Tensor) -> None:
        """Read rows that are not there yet, named in rising order; room doubles when there is none left."""
        used = self._used + len(rows)
        if used > len(self.held):
            room = min(max(used, 2 * len(self.held), FEWEST), len(self.place))
            grown = self.held.new_empty((room, self.held.shape[1]))
            grown[: self._used] = self.held[: self._used]
            self.held = grown
        step = max(1, (1 << 22) // self.held.shape[1])
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            first = self._used + start
            self.held[first : first + len(some)] = self._stored.read(some.tolist()).to(self.held.device)
        self.place[rows] = torch.arange(self._used, used, dtype=torch.int32, device=self.place.device)
        self._used = used

    def __deepcopy__(self, memo: dict[int, Any]) -> nn.Embedding:
        weight = self.weight.clone()
        return nn.Embedding(len(weight), weight.shape[1], _weight=weight)
