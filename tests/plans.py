"""Training plans for tests: the configuration's defaults, and what differs; a call that trains by one."""

from __future__ import annotations

from typing import Any

from adapter_stilts.training.loop import Run
from adapter_stilts.training.plan import Outcome, TrainingPlan


def plan(**changes: Any) -> TrainingPlan:
    return TrainingPlan(**{"learning_rate": 1e-4, **changes})


def changed(plan: TrainingPlan, **changes: Any) -> TrainingPlan:
    return TrainingPlan(**{**vars(plan), **changes})


def train(*given: Any, resume: bool = False, **more: Any) -> Outcome:
    return Run(*given, **more).to_the_end(resume)
