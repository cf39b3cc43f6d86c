"""What an adapter's tensors mean as a change of the trunk, kind by kind: the space in which merging is arithmetic.

    lora       at a projection, the matrix (alpha / r) B A, of rslora (alpha / sqrt(r)) B A; A and B apart mean nothing
    ia3        at a projection, s - 1; of ia3_ff for what goes into it, too
    seq_bn     at a site, the parameters of the bottleneck, with what scales them and the norm before it folded in
    full       a tensor of the trunk, less the same tensor as it was pretrained

A rule reads one place's tensors into a `Piece` and writes a Piece back. Pieces add up (`weighed`), exactly: a sum of
low-rank matrices has the sum of their ranks. `dense` is the change written out, for methods that look at its single
entries; `factored` brings it back. A new kind is one entry of `rules`.

Hu et al. (2022), https://arxiv.org/abs/2106.09685
Liu et al. (2022), https://arxiv.org/abs/2205.05638
Ilharco et al. (2023), https://arxiv.org/abs/2212.04089, of parameters less their common start
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from adapter_stilts.errors import UsageError
from adapter_stilts.registry import Registry

Piece: TypeAlias = tuple[Tensor, ...]
Settings: TypeAlias = Mapping[str, Any]
OF_TRAINING = ("dropout", "init_weights")  # settings that decide nothing of what an adapter does once it is trained
PLACES = ("selfattn_lora", "intermediate_lora", "output_lora")


class Rule:
    """How the tensors of a kind are read at one place, added up, and written.

    low_rank   whether a sum may be re-compressed to a rank
    grouped    whether tensors belong to modules; otherwise each is a place of its own
    dtype      of the arithmetic
    """

    low_rank = False
    grouped = True
    dtype = torch.float64

    def read(self, tensors: Mapping[str, Tensor], settings: Settings) -> Piece:
        """The tensors of one place, by what follows the place in their names, as a piece."""
        raise NotImplementedError

    def write(self, piece: Piece, settings: Settings) -> dict[str, Tensor]:
        """A piece as the tensors of an adapter with these settings."""
        raise NotImplementedError

    def dense(self, piece: Piece) -> Piece:
        """The change entry by entry."""
        return piece

    def factored(self, dense: Piece, rank: int) -> Piece:
        """The piece nearest to a change written out; of low-rank kinds, of that rank."""
        return dense

    def weighed(self, pieces: Sequence[Piece], weights: Sequence[float]) -> Piece:
        """The weighted sum of the changes."""
        return tuple(_sum(tensors, weights) for tensors in zip(*pieces, strict=True))

    def joined(self, pieces: Sequence[Piece], weights: Sequence[float]) -> Piece:
        """One piece that adds the weighted sum of what these add to a hidden state, exactly."""
        return self.weighed(pieces, weights)

    def empty(self, like: Piece) -> Piece:
        """A piece that changes nothing."""
        return tuple(torch.zeros_like(tensor) for tensor in like)

    def rank(self, piece: Piece) -> int:
        """What has to be written of it along its inner dimension; 0 of kinds that have none."""
        return 0

    def check_sizes(self, pieces: Sequence[Piece]) -> None:
        """Refuse pieces that cannot be compared entry by entry."""

    def fitted(self, piece: Piece, settings: Settings) -> Piece:
        """The same change in as many inner dimensions as the settings say."""
        return piece

    def settings(self, every: Sequence[Settings], pieces: Sequence[Piece]) -> dict[str, Any]:
        """Those of the merged adapter, from those of all and what it has at each place."""
        return shared(every)


def shared(every: Sequence[Settings], *, besides: Sequence[str] = ()) -> dict[str, Any]:
    """The settings of adapters that must agree in all but `besides` and where they sit, which is wherever one of them
    does; UsageError names the first that differs."""
    first = dict(every[0])
    for name in first:
        values = [settings[name] for settings in every]
        if name == "leave_out":
            first[name] = tuple(layer for layer in values[0] if all(layer in value for value in values))
        elif name == "attn_matrices":
            used = [settings[name] for settings in every if settings["selfattn_lora"]] or values
            first[name] = tuple(matrix for matrix in "qkvo" if any(matrix in value for value in used))
        elif name in PLACES:
            first[name] = any(values)
        elif name not in (*besides, *OF_TRAINING) and any(value != values[0] for value in values):
            what = f"the adapters differ in {name}: {', '.join(map(str, dict.fromkeys(values)))}"
            raise UsageError(what, do=f"merge adapters of the same {name}")
    return first


@dataclass(frozen=True)
class LowRank(Rule):
    """(A [R, inputs], B [outputs, R]) with what scales the product in B.

    scale  of settings: what multiplies B A
    """

    scale: Callable[[int, float], float]
    low_rank = True

    def read(self, tensors: Mapping[str, Tensor], settings: Settings) -> Piece:
        down, up = (tensors[name].to(self.dtype) for name in ("lora_A", "lora_B"))
        return down, up * self.scale(settings["r"], settings["alpha"])

    def write(self, piece: Piece, settings: Settings) -> dict[str, Tensor]:
        down, up = piece
        return {"lora_A": down, "lora_B": up / self.scale(settings["r"], settings["alpha"])}

    def fitted(self, piece: Piece, settings: Settings) -> Piece:
        down, up = piece
        return _longer(down, settings["r"]), _longer(up.T, settings["r"]).T

    def dense(self, piece: Piece) -> Piece:
        return (piece[1] @ piece[0],)

    def factored(self, dense: Piece, rank: int) -> Piece:
        left, values, right = torch.linalg.svd(dense[0], full_matrices=False)
        root = values[:rank].sqrt()
        return root.unsqueeze(1) * right[:rank], left[:, :rank] * root

    def weighed(self, pieces: Sequence[Piece], weights: Sequence[float]) -> Piece:
        downs, ups = zip(*pieces, strict=True)
        piece = torch.cat(downs), torch.cat([up * weight for up, weight in zip(ups, weights, strict=True)], dim=1)
        most = min(piece[0].shape[1], len(piece[1]))  # no matrix of this shape has a higher rank
        return piece if self.rank(piece) <= most else self.factored(self.dense(piece), most)

    def empty(self, like: Piece) -> Piece:
        return like[0][:0], like[1][:, :0]

    def rank(self, piece: Piece) -> int:
        return len(piece[0])

    def settings(self, every: Sequence[Settings], pieces: Sequence[Piece]) -> dict[str, Any]:
        """The rank that is needed, and the alpha that scales it as the first adapter's."""
        first, rank = shared(every, besides=("r", "alpha")), max(map(self.rank, pieces))
        alpha = max(1, round(first["alpha"] * rank / first["r"]))
        return {**first, "r": max(1, rank), "alpha": alpha}


