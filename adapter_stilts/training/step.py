"""One optimiser step: batches to a summed loss, its gradient over all processes, one move of AdamW at a given rate.

The penalty of a fusion is part of the last batch's objective, so its gradient belongs to the step it was computed in.
The rate is a function of the position (`linear`), so that there is no state of a schedule to restore.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from adapter_stilts.environment import give_back_memory
from adapter_stilts.errors import ArtefactError, DoesNotFit, StiltsError
from adapter_stilts.training.devices import autocast, processes
from adapter_stilts.training.plan import Batch, Trainable, TrainingPlan

LOWEST_SCALE = 1.0  # fp16: gradients that overflow below this scale are not rescued by a smaller one
NO_MEMORY = ("can't allocate memory", "could not create a memory", "std::bad_alloc", "CUDA out of memory")
MOMENTS = ("exp_avg", "exp_avg_sq", "step")


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

    def __init__(self, model: Trainable, plan: TrainingPlan, tell: Callable[[str], None] = lambda said: None) -> None:
        self.model, self.plan, self.tell = model, plan, tell
        self.largest = sys.maxsize  # tokens of a pass, once memory did not suffice for more
        self.trained = dict(model.trainable())
        if not self.trained:
            do = "name the adapter, fusion or head to train"
            raise StiltsError("nothing to train: no part of the model trains", do=do)
        self.parameters = list(self.trained.values())
        self.device = self.parameters[0].device
        self.processes = processes(self.device)
        self.autocast = autocast(self.device, plan.precision)
        self.adamw = optimiser(self.trained, model.without_decay(), plan)
        self.scaler = torch.amp.GradScaler(self.device.type, init_scale=1024.0, enabled=plan.precision == "fp16")

    def step(self, batches: Sequence[Batch], rate: float, stop: bool, seconds: float) -> Taken:
        """Forward, backward, sum, clip, move. `batches` are global ones; each process takes its rows.

        Raises StiltsError, before anything has moved, where the loss or its gradient is not a finite number.
        """
        loss_sum, count, penalty = self._in_memory(batches)
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
        """AdamW's state as tensors, by parameter name; empty before the first step."""
        states = {name: self.adamw.state.get(parameter, {}) for name, parameter in self.trained.items()}
        return {f"{name}/{moment}": value for name, state in states.items() for moment, value in state.items()}

    def scale(self) -> dict[str, float]:
        """The state of fp16's loss scale; empty in other precisions."""
        state = self.scaler.state_dict()
        return {"scale": state["scale"], "tracker": state["_growth_tracker"]} if state else {}

    def restore(self, moments: Mapping[str, Tensor], scale: Mapping[str, float], where: str) -> None:
        """Put AdamW's state and the loss scale back; a moment missing or of another shape is refused."""
        for name, parameter in self.trained.items():
            state = {moment: moments[f"{name}/{moment}"] for moment in MOMENTS if f"{name}/{moment}" in moments}
            if not state:
                continue
            if len(state) != len(MOMENTS) or any(state[moment].shape != parameter.shape for moment in MOMENTS[:2]):
                what = f"the optimiser state of '{name}' does not fit this model"
                raise ArtefactError(what, where=where, do="train from the start with --overwrite")
            placed = {name: value.to(self.device) for name, value in state.items()}
            self.adamw.state[parameter] = {**placed, "step": state["step"].clone()}
        if scale:
            kept = {"scale": scale["scale"], "_growth_tracker": int(scale["tracker"])}
            self.scaler.load_state_dict({**self.scaler.state_dict(), **kept})

    def _in_memory(self, batches: Sequence[Batch]) -> tuple[Tensor, Tensor, Tensor]:
        """`_backward`; where memory does not suffice, again with every batch of that size in two, now and later.

        The summed loss is the same, so a step is; dropout is drawn for the halves.
        """
        while True:
            fitting = [part for batch in batches for part in self._parts(batch)]
            try:
                return self._backward(fitting)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                largest = max(map(_area, fitting))
                self._refuse_to_split(fitting, largest)
            self.adamw.zero_grad(set_to_none=True)
            give_back_memory()
            self.largest = largest // 2
            self.tell(f"out of memory at {largest:,} tokens at once; going on with {self.largest:,}")

    def _parts(self, batch: Batch) -> list[Batch]:
        rows = len(next(iter(batch.values())))
        if _area(batch) <= self.largest or rows < 2:
            return [batch]
        halves = ({name: tensor[some] for name, tensor in batch.items()} for some in _halves(rows))
        return [part for half in halves for part in self._parts(half)]

    def _refuse_to_split(self, batches: Sequence[Batch], largest: int) -> None:
        rows = [len(next(iter(batch.values()))) for batch in batches if _area(batch) == largest]
        compared = any("candidate_ids" in batch for batch in batches)
        if max(rows) < 2 or compared or self.processes.count > 1:
            self.adamw.zero_grad(set_to_none=True)
            whole = "a batch whose rows are compared" if compared else "one row" if max(rows) < 2 else "a batch"
            what = f"out of memory with {whole} of {largest:,} tokens"
            advice = "use --limit-gb, training.gradient_checkpointing=true or a lower training.max_length"
            raise DoesNotFit(what, do=advice)

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


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of PyTorch says that there was no memory, of the card or of the machine."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)


def _area(batch: Batch) -> int:
    return batch["input_ids"].numel()


def _halves(rows: int) -> tuple[slice, slice]:
    return slice(0, rows // 2), slice(rows // 2, rows)


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
    used = [group for group in groups if group["params"]]
    return torch.optim.AdamW(used, lr=plan.learning_rate, betas=plan.betas, eps=plan.epsilon)
