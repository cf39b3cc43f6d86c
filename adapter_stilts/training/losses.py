"""The mean loss between two logged rows, for one task or for each of a mixture.

Of one task it is the mean over all targets since the last row. Losses of different tasks have different units (a row, a
word, a masked token), so in a mixture each step counts its own mean once: by task, and all together.
"""

from __future__ import annotations

from typing import Any

from adapter_stilts.training.checkpoint import State


def count(state: State, task: str, loss: float, targets: float) -> None:
    """Add a step's summed loss over so many targets; `task` is "" where there is only one."""
    if task:
        loss, targets = loss / max(targets, 1.0), 1.0
        before = state.task_losses.get(task, [0.0, 0.0])
        state.task_losses[task] = [before[0] + loss, before[1] + 1.0]
    state.loss_sum, state.loss_count = state.loss_sum + loss, state.loss_count + targets


def read(state: State) -> dict[str, Any]:
    """The fields of a logged row: "loss", and of a mixture "tasks".

    A task has its steps so far, and its loss where it had a step since the last row.
    """
    found: dict[str, Any] = {"loss": state.loss_sum / max(state.loss_count, 1.0)}
    if state.tasks:
        found["tasks"] = {
            task: {"steps": place.step, "loss": _mean(state, task)} for task, place in state.tasks.items()
        }
    return found


def reset(state: State) -> None:
    """Start counting anew, after a row."""
    state.loss_sum = state.loss_count = 0.0
    state.task_losses = {}


def _mean(state: State, task: str) -> float | None:
    total, steps = state.task_losses.get(task, (0.0, 0.0))
    return total / steps if steps else None
