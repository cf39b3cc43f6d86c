"""Batches of a token budget, or of so many rows; rows of like length together, since padding is computed too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from adapter_stilts.data.feature import IGNORED, Feature, Ids, token_rows
from adapter_stilts.errors import TaskDataError

MASKED, REPLACED = 0.8, 0.1  # of the tokens chosen to be masked; the rest stay as they are
TASK = "task"  # in a batch of a mixture: the number of the task that its rows are of, [B]
PADDING = 0.05  # of all tokens, padding included
BATCHES_PER_WINDOW = 64  # fewer, and neighbours in a sorted window differ too much in length
# the padding one batch may have: the first that keeps the whole below PADDING
LIMITS = (1.0, 0.15, 0.10, 0.08, PADDING)


def token_budget_batches(
    lengths: Sequence[int], budget: int, generator: torch.Generator, window: int = 1024, multiple: int = 1
) -> list[list[int]]:
    """Every row once, in batches of at most `budget` tokens, padding included, in an order set by `generator` alone.

    The rows are shuffled, sorted by length inside windows, cut into batches, and the batches shuffled. A batch may be
    smaller than the budget where the next row is so much longer that it would be mostly padding.
    lengths   tokens of each row, at least 1
    window    rows of a window, at least; it is widened to hold 64 batches
    multiple  batches hold a multiple of this many rows where the budget and the end of a window allow

    A row longer than the budget makes a batch of its own.
    """
    if not lengths:
        return []
    order: list[int] = torch.randperm(len(lengths), generator=generator).tolist()
    window = max(window, BATCHES_PER_WINDOW * budget * len(lengths) // sum(lengths))
    windows = _windows(order, lengths, window)
    for limit in LIMITS:
        batches = [batch for rows in windows for batch in _cut(rows, lengths, budget, multiple, limit)]
        area = sum(len(batch) * lengths[batch[-1]] for batch in batches)
        if area - sum(lengths) < PADDING * area:
            break
    return [batches[place] for place in torch.randperm(len(batches), generator=generator).tolist()]


def row_batches(lengths: Sequence[int], rows: int, generator: torch.Generator) -> list[list[int]]:
    """Every row once, in batches of exactly `rows` rows, what is left in a smaller one at the end, in an order set by
    `generator` alone.

    For protocols that promise so many examples a step. Shuffled, sorted by length inside windows of 64 batches, cut,
    and the batches shuffled.
    lengths   tokens of each row, at least 1
    """
    order: list[int] = torch.randperm(len(lengths), generator=generator).tolist()
    ordered = [row for window in _windows(order, lengths, BATCHES_PER_WINDOW * rows) for row in window]
    batches = [ordered[start : start + rows] for start in range(0, len(ordered), rows)]
    whole = len(lengths) // rows
    return [*(batches[place] for place in torch.randperm(whole, generator=generator).tolist()), *batches[whole:]]


def length_sorted_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Every row once, longest first, in batches of at most `budget` tokens, padding included: for reading, where order
    means nothing.

    The first batch is the largest, so what does not fit in memory fails at once. A row longer than the budget makes a
    batch of its own.
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

    Rows of batches that are too small come together in batches of their own, those of like length. What is left of them
    joins, row by row, the batch that grows least, of those that stay within the budget where there are any; so a batch
    may pass the budget by a few rows. Raises TaskDataError for fewer rows than one batch needs.
    """
    if len(lengths) < smallest:
        what = f"{len(lengths)} training rows, and a batch needs {smallest} to compare with each other"
        raise TaskDataError(what, do="give more rows")
    kept = [list(batch) for batch in batches if len(batch) >= smallest]
    loose = [row for batch in batches if len(batch) < smallest for row in batch]
    loose.sort(key=lambda row: (lengths[row], row))
    whole = len(loose) - len(loose) % smallest
    kept += [loose[start : start + smallest] for start in range(0, whole, smallest)]
    for row in loose[whole:]:
        grown = [_growth(batch, row, lengths, budget) for batch in kept]
        kept[grown.index(min(grown))].append(row)
    return kept


