"""Adapters and a method to one adapter.

    merged = merge([nli, qa], "ties", weights=[1, 0.5], density=0.2)
    merged.tensors, merged.settings, merged.error

Changes are added in the order of the adapters' contents, so that the order they are named in decides nothing. What is
written is read again and compared with the exact change; `error` is how far it is away, relative to the exact change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from adapter_stilts.encoder.transfer import layer_of
from adapter_stilts.encoder.trunk.base import TrunkModel
from adapter_stilts.errors import StiltsError, UsageError, refuse
from adapter_stilts.merging.as_lora import WRITTEN_AS_LORA, as_lora
from adapter_stilts.merging.deltas import Piece, Rule, rules
from adapter_stilts.merging.methods import Method, Place, elected, methods, pruned
from adapter_stilts.merging.places import Adapter, by_place, check_finite, digest, pieces_of
from adapter_stilts.seeding import Seeds

ROUNDING = 1e-5  # of a change that is written exactly, in float32
WITHOUT_A_SUM = {
    "prefix_tuning": "a prefix is attended to, so two of them have no sum",
    "mam": "its prefix is attended to, so two of them have no sum",
    "seq_bn_inv": "the sum of two invertible blocks cannot be inverted",
    "compacter": "its matrices are Kronecker products by a rule of its own, and the sum of two is none",
}


@dataclass(frozen=True)
class Merged:
    """The merged adapter.

    kind     that of the adapters, or lora for kinds whose change is a matrix that they cannot hold themselves
    weights  as they were used, in the order of the adapters
    rank     0 of kinds that have none
    exact    whether it is the method's result; otherwise the nearest of its rank
    error    |written - exact| / |exact| over all places
    """

    kind: str
    settings: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    weights: tuple[float, ...]
    density: float
    rank: int
    exact: bool
    error: float


@dataclass(frozen=True)
class _Asked:
    method: Method
    weights: tuple[float, ...]
    density: float
    scale: float
    splits: tuple[int, ...]
    seed: int

    @property
    def weighs(self) -> bool:
        """Whether every place is a sum with one weight for each adapter."""
        alone = len(self.weights) == 1 or not self.method.elect
        return not self.method.prune or (self.density == 1 and alone)

    def at(self, place: Place) -> list[float]:
        """What each adapter counts at a place."""
        weights = self.method.weigh(self.weights, place)
        if self.method.elect:  # a single adapter has all signs; its weight says how much it counts against others
            weights = [math.copysign(1.0, weight) for weight in weights]
        return [weight * self.scale for weight in weights]


@dataclass(frozen=True)
class _Change:
    """The merged change at a place: what is written, and what it should be entry by entry.

    whole  whether they are the same but for rounding
    """

    piece: Piece
    dense: Piece
    whole: bool


def merge(
    adapters: Sequence[Adapter],
    method: str = "average",
    *,
    weights: Sequence[float] = (),
    density: float | None = None,
    scale: float = 1.0,
    rank: int | None = None,
    splits: Sequence[int] = (),
    seed: int = 0,
    start: Mapping[str, Tensor] | None = None,
    trunk: Callable[[], TrunkModel] | None = None,
) -> Merged:
    """One adapter from several of a kind, or of kinds that are written as lora.

    weights  one for each adapter; () is the method's own
    density  of methods that prune; None: the method's own
    scale    multiplies the merged change
    rank     re-compress to it by singular values; low-rank kinds only
    splits   method `layers`: where the next adapter begins
    seed     of methods that drop at random
    start    what all adapters were before training, where it is known: changes are then relative to it
    trunk    loads the trunk that they sit in, as `as_lora` needs it; asked for kinds that are written as lora alone

    Raises UsageError for what has no meaning, ArtefactError for tensors that are not numbers.
    """
    asked = _asked(adapters, method, weights, density, scale, splits, seed)
    for adapter in adapters:
        check_finite(adapter)
    if (alone := _only(adapters, asked)) is not None and rank is None:
        return Merged(alone.kind, alone.settings, alone.tensors, asked.weights, asked.density, 0, True, 0.0)
    adapters = _with_sums(adapters, trunk)
    rule = _rule(adapters, start)
    compresses = rank is not None or asked.method.compresses
    refuse(compresses and not rule.low_rank, f"kind {adapters[0].kind} has no rank", "use --method linear, no --rank")
    ordered, sorted_asked = _in_order(adapters, asked)
    pieces = pieces_of(rule, ordered, start)
    largest = max(rule.rank(piece) for of_place in pieces.values() for piece in of_place)
    wanted = rank or (largest if asked.method.compresses else None)
    changes = {
        place: _change(rule, _merged(rule, ordered, of_place, place, sorted_asked), of_place, wanted)
        for place, of_place in pieces.items()
    }
    settings = rule.settings([adapter.settings for adapter in ordered], [change.piece for change in changes.values()])
    tensors, error = _written(rule, changes, settings, start)
    whole = all(change.whole for change in changes.values())
    if whole and not error <= ROUNDING:
        what = f"the merged adapter is {error:.1e} away from the exact sum, which is more than rounding"
        raise StiltsError(what, do="report this, with the settings of the runs")
    kind = adapters[0].kind
    return Merged(kind, settings, tensors, asked.weights, asked.density, settings.get("r", 0), whole, error)


def _asked(
    adapters: Sequence[Adapter],
    name: str,
    weights: Sequence[float],
    density: float | None,
    scale: float,
    splits: Sequence[int],
    seed: int,
) -> _Asked:
    """What is asked for with the method's own numbers where none are, if it goes together."""
    count, method = len(adapters), methods[name]
    refuse(count < method.fewest, f"{name} needs {method.fewest} adapters, got {count}", "name more runs")
    refuse(bool(method.most) and count > method.most, f"{name} merges {method.most}, got {count}", "name fewer")
    refuse(bool(weights) and method.fixed, f"{name} finds its own weights", "leave --weights out")
    what = f"{len(weights)} weights for {count} adapters"
    refuse(bool(weights) and len(weights) != count, what, "give one weight for each run, in their order")
    numbers = tuple(float(weight) for weight in weights) or (1.0 if method.ones else 1 / count,) * count
    refuse(not all(map(math.isfinite, (*numbers, scale))), "a weight that is no number", "give numbers")
    refuse(not any(numbers) or scale == 0, "every weight is 0, so nothing is left of the runs", "raise one")
    refuse(density is not None and not method.prune, f"{name} drops no entries", "leave --density out")
    kept = method.density if density is None else float(density)
    refuse(not 0 < kept <= 1, f"a density of {kept:g}", "give the share of entries that is kept, above 0 up to 1")
    refuse(bool(splits) and not method.ordered, f"{name} does not share out layers", "leave --split out")
    refuse(list(splits) != sorted(set(splits)), "layers at which adapters change do not rise", "sort them")
    return _Asked(method, numbers, kept, scale, tuple(splits), seed)


