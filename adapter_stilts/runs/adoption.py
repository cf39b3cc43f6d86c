"""Adapters and fusions taken over from earlier runs, under names that do not clash.

The same adapter reached through two runs is taken once. Two different ones of a name are told apart: "nli" and "nli-2".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from adapter_stilts.encoder.composition import Average, Composition, Name, fusion_name, fusions, names, parse
from adapter_stilts.errors import ArtefactError
from adapter_stilts.sharing.bundle import Bundle, Part


class Adopted:
    """What was taken over so far, frozen."""

    def __init__(self) -> None:
        self.adapters: dict[str, Part] = {}
        self.fusions: dict[str, Part] = {}

    def take(self, parent: Bundle, wanted: Mapping[str, str] | None = None) -> Composition:
        """The parent's composition with its adapters under their names here; `wanted` gives some of them a name.

        Raises ArtefactError for a run whose composition and parts do not agree.
        """
        composition = parse(parent.manifest.composition)
        adapters = {part.name: part for part in parent.of("adapter")}
        check_parts(parent, composition)
        shared = self._names(adapters, wanted or {}, share=True)
        taken = renamed(composition, shared)
        if any(self._clashes(name, part) for name, part in _fusions(parent, composition, taken).items()):
            shared = self._names(adapters, wanted or {}, share=False)
            taken = renamed(composition, shared)
        for old, new in shared.items():
            self.adapters.setdefault(new, replace(adapters[old], name=new, facts={**adapters[old].facts, "trained": False}))
        for name, part in _fusions(parent, composition, taken).items():
            self.fusions.setdefault(name, replace(part, name=name, facts={**part.facts, "trained": False}))
        return taken

    def _names(self, adapters: Mapping[str, Part], wanted: Mapping[str, str], *, share: bool) -> dict[str, str]:
        """A name here for each adapter: that of the same adapter if it is here already and may be shared, else a free one."""
        table: dict[str, str] = {}
        for old, part in adapters.items():
            same = next((name for name, known in self.adapters.items() if share and name not in table.values() and _equal(known, part)), None)
            table[old] = same or free_name(wanted.get(old, old), {*self.adapters, *table.values()})
        return table

    def _clashes(self, name: str, part: Part) -> bool:
        """Whether another fusion of the same adapters is here already, trained for something else."""
        return name in self.fusions and digest(self.fusions[name]) != digest(part)


def check_parts(bundle: Bundle, composition: Composition) -> None:
    """The stored parts are those of the composition, no more and no less; ArtefactError otherwise."""
    heads = {str(task["task"]) for task in bundle.manifest.tasks} or {"head"}
    wanted = {"adapter": set(names(composition)), "fusion": {fusion_name(fuse) for fuse in fusions(composition)}, "head": heads}
    for role, expected in wanted.items():
        if expected != (found := {part.name for part in bundle.of(role)}):
            what = f"the run's composition {composition} and its {role} parts disagree about {', '.join(sorted(expected ^ found))}"
            raise ArtefactError(what, where=str(bundle.folder), do="fetch the bundle again, or train the run again")


def renamed(composition: Composition, table: Mapping[str, str]) -> Composition:
    """The same tree with adapters under other names."""
    if isinstance(composition, Name):
        return Name(table.get(composition.name, composition.name))
    parts = tuple(renamed(part, table) for part in composition.parts)
    if isinstance(composition, Average):
        return replace(composition, parts=parts)
    return type(composition)(parts)


def free_name(name: str, taken: set[str] | Mapping[str, object]) -> str:
    """`name`, or the first of name-2, name-3, ... that is not taken."""
    number, candidate = 2, name
    while candidate in taken:
        candidate, number = f"{name}-{number}", number + 1
    return candidate


def digest(part: Part) -> str:
    """A hash of a part's weights."""
    total = hashlib.sha256()
    for key, tensor in sorted(part.tensors.items()):
        total.update(f"{key} {tuple(tensor.shape)} ".encode() + tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return total.hexdigest()


def _equal(one: Part, other: Part) -> bool:
    return (one.facts["kind"], one.facts["settings"]) == (other.facts["kind"], other.facts["settings"]) and digest(one) == digest(other)


def _fusions(parent: Bundle, before: Composition, after: Composition) -> dict[str, Part]:
    """The parent's fusions by their names here."""
    stored = {part.name: part for part in parent.of("fusion")}
    return {fusion_name(new): stored[fusion_name(old)] for old, new in zip(fusions(before), fusions(after), strict=True)}
