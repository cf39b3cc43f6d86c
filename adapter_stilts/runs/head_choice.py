"""Which head of a run answers a task: the only one, or of several that of the task itself, that of its training task, or the only one that fits."""

from __future__ import annotations

from collections.abc import Sequence

from adapter_stilts.errors import UsageError
from adapter_stilts.registry import unknown_name
from adapter_stilts.sharing.bundle import Bundle, Part
from adapter_stilts.tasks.base import Task


def head_for(bundle: Bundle | None, task: Task, wanted: str = "") -> Part:
    """The head of a run for a task; `wanted` names one of several.

    Raises UsageError for a bare trunk, a head that does not fit the task, and several that fit it equally well.
    """
    heads = bundle.of("head") if bundle is not None else ()
    if bundle is None or not heads:
        advice = f"train one: `adapter-stilts train {task.train_task or task.name}`, then `adapter-stilts eval RUN --tasks {task.name}`"
        raise UsageError(f"'{task.name}' needs a head, and a trunk alone has none", do=advice)
    if wanted and wanted not in {head.name for head in heads}:
        raise unknown_name("head of this run", wanted, [head.name for head in heads], where="evaluation.head")
    chosen = [head for head in heads if head.name == wanted] or heads
    reasons = {head.name: _misfit(head, task) for head in chosen}
    fitting = [head for head in chosen if not reasons[head.name]]
    if not fitting:
        advice = f"evaluate a run that was trained on {task.train_task or task.name}"
        raise UsageError("; ".join(reasons.values()), where=str(bundle.folder), do=advice)
    return _only(fitting, task, bundle)


def _only(fitting: Sequence[Part], task: Task, bundle: Bundle) -> Part:
    for name in (task.name, task.train_task):
        if own := [head for head in fitting if head.facts["task"] == name]:
            return own[0]
    if len(fitting) > 1:
        names = ", ".join(head.name for head in fitting)
        advice = f"choose one, for example --set evaluation.head={fitting[0].name}"
        raise UsageError(f"{len(fitting)} heads of the run could answer '{task.name}': {names}", where=str(bundle.folder), do=advice)
    return fitting[0]


def _misfit(head: Part, task: Task) -> str:
    """Why a head cannot answer a task; "" where it can."""
    labels = set(head.facts["labels"])
    if head.facts["format"] != task.format.name:
        return f"the run's head answers {head.facts['format']} tasks ({head.facts['task']}), '{task.name}' is a {task.format.name} task"
    if task.labels and not set(task.labels) <= labels:
        return f"the run's head knows the labels {', '.join(sorted(labels))}; '{task.name}' also has {', '.join(sorted(set(task.labels) - labels))}"
    return ""
