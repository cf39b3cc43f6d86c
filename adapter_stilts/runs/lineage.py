"""How a new run builds on earlier ones: `--how` and `--after` to a composition, and where each of its parts comes from.

    direct                     xnli                     a fresh adapter
    sequential after nli       xnli                     a fresh adapter that starts from nli's weights
    stack      after nli       stack(nli, xnli)         a fresh adapter on top of nli, which stays frozen
    fuse       after nli, qa   fuse(nli, qa)            fusion layers over frozen adapters; stack(fuse(nli, qa), xnli)
               when asked
    merge      after nli, qa   xnli                     a fresh adapter that starts from nli's and qa's merged weights
    joint                      joint                    a fresh adapter that several tasks share

A parent may itself be a composition: its whole stack comes along, frozen. Adapters of different parents that share a
name are told apart by a number ("nli", "nli-2"); the same adapter reached twice is taken once. A composition given as
text arranges the parents' adapters and the new one in another way: "stack(de, fuse(nli, qa), xnli)" after three runs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import torch
from torch import Tensor

from adapter_stilts.config.schema import How
from adapter_stilts.encoder.composition import (
    Composition,
    Fuse,
    Name,
    Stack,
    fusion_name,
    fusions,
    names,
    normal,
    parse,
    validate,
)
from adapter_stilts.encoder.kinds import kinds
from adapter_stilts.errors import CompositionError, UsageError, refuse
from adapter_stilts.registry import unknown_name
from adapter_stilts.seeding import Seeds
from adapter_stilts.sharing.bundle import Bundle, Part, check_parts
from adapter_stilts.sharing.manifest import half_of

HOWS: tuple[str, ...] = get_args(How)
ALONE = ("direct", "joint")  # start from nothing
DOWN = re.compile(r"(adapter_down|lora_A)(?:\.\d+\.weight)?$")  # the first of two matrices that are multiplied
UP = {"adapter_down": "adapter_up.weight", "lora_A": "lora_B"}


@dataclass(frozen=True)
class Lineage:
    """A composition and, for each part of it, whether it is given (frozen), started from given weights, or fresh."""

    composition: Composition
    frozen: Mapping[str, Part]  # adapters by their name here
    fusions: Mapping[str, Part]  # trained fusions of parents by their name here
    start: Part | None  # the adapter whose weights the new one starts from
    new: str  # the adapter made here, "" where only fusion layers are
    new_fusion: str  # the fusion made here, "" where none is
    kind: str = ""  # of the adapter made here, as are its settings
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trained(self) -> tuple[str, ...]:
        return tuple(part for part in (self.new_fusion, self.new) if part)


def lineage(
    how: str,
    parents: Sequence[Bundle],
    name: str,
    kind: str,
    *,
    merged: Part | None = None,
    target_adapter: bool = False,
    composition: str = "",
) -> Lineage:
    """The composition of a run whose own adapter is called `name` and is of `kind`.

    merged          merge: the adapter made of those that the parents trained
    target_adapter  fuse: train an adapter of the target's own on top
    composition     text that takes the place of what `how` would make; stack and fuse only

    Raises UsageError or CompositionError for what does not go together or cannot run.
    """
    if how not in HOWS:
        raise unknown_name("way to build on earlier runs (--how)", how, HOWS)
    check_parents(how, parents, composition)
    if how in ALONE:
        line = Lineage(Name(name), {}, {}, None, name, "")
    elif how in ("sequential", "merge"):
        line = _continued(parents[0], name, how, merged)
    else:
        line = _on_top(how, parents, name, target_adapter, composition)
    by_name = {part.name: part.facts["kind"] for part in line.frozen.values()}
    if line.new:
        by_name[line.new] = line.start.facts["kind"] if line.start else kind
    table = {name: kinds[kind] for name, kind in by_name.items()}
    return replace(line, composition=validate(line.composition, table))


def random_adapter(lineage: Lineage, seeds: Seeds) -> Lineage:
    """The control of an adapter's mere presence: the same lineage with the entries of each starting tensor permuted, as
    large as trained weights, and nothing of what was learned.

    What two matrices do together is smaller once neither knows of the other, so both are scaled until the Frobenius
    norm of their product is what it was.
    """
    assert lineage.start is not None
    generator = seeds.torch("random adapter")
    tensors = {
        name: tensor.flatten()[torch.randperm(tensor.numel(), generator=generator)].reshape(tensor.shape)
        for name, tensor in sorted(lineage.start.tensors.items())
    }
    for name in list(tensors):
        other = DOWN.sub(lambda found: UP[found[1]], name)
        if other != name and other in tensors:
            before, after = (_size(of[other], of[name]) for of in (lineage.start.tensors, tensors))
            scale = (before / after) ** 0.5 if after else 1.0
            tensors |= {name: tensors[name] * scale, other: tensors[other] * scale}
    return replace(lineage, start=replace(lineage.start, tensors=tensors))


def _size(up: Tensor, down: Tensor) -> float:
    """The Frobenius norm of up [H, R] times down [R, H]; LoRA's matrices are kept the same way."""
    up, down = up.double(), down.double()
    return float(((up.T @ up) * (down @ down.T)).sum().clamp(min=0).sqrt())


