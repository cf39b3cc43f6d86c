"""A validation split held out of the training rows, by content, so that it never moves: for tasks that have none, or
are not selected on theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from adapter_stilts.formats.base import Example
from adapter_stilts.tasks.base import Task

Held = TypeVar("Held")


def kept_for(task: Task, split: str, examples: Sequence[Example]) -> list[Example]:
    """The rows of "validation" (one group in `task.held_out`) or of "train" (all others).

    A group is what would leak across the cut: all questions of a context, all hypotheses of a premise, equal sentences;
    what several queries look for, or the paragraph it stands in.
    """
    held = [_share(task.format.group(example)) % task.held_out == 0 for example in examples]
    return [example for example, is_held in zip(examples, held, strict=True) if is_held == (split == "validation")]


def as_selected(task: Task) -> Task:
    """The task as a run that learns it reads it: where it learns on another task's rows and holds some of them out,
    these alone are its validation rows. MLQA's own would select in the target languages' data, where XTREME and jiant
    select on SQuAD."""
    if not (task.train_task and task.held_out):
        return task
    hubs = tuple(replace(hub, splits=_unvalidated(hub.splits)) for hub in task.source.hubs)
    return task.reading(files=_unvalidated(task.source.files), hubs=hubs)


def _unvalidated(splits: Mapping[str, Held]) -> dict[str, Held]:
    return {split: held for split, held in splits.items() if split != "validation"}


def _share(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
