"""The precision a trunk is held and run in."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import torch
from torch import nn

from adapter_stilts.config.schema import Precision
from adapter_stilts.encoder.trunk.quantised import QUANTISED, check_quantised
from adapter_stilts.environment import NATIVE_HALF, processor_flags
from adapter_stilts.errors import UsageError
from adapter_stilts.registry import unknown_name

PRECISIONS = get_args(Precision)
AMPERE = (8, 0)  # the first CUDA capability with bf16


def resolve_precision(precision: str, device: torch.device) -> str:
    """ "auto" to bf16 where the device has it natively, else fp32; UsageError for what this machine cannot run."""
    if precision not in PRECISIONS:
        raise unknown_name("trunk precision", precision, PRECISIONS, where="trunk.precision")
    if precision == "auto":
        if device.type == "cuda":
            native = torch.cuda.get_device_capability(device) >= AMPERE
        else:
            native = device.type == "cpu" and bool(processor_flags() & NATIVE_HALF)
        return "bf16" if native else "fp32"
    if precision in QUANTISED:
        check_quantised(precision, device)
    return precision


def resolve_device(device: str | torch.device) -> torch.device:
    """A device that is there; UsageError otherwise."""
    try:
        known = torch.device(device)
    except RuntimeError as error:
        raise UsageError(f"there is no device called '{device}'", do="use cpu, cuda or mps") from error
    there: dict[str, Callable[[], bool]] = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if known.type in there and not there[known.type]():
        what = f"this machine has no {known.type} device that torch can use"
        raise UsageError(what, do="use cpu, or check the installation with `adapter-stilts doctor`")
    return known


def storage(precision: str, module: nn.Module) -> torch.dtype:
    """The type a module's weights are held in: layer norms stay float32, the rest follows the precision."""
    return torch.float32 if precision == "fp32" or isinstance(module, nn.LayerNorm) else torch.bfloat16
