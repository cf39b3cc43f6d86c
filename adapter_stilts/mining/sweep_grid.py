"""The settings of a sweep, and what each is worth on some rows.

One reading of the sentences per pooling gives the vectors of every layer; one search per layer and centring gives the candidates that
every margin ranks. What comes back of a setting is the units of its score, so that settings can be compared row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby, product
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.formats.pools import Pools
from adapter_stilts.mining.sweep_data import Part, in_first_half
from adapter_stilts.retrieval.bucc import IdPair, Mined, best_threshold, pairs_of, score_mining, score_oracle, searched
from adapter_stilts.retrieval.measured import Measured, accuracy
from adapter_stilts.retrieval.pooling import Vectors, stays_apart
from adapter_stilts.retrieval.protocols import Protocol
from adapter_stilts.retrieval.tatoeba import partners
from adapter_stilts.runs.sides import SideReading, SideVectors, sentences

PLAIN = "absolute"  # the margin that is none: the cosine alone, as Tatoeba's headline is read
MEMORY = 1 << 30  # bytes of vectors held at once


@dataclass(frozen=True)
class Setting:
    """One way to read and compare sentences."""

    layer: int
    pool: str
    margin: str
    centring: bool

    def over(self, rules: Protocol) -> Protocol:
        """The protocol with this setting's choices; the layer is given apart."""
        return replace(rules, pool=self.pool, margin=self.margin, centring=self.centring)

    def facts(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return f"layer {self.layer}, {self.pool}, {self.margin}{', centred' if self.centring else ''}"


@dataclass(frozen=True)
class Worth:
    """What a setting is worth in one language: its score with units, and, of mining, the threshold that is best on these rows or was given."""

    measures: tuple[Measured, ...]
    threshold: float | None = None

    @property
    def units(self) -> NDArray[np.float64]:
        return self.measures[0].units


def default_setting(rules: Protocol, layers: int) -> Setting:
    """What the protocol does when nothing is asked for."""
    return Setting(rules.layer.at_depth(layers), rules.pool, PLAIN if rules.task == "tatoeba" else rules.margin, rules.centring)


def grid(default: Setting, layers: Sequence[int], pools: Sequence[str], margins: Sequence[str], centring: Sequence[bool]) -> list[Setting]:
    """All combinations and the default, the simplest first: as few departures from the default as can be, then the lower layer."""
    every = {Setting(*one) for one in product(layers, pools, margins, centring)} | {default}
    return sorted(every, key=lambda one: (_departures(one, default), one.layer, one.pool, one.margin, one.centring))


def measured(
    encoder: AdapterEncoder,
    parts: Mapping[str, Part],
    settings: Collection[Setting],
    rules: Protocol,
    reading: SideReading,
    thresholds: Mapping[tuple[Setting, str], float] | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, detail: None,
) -> dict[tuple[Setting, str], Worth]:
    """What every setting is worth in every language; one that leaves nothing of some vector (`<s>` at layer 0, centred) is not in it.

    reading     how sentences are read; layers and pooling are those of the settings
    thresholds  mining: where to cut; None cuts each half of the rows where the other half has its best F1
    """
    found: dict[tuple[Setting, str], Worth] = {}
    jobs, total = 0, len({one.pool for one in settings}) * len(parts)
    by_pool = groupby(sorted(settings, key=lambda one: (one.pool, one.layer, one.centring, one.margin)), key=lambda one: one.pool)
    for pool, wanted in [(pool, list(ones)) for pool, ones in by_pool]:
        layers = tuple(sorted({one.layer for one in wanted}))
        for group in _groups(parts, MEMORY // (4 * encoder.trunk.hidden * len(layers))):
            vectors = SideVectors(encoder, [part.loaded for part in group.values()], replace(reading, layers=layers, pool=pool))
            for language, part in group.items():
                sides = vectors.sides(part.loaded)
                for (layer, centring), ones in groupby(wanted, key=lambda one: (one.layer, one.centring)):
                    some = list(ones)
                    cuts = None if thresholds is None else {one.margin: thresholds[one, language] for one in some if (one, language) in thresholds}
                    if centring and not all(stays_apart(side[layer], side[layer].mean(axis=0, dtype=np.float64)) for side in (sides.source, sides.target)):
                        continue
                    worth = _worth(sides.source[layer], sides.target[layer], part, replace(rules, centring=centring), [one.margin for one in some], cuts)
                    found |= {(one, language): worth[one.margin] for one in some}
                jobs += 1
                progress(jobs, total, f"{pool} {language}")
    return found


def _worth(
    source: Vectors, target: Vectors, part: Part, rules: Protocol, margins: Sequence[str], thresholds: Mapping[str, float] | None
) -> dict[str, Worth]:
    """The worth of some margins from one search."""
    if isinstance(part.loaded.examples[0], Pools):
        pools = part.loaded.examples[0]
        found = searched(source, target, pools, rules)
        cuts = {margin: thresholds[margin] if thresholds is not None else None for margin in margins}
        return {margin: _mined(pairs_of(found, pools, replace(rules, margin=margin)), part, rules, cuts[margin]) for margin in margins}
    guesses = partners(source, target, rules, margins)
    return {margin: _accuracy(margin, guess, part) for margin, guess in guesses.items()}


def _accuracy(margin: str, guess: NDArray[np.int64], part: Part) -> Worth:
    right = (guess == np.arange(len(guess)))[part.counts]
    return Worth((accuracy("accuracy" if margin == PLAIN else "accuracy-margin", right),))


def _mined(mined: Mined, part: Part, rules: Protocol, threshold: float | None) -> Worth:
    """F1, precision and recall over the source sentences that count; without a threshold, with one from the other half of them each."""
    pools = cast(Pools, part.loaded.examples[0])
    ids = tuple(id for id, counts in zip(pools.source_ids, part.counts.tolist(), strict=True) if counts)
    inside = set(ids)
    gold = frozenset(pair for pair in pools.gold if pair[0] in inside)
    kept = [place for place, pair in enumerate(mined.ids) if pair[0] in inside]
    own = Mined(tuple(mined.ids[place] for place in kept), mined.score[kept])
    if threshold is not None:
        measures = (*score_mining(own, gold, threshold), *score_oracle(own, gold, rules.threshold))
        return Worth(tuple(_by_sentence(one, ids) for one in measures), threshold)
    cut = best_threshold(own, gold, rules.threshold).threshold
    return Worth(tuple(_by_sentence(one, ids) for one in _crossed(own, gold, rules)), cut)


def _crossed(mined: Mined, gold: frozenset[IdPair], rules: Protocol) -> tuple[Measured, Measured, Measured]:
    """F1, precision and recall where each half of the source sentences is cut at the threshold that the other half chose.

    A threshold that is fitted to the very pairs it scores flatters every setting, and those with much to fit the most. The whole's own
    threshold is used only where a half has no gold.
    """
    halves = [_half(mined, gold, first) for first in (True, False)]
    if not all(known for _, known in halves):
        return score_oracle(mined, gold, rules.threshold)
    cuts = [best_threshold(*half, rules.threshold).threshold for half in halves]
    kept = [pair for (half, _), cut in zip(halves, reversed(cuts), strict=True) for pair in half.above(cut)]
    return score_mining(Mined(tuple(kept), np.zeros(len(kept))), gold, 0.0)


def _half(mined: Mined, gold: frozenset[IdPair], first: bool) -> tuple[Mined, frozenset[IdPair]]:
    places = [place for place, (source, _) in enumerate(mined.ids) if in_first_half(f"threshold {source}") is first]
    known = frozenset(pair for pair in gold if in_first_half(f"threshold {pair[0]}") is first)
    return Mined(tuple(mined.ids[place] for place in places), mined.score[places]), known


def _by_sentence(measure: Measured, ids: Sequence[IdPair | str]) -> Measured:
    """The same with one row of units for every source sentence that counts, so that settings can be paired."""
    place = {id: number for number, id in enumerate(ids)}
    units = np.zeros((len(ids), measure.units.shape[1]))
    np.add.at(units, [place[key] for key in measure.keys], measure.units)
    return replace(measure, units=units, keys=())


def _groups(parts: Mapping[str, Part], room: int) -> Iterator[dict[str, Part]]:
    """Languages whose sentences fit in memory together, at least one at a time."""
    group: dict[str, Part] = {}
    count = 0
    for language, part in parts.items():
        size = sum(len(side) for side in sentences(part.loaded))
        if group and count + size > room:
            yield group
            group, count = {}, 0
        group[language] = part
        count += size
    yield group


def _departures(one: Setting, default: Setting) -> int:
    return sum((one.pool != default.pool, one.margin != default.margin, one.centring != default.centring))