def collate(features: Sequence[Feature], pad_id: int) -> dict[str, Tensor]:
    """One padded batch, int64: input_ids and attention_mask [B, T] ([B, C, T] of choices), rows [B], and labels where
    there are any.

    labels is [B] for classes, [B, T] or [B, 2] for what is said of tokens, -100 where nothing is to be predicted.
    Features with a candidate bring candidate_ids and candidate_mask [B, T'] beside the queries.
    """
    rows = [row for feature in features for row in token_rows(feature)]
    longest = max(map(len, rows))
    shape = (len(features), -1, longest) if isinstance(features[0].input_ids[0], tuple) else (len(features), longest)
    ids, mask = with_mask(rows, pad_id)
    numbers = torch.tensor([feature.row for feature in features])
    batch = {"input_ids": ids.view(shape), "attention_mask": mask.view(shape), "rows": numbers}
    if features[0].candidate:
        candidates = [feature.candidate for feature in features]
        batch["candidate_ids"], batch["candidate_mask"] = with_mask(candidates, pad_id)
    targets = [feature.target for feature in features]
    if isinstance(targets[0], tuple):
        batch["labels"] = _padded(cast(list[Ids], targets), IGNORED)
    elif targets[0] is not None:
        batch["labels"] = torch.tensor(targets)
    return batch


def mask_tokens(
    input_ids: Tensor, special_mask: Tensor, vocabulary: int, mask_id: int, rate: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Choose `rate` of the tokens; of these 80 % become the mask, 10 % a random token and 10 % stay.

    input_ids     [B, T] int64; it is left as it was
    special_mask  [B, T] true where a token may not be chosen: special tokens and padding
    generator     lives on the CPU, so that the masks do not depend on the device

    Returns the changed ids and the labels, both [B, T]; labels are -100 where nothing was chosen. At least one token of
    a batch is chosen where any may be, since a batch without a target has no loss.
    Devlin et al. (2019), https://arxiv.org/abs/1810.04805
    """
    device = input_ids.device
    free = ~special_mask.bool().cpu()
    draw = torch.rand(input_ids.shape, generator=generator)
    chosen = (draw < rate) & free
    if free.any() and not chosen.any():
        chosen.view(-1)[draw.masked_fill(~free, 2.0).argmin()] = True
    fate = torch.rand(input_ids.shape, generator=generator)
    random_ids = torch.randint(vocabulary, input_ids.shape, generator=generator)
    masked, replaced = chosen & (fate < MASKED), chosen & (fate >= MASKED) & (fate < MASKED + REPLACED)
    inputs = input_ids.masked_fill(masked.to(device), mask_id)
    inputs = torch.where(replaced.to(device), random_ids.to(device), inputs)
    return inputs, input_ids.masked_fill(~chosen.to(device), IGNORED)


def _windows(order: Sequence[int], lengths: Sequence[int], size: int) -> list[list[int]]:
    starts = range(0, len(order), size)
    return [sorted(order[start : start + size], key=lambda row: lengths[row]) for start in starts]


def _padded(rows: Sequence[Ids], filler: int) -> Tensor:
    """Rows of different length as one [N, T], filled up at the end."""
    table = np.full((len(rows), max(map(len, rows))), filler, dtype=np.int64)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return torch.from_numpy(table)


def with_mask(rows: Sequence[Ids], pad_id: int) -> tuple[Tensor, Tensor]:
    return _padded(rows, pad_id), _padded([(1,) * len(row) for row in rows], 0)


def _growth(batch: Sequence[int], row: int, lengths: Sequence[int], budget: int) -> tuple[bool, int]:
    """Whether a batch would pass the budget with one row more, and by how many tokens it would grow."""
    longest = max(lengths[member] for member in batch)
    area = (len(batch) + 1) * max(longest, lengths[row])
    return area > budget, area - len(batch) * longest


def _cut(rows: Sequence[int], lengths: Sequence[int], budget: int, multiple: int, limit: float) -> list[list[int]]:
    """Cut rows sorted by rising length; a batch ends at the budget, or where its padding would pass `limit`."""
    batches = []
    first = 0
    while first < len(rows):
        last, used = first + 1, lengths[rows[first]]
        while last < len(rows):
            longest = lengths[rows[last]]
            area = (last + 1 - first) * longest
            if area > budget or area - used - longest > limit * area:
                break
            used += longest
            last += 1
        if last < len(rows) and last - first > multiple:
            last -= (last - first) % multiple
        batches.append(list(rows[first:last]))
        first = last
    return batches
