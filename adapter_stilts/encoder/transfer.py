"""Tensors into modules: every name and every shape is verified before anything is copied."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from adapter_stilts.errors import ArtefactError

ELSEWHERE = "it was made for another trunk or with other settings"
LAYER = re.compile(r"(?:^|\.)encoder\.layer\.(\d+)\.")


class Named(Protocol):
    """Anything with parameters under canonical names."""

    def named_tensors(self) -> dict[str, nn.Parameter]: ...


def copy_into(what: str, parts: Named, tensors: Mapping[str, Tensor], depth: int, layers: int) -> None:
    """Copy tensors by name; ArtefactError names the first that is missing, unknown or of another shape.

    depth   the layers `parts` was built for; tensors of the layers above, up to the trunk's `layers`, are passed over:
            they never run
    """
    wanted = parts.named_tensors()
    given = {name: tensor for name, tensor in tensors.items() if not _above(name, depth, layers)}
    check_tensors(what, wanted, given)
    copy_tensors(wanted, given)


def check_tensors(what: str, wanted: Mapping[str, nn.Parameter], given: Mapping[str, Tensor]) -> None:
    """The same names and shapes on both sides, or ArtefactError."""
    _check_names(what, set(wanted), set(given))
    for name, parameter in wanted.items():
        _check_tensor(what, name, given[name], parameter)


def copy_tensors(wanted: Mapping[str, nn.Parameter], given: Mapping[str, Tensor]) -> None:
    """Copy checked tensors in place."""
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(given[name])


def copied(parameter: Tensor) -> Tensor:
    """A copy of its own, float32, on the CPU."""
    return parameter.detach().to("cpu", torch.float32, copy=True).contiguous()


def layer_of(name: str) -> int | None:
    """The layer a tensor belongs to, counted from 0; None for one that belongs to no layer."""
    found = LAYER.search(name)
    return int(found[1]) if found else None


def _above(name: str, depth: int, layers: int) -> bool:
    layer = layer_of(name)
    return layer is not None and depth <= layer < layers


def _check_names(what: str, wanted: set[str], given: set[str]) -> None:
    if missing := sorted(wanted - given):
        raise ArtefactError(f"{what} lacks {_some(missing)}", do=f"{ELSEWHERE}; fetch it again or train it here")
    if extra := sorted(given - wanted):
        raise ArtefactError(f"{what} holds {_some(extra)}, which has no place here", do=ELSEWHERE)


def _check_tensor(what: str, name: str, tensor: Tensor, parameter: nn.Parameter) -> None:
    if tensor.shape != parameter.shape:
        what = f"{what} holds '{name}' of shape {list(tensor.shape)}, and {list(parameter.shape)} fits here"
        raise ArtefactError(what, do=ELSEWHERE)
    if not tensor.is_floating_point():
        what = f"{what} holds '{name}' as {tensor.dtype}, not as floating-point numbers"
        raise ArtefactError(what, do="fetch it again")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 1} more tensors" if len(names) > 1 else ""
    return f"'{names[0]}'{more}"
