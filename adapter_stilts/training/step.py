"""One optimiser step: batches to a summed loss, its gradient over all processes, one move of what trains.

The loss and its count are summed over the batches of the step and over the processes, and the gradient is divided once,
at the end. The penalty of a fusion is part of the last batch's objective, so its gradient belongs to the step it was
computed in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from adapter_stilts.errors import StiltsError
from adapter_stilts.training import schedule
from adapter_stilts.training.devices import autocast, processes
from adapter_stilts.training.plan import Batch, Trainable, TrainingPlan

LOWEST_SCALE = 1.0  # fp16: gradients that overflow below this scale are not rescued by a smaller one


@dataclass(frozen=True)
class Taken:
    """What a step did, summed over processes; `stop` and `seconds` are what the processes agreed on."""

    loss_sum: float
    count: float
    penalty: float
    gradient_norm: float
    stop: bool
    seconds: float


class Stepper:
    """The model, its optimiser and the processes that train it together."""

    def __init__(self, model: Trainable, plan: TrainingPlan) -> None:
        self.model, self.plan = model, plan
        self.trained = dict(model.trainable())
        if not self.trained:
            what = "nothing to train: no part of the model trains"
            raise StiltsError(what, do="name the adapter, fusion or head to train")
        self.parameters = list(self.trained.values())
        self.device = self.parameters[0].device
        self.processes = processes(self.device)
        self.autocast = autocast(self.device, plan.precision)
        self.adamw = schedule.optimiser(self.trained, model.without_decay(), plan)
        self.scaler = torch.amp.GradScaler(self.device.type, init_scale=1024.0, enabled=plan.precision == "fp16")

    def step(self, batches: Sequence[Batch], rate: float, stop: bool, seconds: float) -> Taken:
        """Forward, backward, sum, clip, move. `batches` are global ones; each process takes its rows.

        Raises StiltsError, before anything has moved, where the loss or its gradient is not a finite number.
        """
        loss_sum, count, penalty = self._backward(batches)
        self.processes.total_gradients(self.parameters)
        asked = torch.tensor([float(stop), seconds], dtype=torch.float64, device=self.device)
        sums = self.processes.total(torch.cat([torch.stack([loss_sum, penalty]), asked]))
        total_loss, total_penalty, stops, all_seconds = sums.tolist()
        terms = max(float(count), 1.0)
        norm = self._unscaled_norm(terms)
        self._refuse_non_numbers(total_loss + total_penalty, norm)
        self._move(rate)
        return Taken(total_loss, float(count), total_penalty, norm, stops > 0, all_seconds / self.processes.count)

    def moments(self) -> dict[str, Tensor]:
        return schedule.moments(self.adamw, self.trained)

    def scale(self) -> dict[str, float]:
        """The state of fp16's loss scale; empty in other precisions."""
        state = self.scaler.state_dict()
        return {"scale": state["scale"], "tracker": state["_growth_tracker"]} if state else {}

    def restore(self, moments: Mapping[str, Tensor], scale: Mapping[str, float], where: str) -> None:
        schedule.restore_moments(self.adamw, self.trained, moments, where)
        if scale:
            self.scaler.load_state_dict(
                {**self.scaler.state_dict(), "scale": scale["scale"], "_growth_tracker": int(scale["tracker"])}
            )

    def _backward(self, batches: Sequence[Batch]) -> tuple[Tensor, Tensor, Tensor]:
        """Accumulate gradients of the summed loss; this process's loss sum, every process's count, and the penalty."""
        loss_sum, count, penalty = torch.zeros(3, dtype=torch.float64, device=self.device)
        for number, batch in enumerate(batches):
            objective: Tensor | None = None
            share = self.processes.share(batch)
            if len(next(iter(share.values()))):  # an empty share takes part in the sums with nothing
                there = {name: tensor.to(self.device, non_blocking=True) for name, tensor in share.items()}
                with self.autocast:
                    objective, terms, one_penalty = self.model.loss_parts(there)
                loss_sum, count = loss_sum + objective.detach().double(), count + terms
            if number == len(batches) - 1:
                count = self.processes.total(count)
                if objective is not None and self.processes.main and self.plan.fusion_penalty:
                    weighted = self.plan.fusion_penalty * one_penalty
                    objective = objective + weighted * count.clamp(min=1).to(objective.dtype)
                    penalty = penalty + torch.as_tensor(weighted).detach().double()
            if objective is not None:
                torch.autograd.backward(self.scaler.scale(objective))
        return loss_sum, count, penalty

    def _unscaled_norm(self, terms: float) -> float:
        """Divide the gradients by the global count and clip them; the norm before clipping."""
        if self.scaler.is_enabled():
            self.scaler.unscale_(self.adamw)
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        torch._foreach_mul_(gradients, 1.0 / terms)
        return float(nn.utils.clip_grad_norm_(self.parameters, self.plan.clip or math.inf))

    def _refuse_non_numbers(self, loss: float, norm: float) -> None:
        overflow = not math.isfinite(norm)
        rescued = self.scaler.is_enabled() and self.scaler.get_scale() >= LOWEST_SCALE
        if math.isfinite(loss) and (not overflow or rescued):
            return
        self.adamw.zero_grad(set_to_none=True)
        what = "the gradient" if math.isfinite(loss) else "the loss"
        raise StiltsError(f"{what} is not a finite number")

    def _move(self, rate: float) -> None:
        for group in self.adamw.param_groups:
            group["lr"] = rate
        self.scaler.step(self.adamw)
        self.scaler.update()
        self.adamw.zero_grad(set_to_none=True)
