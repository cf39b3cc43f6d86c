"""Finished runs to one adapter: what the verb `merge` writes and what `--how merge` starts to train from.

The adapters that the runs trained are merged; what lies under and over them has to be the same in all of them, and
stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from adapter_stilts.config.schema import Merge
from adapter_stilts.encoder.composition import parse
from adapter_stilts.encoder.kinds import kinds, resolve
from adapter_stilts.encoder.model import fresh_adapter
from adapter_stilts.encoder.transfer import copies
from adapter_stilts.encoder.trunk.base import TrunkModel
from adapter_stilts.encoder.trunk.loading import empty_model, load_trunk, trunk_facts
from adapter_stilts.errors import UsageError, few, refuse
from adapter_stilts.merging.merge import merge
from adapter_stilts.merging.methods import methods
from adapter_stilts.merging.places import Adapter
from adapter_stilts.runs.lineage import check_parents, digest, renamed, trained_adapter
from adapter_stilts.seeding import Seeds
from adapter_stilts.sharing.bundle import Bundle, Part, load_bundle
from adapter_stilts.sharing.manifest import Manifest, MergeFacts
from adapter_stilts.sharing.places import trunk_place

MERGED = "merged"  # what the adapter is called
PARAMETERS = ("seq_bn", "double_seq_bn", "par_bn")  # kinds whose changes are those of parameters
FROM_SCRATCH = ("direct", "stack", "joint")
NOT_ALIGNED = (
    "these bottlenecks were trained from different starts, so their parameters are not aligned: a sum of them need not "
    "do what any of them does (--method concatenate adds up what they add)"
)


@dataclass(frozen=True)
class MergedRuns:
    """The merged adapter as a part of a run, how it came about, and what a person should know of it.

    made_of  the runs whose adapters decide it: the parents, and the one they all continued where it is named
    """

    part: Part
    facts: MergeFacts
    notes: tuple[str, ...]
    made_of: tuple[Manifest, ...]


def merge_runs(parents: Sequence[Bundle], merging: Merge, seed: int) -> MergedRuns:
    """Merge what runs trained.

    Raises UsageError for runs that do not go together, ArtefactError for weights that are not numbers.
    """
    check_parents("merge", parents)
    parts = [trained_adapter(parent, "a merge") for parent in parents]
    _check_surroundings(parents, parts)
    adapters = [_adapter(parent, part) for parent, part in zip(parents, parts, strict=True)]
    method = methods[merging.method]
    begun = load_bundle(Path(merging.start)) if merging.start else None
    relative_to, start = ("", None) if method.joins else _start(parents, adapters, begun)
    numbers: dict[str, Any] = merging.model_dump(include={"weights", "density", "scale", "rank"})
    trunk = partial(_trunk, parents[0], {adapter.kind for adapter in adapters})
    merged = merge(adapters, merging.method, **numbers, splits=merging.split, seed=seed, start=start, trunk=trunk)
    facts: dict[str, Any] = {"method": merging.method, "weights": merged.weights, "relative_to": relative_to}
    facts |= {"rank": merged.rank, "exact": merged.exact, "error": float(f"{merged.error:.3g}")}
    facts |= {"density": merged.density} if method.prune else {}
    facts |= {name: getattr(merging, name) for name in ("scale", "split") if name in merging.model_fields_set}
    facts |= {"seed": seed} if method.prune == "random" else {}
    languages = {part.facts["language"] for part in parts}
    made = {"kind": merged.kind, "settings": dict(merged.settings), "trained": True}
    part = Part("adapter", MERGED, {**made, "language": min(languages) if len(languages) == 1 else ""}, merged.tensors)
    described = MergeFacts(**facts)
    apart = adapters[0].kind in PARAMETERS and not relative_to and not method.joins and len(set(map(digest, parts))) > 1
    notes = (_said(parents, described), *([NOT_ALIGNED] if apart else []))
    if merged.kind != adapters[0].kind:
        notes += (f"{adapters[0].kind} has no sum of its own kind: the merged adapter is {merged.kind}",)
    return MergedRuns(part, described, notes, tuple(run.manifest for run in (*parents, begun) if run is not None))


def _adapter(parent: Bundle, part: Part) -> Adapter:
    kind = part.facts["kind"]
    return Adapter(str(parent.folder), kind, resolve(kinds[kind], part.facts["settings"]), part.tensors)


def _said(parents: Sequence[Bundle], facts: MergeFacts) -> str:
    """How they were merged, in a sentence."""
    pairs = zip(parents, facts.weights, strict=True)
    shares = ", ".join(f"{parent.manifest.name} ({weight:g})" for parent, weight in pairs)
    of = f", relative to {facts.relative_to}" if facts.relative_to else ""
    rank = f", rank {facts.rank}" if facts.rank else ""
    exact = "exact" if facts.exact else f"{100 * facts.error:.2g} % of the change is lost in this rank"
    return f"merged by {facts.method}: {shares}{of}{rank}; {exact}"


def _check_surroundings(parents: Sequence[Bundle], parts: Sequence[Part]) -> None:
    """Refuse runs that differ in what lies around the adapters that are merged."""
    around: dict[tuple[str, ...], Bundle] = {}
    for parent, trained in zip(parents, parts, strict=True):
        hashes = {part.name: digest(part) for part in parent.of("adapter")} | {trained.name: MERGED}
        tree = renamed(parse(parent.manifest.composition), hashes)
        around.setdefault((str(tree), *map(digest, parent.of("fusion"))), parent)
    if len(around) > 1:
        shown = few([f"{parent.manifest.composition} ({parent.folder})" for parent in around.values()])
        what = f"the runs differ in what lies around the adapters they trained: {shown}"
        raise UsageError(what, do="merge runs that were trained in one way, over the same adapters")


def _start(
    parents: Sequence[Bundle], adapters: Sequence[Adapter], begun: Bundle | None
) -> tuple[str, Mapping[str, Tensor] | None]:
    """What all adapters were before training, and its name; "" where it is not known, or where changes need none."""
    kind, settings = adapters[0].kind, adapters[0].settings
    trunk = parents[0].manifest.trunk
    if begun is not None:
        check_parents("merge", [*parents, begun])
        adapter = _adapter(begun, trained_adapter(begun, "a common start"))
        what = f"{begun.folder} is not what these runs continued: its adapter is of another kind or other settings"
        same = (adapter.kind, adapter.settings) == (kind, settings) and kind in (*PARAMETERS, "full")
        refuse(not same, what, "leave --start out, or name the run whose adapter all of them continued")
        return begun.manifest.name, adapter.tensors
    if kind not in (*PARAMETERS, "full"):
        return "", None
    if kind == "full":
        return trunk.name, _trunk(parents[0], {kind}).tensors()
    seeds = {parent.manifest.seeds.get("training", 0) for parent in parents}
    fresh = all(parent.manifest.how in FROM_SCRATCH for parent in parents)
    alike = all(adapter.settings == settings for adapter in adapters)
    if len(seeds) > 1 or not fresh or not alike:
        return "", None
    parts = fresh_adapter(_trunk(parents[0], {kind}), kinds[kind], settings, Seeds(min(seeds)).number("adapter"))
    return f"the fresh adapter of seed {min(seeds)}", copies(parts)


def _trunk(run: Bundle, of: Set[str]) -> TrunkModel:
    """The trunk of a run in fp32, or its shape alone where none of these kinds reads its weights."""
    trunk = run.manifest.trunk
    place = trunk_place(run.folder, trunk)
    if any(kind == "full" or kinds[kind].reads_weights for kind in of):
        return load_trunk(place, revision=trunk.revision, precision="fp32").model
    return empty_model(trunk_facts(place, revision=trunk.revision)[0])
