"""How a new run builds on earlier ones: `--how` and `--after` to a composition, and where each of its parts comes from.

    direct                     xnli                     a fresh adapter
    sequential after nli       xnli                     a fresh adapter that starts from nli's weights
    stack      after nli       stack(nli, xnli)         a fresh adapter on top of nli, which stays frozen
    fuse       after nli, qa   fuse(nli, qa)            fusion layers over frozen adapters; stack(fuse(nli, qa), xnli) when asked

A parent may itself be a composition: its whole stack comes along, frozen. Adapters of different parents that share a name are
told apart by a number ("nli", "nli-2"); the same adapter reached twice is taken once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from adapter_stilts.encoder.composition import Average, Composition, Fuse, Name, Stack, fusion_name, fusions, parse
from adapter_stilts.errors import CompositionError, UsageError
from adapter_stilts.registry import unknown_name
from adapter_stilts.sharing.bundle import Bundle, Part

HOWS = ("direct", "sequential", "stack", "fuse")


@dataclass(frozen=True)
class Lineage:
    """A composition and, for each part of it, whether it is given (frozen), started from given weights, or fresh."""

    composition: Composition
    frozen: Mapping[str, Part]  # adapters by their name here
    fusions: Mapping[str, Part]  # trained fusions of parents by their name here
    start: Part | None  # the adapter whose weights the new one starts from
    new: str  # the adapter made here, "" where only fusion layers are
    new_fusion: str  # the fusion made here, "" where none is

    @property
    def trained(self) -> tuple[str, ...]:
        return tuple(part for part in (self.new_fusion, self.new) if part)


def lineage(how: str, parents: Sequence[Bundle], name: str, *, target_adapter: bool = False) -> Lineage:
    """The composition of a run called `name`; raises UsageError where `how` and its parents do not go together."""
    if how not in HOWS:
        raise unknown_name("way to build on earlier runs (--how)", how, HOWS)
    _check_parents(how, parents)
    if how == "direct":
        return Lineage(Name(name), {}, {}, None, name, "")
    adopted = _Adopted()
    compositions = [adopted.take(parent) for parent in parents]
    own = adopted.free_name(name)
    if how == "stack":
        below = compositions[0] if len(compositions) == 1 else Stack(tuple(compositions))
        return Lineage(stacked(below, Name(own)), adopted.adapters, adopted.fusions, None, own, "")
    if how == "fuse":
        fuse = Fuse(tuple(compositions))
        composition = stacked(fuse, Name(own)) if target_adapter else fuse
        return Lineage(composition, adopted.adapters, adopted.fusions, None, own if target_adapter else "", fusion_name(fuse))
    return _sequential(parents[0], name)


def stacked(below: Composition, above: Composition) -> Composition:
    """`above` on top of `below`, as one flat stack."""
    lower = below.parts if isinstance(below, Stack) else (below,)
    upper = above.parts if isinstance(above, Stack) else (above,)
    return Stack((*lower, *upper))


def _sequential(parent: Bundle, name: str) -> Lineage:
    """The parent's composition with its trained adapter replaced by a new one that starts from its weights."""
    trained = [part for part in parent.of("adapter") if part.facts["trained"]]
    if len(trained) != 1:
        raise UsageError(
            f"--how sequential continues one adapter; '{parent.manifest.composition}' trained {len(trained)}",
            where=str(parent.folder),
            do="use --how stack, or name a run that trained one adapter",
        )
    old = trained[0].name
    rest = {part.name: part for part in parent.of("adapter") if part.name != old}
    own = _free(name, rest)
    fused = {part.name: part for part in parent.of("fusion")}
    return Lineage(renamed(parse(parent.manifest.composition), {old: own}), rest, fused, trained[0], own, "")


def renamed(composition: Composition, table: Mapping[str, str]) -> Composition:
    """The same tree with adapters under other names."""
    if isinstance(composition, Name):
        return Name(table.get(composition.name, composition.name))
    parts = tuple(renamed(part, table) for part in composition.parts)
    if isinstance(composition, Average):
        return replace(composition, parts=parts)
    return type(composition)(parts)


class _Adopted:
    """The adapters and fusions taken over from parents so far, under names that do not clash."""

    def __init__(self) -> None:
        self.adapters: dict[str, Part] = {}
        self.fusions: dict[str, Part] = {}

    def take(self, parent: Bundle) -> Composition:
        table = {part.name: self._adopt(part) for part in parent.of("adapter")}
        composition = renamed(parse(parent.manifest.composition), table)
        old = fusions(parse(parent.manifest.composition))
        by_name = {part.name: part for part in parent.of("fusion")}
        for before, after in zip(old, fusions(composition), strict=True):
            part = by_name[fusion_name(before)]
            self.fusions[fusion_name(after)] = replace(part, name=fusion_name(after))
        return composition

    def _adopt(self, part: Part) -> str:
        for name, known in self.adapters.items():
            if known.facts.get("kind") == part.facts.get("kind") and digest(known) == digest(part):
                return name
        name = self.free_name(part.name)
        self.adapters[name] = replace(part, name=name, facts={**part.facts, "trained": False})
        return name

    def free_name(self, name: str) -> str:
        return _free(name, self.adapters)


def digest(part: Part) -> str:
    """A hash of a part's weights."""
    total = hashlib.sha256()
    for key, tensor in sorted(part.tensors.items()):
        total.update(key.encode() + tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return total.hexdigest()


def _free(name: str, taken: Mapping[str, object]) -> str:
    number, candidate = 2, name
    while candidate in taken:
        candidate, number = f"{name}-{number}", number + 1
    return candidate


def _check_parents(how: str, parents: Sequence[Bundle]) -> None:
    if how == "direct" and parents:
        raise UsageError("--how direct starts from nothing, but --after names a run", do="leave --after out, or use --how sequential, stack or fuse")
    if how in ("sequential", "stack") and len(parents) != 1:
        raise UsageError(
            f"--how {how} needs exactly one --after RUN, got {len(parents)}", do="name the run of the intermediate task, for example --after runs/nli-1a2b3c4d"
        )
    if how == "fuse" and len(parents) < 2:
        raise UsageError(f"--how fuse needs two or more --after RUN, got {len(parents)}", do="name the runs to fuse, each with its own --after")
    for parent in parents:
        if how != "sequential" and any(part.facts.get("kind") == "full" for part in parent.of("adapter")):
            raise CompositionError(
                "a fully fine-tuned trunk is no adapter: it cannot be stacked or fused", where=str(parent.folder), do="use --how sequential after it"
            )
    fingerprints = {parent.manifest.trunk.fingerprint for parent in parents}
    if len(fingerprints) > 1:
        raise UsageError(
            f"the runs were trained on {len(fingerprints)} different trunks",
            where=", ".join(str(parent.folder) for parent in parents),
            do="use runs of one trunk",
        )
