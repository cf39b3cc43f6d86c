"""Batches of a token budget, or of so many rows: rows of like length together, so that little of what is computed is padding."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from adapter_stilts.errors import TaskDataError

TASK = "task"  # in a batch of a mixture: the number of the task that its rows are of, [B]
PADDING = 0.05  # of all tokens, padding included
BATCHES_PER_WINDOW = 64  # fewer, and neighbours in a sorted window differ too much in length
LIMITS = (1.0, 0.15, 0.10, 0.08, PADDING)  # the padding one batch may have: the first that keeps the whole below PADDING


def token_budget_batches(lengths: Sequence[int], budget: int, generator: torch.Generator, window: int = 1024, multiple: int = 1) -> list[list[int]]:
    """Every row once, in batches of at most `budget` tokens, padding included, in an order set by `generator` alone.

    The rows are shuffled, sorted by length inside windows, cut into batches, and the batches shuffled. A batch may be smaller than
    the budget where the next row is so much longer that it would be mostly padding.
    lengths   tokens of each row, at least 1
    window    rows of a window, at least; it is widened to hold 64 batches
    multiple  batches hold a multiple of this many rows where the budget and the end of a window allow

    A row longer than the budget makes a batch of its own.
    """
    if not lengths:
        return []
    order: list[int] = torch.randperm(len(lengths), generator=generator).tolist()
    window = max(window, BATCHES_PER_WINDOW * budget * len(lengths) // sum(lengths))
    windows = [sorted(order[start : start + window], key=lambda row: lengths[row]) for start in range(0, len(order), window)]
    batches = _tightest(windows, lengths, budget, multiple)
    return [batches[place] for place in torch.randperm(len(batches), generator=generator).tolist()]


def row_batches(lengths: Sequence[int], rows: int, generator: torch.Generator) -> list[list[int]]:
    """Every row once, in batches of exactly `rows` rows, what is left in a smaller one at the end, in an order set by `generator` alone.

    For protocols that promise so many examples a step. Shuffled, sorted by length inside windows of 64 batches, cut, and the batches shuffled.
    lengths   tokens of each row, at least 1
    """
    order: list[int] = torch.randperm(len(lengths), generator=generator).tolist()
    window = BATCHES_PER_WINDOW * rows
    ordered = [row for start in range(0, len(order), window) for row in sorted(order[start : start + window], key=lambda row: lengths[row])]
    batches = [ordered[start : start + rows] for start in range(0, len(ordered), rows)]
    whole = len(lengths) // rows
    return [*(batches[place] for place in torch.randperm(whole, generator=generator).tolist()), *batches[whole:]]


def length_sorted_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Every row once, longest first, in batches of at most `budget` tokens, padding included: for reading, where order means nothing.

    The first batch is the largest, so what does not fit in memory fails at once. A row longer than the budget makes a batch of its own.
    """
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= budget:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def at_least(batches: Sequence[Sequence[int]], lengths: Sequence[int], budget: int, smallest: int) -> list[list[int]]:
    """The same rows in batches of at least `smallest`, for losses that compare the rows of a batch.

    Rows of batches that are too small come together in batches of their own, those of like length. What is left of them joins, row by
    row, the batch that grows least, of those that stay within the budget where there are any; so a batch may pass the budget by a few rows.
    Raises TaskDataError for fewer rows than one batch needs.
    """
    if len(lengths) < smallest:
        raise TaskDataError(f"{len(lengths)} training rows, and a batch needs {smallest} to compare with each other", do="give more rows")
    kept = [list(batch) for batch in batches if len(batch) >= smallest]
    loose = sorted((row for batch in batches if len(batch) < smallest for row in batch), key=lambda row: (lengths[row], row))
    whole = len(loose) - len(loose) % smallest
    kept += [loose[start : start + smallest] for start in range(0, whole, smallest)]
    for row in loose[whole:]:
        grown = [_growth(batch, row, lengths, budget) for batch in kept]
        kept[grown.index(min(grown))].append(row)
    return kept


def _growth(batch: Sequence[int], row: int, lengths: Sequence[int], budget: int) -> tuple[bool, int]:
    """Whether a batch would pass the budget with one row more, and by how many tokens it would grow."""
    longest = max(lengths[one] for one in batch)
    area = (len(batch) + 1) * max(longest, lengths[row])
    return area > budget, area - len(batch) * longest


def _tightest(windows: Sequence[Sequence[int]], lengths: Sequence[int], budget: int, multiple: int) -> list[list[int]]:
    for limit in LIMITS:
        batches = [batch for rows in windows for batch in _cut(rows, lengths, budget, multiple, limit)]
        area = sum(len(batch) * lengths[batch[-1]] for batch in batches)
        if area - sum(lengths) < PADDING * area:
            break
    return batches


def _cut(rows: Sequence[int], lengths: Sequence[int], budget: int, multiple: int, limit: float) -> list[list[int]]:
    """Cut rows sorted by rising length; a batch ends at the budget, or where its padding would pass `limit`."""
    batches = []
    first = 0
    while first < len(rows):
        last, used = first + 1, lengths[rows[first]]
        while last < len(rows) and _fits((last + 1 - first) * lengths[rows[last]], used + lengths[rows[last]], budget, limit):
            used += lengths[rows[last]]
            last += 1
        if last < len(rows) and last - first > multiple:
            last -= (last - first) % multiple
        batches.append(list(rows[first:last]))
        first = last
    return batches


def _fits(area: int, used: int, budget: int, limit: float) -> bool:
    return area <= budget and area - used <= limit * area
