"""A run under a limit of memory: what its numbers and rows say that it will hold, and the settings that fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.data.feature import Feature, length, token_rows
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.config import TrunkConfig
from adapter_stilts.encoder.trunk.loading import trunk_facts
from adapter_stilts.encoder.trunk.precision import resolve_precision
from adapter_stilts.encoder.trunk.quantised import QUANTISED
from adapter_stilts.errors import DoesNotFit, UsageError
from adapter_stilts.planning.fit import GB, SURE, Choice, fit, limit_of
from adapter_stilts.planning.memory import Work, peak
from adapter_stilts.runs.lineage import Lineage
from adapter_stilts.runs.task_data import TaskData
from adapter_stilts.training.plan import TrainingPlan

FULL = "full"
SHORT = 128  # tokens of a row that a trunk in float32 has to have room for


def work_of(
    config: RunConfig, plan: TrainingPlan, trunk: TrunkConfig, line: Lineage, data: Sequence[TaskData], **where: Any
) -> Work:
    """What a training's passes are. where: device and precision."""
    features = [feature for of_task in data for feature in of_task.features]
    longest = max(map(length, features))
    below = [part for part in line.frozen.values() if part.facts["kind"] != FULL]
    fused = len(below) if config.how == "fuse" else 0
    ids = np.fromiter((token for feature in features for token in _tokens(feature)), np.int32)
    return Work(
        trunk,
        line.kind,
        line.settings,
        tokens=max(longest, plan.token_budget if plan.batch_rows is None else plan.batch_rows * longest),
        length=longest,
        checkpointing=plan.gradient_checkpointing,
        lowest=config.adapter.from_layer,
        below=0 if fused else len(below),
        fused=fused,
        outputs=max(len(of_task.labels or ()) or 2 for of_task in data),
        masked=any(of_task.task.format.masked for of_task in data),
        data=len(ids),
        pieces=len(np.unique(ids)),
        **where,
    )


def under_limit(
    plan: TrainingPlan, work: Work, limit_gb: float | None, *, chosen: bool, compared: bool
) -> tuple[TrainingPlan, str]:
    """The plan with batches that fit, as many rows a step as before, and what is to be said of it.

    chosen    whether the configuration names the size of its batches; it then stays, unless a limit is given
    compared  the rows of a batch are compared with each other, so that smaller ones would learn something else

    Raises DoesNotFit where a limit is given and nothing fits.
    """
    try:
        fixed = compared or (limit_gb is None and chosen)
        choice = fit(work, accumulation=plan.accumulation, limit=limit_of(limit_gb), fixed=fixed)
    except DoesNotFit as error:
        if limit_gb is not None:
            raise
        return plan, f"this may not fit: {error.what}"
    told = choice.told(work)
    if not told:
        return plan, ""
    why = "this machine's memory" if limit_gb is None else f"{limit_gb:g} GB"
    said = f"to fit {why}: {told}; {choice.bytes / GB:.2f} GB are foreseen"
    return plan.model_copy(update=_changes(plan, work, choice)), said


def read_under_limit(encoder: AdapterEncoder, limit_gb: float | None, tokens: int) -> None:
    """Have an encoder read fewer tokens at once where a limit asks for it; DoesNotFit where one row is too much."""
    limit = limit_of(limit_gb)
    if limit is None:
        return
    trunk = encoder.trunk
    kinds = list(encoder.active_kinds().values())
    kind = kinds[0].name if kinds else "lora"
    work = Work(
        trunk.config,
        kind,
        tokens=tokens,
        length=min(SHORT, trunk.config.max_length),
        precision=trunk.precision,
        training=False,
        below=max(0, len(kinds) - 1),
        device=encoder.device.type,
    )
    encoder.tokens_at_once = fit(work, accumulation=1, limit=limit).work.tokens


def precision_under(limit_gb: float, precision: str, config: RunConfig, line: Lineage, device: torch.device) -> str:
    """The trunk's precision: bf16 where it is left open and float32 alone would be too much."""
    if precision in QUANTISED:
        what = f"--limit-gb with a trunk in {precision}, of which nothing is foreseen"
        raise UsageError(what, where="trunk.precision", do="use fp32, bf16 or auto, or leave the limit out")
    if precision != "auto" or resolve_precision(precision, device) != "fp32":
        return precision
    numbers, _ = trunk_facts(config.trunk.name, revision=config.trunk.revision)
    work = Work(numbers, line.kind, line.settings, tokens=SHORT, length=SHORT, precision="fp32", checkpointing=True)
    return "bf16" if SURE * peak(work) > limit_gb * GB else precision


def _changes(plan: TrainingPlan, work: Work, choice: Choice) -> dict[str, object]:
    changes: dict[str, object] = {"gradient_checkpointing": choice.work.checkpointing}
    factor = choice.accumulation // plan.accumulation
    if factor > 1:
        rows = {"batch_rows": max(1, (plan.batch_rows or 0) // factor)}
        changes |= {"accumulation": choice.accumulation, **(rows if plan.batch_rows else {})}
    if factor > 1 and plan.batch_rows is None:
        changes["token_budget"] = choice.work.tokens
    return changes


def _tokens(feature: Feature) -> list[int]:
    return [token for row in token_rows(feature) for token in row] + list(feature.candidate)