def _only(adapters: Sequence[Adapter], asked: _Asked) -> Adapter | None:
    """The adapter that the merged one is, bit for bit: a single one, however often it is named, with a weight of 1."""
    if not asked.weighs or len({digest(adapter) for adapter in adapters}) > 1:
        return None
    alike = torch.ones(len(adapters), len(adapters), dtype=torch.float64)
    weights = asked.at(Place(-1, asked.splits, lambda: alike))
    return adapters[0] if math.fsum(weights) == 1 else None


def _with_sums(adapters: Sequence[Adapter], trunk: Callable[[], TrunkModel] | None) -> Sequence[Adapter]:
    """The same adapters; lora in the place of kinds whose own tensors have no sum."""
    written = [adapter.kind for adapter in adapters if adapter.kind in WRITTEN_AS_LORA]
    if not written:
        return adapters
    refuse(trunk is None, f"what {written[0]} changes is read with the trunk it sits in", "give the trunk")
    assert trunk is not None
    held = trunk()
    return [as_lora(adapter, held) if adapter.kind in WRITTEN_AS_LORA else adapter for adapter in adapters]


def _rule(adapters: Sequence[Adapter], start: Mapping[str, Tensor] | None) -> Rule:
    """The rule of the adapters' kind; UsageError with the reason where there is none."""
    kinds = list(dict.fromkeys(adapter.kind for adapter in adapters))
    what = f"adapters of different kinds have no sum: {', '.join(kinds)}"
    refuse(len(kinds) > 1, what, "merge runs of one kind, or use them together: --how stack or fuse")
    if kinds[0] not in rules:
        why = WITHOUT_A_SUM.get(kinds[0], "no rule says what its tensors mean as a change")
        what = f"adapters of kind {kinds[0]} cannot be merged: {why}"
        raise UsageError(what, do=f"kinds that can: {', '.join((*rules, *WRITTEN_AS_LORA))}")
    refuse(kinds[0] == "full" and start is None, "whole trunks are merged by what they learned", "give the trunk")
    return rules[kinds[0]]


