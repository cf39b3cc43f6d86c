"""A composition at work: what the active adapters do at one site of one layer.

Every adapter is a change, something added to what flows by. With that, composition is four lines of arithmetic:

    name      hidden + change(hidden)
    stack     one after another, each seeing what those below it left
    average   hidden + the weighted sum of what each part adds to the same hidden
    fuse      hidden + attention over what each part adds to the same hidden
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from adapter_stilts.encoder.composition import Average, Composition, Fuse, Name, Stack, fusion_name, names, walk
from adapter_stilts.encoder.modules.base import AdapterParts, Change, Norm, Prefix
from adapter_stilts.encoder.modules.fusion import FusionParts


@dataclass
class FusionAttention:
    """Mean attention of each fusion to its sources, over the tokens that are not padding."""

    sums: dict[str, dict[tuple[int, str], Tensor]] = field(default_factory=dict)
    counts: dict[str, dict[tuple[int, str], float]] = field(default_factory=dict)

    def add(self, fusion: str, layer: int, site: str, attention: Tensor, tokens: Tensor) -> None:
        """attention [B, T, A]; tokens [B, T], 0 where padding."""
        kept = attention.detach().double() * tokens.unsqueeze(-1)
        sums, counts = self.sums.setdefault(fusion, {}), self.counts.setdefault(fusion, {})
        sums[layer, site] = sums.get((layer, site), 0.0) + kept.sum((0, 1)).cpu()
        counts[layer, site] = counts.get((layer, site), 0.0) + float(tokens.sum())

    def mean(self, fusion: str) -> Tensor:
        """[L, A]: each layer's mean attention to each source; layers with two fusions give the mean of both."""
        per_site = {place: total / self.counts[fusion][place] for place, total in self.sums[fusion].items()}
        by_layer: dict[int, list[Tensor]] = {}
        for layer, site in sorted(per_site, key=lambda place: place[0]):
            by_layer.setdefault(layer, []).append(per_site[layer, site])
        return torch.stack([torch.stack(means).mean(0) for means in by_layer.values()])


@dataclass(frozen=True)
class Active:
    """The active composition during one forward pass.

    tokens   [B, T], 1 for a token, 0 for padding
    prefix   by adapter and layer, computed once per pass
    """

    composition: Composition
    adapters: Mapping[str, AdapterParts]
    fusions: Mapping[str, FusionParts]
    tokens: Tensor
    prefix: Mapping[str, Mapping[int, Prefix]]
    attention: FusionAttention | None = None

    def at(self, layer: int, site: str, hidden: Tensor, source: Tensor, norm: Norm | None = None) -> Tensor:
        """hidden [B, T, *] after what the composition adds at a site."""
        return Place(self, layer, site, norm).apply(self.composition, hidden, source)[0]

    def with_prefix(
        self, layer: int, keys: Tensor, values: Tensor, blocked: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Keys and values [B, heads, T, d] with the prefixes before them, and the padding [B, 1, 1, T] that fits."""
        of_layer = [self.prefix[name][layer] for name in names(self.composition) if layer in self.prefix[name]]
        if not of_layer:
            return keys, values, blocked
        rows, tokens = keys.shape[0], keys.shape[2]
        before = [(prefix.keys.to(keys.dtype), prefix.values.to(keys.dtype)) for prefix in of_layer]
        keys = torch.cat([*(own.expand(rows, -1, -1, -1) for own, _ in before), keys], 2)
        values = torch.cat([*(own.expand(rows, -1, -1, -1) for _, own in before), values], 2)
        if blocked is not None:
            blocked = torch.cat([blocked.new_zeros(rows, 1, 1, keys.shape[2] - tokens), blocked], dim=-1)
        return keys, values, blocked


@dataclass(frozen=True)
class Place:
    """One site of one layer."""

    active: Active
    layer: int
    site: str
    norm: Norm | None

    def apply(self, composition: Composition, hidden: Tensor, source: Tensor) -> tuple[Tensor, Tensor | None]:
        """The hidden state after the composition, and what it added; None where nothing sits here."""
        match composition:
            case Name(name):
                change = self._change(name)
                added = change.change(hidden, source, self.norm) if change is not None else None
            case Stack(parts):
                total: Tensor | None = None
                for part in parts:
                    hidden, added = self.apply(part, hidden, source)
                    if added is not None:
                        total = added if total is None else total + added
                return hidden, total
            case Average(parts, weights):
                shares = weights if weights is not None else (1 / len(parts),) * len(parts)
                changes = [self.apply(part, hidden, source)[1] for part in parts]
                terms = [share * change for share, change in zip(shares, changes, strict=True) if change is not None]
                added = torch.stack(terms).sum(0) if terms else None
            case Fuse():
                added = self._fuse(composition, hidden, source)
        return (hidden, None) if added is None else (hidden + added, added)

    def _fuse(self, fuse: Fuse, hidden: Tensor, source: Tensor) -> Tensor | None:
        changes = [self._change(node.name) for node in walk(fuse) if isinstance(node, Name)]
        last = next((change for change in reversed(changes) if change is not None), None)
        if last is None:
            return None
        added = [self.apply(part, hidden, source)[1] for part in fuse.parts]
        values = torch.stack([torch.zeros_like(hidden) if change is None else change for change in added], dim=2)
        fusion = fusion_name(fuse)
        query = last.query(hidden, source, self.norm)  # [B, T, H]; values are [B, T, A, H]
        mixed, attention = self.active.fusions[fusion].fuse(self.layer, self.site, query, values)
        if self.active.attention is not None:
            self.active.attention.add(fusion, self.layer, self.site, attention, self.active.tokens)
        return mixed

    def _change(self, name: str) -> Change | None:
        return self.active.adapters[name].site(self.layer, self.site)
