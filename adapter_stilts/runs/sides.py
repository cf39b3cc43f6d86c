"""The two sides of a retrieval task as vectors: those that an earlier reading kept, the others read once per distinct sentence.

All sentences are read under the active composition, or, with MAD-X's language adapters, each side under the stack of its own language.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from adapter_stilts.encoder.composition import Composition
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.formats.aligned import Bitext
from adapter_stilts.formats.pools import Pools
from adapter_stilts.retrieval.cache import VectorKey, keep, kept
from adapter_stilts.retrieval.embed import embed_layers
from adapter_stilts.retrieval.pooling import Vectors
from adapter_stilts.runs.language_stacks import ENGLISH, OWN, Stack
from adapter_stilts.tasks.languages import iso1
from adapter_stilts.tasks.sources import Loaded

SIDES = ("source", "target")


@dataclass(frozen=True)
class SideReading:
    """How sentences become vectors.

    composition  what is active on the trunk, with the hashes of its adapters; "" for the bare trunk
    stacks       language -> what reads its sentences; {}: the active composition reads all
    folder       where the vectors of this task lie
    save         whether they are kept
    """

    layers: tuple[int, ...]
    pool: str
    token_budget: int
    max_length: int
    composition: str
    stacks: Mapping[str, Stack]
    folder: Path
    save: bool


@dataclass(frozen=True)
class Sides:
    """A language's two sides as vectors, by layer."""

    source: dict[int, Vectors]
    target: dict[int, Vectors]


class SideVectors:
    """The vectors of every sentence of a group of languages."""

    def __init__(self, encoder: AdapterEncoder, group: Sequence[Loaded], reading: SideReading) -> None:
        self._trunk, self._reading = encoder.trunk, reading
        self._known = {_name(one): sides for one in group if (sides := self._kept(one)) is not None}
        self._places: dict[Stack | None, dict[str, int]] = {}
        for loaded in group:
            for stack, side in zip(self._read_by(loaded), sentences(loaded), strict=True):
                known = self._places.setdefault(stack, {}) if _name(loaded) not in self._known else {}
                for text in side:
                    known.setdefault(text, len(known))
        self._layers = {stack: self._embedded(encoder, list(known), stack) for stack, known in self._places.items()}

    def sides(self, loaded: Loaded) -> Sides:
        """Both sides, in the order of their rows."""
        if _name(loaded) in self._known:
            return self._known[_name(loaded)]
        found = []
        for stack, side in zip(self._read_by(loaded), sentences(loaded), strict=True):
            places = [self._places[stack][text] for text in side]
            found.append({layer: vectors[places] for layer, vectors in self._layers[stack].items()})
        return Sides(*found)

    def keep(self, loaded: Loaded, layer: int, sides: Sides) -> dict[str, Any]:
        """Write the vectors of a language, unless they lie there already; returns where, where they are kept at all."""
        if not self._reading.save:
            return {}
        paths = {side: self._path(loaded, layer, side) for side in SIDES}
        if _name(loaded) not in self._known:
            each = zip(paths.values(), self._read_by(loaded), sentences(loaded), (sides.source[layer], sides.target[layer]), strict=True)
            for path, stack, texts, vectors in each:
                keep(path, self._key(layer, stack), texts, vectors)
        return {"vectors": {side: path.relative_to(self._reading.folder).as_posix() for side, path in paths.items()}}

    def _kept(self, loaded: Loaded) -> Sides | None:
        """What an earlier reading left, if every layer of both sides is there and made of the same."""
        found: list[dict[int, Vectors]] = []
        for side, stack, texts in zip(SIDES, self._read_by(loaded), sentences(loaded), strict=True):
            by_layer = {layer: kept(self._path(loaded, layer, side), self._key(layer, stack), texts) for layer in self._reading.layers}
            found.append({layer: vectors for layer, vectors in by_layer.items() if vectors is not None})
        return Sides(*found) if all(len(one) == len(self._reading.layers) for one in found) else None

    def _read_by(self, loaded: Loaded) -> tuple[Stack | None, Stack | None]:
        """The stacks of the foreign and the English side."""
        stacks = self._reading.stacks
        return (stacks[iso1(loaded.origin.language)], stacks[ENGLISH]) if stacks else (None, None)

    def _key(self, layer: int, stack: Stack | None) -> VectorKey:
        composition = self._reading.composition if stack is None else f"{self._reading.composition} {stack.adapter['checksum']}"
        return VectorKey(self._trunk.fingerprint, composition, layer, self._reading.pool, self._trunk.precision, self._reading.max_length)

    def _path(self, loaded: Loaded, layer: int, side: str) -> Path:
        own = f".{OWN}" if self._reading.stacks else ""
        name = f"{_name(loaded)}.layer{layer}.{self._reading.pool}{own}.{side}.npy"
        return self._reading.folder / "vectors" / loaded.origin.task / name

    def _embedded(self, encoder: AdapterEncoder, texts: Sequence[str], stack: Stack | None) -> dict[int, Vectors]:
        reading = self._reading
        with active(encoder, stack.composition if stack is not None else None):
            return embed_layers(
                encoder, texts, layers=reading.layers, pool=reading.pool, token_budget=reading.token_budget, max_length=reading.max_length
            )


def sentences(loaded: Loaded) -> tuple[Sequence[str], Sequence[str]]:
    """The foreign and the English side."""
    if isinstance(loaded.examples[0], Pools):
        return loaded.examples[0].source, loaded.examples[0].target
    examples = cast(Sequence[Bitext], loaded.examples)
    return [row.source for row in examples], [row.target for row in examples]


@contextmanager
def active(encoder: AdapterEncoder, composition: Composition | None) -> Iterator[None]:
    """Another composition inside the block; None leaves the one that is active."""
    before = encoder.composition
    if composition is not None:
        encoder.activate(composition)
    try:
        yield
    finally:
        encoder.activate(before)


def _name(loaded: Loaded) -> str:
    return f"{loaded.origin.split}-{loaded.origin.language}"
