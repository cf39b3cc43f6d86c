"""Non-linearities by the names that configurations use, with the arithmetic of those names in transformers.

The order of operations is theirs too: gradients are summed in it, and their last bits depend on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapter_stilts.registry import nearest

Function = Callable[[Tensor], Tensor]


class Activation(nn.Module):
    """A non-linearity by name; ValueError for a name that is not here. Only `prelu` has a parameter: one slope."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.f: Function = nn.PReLU() if name.lower() == "prelu" else activation(name)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.f(hidden)


def activation(name: str) -> Function:
    """The function of that name, whatever its case; ValueError suggests the nearest one."""
    known = name.lower()
    if known not in ACTIVATIONS:
        near = nearest(known, ACTIVATIONS)
        advice = f"did you mean '{near}'?" if near else f"one of: {', '.join(ACTIVATIONS)}"
        raise ValueError(f"there is no non_linearity '{name}'; {advice}")
    return ACTIVATIONS[known]


def _tanh_gelu(hidden: Tensor) -> Tensor:
    return 0.5 * hidden * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (hidden + 0.044715 * torch.pow(hidden, 3.0))))


def _fast_gelu(hidden: Tensor) -> Tensor:
    return 0.5 * hidden * (1.0 + torch.tanh(hidden * 0.7978845608 * (1.0 + 0.044715 * hidden * hidden)))


def _erf_gelu(hidden: Tensor) -> Tensor:
    return hidden * 0.5 * (1.0 + torch.erf(hidden / math.sqrt(2.0)))


def _clipped_gelu(hidden: Tensor) -> Tensor:
    return torch.clip(functional.gelu(hidden), -10, 10)


def _quick_gelu(hidden: Tensor) -> Tensor:
    return hidden * torch.sigmoid(1.702 * hidden)


def _laplace(hidden: Tensor) -> Tensor:
    scaled = (hidden - 0.707107).div(0.282095 * math.sqrt(2.0))
    return 0.5 * (1.0 + torch.erf(scaled))


def _squared_relu(hidden: Tensor) -> Tensor:
    return torch.square(functional.relu(hidden))


def _linear(hidden: Tensor) -> Tensor:
    return hidden


ACTIVATIONS: Mapping[str, Function] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "gelu_new": _tanh_gelu,
    "gelu_accurate": _tanh_gelu,
    "gelu_python_tanh": _tanh_gelu,
    "gelu_pytorch_tanh": partial(functional.gelu, approximate="tanh"),
    "gelu_fast": _fast_gelu,
    "gelu_python": _erf_gelu,
    "gelu_10": _clipped_gelu,
    "quick_gelu": _quick_gelu,
    "silu": functional.silu,
    "swish": functional.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "mish": functional.mish,
    "leaky_relu": functional.leaky_relu,
    "leakyrelu": functional.leaky_relu,
    "laplace": _laplace,
    "relu2": _squared_relu,
    "relu6": functional.relu6,
    "linear": _linear,
}