class Scales(Rule):
    """s - 1, one for each output [outputs, 1] or each input [1, inputs]."""

    def read(self, tensors: Mapping[str, Tensor], settings: Settings) -> Piece:
        (scales,) = tensors.values()
        return (scales.to(self.dtype) - 1,)

    def write(self, piece: Piece, settings: Settings) -> dict[str, Tensor]:
        return {"lora_A" if len(piece[0]) == 1 else "lora_B": piece[0] + 1}


class Bottlenecks(Rule):
    """(down [R, H], its bias [R], up [H, R], its bias [H]) of a bottleneck without scaling and norm of its own.

    A learned scaling is folded into `up`, weight and bias of the norm before into `down`: what is left is comparable.
    """

    def read(self, tensors: Mapping[str, Tensor], settings: Settings) -> Piece:
        named = {name: tensor.to(self.dtype) for name, tensor in tensors.items()}
        place = "adapter_down.1" if settings.get("ln_before") else "adapter_down.0"
        down, bias, up, up_bias = (
            named[f"{part}.{leaf}"] for part in (place, "adapter_up") for leaf in ("weight", "bias")
        )
        if settings.get("ln_before"):
            bias = bias + down @ named["adapter_norm_before.bias"]
            down = down * named["adapter_norm_before.weight"]
        scaling: Any = named.get("scaling", settings["scaling"])
        return down, bias, up * _column(scaling), up_bias * scaling

    def write(self, piece: Piece, settings: Settings) -> dict[str, Tensor]:
        place = "adapter_down.1" if settings.get("ln_before") else "adapter_down.0"
        scaling = settings["scaling"]
        down, bias, up, up_bias = piece
        tensors = {f"{place}.weight": down, f"{place}.bias": bias}
        tensors |= {"adapter_up.weight": up / scaling, "adapter_up.bias": up_bias / scaling}
        if settings.get("ln_before"):
            ones = torch.ones(down.shape[1], dtype=self.dtype)
            tensors |= {"adapter_norm_before.weight": ones, "adapter_norm_before.bias": torch.zeros_like(ones)}
        return tensors

    def check_sizes(self, pieces: Sequence[Piece]) -> None:
        if len(sizes := sorted({len(piece[0]) for piece in pieces})) > 1:
            what = f"bottlenecks of {' and '.join(map(str, sizes))} dimensions have no sum parameter by parameter"
            raise UsageError(what, do="use --method concatenate, which adds up what they add")

    def weighed(self, pieces: Sequence[Piece], weights: Sequence[float]) -> Piece:
        self.check_sizes(pieces)
        return super().weighed(pieces, weights)

    def fitted(self, piece: Piece, settings: Settings) -> Piece:
        down, bias, up, up_bias = piece
        narrow = int(len(up) // settings["reduction_factor"])
        return _longer(down, narrow), _longer(bias, narrow), _longer(up.T, narrow).T, up_bias

    def joined(self, pieces: Sequence[Piece], weights: Sequence[float]) -> Piece:
        downs, biases, ups, up_biases = zip(*pieces, strict=True)
        wide = torch.cat([up * weight for up, weight in zip(ups, weights, strict=True)], dim=1)
        return torch.cat(downs), torch.cat(biases), wide, _sum(up_biases, weights)

    def rank(self, piece: Piece) -> int:
        return len(piece[0])

    def settings(self, every: Sequence[Settings], pieces: Sequence[Piece]) -> dict[str, Any]:
        """The factor that gives the dimensions needed; a constant scaling where all have the same."""
        first = shared(every, besides=("reduction_factor", "scaling"))
        scalings = {settings["scaling"] for settings in every}
        kept = len(scalings) == 1 and not isinstance(first["scaling"], str) and first["scaling"] != 0
        wide, narrow, factor = len(pieces[0][2]), max(map(self.rank, pieces)), first["reduction_factor"]
        if int(wide // factor) != narrow:
            factor = wide / narrow
            factor = factor if int(wide // factor) == narrow else math.nextafter(factor, 0)
        return {**first, "scaling": first["scaling"] if kept else 1.0, "reduction_factor": factor}


class Parameters(Rule):
    """A tensor of the trunk, which has to be read less what it was before training."""

    grouped = False
    dtype = torch.float32  # of an embedding of 250,002 rows there are several at once

    def read(self, tensors: Mapping[str, Tensor], settings: Settings) -> Piece:
        return (tensors[""].to(self.dtype),)

    def write(self, piece: Piece, settings: Settings) -> dict[str, Tensor]:
        return {"": piece[0]}


rules: Registry[Rule] = Registry("rule for merging the kind")
rules.add("lora", LowRank(lambda r, alpha: alpha / r))
rules.add("rslora", LowRank(lambda r, alpha: alpha / math.sqrt(r)))
for _name in ("ia3", "ia3_ff"):
    rules.add(_name, Scales())
for _name in ("seq_bn", "double_seq_bn", "par_bn"):
    rules.add(_name, Bottlenecks())
rules.add("full", Parameters())


def _sum(tensors: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    total = torch.zeros_like(tensors[0])
    for tensor, weight in zip(tensors, weights, strict=True):
        total += tensor * weight
    return total


def _column(scaling: Any) -> Any:
    """What multiplies the rows of a matrix [H, R]."""
    return scaling.unsqueeze(1) if isinstance(scaling, Tensor) and scaling.numel() > 1 else scaling


def _longer(tensor: Tensor, rows: int) -> Tensor:
    """With rows of zeros at its end, up to so many."""
    return torch.cat([tensor, tensor.new_zeros(rows - len(tensor), *tensor.shape[1:])])
