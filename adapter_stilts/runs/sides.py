"""The two sides of a retrieval task as vectors: those that an earlier reading kept, the others read once per sentence.

All sentences are read under the active composition, or, with MAD-X's language adapters, each side under its language's
own stack.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from adapter_stilts.encoder.composition import Composition
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.retrieval.compared import Vectors
from adapter_stilts.retrieval.embed import embed
from adapter_stilts.retrieval.reading import LanguageStack, Reading
from adapter_stilts.retrieval.stored.cache import VectorKey, keep, kept
from adapter_stilts.runs.language_stacks import ENGLISH, OWN
from adapter_stilts.tasks.languages import iso1
from adapter_stilts.tasks.reading.place import Loaded

SIDES = ("source", "target")
MEMORY = 1 << 30  # bytes of vectors held at once

Parts = TypeVar("Parts", bound=Sequence[Loaded])


@dataclass(frozen=True)
class Sides:
    """A language's two sides as vectors, by layer."""

    source: dict[int, Vectors]
    target: dict[int, Vectors]


class SideVectors:
    """The vectors of every sentence of a group of languages.

    folder  where the vectors of this task lie, and whether new ones are saved there
    """

    def __init__(
        self, encoder: AdapterEncoder, group: Sequence[Loaded], reading: Reading, folder: Path, *, save: bool
    ) -> None:
        self._trunk, self._reading, self._folder, self._save = encoder.trunk, reading, folder, save
        self._known = {_name(loaded): sides for loaded in group if (sides := self._kept(loaded)) is not None}
        self._places: dict[LanguageStack | None, dict[str, int]] = {}
        for loaded in group:
            for stack, side in zip(self._read_by(loaded), loaded.sides, strict=True):
                known = self._places.setdefault(stack, {}) if _name(loaded) not in self._known else {}
                for text in side:
                    known.setdefault(text, len(known))
        self._layers = {stack: self._embedded(encoder, list(known), stack) for stack, known in self._places.items()}

    def sides(self, loaded: Loaded) -> Sides:
        """Both sides, in the order of their rows."""
        if _name(loaded) in self._known:
            return self._known[_name(loaded)]
        both = []
        for stack, side in zip(self._read_by(loaded), loaded.sides, strict=True):
            places = [self._places[stack][text] for text in side]
            both.append({layer: vectors[places] for layer, vectors in self._layers[stack].items()})
        return Sides(*both)

    def keep(self, loaded: Loaded, layer: int, sides: Sides) -> dict[str, Any]:
        """Write the vectors of a language, unless they lie there already; returns where, where they are kept at all."""
        if not self._save:
            return {}
        paths = {side: self._path(loaded, layer, side) for side in SIDES}
        if _name(loaded) not in self._known:
            vectors = (sides.source[layer], sides.target[layer])
            parts = zip(paths.values(), self._read_by(loaded), loaded.sides, vectors, strict=True)
            for path, stack, texts, side in parts:
                keep(path, self._key(layer, stack), texts, side)
        return {"vectors": {side: path.relative_to(self._folder).as_posix() for side, path in paths.items()}}

    def _kept(self, loaded: Loaded) -> Sides | None:
        """What an earlier reading left, if every layer of both sides is there and made of the same."""
        both: list[dict[int, Vectors]] = []
        for side, stack, texts in zip(SIDES, self._read_by(loaded), loaded.sides, strict=True):
            paths = {layer: self._path(loaded, layer, side) for layer in self._reading.layers}
            by_layer = {layer: kept(path, self._key(layer, stack), texts) for layer, path in paths.items()}
            both.append({layer: vectors for layer, vectors in by_layer.items() if vectors is not None})
        return Sides(*both) if all(len(side) == len(self._reading.layers) for side in both) else None

    def _read_by(self, loaded: Loaded) -> tuple[LanguageStack | None, LanguageStack | None]:
        """The stacks of the foreign and the English side."""
        stacks = self._reading.stacks
        return (stacks[iso1(loaded.origin.language)], stacks[ENGLISH]) if stacks else (None, None)

    def _key(self, layer: int, stack: LanguageStack | None) -> VectorKey:
        reading, trunk = self._reading, self._trunk
        composition = reading.composition if stack is None else f"{reading.composition} {stack.adapter['checksum']}"
        return VectorKey(trunk.fingerprint, composition, layer, reading.pool, trunk.precision, reading.max_length)

    def _path(self, loaded: Loaded, layer: int, side: str) -> Path:
        own = f".{OWN}" if self._reading.stacks else ""
        name = f"{_name(loaded)}.layer{layer}.{self._reading.pool}{own}.{side}.npy"
        return self._folder / "vectors" / loaded.origin.task / name

    def _embedded(
        self, encoder: AdapterEncoder, texts: Sequence[str], stack: LanguageStack | None
    ) -> dict[int, Vectors]:
        with active(encoder, stack.composition if stack is not None else None):
            return embed(encoder, texts, self._reading)


def in_groups(loaded: Iterable[tuple[str, Parts]], hidden: int, layers: int) -> Iterator[dict[str, Parts]]:
    """Languages whose sentences fit in `MEMORY` together as vectors of so many layers, at least one at a time."""
    room, count = MEMORY // (4 * hidden * layers), 0
    group: dict[str, Parts] = {}
    for language, parts in loaded:
        size = sum(len(side) for part in parts for side in part.sides)
        if group and count + size > room:
            yield group
            group, count = {}, 0
        group[language] = parts
        count += size
    yield group


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
