"""What a run is measured by while it trains and when it is done: validation scores of each task and language.

The step that is kept is the one with the best mean: over languages, then over tasks, every one counting the same
whatever its size. A task without validation rows takes no part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.task_model import JointModel, TaskModel
from adapter_stilts.runs.build import HEAD
from adapter_stilts.runs.material import subset
from adapter_stilts.runs.measure import Reading, measure, validation_score
from adapter_stilts.runs.task_data import TaskData
from adapter_stilts.seeding import Seeds
from adapter_stilts.statistics.result import Result
from adapter_stilts.training.plan import Validation

Model = TaskModel | JointModel


def selector(config: RunConfig, data: Sequence[TaskData]) -> Callable[[Model], Validation] | None:
    """The score of a model as it stands, of several tasks one each; None where no task has validation rows."""
    scores = {one.task.name: _mean_over_languages(config, one) for one in data if one.validation}
    if not scores:
        return None

    def validate(model: Model) -> Validation:
        if isinstance(model, JointModel):
            return {task: score(model.tasks[task]) for task, score in scores.items()}
        return next(iter(scores.values()))(model)

    return validate


def validation_rows(model: Model, config: RunConfig, data: Sequence[TaskData], folder: Path) -> list[Result]:
    """Rows for every task on all of its validation split, language by language."""
    rows: list[Result] = []
    for one in data:
        head = one.task.name if isinstance(model, JointModel) else HEAD
        reader = model.tasks[head] if isinstance(model, JointModel) else model
        for loaded in one.validation:
            rows += measure(reader, one.task, loaded, reading(config, one, head), folder)
    return rows


def reading(config: RunConfig, data: TaskData, head: str = HEAD) -> Reading:
    """How a task's validation rows become predictions."""
    return Reading(
        data.labels,
        data.max_length,
        4 * config.training.token_budget,
        config.evaluation.protocol,
        config.training.seed,
        head,
    )


def _mean_over_languages(config: RunConfig, data: TaskData) -> Callable[[TaskModel], float]:
    wanted = config.training.validation_rows
    rows = None if wanted is None else -(-wanted // len(data.validation))
    seeds = Seeds(config.training.seed)
    scores = [
        validation_score(data.task, subset(loaded.examples, rows, seeds), reading(config, data), loaded.origin.language)
        for loaded in data.validation
    ]
    return lambda model: sum(score(model) for score in scores) / len(scores)
