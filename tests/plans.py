"""Training plans for tests: the configuration's defaults, and what differs."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from adapter_stilts.config.schema import Sampler as SamplerSection
from adapter_stilts.config.schema import Training
from adapter_stilts.training.plan import TrainingPlan
from adapter_stilts.training.sampler import Sampler


def plan(**changes: Any) -> TrainingPlan:
    names = {field.name for field in fields(TrainingPlan)}
    defaults = {name: value for name, value in Training().model_dump().items() if name in names}
    return TrainingPlan(**{**defaults, "fusion_penalty": 1.0, "betas": (0.9, 0.999), "epsilon": 1e-8, **changes})


def sampler(name: str = "proportional", **changes: Any) -> Sampler:
    return Sampler(**{**SamplerSection().model_dump(), "name": name, **changes})
