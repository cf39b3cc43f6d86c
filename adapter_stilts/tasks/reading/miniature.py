"""The embedded miniature as a source of rows: every task that names one of its data sets."""

from __future__ import annotations

from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.base import Example
from adapter_stilts.miniature.datasets import DATASETS, VERSION, Dataset, examples
from adapter_stilts.registry import unknown_name
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.languages import spelled_in

__all__ = ["VERSION", "miniature_examples", "miniature_of"]


def miniature_of(task: Task) -> Dataset:
    """The data set that stands for the task. Raises TaskDataError where there is none."""
    if not task.source.miniature:
        raise TaskDataError(
            f"the miniature has nothing for '{task.name}'", do="name a folder with its files: --data DIR"
        )
    return DATASETS[task.source.miniature]


def miniature_examples(task: Task, split: str, language: str) -> tuple[list[Example], str]:
    """The rows and the language as the miniature spells it. Raises UnknownName for a language or split it does not
    have."""
    spelled = miniature_language(task, language)
    return examples(task.source.miniature, split, spelled), spelled


def miniature_language(task: Task, language: str) -> str:
    """A language as the miniature spells it; UnknownName for one it does not have."""
    known = miniature_of(task).languages
    spelled = spelled_in(language, known)
    if spelled is None:
        raise unknown_name(f"language of '{task.name}' in the miniature", language, known)
    return spelled
