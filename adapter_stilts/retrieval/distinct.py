"""Sentences that occur several times: searched once, and given back for every line, or dropped, as the protocol has it.

left = distinct(source_texts)
left.rows        [U]  the line whose vector stands for each text
left.of_line     [N]  the text of each line, -1 for a blank one
duplicates["expand"](pairs, left, right)     pairs of texts to pairs of lines: every line of a text
duplicates["once"](pairs, left, right)       its first line
duplicates["drop"](pairs, left, right)       only of texts that occur once
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np

from adapter_stilts.errors import DoesNotFit
from adapter_stilts.registry import Registry
from adapter_stilts.retrieval.blocks import Blocks, ranges
from adapter_stilts.retrieval.compared import Flags, Numbers
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.retrieval.stored.known import first_of_keys

MOST_PAIRS = 1 << 28  # of lines: two boilerplate lines of 50,000 copies each are more than 2 billion pairs
ODD = 0x9E3779B97F4A7C15  # 2^64 / golden ratio, which is odd


@dataclass(frozen=True)
class Distinct:
    """The distinct texts of a side, [U], and its lines, [N]."""

    rows: Numbers
    of_line: Numbers

    @cached_property
    def count(self) -> Numbers:
        """[U] lines of each text."""
        return np.bincount(self.of_line[self.of_line >= 0], minlength=len(self.rows)).astype(np.int64)

    @cached_property
    def lines(self) -> Numbers:
        """The lines text by text, in order: those of text u are lines[start[u] : start[u] + count[u]]."""
        return np.argsort(self.of_line, kind="stable")[np.count_nonzero(self.of_line < 0) :].astype(np.int64)

    @cached_property
    def start(self) -> Numbers:
        return np.cumsum(self.count) - self.count

    def lines_of(self, text: int) -> Numbers:
        return self.lines[self.start[text] : self.start[text] + self.count[text]]

    @property
    def first(self) -> Numbers:
        """[U] the first line of each text."""
        return self.lines[self.start]


Way: TypeAlias = Callable[[Pairs, Distinct, Distinct], Pairs]

duplicates: Registry[Way] = Registry("way with duplicates")


def distinct(texts: Sequence[str]) -> Distinct:
    """Texts told apart but for white space at their ends, in order; the last line's vector counts, as in LASER."""
    first: dict[str, int] = {}
    rows = np.array([first.setdefault(text.strip(), row) for row, text in enumerate(texts)], dtype=np.int64)
    return by_first_rows(rows, np.zeros(len(rows), dtype=np.bool_), last=True)


def by_first_rows(first: Numbers, blank: Flags, *, last: bool = False) -> Distinct:
    """From the first line with the same text of each line [N]; blank lines are no text.

    last  the vector of a text's last line stands for it, else of its first
    """
    rows = np.unique(first[~blank])
    of_line = np.where(blank, -1, np.searchsorted(rows, first))
    if last:
        lines = np.flatnonzero(~blank)
        rows[of_line[lines]] = lines  # of several lines, the last one written stays
    return Distinct(rows, of_line)


def by_vectors(blocks: Blocks) -> Distinct:
    """Lines told apart by the bytes of their vectors; for vectors whose texts are not known."""
    weights = np.random.default_rng(ODD).integers(1 << 63, size=(2, blocks.dimension), dtype=np.uint64) | np.uint64(1)
    keys = np.empty((blocks.rows, 2), dtype=np.uint64)
    for start, stop in ranges(blocks.rows, 1 << 12):
        bits = (
            (blocks.block(start, stop) + np.float32(0)).view(np.uint32).astype(np.uint64)
        )  # -0 + 0 is 0
        bits += np.uint64(ODD)
        bits ^= bits >> np.uint64(29)
        bits *= bits
        for column, weight in enumerate(weights):
            keys[start:stop, column] = (bits * weight).sum(axis=1, dtype=np.uint64)
    return by_first_rows(first_of_keys(keys), np.zeros(blocks.rows, dtype=np.bool_))


@duplicates.register("once")
def once(pairs: Pairs, left: Distinct, right: Distinct) -> Pairs:
    """The first line of each text."""
    return replace(pairs, source=left.first[pairs.source], target=right.first[pairs.target])


@duplicates.register("drop")
def drop(pairs: Pairs, left: Distinct, right: Distinct) -> Pairs:
    """Without texts that occur several times."""
    return once(pairs.chosen((left.count[pairs.source] == 1) & (right.count[pairs.target] == 1)), left, right)


@duplicates.register("expand")
def expand(pairs: Pairs, left: Distinct, right: Distinct) -> Pairs:
    """Every line of the one text with every line of the other.

    Raises DoesNotFit where that is more than `MOST_PAIRS`.
    """
    wide = right.count[pairs.target]
    each = left.count[pairs.source] * wide
    total = int(each.sum())
    if total > MOST_PAIRS:
        what = f"{len(pairs)} pairs of texts are {total} pairs of lines, since some texts occur very often"
        raise DoesNotFit(what, do="write each pair of texts once (--duplicates once), or take repeated lines out first")
    pair = np.repeat(np.arange(len(pairs)), each)
    within = np.arange(total) - np.repeat(np.cumsum(each) - each, each)
    source = left.lines[left.start[pairs.source[pair]] + within // wide[pair]]
    target = right.lines[right.start[pairs.target[pair]] + within % wide[pair]]
    return replace(pairs.chosen(pair), source=source, target=target)
