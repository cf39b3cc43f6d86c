"""Leaks: what a run has seen that touches a target's test data, or is the target's own training set, as data on the
target.

    leaks_of(tasks["xquad"], [Seen("squad", "train", "en"), Seen("squad", "validation", "en")])

A leak does not make a score wrong, it makes it a score of something else, so it is said wherever the score is: when the
run is trained or evaluated, in its manifest and on its card.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adapter_stilts.tasks.base import Leak, LeakKind, Task
from adapter_stilts.tasks.languages import same_language

MEANING: Mapping[LeakKind, str] = {
    "in-task": "in-task: a gain over direct is more data for the same task, not transfer; leave it out of a headline",
    "same-text": "same text: a gain over direct may come from having seen the sentences before, not from what "
    "the other task teaches",
    "selection": "selection: the best step was chosen on text that the test set is made of",
    "target": "target leak: the score is not zero-shot",
}


@dataclass(frozen=True)
class Seen:
    """Rows that a run, or one it builds on, was trained or selected on; `parts` are the tasks these rows are taken
    from."""

    task: str
    split: str
    language: str
    parts: tuple[str, ...] = ()


def leaks_of(task: Task, seen: Iterable[Seen]) -> tuple[Leak, ...]:
    """The task's leaks that these rows open, each once. A target's own training rows in its own training language are
    none."""
    return tuple(dict.fromkeys(leak for leak in task.leaks for rows in seen if _opens(leak, rows, task)))


def sentence(task: Task, leak: Leak) -> str:
    return f"{task.name} after {leak.source} ({' and '.join(leak.splits)}): {leak.why}; {MEANING[leak.kind]}"


def _opens(leak: Leak, rows: Seen, task: Task) -> bool:
    if leak.source not in (rows.task, *rows.parts) or rows.split not in leak.splits:
        return False
    elsewhere = not same_language(rows.language, task.train_language)
    return elsewhere if leak.languages == "other" else rows.task != task.name
