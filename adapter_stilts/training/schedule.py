"""The learning rate as a pure function of the position, and AdamW with its two groups.

Nothing here has a state of its own to restore: the rate follows from the step, and the optimiser's moments are saved by
`checkpoint.py` under their parameters' names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from adapter_stilts.errors import ArtefactError
from adapter_stilts.training.plan import TrainingPlan

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def linear(done: float, ahead: float, warmup: float) -> float:
    """Factor on the learning rate: up to 1 over the first `warmup` of training, then down to 0 at its end.

    done    fraction of training behind the step about to run, 0..1
    ahead   the same fraction once the step has run, so that the first step is not wasted at rate 0
    """
    rise = ahead / warmup if warmup > 0 else 1.0
    return max(0.0, min(1.0, rise, (1.0 - done) / (1.0 - warmup)))


def optimiser(trained: Mapping[str, nn.Parameter], spared: Iterable[Tensor], plan: TrainingPlan) -> torch.optim.AdamW:
    """AdamW by the plan; biases, norms (every vector) and the `spared` matrices are not decayed."""
    kept = {id(parameter) for parameter in spared}
    vectors = [parameter for parameter in trained.values() if parameter.ndim < 2 or id(parameter) in kept]
    matrices = [parameter for parameter in trained.values() if parameter.ndim >= 2 and id(parameter) not in kept]
    groups = [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=plan.learning_rate, betas=plan.betas, eps=plan.epsilon
    )


def moments(adamw: torch.optim.AdamW, trained: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """AdamW's state as tensors, by parameter name; empty before the first step."""
    found: dict[str, Tensor] = {}
    for name, parameter in trained.items():
        for moment, value in adamw.state.get(parameter, {}).items():
            found[f"{name}/{moment}"] = value
    return found


def restore_moments(
    adamw: torch.optim.AdamW, trained: Mapping[str, nn.Parameter], saved: Mapping[str, Tensor], where: str
) -> None:
    """Put AdamW's state back; a tensor missing or of another shape is refused."""
    for name, parameter in trained.items():
        state = {moment: saved[f"{name}/{moment}"] for moment in MOMENTS if f"{name}/{moment}" in saved}
        if not state:
            continue
        if len(state) != len(MOMENTS) or any(state[moment].shape != parameter.shape for moment in MOMENTS[:2]):
            what = f"the optimiser state of '{name}' does not fit this model"
            raise ArtefactError(what, where=where, do="train from the start with --overwrite")
        adamw.state[parameter] = {
            moment: value.clone() if moment == "step" else value.to(parameter.device) for moment, value in state.items()
        }
