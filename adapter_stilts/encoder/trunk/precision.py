"""The precision a trunk is held and run in."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, get_args

import torch
from torch import Tensor, nn

from adapter_stilts.config.schema import Precision
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
    if precision in ("int8", "nf4") and device.type != "cuda":
        what = f"{precision} trunks run on CUDA devices only, and this one is {device.type}"
        raise UsageError(what, where="trunk.precision", do="use fp32 or bf16 here")
    if precision in ("int8", "nf4") and importlib.util.find_spec("bitsandbytes") is None:
        do = "pip install 'adapter-stilts[bnb]', or use fp32 or bf16"
        raise UsageError(f"{precision} needs the library bitsandbytes", where="trunk.precision", do=do)
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


def quantise(model: nn.Module, precision: str) -> None:
    """Replace every projection by an 8-bit or 4-bit one (bitsandbytes); they are packed when moved to the device."""
    library = importlib.import_module("bitsandbytes.nn")
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, _packed(library, child, precision))


def unpacked(linear: nn.Module) -> Tensor:
    """The weight of a projection as numbers, whether it is packed or not; frozen."""
    weight: Any = linear.weight
    plain: Tensor = weight.detach()
    if plain.is_floating_point():
        return plain
    library, state = importlib.import_module("bitsandbytes.functional"), getattr(linear, "state", None)
    if state is None:
        plain = library.dequantize_4bit(weight.data, weight.quant_state)
    else:
        plain = library.int8_vectorwise_dequant(weight.data, weight.SCB if state.SCB is None else state.SCB)
    return plain


def _packed(library: Any, linear: nn.Linear, precision: str) -> nn.Module:
    packed: nn.Module
    if precision == "int8":
        packed = library.Linear8bitLt(linear.in_features, linear.out_features, has_fp16_weights=False)
        packed.weight = library.Int8Params(linear.weight.data.half(), requires_grad=False, has_fp16_weights=False)
    else:
        how = {"compute_dtype": torch.bfloat16, "quant_type": "nf4"}
        packed = library.Linear4bit(linear.in_features, linear.out_features, **how)
        packed.weight = library.Params4bit(linear.weight.data, requires_grad=False, quant_type="nf4")
    packed.register_parameter("bias", linear.bias)
    return packed
