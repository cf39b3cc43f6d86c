"""An adapter's tensors by the places where they act, and several adapters side by side at each place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from adapter_stilts.encoder.transfer import layer_of, not_numbers
from adapter_stilts.errors import ArtefactError
from adapter_stilts.merging.deltas import Piece, Rule

PLACE = re.compile(r"(.*\.(?:loras|adapters))\.(.+)")


@dataclass(frozen=True)
class Adapter:
    """One adapter as it is stored. name: for messages."""

    name: str
    kind: str
    settings: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


def digest(adapter: Adapter) -> str:
    """A hash of what an adapter is, whatever it is called."""
    total = hashlib.sha256(repr((adapter.kind, sorted(adapter.settings.items()))).encode())
    for name, tensor in sorted(adapter.tensors.items()):
        total.update(f"{name} {tuple(tensor.shape)} ".encode() + tensor.float().contiguous().numpy().tobytes())
    return total.hexdigest()


def check_finite(adapter: Adapter) -> None:
    if name := not_numbers(adapter.tensors):
        what = f"'{name}' of {adapter.name} holds values that are not finite numbers"
        raise ArtefactError(what, where=adapter.name, do="train it again, at a lower rate")


def by_place(tensors: Mapping[str, Tensor], rule: Rule) -> dict[str, dict[str, Tensor]]:
    """An adapter's tensors by the place where they act, then by the rest of their names."""
    places: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        named = PLACE.fullmatch(name) if rule.grouped else None
        place, leaf = (named[1], named[2]) if named else (name, "")
        places.setdefault(place, {})[leaf] = tensor
    return places


def pieces_of(rule: Rule, adapters: Sequence[Adapter], start: Mapping[str, Tensor] | None) -> dict[str, list[Piece]]:
    """place -> each adapter's change there; nothing where an adapter does not sit."""
    grouped = [by_place(adapter.tensors, rule) for adapter in adapters]
    begun = by_place(start, rule) if start is not None else {}
    table: dict[str, list[Piece | None]] = {}
    for place in dict.fromkeys(place for places in grouped for place in places):
        table[place] = [
            _less(rule, rule.read(places[place], adapter.settings), begun.get(place), adapter.settings)
            if place in places
            else None
            for places, adapter in zip(grouped, adapters, strict=True)
        ]
    return _filled(rule, table)


def _filled(rule: Rule, table: Mapping[str, list[Piece | None]]) -> dict[str, list[Piece]]:
    """Every site in every layer that some adapter has, with changes of nothing where one has none."""
    like = {_site(place): piece for place, pieces in table.items() for piece in pieces if piece is not None}
    count = len(next(iter(table.values())))
    places = {_at(site, place): site for place in table for site in like} if rule.grouped else dict.fromkeys(table, "")
    return {
        place: [
            rule.empty(like[site or _site(place)]) if piece is None else piece
            for piece in table.get(place, [None] * count)
        ]
        for place, site in places.items()
    }


def _site(place: str) -> str:
    return place.replace(f".{layer_of(place + '.')}.", ".*.", 1)


def _at(site: str, place: str) -> str:
    return site.replace(".*.", f".{layer_of(place + '.')}.", 1)


def _less(rule: Rule, piece: Piece, start: Mapping[str, Tensor] | None, settings: Mapping[str, Any]) -> Piece:
    if start is None:
        return piece
    return tuple(now - before for now, before in zip(piece, rule.read(start, settings), strict=True))
