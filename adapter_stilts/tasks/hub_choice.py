"""Which data set of the hub a task's rows are read from, where several hold them.

The first that has the split and the language counts: XTREME's own collection before others, which add the languages of XTREME-R. In a
folder that stands in for the hub, the first whose copy is there. `task.hub=OWNER/NAME` chooses another (tasks/user.py).
"""

from __future__ import annotations

from pathlib import Path

from adapter_stilts.errors import TaskDataError
from adapter_stilts.tasks.base import Hub, Task
from adapter_stilts.tasks.languages import spelled_in


def hub_of(task: Task, split: str, language: str, folder: Path | None = None) -> Hub:
    """The data set for one split and language. Raises TaskDataError where the hub has none, and says which splits or languages it has."""
    if not task.hubs:
        do = "give its files with --data DIR" + (", or read the embedded one with --data miniature" if task.miniature else "")
        raise TaskDataError(f"'{task.name}' is not on the hub as a data set that can be read", do=do)
    with_split = [hub for hub in task.hubs if split in hub.splits]
    if not with_split:
        there = ", ".join(dict.fromkeys(split for hub in task.hubs for split in hub.splits))
        raise TaskDataError(f"'{task.name}' has no {split} split on the hub; it has: {there}", do=f"give one with --data {split}=FILE")
    fitting = [hub for hub in with_split if serves(hub, task, language)]
    if not fitting:
        there = ", ".join(dict.fromkeys(code for hub in with_split for code in languages_at(hub, task)))
        do = f"the hub has it in: {there}; give the files of others with --data DIR"
        raise TaskDataError(f"'{task.name}' in '{language}' is on none of its data sets of the hub", do=do)
    present = [hub for hub in fitting if folder is not None and (folder / hub.id).is_dir()]
    return (present or fitting)[0]


def languages_at(hub: Hub, task: Task) -> tuple[str, ...]:
    """The languages a data set holds of a task."""
    return hub.languages or task.languages or (task.train_language,)


def serves(hub: Hub, task: Task, language: str) -> bool:
    """Whether the data set has the language; one that names its languages by their codes may have more than those listed."""
    closed = bool(hub.languages) or bool(hub.codes)
    return not closed or spelled_in(language, (*languages_at(hub, task), *hub.codes)) is not None
