"""Projections held in 8 or 4 bits, packed by bitsandbytes: a frozen trunk in a half or a quarter of bf16's memory.

    int8  a scale for each row. Dettmers et al. (2022), https://arxiv.org/abs/2208.07339
    nf4   16 levels, a scale for every 64 weights, itself in 8 bits. Dettmers et al. (2023), https://arxiv.org/abs/2305.14314

Weights alone are rounded: they are unpacked where they are used, in training and after it, on every device, and
multiplied in bf16. The library's own modules round what goes in as well, on a CPU in evaluation alone, and pack 4-bit
weights anew at their first evaluation there, after which no gradient passes them.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapter_stilts.errors import UsageError

QUANTISED = ("int8", "nf4")
RUNS_ON = ("cuda", "cpu")


class PackedLinear(nn.Module):
    """A frozen projection. error: |packed W - W| / |W|."""

    def __init__(self, linear: nn.Linear, precision: str, device: torch.device) -> None:
        super().__init__()
        self.bias = linear.bias
        given = linear.weight.detach().to(device)
        self.size, self._shape = given.numel(), given.shape
        self._eight = precision == "int8"
        if self._eight:
            codes, scales, _ = bitsandbytes().int8_vectorwise_quant(given.half())
        else:
            flat = given.to(torch.bfloat16).flatten()  # 0.50 reads rows of 32, 96 or 160 with each other's scales
            codes, scales = bitsandbytes().quantize_4bit(flat, compress_statistics=True, quant_type="nf4")
        self._codes, self._scales = codes, scales
        wanted = given.float()
        self.error = float((self.weight.float() - wanted).norm() / wanted.norm())

    @property
    def weight(self) -> Tensor:
        """[outputs, inputs] in bf16, unpacked anew."""
        read = bitsandbytes().int8_vectorwise_dequant if self._eight else bitsandbytes().dequantize_4bit
        plain: Tensor = read(self._codes, self._scales)
        return plain.to(torch.bfloat16).view(self._shape)

    def forward(self, inputs: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(torch.bfloat16)
        product: Tensor = _Product.apply(inputs.to(torch.bfloat16), self, bias)  # type: ignore[no-untyped-call]
        return product


class _Product(torch.autograd.Function):
    """x W' + b, which keeps the packed W for the way back, not the plain one."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, packed: PackedLinear, bias: Tensor | None) -> Tensor:
        ctx.packed = packed
        return functional.linear(inputs, packed.weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient @ ctx.packed.weight, None, None


def check_quantised(precision: str, device: torch.device) -> None:
    """Refuse a device without such projections, and a machine without the library."""
    if device.type not in RUNS_ON:
        what = f"{precision} trunks run on {' and '.join(RUNS_ON)}, and this device is {device.type}"
        raise UsageError(what, where="trunk.precision", do="use fp32 or bf16 here")
    if importlib.util.find_spec("bitsandbytes") is None:
        do = "pip install 'adapter-stilts[bnb]', or use fp32 or bf16"
        raise UsageError(f"{precision} needs the library bitsandbytes", where="trunk.precision", do=do)


@cache
def bitsandbytes() -> Any:
    """Its functions. On a CPU it would fetch code from the hub as it is imported, if the package `kernels` is there."""
    kept, asks = sys.modules.get("kernels"), logging.getLogger("bitsandbytes.backends.cpu.ops")
    sys.modules["kernels"] = None  # type: ignore[assignment]  # for its import to fail
    asks.disabled = True
    try:
        return importlib.import_module("bitsandbytes.functional")
    finally:
        del sys.modules["kernels"]
        asks.disabled = False
        if kept is not None:
            sys.modules["kernels"] = kept
