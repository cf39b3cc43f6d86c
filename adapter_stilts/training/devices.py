"""Which processes train together, on which device, and how their sums are joined.

Training works on the sum of losses, never on a local mean: each process takes rows r, r+P, r+2P ... of the same global
batch, and sums of losses, counts and gradients are added over processes before anything is divided. Two processes of
budget b therefore follow one process of budget 2b within rounding, and a process whose share is empty still takes part.

Processes are started by torchrun or by `accelerate launch --multi_gpu`, which work on CPUs too; without either there is
one. The launcher behind `accelerate launch --cpu` starts a single process whatever number it is given (unless it finds
MPI), and is refused.
"""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env, reduce
from torch import Tensor, nn

from adapter_stilts.encoder.trunk.precision import resolve_device
from adapter_stilts.environment import check_launch
from adapter_stilts.errors import ConfigError, UsageError
from adapter_stilts.training.plan import Batch

WORLD_SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


@dataclass(frozen=True)
class Processes:
    """This process among its equals."""

    rank: int = 0
    count: int = 1
    device: str = "cpu"  # where sums over processes are made

    @property
    def main(self) -> bool:
        return self.rank == 0

    def share(self, batch: Batch) -> Batch:
        """This process's rows of a global batch; may be empty."""
        return batch if self.count == 1 else {name: tensor[self.rank :: self.count] for name, tensor in batch.items()}

    def total(self, tensor: Tensor) -> Tensor:
        """The sum over processes; the tensor itself where there is one process."""
        return tensor if self.count == 1 else cast("Tensor", reduce(tensor, "sum"))

    def total_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Add every parameter's gradient over processes, as one flat tensor; one that no process has stays None."""
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in parameters]
        present = parameters[0].new_tensor([gradient is not None for gradient in gradients])
        pairs = zip(parameters, gradients, strict=True)
        parts = [(torch.zeros_like(own) if gradient is None else gradient).reshape(-1) for own, gradient in pairs]
        sizes = [*(part.numel() for part in parts), len(parts)]
        *summed, present = torch.split(self.total(torch.cat([*parts, present])), sizes)
        for parameter, total, known in zip(parameters, summed, present.tolist(), strict=True):
            parameter.grad = total.view_as(parameter).clone() if known else None

    def from_main(self, value: float) -> float:
        """The main process's number, in every process."""
        mine = torch.tensor(value if self.main else 0.0, dtype=torch.float64, device=self.device)
        return float(self.total(mine))

    @torch.no_grad()
    def align(self, parameters: Sequence[nn.Parameter]) -> None:
        """Give every process the main process's parameters, bit by bit."""
        for parameter in parameters if self.count > 1 else ():
            parameter.copy_(self.total(parameter if self.main else torch.zeros_like(parameter)))


def processes(device: torch.device) -> Processes:
    """The processes that accelerate or torchrun started, training on `device`; one where neither did."""
    state = _state(cpu=device.type == "cpu")
    if state.num_processes > 1:
        atexit.register(_leave)
    return Processes(state.process_index, state.num_processes, str(device))


def pick_device(name: str = "auto") -> torch.device:
    """This process's device: "auto" is its own GPU where there is one, else the CPU; anything else is taken as said."""
    if name != "auto":
        return resolve_device(name)
    cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.cuda.is_available()
    return torch.device(_state(cpu).device)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The precision of the forward pass; trained parameters stay float32."""
    if precision == "fp16" and device.type != "cuda":
        do = "use bf16 or fp32 on the CPU"
        raise ConfigError("precision fp16 needs a CUDA device", where="training.precision", do=do)
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(device.type, dtype=dtype, enabled=precision != "fp32")


@contextmanager
def own_generators(device: torch.device) -> Iterator[None]:
    """Torch's global generators are the loop's while it runs, and the caller's again afterwards."""
    cuda = [device.index if device.index is not None else torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        yield


def _state(cpu: bool) -> PartialState:
    check_launch(os.environ)
    asked_for_several = parse_flag_from_env("ACCELERATE_USE_CPU") and "MASTER_PORT" in os.environ
    if asked_for_several and not any(name in os.environ for name in WORLD_SIZES):
        what = "`accelerate launch --cpu` was asked for several processes and started one"
        several = "`torchrun --nproc-per-node N`, `accelerate launch --multi_gpu --num_processes N` (CPUs too)"
        raise UsageError(what, do=f"use {several}, or --num_processes 1")
    return PartialState(cpu=cpu)


def _leave() -> None:
    """End the process group before the interpreter does: its threads, left running, abort a process at its end.

    gloo's own thread must have let go of the last sum by then, or it takes the group down from inside and aborts (torch
    2.13: "terminate called without an active exception"). That is a matter of microseconds, and nothing tells of it.
    """
    if torch.distributed.is_initialized():
        time.sleep(0.2)
        torch.distributed.destroy_process_group()
