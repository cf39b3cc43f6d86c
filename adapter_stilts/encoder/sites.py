"""A composition at work: what the active adapters do at one site of one layer.

Every adapter is a change, something added to what flows by. With that, composition is four lines of arithmetic:

    name      hidden + change(hidden)
    stack     one after another, each seeing what those below it left
    average   hidden + the weighted sum of what each part adds to the same hidden
    fuse      hidden + attention over what each part adds to the same hidden

Parallel is split into channels beforehand; each has its own rows of the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from adapter_stilts.encoder.backends.base import AdapterParts, Change, FusionParts, Norm, Prefix
from adapter_stilts.encoder.composition import Average, Composition, Fuse, Name, Stack, fusion_name, names, walk


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
        layers = sorted({layer for layer, _ in per_site})
        return torch.stack([torch.stack([value for (at, _), value in per_site.items() if at == layer]).mean(0) for layer in layers])


@dataclass(frozen=True)
class Active:
    """The channels of the active composition during one forward pass.

    tokens   [B, T], 1 for a token, 0 for padding
    prefix   by adapter and layer, computed once per pass
    """

    channels: tuple[Composition, ...]
    adapters: Mapping[str, AdapterParts]
    fusions: Mapping[str, FusionParts]
    tokens: Tensor
    prefix: Mapping[str, Mapping[int, Prefix]]
    attention: FusionAttention | None = None

    def at(self, layer: int, site: str, hidden: Tensor, source: Tensor, norm: Norm | None = None) -> Tensor:
        """hidden [A*B, T, *] after what the composition adds at a site."""
        place = Place(self, layer, site, norm)
        if len(self.channels) == 1:
            return place.apply(self.channels[0], hidden, source)[0]
        if not any(place.acts(channel) for channel in self.channels):
            return hidden
        rows = zip(self.channels, hidden.chunk(len(self.channels)), source.chunk(len(self.channels)), strict=True)
        return torch.cat([place.apply(channel, here, below)[0] for channel, here, below in rows])

    def with_prefix(self, layer: int, keys: Tensor, values: Tensor, blocked: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Keys and values [A*B, heads, T, d] with the prefixes before them, and the padding [A*B, 1, 1, T] that fits.

        Channels with shorter prefixes are padded, and the padding blocked.
        """
        found = [[self.prefix[name][layer] for name in names(channel) if layer in self.prefix.get(name, {})] for channel in self.channels]
        lengths = [sum(prefix.keys.shape[2] for prefix in channel) for channel in found]
        width, batch = max(lengths), keys.shape[0] // len(self.channels)
        if width == 0:
            return keys, values, blocked
        before = [_joined(channel, batch, width, keys) for channel in found]
        if blocked is not None or min(lengths) < width:
            short = torch.arange(width, device=keys.device) >= torch.tensor(lengths, device=keys.device).repeat_interleave(batch)[:, None]
            rest = keys.new_zeros(keys.shape[0], 1, 1, keys.shape[2], dtype=torch.bool) if blocked is None else blocked
            blocked = torch.cat([short[:, None, None, :], rest], dim=-1)
        return torch.cat([torch.cat([one for one, _ in before]), keys], 2), torch.cat([torch.cat([one for _, one in before]), values], 2), blocked


@dataclass(frozen=True)
class Place:
    """One site of one layer."""

    active: Active
    layer: int
    site: str
    norm: Norm | None

    def acts(self, composition: Composition) -> bool:
        """Whether any adapter in the composition sits here."""
        return any(self._change(name) is not None for name in names(composition))

    def apply(self, composition: Composition, hidden: Tensor, source: Tensor) -> tuple[Tensor, Tensor | None]:
        """The hidden state after the composition, and what it added; None where nothing sits here."""
        match composition:
            case Name(name):
                change = self._change(name)
                added = change.change(hidden, source, self.norm) if change is not None else None
            case Stack(parts):
                return self._stack(parts, hidden, source)
            case Average(parts, weights):
                shares = weights if weights is not None else (1 / len(parts),) * len(parts)
                terms = [share * one for share, part in zip(shares, parts, strict=True) if (one := self.apply(part, hidden, source)[1]) is not None]
                added = torch.stack(terms).sum(0) if terms else None
            case Fuse():
                added = self._fuse(composition, hidden, source)
            case _:
                raise AssertionError("parallel is split into channels before the forward pass")
        return (hidden, None) if added is None else (hidden + added, added)

    def _stack(self, parts: tuple[Composition, ...], hidden: Tensor, source: Tensor) -> tuple[Tensor, Tensor | None]:
        total: Tensor | None = None
        for part in parts:
            hidden, added = self.apply(part, hidden, source)
            if added is not None:
                total = added if total is None else total + added
        return hidden, total

    def _fuse(self, fuse: Fuse, hidden: Tensor, source: Tensor) -> Tensor | None:
        if not self.acts(fuse):
            return None
        added = [self.apply(part, hidden, source)[1] for part in fuse.parts]
        values = torch.stack([one if one is not None else torch.zeros_like(hidden) for one in added], dim=2)  # [B, T, A, H]
        last = next(change for name in reversed([node.name for node in walk(fuse) if isinstance(node, Name)]) if (change := self._change(name)) is not None)
        fusion = fusion_name(fuse)
        mixed, attention = self.active.fusions[fusion].fuse(self.layer, self.site, last.query(hidden, source, self.norm), values)
        if self.active.attention is not None:
            self.active.attention.add(fusion, self.layer, self.site, attention, self.active.tokens)
        return mixed

    def _change(self, name: str) -> Change | None:
        return self.active.adapters[name].site(self.layer, self.site)


def _joined(prefixes: list[Prefix], batch: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """One channel's prefixes side by side, [B, heads, width, d], zeros where they are shorter."""
    empty = like.new_zeros(batch, like.shape[1], 0, like.shape[3])
    keys = torch.cat([empty, *(prefix.keys.to(like.dtype).expand(batch, -1, -1, -1) for prefix in prefixes)], 2)
    values = torch.cat([empty, *(prefix.values.to(like.dtype).expand(batch, -1, -1, -1) for prefix in prefixes)], 2)
    short = width - keys.shape[2]
    return functional.pad(keys, (0, 0, 0, short)), functional.pad(values, (0, 0, 0, short))
