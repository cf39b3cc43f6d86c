"""Tensors into modules: every name and every shape is verified before anything is copied."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from adapter_stilts.errors import ArtefactError, UsageError

ELSEWHERE = "it was made for another trunk or with other settings"
LAYER = re.compile(r"(?:^|\.)(?:encoder\.layer|layers)\.(\d+)\.")


P = TypeVar("P")


class Named(Protocol):
    """Anything with parameters under canonical names."""

    def named_tensors(self) -> dict[str, nn.Parameter]: ...


@torch.no_grad()
def copy_into(what: str, parts: Named, tensors: Mapping[str, Tensor], depth: int = 0, layers: int = 0) -> None:
    """Copy tensors by name; otherwise as `check_fit`."""
    check_fit(what, parts, tensors, depth, layers)
    for name, parameter in parts.named_tensors().items():
        parameter.copy_(tensors[name])


def unfilled(what: str, make: Callable[[], P]) -> P:
    """What `make` builds with no memory behind it; ArtefactError where it cannot be built as a bundle says.

    What a bundle says of sizes is compared with the tensors that it holds before any memory is taken.
    """
    try:
        with torch.device("meta"):
            return make()
    except (UsageError, RuntimeError, TypeError) as error:
        if isinstance(error, UsageError) and error.where != "adapter.settings":
            raise  # what was asked for, not what was stored
        reason = error.what if isinstance(error, UsageError) else str(error).split("\n")[0]
        raise ArtefactError(f"{what} cannot be built as its description says: {reason}", do=ELSEWHERE) from error


def check_fit(what: str, parts: Named, tensors: Mapping[str, Tensor], depth: int = 0, layers: int = 0) -> None:
    """Refuse tensors that are not those of the modules; ArtefactError names the first that is missing, unknown or of
    another shape.

    depth   the layers `parts` was built for; tensors of the layers above, up to the trunk's `layers`, are passed over:
            they never run
    """
    wanted = parts.named_tensors()
    stored = {name: tensor for name, tensor in tensors.items() if not depth <= layer_of(name) < layers}
    if missing := sorted(set(wanted) - set(stored)):
        raise ArtefactError(f"{what} lacks {first(missing)}", do=f"{ELSEWHERE}; fetch it again or train it here")
    if extra := sorted(set(stored) - set(wanted)):
        raise ArtefactError(f"{what} holds {first(extra)}, which has no place here", do=ELSEWHERE)
    for name, parameter in wanted.items():
        if stored[name].shape != parameter.shape:
            shapes = f"of shape {list(stored[name].shape)}, and {list(parameter.shape)} fits here"
            raise ArtefactError(f"{what} holds '{name}' {shapes}", do=ELSEWHERE)
        if not stored[name].is_floating_point():
            kind = f"{stored[name].dtype}, not as floating-point numbers"
            raise ArtefactError(f"{what} holds '{name}' as {kind}", do="fetch it again")


def copies(parts: Named) -> dict[str, Tensor]:
    """Every tensor by name: copies of their own, float32, on the CPU."""
    tensors = parts.named_tensors().items()
    return {name: tensor.detach().to("cpu", torch.float32, copy=True).contiguous() for name, tensor in tensors}


def not_numbers(tensors: Mapping[str, Tensor]) -> str:
    """The first tensor that holds NaN or infinity, "" where none does."""
    return next((name for name, tensor in sorted(tensors.items()) if not bool(tensor.isfinite().all())), "")


def layer_of(name: str) -> int:
    """The layer a tensor belongs to, counted from 0; -1 for one that belongs to no layer."""
    layer = LAYER.search(name)
    return int(layer[1]) if layer else -1


def first(names: list[str]) -> str:
    """The first of the names, and how many more there are."""
    return f"'{names[0]}'" + (f" and {len(names) - 1} more tensors" if len(names) > 1 else "")
