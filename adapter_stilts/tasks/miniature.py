"""The embedded miniature as a source of rows: every task that names one of its data sets."""

from __future__ import annotations

from adapter_stilts.data.examples import Example
from adapter_stilts.errors import TaskDataError
from adapter_stilts.registry import unknown_name
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.languages import spelled_in


def miniature_examples(task: Task, split: str, language: str) -> tuple[list[Example], str]:
    """The rows and the language as the miniature spells it."""
    from adapter_stilts.miniature.datasets import LANGUAGES, examples

    spelled = spelled_in(language, miniature_languages(task))
    if spelled is None:
        raise unknown_name("language of the miniature", language, LANGUAGES)
    return list(examples(task.miniature, split, spelled)), spelled


def miniature_languages(task: Task) -> tuple[str, ...]:
    from adapter_stilts.miniature.datasets import LANGUAGES

    if not task.miniature:
        raise TaskDataError(f"the miniature has nothing for '{task.name}'", do="name a folder with its files: --data DIR")
    return tuple(LANGUAGES)