def _on_top(how: str, parents: Sequence[Bundle], name: str, target_adapter: bool, text: str) -> Lineage:
    """Frozen parents under something new: an adapter, fusion layers, or both."""
    adopted = Adopted()
    below = [adopted.take(parent) for parent in parents]
    own = free_name(name, adopted.adapters)
    if text:
        return _as_written(text, adopted, own)
    parts = (adopted.adapters, adopted.fusions, None)
    if how == "stack":
        return Lineage(Stack((below[0], Name(own))), *parts, own, "")
    fuse = Fuse(tuple(below))
    for number, part in enumerate(below):
        if part in below[:number]:
            first, second = parents[below.index(part)].folder, parents[number].folder
            what = f"the same adapter would be fused with itself: {first} and {second} hold the same weights"
            raise UsageError(what, do="name different runs")
    if target_adapter:
        return Lineage(Stack((fuse, Name(own))), *parts, own, fusion_name(fuse))
    return Lineage(fuse, *parts, "", fusion_name(fuse))


def _continued(parent: Bundle, name: str, how: str, merged: Part | None) -> Lineage:
    """The parent's composition with its trained adapter replaced by a new one that starts from its weights, or from
    those that it and others were merged to."""
    old = trained_adapter(parent, f"--how {how}").name
    rest = {part.name: part for part in parent.of("adapter") if part.name != old}
    own = free_name(name, rest)
    adopted = Adopted()
    composition = adopted.take(parent, {old: own})
    start = adopted.adapters.pop(own)
    return Lineage(composition, adopted.adapters, adopted.fusions, merged or start, own, "")


def trained_adapter(parent: Bundle, verb: str) -> Part:
    """The one adapter that a run trained; UsageError for a run that trained none."""
    trained = [part for part in parent.of("adapter") if part.facts["trained"]]
    if len(trained) != 1:
        has = f"'{parent.manifest.composition}' trained {len(trained) or 'none'}"
        what = f"{verb} continues the one adapter that a run trained; {has}"
        raise UsageError(what, where=str(parent.folder), do="use --how stack, or name a run that trained an adapter")
    return trained[0]


def _as_written(text: str, adopted: Adopted, own: str) -> Lineage:
    """A composition of the user's, over adapters of the parents and the new one."""
    tree = normal(parse(text))
    known = {*adopted.adapters, own}
    for name in names(tree):
        if name not in known:
            raise unknown_name("adapter of these runs, and no new one,", name, known, where=f"composition: {text}")
    fresh = [fusion_name(fuse) for fuse in fusions(tree) if fusion_name(fuse) not in adopted.fusions]
    new = own if own in names(tree) else ""
    if len(fresh) > 1:
        what = f"{len(fresh)} fusions would be trained at once: {', '.join(fresh)}"
        raise CompositionError(what, where=text, do="train them one after another")
    if not fresh and not new:
        advice = f"put the new adapter '{own}' into it, or a fusion"
        raise CompositionError("nothing in it would be trained", where=text, do=advice)
    adapters = {name: adopted.adapters[name] for name in names(tree) if name != own}
    kept = {name: adopted.fusions[name] for name in map(fusion_name, fusions(tree)) if name in adopted.fusions}
    return Lineage(tree, adapters, kept, None, new, fresh[0] if fresh else "")