def _in_order(adapters: Sequence[Adapter], asked: _Asked) -> tuple[list[Adapter], _Asked]:
    """Adapters and weights in the order of the adapters' contents, unless their order means something."""
    if asked.method.ordered:
        return list(adapters), asked
    pairs = sorted(zip(map(digest, adapters), asked.weights, adapters, strict=True), key=lambda pair: pair[:2])
    return [adapter for _, _, adapter in pairs], replace(asked, weights=tuple(weight for _, weight, _ in pairs))


def _merged(
    rule: Rule, adapters: Sequence[Adapter], pieces: Sequence[Piece], place: str, asked: _Asked
) -> tuple[Piece | None, Piece]:
    """The merged change at a place, as a piece where it is a sum, and written out."""
    method = asked.method
    if asked.weighs:
        weights = asked.at(Place(layer_of(f"{place}."), asked.splits, partial(_angles, rule, pieces)))
        kept = [(piece, weight) for piece, weight in zip(pieces, weights, strict=True) if weight]
        if not kept:
            return (nothing := rule.empty(pieces[0])), rule.dense(nothing)
        add = rule.joined if method.joins else rule.weighed
        total = add(*map(list, zip(*kept, strict=True)))
        return total, rule.dense(total)
    rule.check_sizes(pieces)
    columns = zip(*(rule.dense(piece) for piece in pieces), strict=True)
    return None, tuple(
        asked.scale * _chosen(torch.stack(tensors), adapters, f"{place}/{number}", asked)
        for number, tensors in enumerate(columns)
    )


def _change(rule: Rule, merged: tuple[Piece | None, Piece], pieces: Sequence[Piece], wanted: int | None) -> _Change:
    """The merged change as a piece of the rank that is wanted, or of what the adapters have together."""
    piece, dense = merged
    if piece is not None and (wanted is None or rule.rank(piece) <= wanted):
        return _Change(piece, dense, whole=True)
    rank = wanted or max(1, sum(map(rule.rank, pieces)))
    return _Change(rule.factored(dense, rank), dense, whole=not rule.low_rank)


def _written(
    rule: Rule, changes: Mapping[str, _Change], settings: Mapping[str, Any], start: Mapping[str, Tensor] | None
) -> tuple[dict[str, Tensor], float]:
    """The tensors in float32, and how far what they do is from the exact change."""
    begun = by_place(start, rule) if start is not None else {}
    tensors: dict[str, Tensor] = {}
    apart = total = 0.0
    for place, change in changes.items():
        piece, exact = rule.fitted(change.piece, settings), change.dense
        if place in begun:
            before = rule.read(begun[place], settings)
            piece, exact = (tuple(map(torch.add, now, before)) for now in (piece, exact))
        written = {leaf: tensor.float().contiguous() for leaf, tensor in rule.write(piece, settings).items()}
        for leaf, tensor in written.items():
            tensors[name := f"{place}.{leaf}" if leaf else place] = tensor
            if not bool(torch.isfinite(tensor).all()):
                raise StiltsError(f"'{name}' would hold values that are not finite numbers", do="lower the weights")
        for read, wanted in zip(rule.dense(rule.read(written, settings)), exact, strict=True):
            found = read[tuple(map(slice, wanted.shape))]  # beyond lie zeros
            apart += float((found - wanted).square().sum(dtype=torch.float64))
            total += float(wanted.square().sum(dtype=torch.float64))
    return tensors, math.sqrt(apart / total) if total else math.sqrt(apart)


def _chosen(changes: Tensor, adapters: Sequence[Adapter], place: str, asked: _Asked) -> Tensor:
    """changes [A, ...] to one, entry by entry; what is dropped at random depends on the adapter, not on its number."""
    method, seeds = asked.method, Seeds(asked.seed)
    kept = [
        pruned(change, asked.density, method.prune, partial(seeds.torch, f"{digest(adapter)}/{place}"))
        for change, adapter in zip(changes, adapters, strict=True)
    ]
    weights = torch.tensor(asked.weights, dtype=changes.dtype)
    if method.elect:
        return elected(torch.stack(kept), weights)
    return torch.einsum("a...,a->...", torch.stack(kept), weights)


def _angles(rule: Rule, pieces: Sequence[Piece]) -> Tensor:
    """Inner products [A, A] of the changes at a place."""
    flat = [[tensor.flatten() for tensor in rule.dense(piece)] for piece in pieces]
    products = [
        [sum(float((a * b).sum(dtype=torch.float64)) for a, b in zip(one, other, strict=True)) for other in flat]
        for one in flat
    ]
    return torch.tensor(products, dtype=torch.float64)
