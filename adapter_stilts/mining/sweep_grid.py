"""The settings of a sweep, and what each is worth on some rows.

One reading of the sentences per pooling gives the vectors of every layer; one search per layer and centring gives the
candidates that every margin ranks. What comes back of a setting is the units of its score, so that settings can be
compared row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import groupby, product
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np

from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.formats.pools import Pools
from adapter_stilts.mining.sweep_data import Part, in_first_half
from adapter_stilts.retrieval.compared import Flags, Scores, Vectors
from adapter_stilts.retrieval.gold import Gold, Measured, accuracy, best_f1, held_out
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.retrieval.pooling import stays_apart
from adapter_stilts.retrieval.pools import candidates, gold_of, search_pools
from adapter_stilts.retrieval.protocols import Layer, Protocol
from adapter_stilts.retrieval.reading import Overrides, Reading
from adapter_stilts.retrieval.tatoeba import partners, right_answers
from adapter_stilts.runs.retrieval import SideVectors, in_groups

PLAIN = "absolute"  # the margin that is none: the cosine alone, as Tatoeba's headline is read


@dataclass(frozen=True)
class Setting:
    """One way to read and compare sentences."""

    layer: int
    pool: str
    margin: str
    centring: bool

    def wanted(self, k: int | None) -> Overrides:
        """The same with so many neighbours, in the place of a protocol's settings."""
        return Overrides((self.layer,), self.pool, k, self.margin, centring=self.centring)

    def __str__(self) -> str:
        return f"layer {self.layer}, {self.pool}, {self.margin}{', centred' if self.centring else ''}"


@dataclass(frozen=True)
class Worth:
    """A setting's score in one language, with units, and, of mining, the threshold, given or best here."""

    measures: tuple[Measured, ...]
    threshold: float | None = None

    @property
    def units(self) -> Scores:
        return self.measures[0].units


Measurements: TypeAlias = Mapping[tuple[Setting, str], Worth]  # by setting and language


def default_setting(rules: Protocol, layers: int) -> Setting:
    """What the protocol does when nothing is asked for."""
    margin = PLAIN if rules.task == "tatoeba" else rules.margin
    return Setting(rules.layer.at_depth(layers), rules.pool, margin, rules.centring)


def upper_layers(layers: int) -> tuple[int, ...]:
    """Seven layers from the middle to the last, as few where a trunk has less: translations lie closest there."""
    return tuple(sorted({Layer(place).at_depth(layers) for place in range(12, 25, 2)}))


def grid(
    default: Setting, layers: Sequence[int], pools: Sequence[str], margins: Sequence[str], centring: Sequence[bool]
) -> list[Setting]:
    """All combinations and the default, the simplest first: few departures from the default, then the lower layer."""
    every = {Setting(*values) for values in product(layers, pools, margins, centring)} | {default}
    return sorted(every, key=lambda setting: (departures(setting, default), *asdict(setting).values()))


def departures(setting: Setting, default: Setting) -> int:
    """In how many ways a setting is another than the default."""
    return sum(value != asdict(default)[name] for name, value in asdict(setting).items())


def measured(
    encoder: AdapterEncoder,
    parts: Mapping[str, Part],
    settings: Collection[Setting],
    rules: Protocol,
    reading: Reading,
    folder: Path,
    thresholds: Mapping[tuple[Setting, str], float] | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, detail: None,
) -> Measurements:
    """What every setting is worth in every language; one that leaves nothing of some vector (`<s>` at layer 0, centred)
    is not in it.

    reading     how sentences are read; layers and pooling are those of the settings
    folder      where vectors that were kept may lie
    thresholds  mining: where to cut; None cuts each half of the rows where the other half has its best F1
    """
    worths: dict[tuple[Setting, str], Worth] = {}
    jobs, total = 0, len({setting.pool for setting in settings}) * len(parts)
    ordered = sorted(settings, key=lambda setting: (setting.pool, setting.layer, setting.centring, setting.margin))
    for pool, same in groupby(ordered, key=lambda setting: setting.pool):
        wanted = list(same)
        layers = tuple(sorted({setting.layer for setting in wanted}))
        loaded = ((language, [part.loaded]) for language, part in parts.items())
        for group in in_groups(loaded, encoder.trunk.config.hidden_size, len(layers)):
            how = replace(reading, layers=layers, pool=pool)
            vectors = SideVectors(encoder, [parts[language].loaded for language in group], how, folder, save=False)
            for language in group:
                sides = vectors.sides(parts[language].loaded)
                for (layer, centring), alike in groupby(wanted, key=lambda setting: (setting.layer, setting.centring)):
                    both = (sides.source[layer], sides.target[layer])
                    if centring and not all(stays_apart(side, side.mean(axis=0, dtype=np.float64)) for side in both):
                        continue
                    own = {setting.margin: setting for setting in alike}
                    keys = {margin: (setting, language) for margin, setting in own.items()}
                    cuts = None if thresholds is None else {margin: thresholds.get(key) for margin, key in keys.items()}
                    worth = _worth(*both, parts[language], replace(rules, centring=centring), tuple(own), cuts)
                    worths |= {(own[margin], language): value for margin, value in worth.items()}
                jobs += 1
                progress(jobs, total, f"{pool} {language}")
    return worths


def _worth(
    source: Vectors,
    target: Vectors,
    part: Part,
    rules: Protocol,
    margins: Sequence[str],
    thresholds: Mapping[str, float | None] | None,
) -> dict[str, Worth]:
    """The worth of some margins from one search."""
    if part.loaded.format.pools:
        pools = cast(Pools, part.loaded.examples[0])
        searched, gold = search_pools(source, target, pools, rules), gold_of(pools)
        half = np.array([in_first_half(f"threshold {id}") for id in pools.source_ids], dtype=np.bool_)
        worth = {}
        for margin in margins:
            pairs = candidates(searched, replace(rules, margin=margin)).lines(rules.duplicates)
            cut = thresholds[margin] if thresholds else None
            worth[margin] = _mined(pairs, gold, part.counts, half, rules.threshold, cut)
        return worth
    guesses, (foreign, english) = partners(source, target, rules, margins), part.loaded.sides
    asking = (english, foreign) if rules.direction == "en->xx" else (foreign, english)
    names = {margin: "accuracy" if margin == PLAIN else "accuracy-margin" for margin in margins}
    right = {margin: right_answers(guess, asking, rules)[part.counts] for margin, guess in guesses.items()}
    return {margin: Worth((accuracy(names[margin], flags),)) for margin, flags in right.items()}


def _mined(pairs: Pairs, gold: Gold, counts: Flags, half: Flags, rule: str, threshold: float | None) -> Worth:
    """F1, precision and recall over the source sentences that count, [N].

    Without a threshold each half of them is cut at the one that the other half chose: a threshold that is fitted to the
    very pairs it scores flatters every setting, and those with much to fit the most. The whole's own is used only where
    a half has no gold.
    """
    own, known = pairs.chosen(counts[pairs.source]), gold.part(counts)
    if threshold is not None:
        measures: tuple[Measured, ...] = (*known.measures(own.above(threshold)), *known.oracle(own, rule))
    else:
        threshold = known.best(own, rule).threshold
        kept = held_out(own, known, partial(best_f1, rule=rule), half)
        measures = known.oracle(own, rule) if kept is None else known.measures(kept)
    return Worth(tuple(replace(measure, units=measure.units[counts]) for measure in measures), threshold)