def check_parents(how: str, parents: Sequence[Bundle], composition: str = "") -> None:
    """Refuse too few or too many parents, and those of different trunks."""
    if composition and how not in ("stack", "fuse"):
        what = f"a composition arranges what earlier runs learned, and --how is {how}"
        raise UsageError(what, where="composition", do="use --how stack or --how fuse")
    advice = "leave --after out, or use --how sequential, stack, fuse or merge"
    refuse(how in ALONE and bool(parents), f"--how {how} starts from nothing, but --after names a run", advice)
    single = how == "sequential" or (how == "stack" and not composition)
    advice = "name the run of the intermediate task, for example --after runs/nli-1a2b3c4d"
    refuse(single and len(parents) != 1, f"--how {how} needs exactly one --after RUN, got {len(parents)}", advice)
    what, advice = "--how fuse needs two or more --after RUN", "name the runs to fuse, each with its own --after"
    few = how == "fuse" and len(parents) < 2 and not composition
    refuse(few, f"{what}, got {len(parents)}", advice)
    advice = "name the runs to merge, each with its own --after"
    refuse(how == "merge" and not parents, "--how merge needs --after RUN, got none", advice)
    trunks = {parent.manifest.trunk.fingerprint: parent for parent in parents}
    if any(not parent.manifest.trunk.same_weights(parents[0].manifest.trunk) for parent in parents):
        halves = {mark: half_of(parent.manifest.trunk.copies) for mark, parent in trunks.items()}
        stored = {mark: f", stored in {half}" if half else "" for mark, half in halves.items()}
        named = (f"{run.folder} on {run.manifest.trunk.name} ({mark}{stored[mark]})" for mark, run in trunks.items())
        what, do = f"the runs were trained on {len(trunks)} different trunks", "use runs of one trunk"
        if {"fp16", "bf16"} <= set(halves.values()):
            what += ", or on two roundings of one, which cannot be compared"
            do += ", or train one again on the float32 original, which goes with either"
        raise UsageError(what, where="; ".join(named), do=do)


class Adopted:
    """What was taken over from earlier runs so far, frozen, under names that do not clash.

    The same adapter reached through two runs is taken once. Two different ones of a name are told apart: "nli" and
    "nli-2".
    """

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
        for share in (True, False):
            table = self._names(adapters, wanted or {}, share=share)
            taken = renamed(composition, table)
            fused = _fusions(parent, composition, taken)
            there = {name for name in fused if name in self.fusions}
            # of the same adapters another fusion may be here already, trained for something else
            if all(digest(self.fusions[name]) == digest(fused[name]) for name in there):
                break
        for old, new in table.items():
            self.adapters.setdefault(new, _frozen(adapters[old], new))
        for name, part in fused.items():
            self.fusions.setdefault(name, _frozen(part, name))
        return taken

    def _names(self, adapters: Mapping[str, Part], wanted: Mapping[str, str], *, share: bool) -> dict[str, str]:
        """A name here for each adapter: that of the same adapter if it is here and may be shared, else a free one."""
        table: dict[str, str] = {}
        for old, part in adapters.items():
            free = [(name, known) for name, known in self.adapters.items() if share and name not in table.values()]
            same = next((name for name, known in free if _equal(known, part)), None)
            table[old] = same or free_name(wanted.get(old, old), {*self.adapters, *table.values()})
        return table


def renamed(composition: Composition, table: Mapping[str, str]) -> Composition:
    """The same tree with adapters under other names."""
    if isinstance(composition, Name):
        return Name(table.get(composition.name, composition.name))
    return replace(composition, parts=tuple(renamed(part, table) for part in composition.parts))


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
        content = tensor.detach().cpu().float().contiguous().numpy().tobytes()
        total.update(f"{key} {tuple(tensor.shape)} ".encode() + content)
    return total.hexdigest()


def _frozen(part: Part, name: str) -> Part:
    return replace(part, name=name, facts={**part.facts, "trained": False})


def _equal(first: Part, second: Part) -> bool:
    same = all(first.facts[name] == second.facts[name] for name in ("kind", "settings"))
    return same and digest(first) == digest(second)


def _fusions(parent: Bundle, before: Composition, after: Composition) -> dict[str, Part]:
    """The parent's fusions by their names here."""
    stored = {part.name: part for part in parent.of("fusion")}
    pairs = zip(fusions(before), fusions(after), strict=True)
    return {fusion_name(new): stored[fusion_name(old)] for old, new in pairs}
