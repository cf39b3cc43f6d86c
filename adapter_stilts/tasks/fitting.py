"""Whether a file's first row can be a row of a task: told by its columns and its label."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

from adapter_stilts.data.layout import Layout
from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.reading import stream
from adapter_stilts.tasks.base import Task


def layout_of(task: Task, **changes: object) -> Layout:
    """How a task's files are to be read."""
    own = Layout(
        task.format.name,
        task.columns,
        task.labels,
        task.label_names,
        task.ignore_labels,
        labelled=not task.mismatches,
        tag_column=task.tag_column,
        multiword=task.multiword or "split",
        skip_short=task.skip_short,
    )
    return replace(own, **changes)  # type: ignore[arg-type]


def fits(task: Task, path: Path) -> bool:
    """Formats of one sentence a line fit any file."""
    if task.retrieval:
        return True
    try:
        return bool(list(islice(stream(path, layout_of(task)), 1)))
    except TaskDataError:
        return False
