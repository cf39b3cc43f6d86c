"""`merge`: runs become one by arithmetic on what they learned; nothing is trained.

    merge((Path("runs/nli-1a2b3c4d"), Path("runs/qa-5e6f7a8b")), config, head="none", ...).folder

The folder is a run like any other: it can be scored, encoded with, continued, stacked and merged again. Heads answer
for what their own adapter made of a text, so which one it has is always said: a run's, the mean of all, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from adapter_stilts import environment
from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.config.load import dump, load
from adapter_stilts.config.places import LOCAL, travelling
from adapter_stilts.config.schema import Adapter, Data, Merge, RunConfig, Task
from adapter_stilts.encoder.composition import names
from adapter_stilts.errors import ArtefactError, UsageError
from adapter_stilts.files import IDENTITY, sha256, write_text
from adapter_stilts.reporting import Reporter
from adapter_stilts.runs.folder import claim, clear, locked, remove_remains, state_of
from adapter_stilts.runs.identity import handed_on
from adapter_stilts.runs.lineage import Lineage, lineage
from adapter_stilts.runs.material import history, leaks, unlearned
from adapter_stilts.runs.merges.bake import Baked
from adapter_stilts.runs.merges.bake import bake as baked
from adapter_stilts.runs.merges.merged import MERGED, MergedRuns, merge_runs
from adapter_stilts.runs.merges.search import search as searched
from adapter_stilts.runs.record import Trained, parent_facts, seen_of, split_facts, trained
from adapter_stilts.runs.results import write_results
from adapter_stilts.runs.subject import remembered
from adapter_stilts.sharing.bundle import Bundle, Part, load_bundle, save_parts, verify_files
from adapter_stilts.sharing.card import write_card
from adapter_stilts.sharing.manifest import (
    CONFIG,
    MANIFEST,
    NO_HEAD,
    TASK_FILE,
    DataFacts,
    Manifest,
    PartFacts,
    TrainingFacts,
    read_manifest,
    write_manifest,
)
from adapter_stilts.sharing.places import known_trunk, remember
from adapter_stilts.tasks.reading.place import Loaded
from adapter_stilts.tasks.user import find_task, told

MEAN = "merge"  # in the place of the run whose head is taken
HEADS = f"name the run whose head it gets, or say {MEAN} (the mean, of heads with the same labels) or {NO_HEAD}"


@dataclass(frozen=True)
class Heads:
    """The heads of a merged run, where they are from, and the run that says what they are for; None without any."""

    parts: tuple[Part, ...]
    name: str
    source: Bundle | None


@dataclass(frozen=True)
class MergePlanned:
    """What a merge would write."""

    folder: Path
    document: dict[str, Any]
    results: tuple[()] = ()
    means: None = None

    def to_json(self) -> dict[str, Any]:
        return {"run": str(self.folder), **self.document, "results": []}


def merge(
    sources: Sequence[Path],
    config: RunConfig,
    *,
    head: str,
    bake: bool = False,
    search: str = "",
    out: Path | None,
    runs: Path,
    overwrite: bool,
    dry_run: bool,
    report: Reporter,
) -> Trained | MergePlanned | Baked:
    """Write the run that `config.merge` makes of finished runs.

    head  the folder of a run whose heads it gets; "merge": the mean of all; "none"; "" is a single run's own, else none

    search  "dev:TASK" chooses weights and density on validation rows (merge_search.py)
    bake  write the trunk with the merged adapter in its weights, in the place of a run

    What was written is read again and compared bit by bit.
    """
    parents = tuple(load_bundle(source) for source in sources)
    tried = searched(search, parents, config, _builder(parents, config, head), report) if search else None
    if tried is not None:
        config = config.model_copy(update={"merge": tried.chosen})
    merged = merge_runs(parents, config.merge, config.training.seed)
    line = lineage("merge", parents, MERGED, merged.part.facts["kind"], merged=merged.part)
    if bake:
        for note in (*unlearned(parent.manifest for parent in parents), *merged.notes):
            report.say(note)
        return baked(parents[0], line.composition, _parts(line, merged, Heads((), NO_HEAD, None)), out, report)
    heads = heads_of(parents, head, merged.facts.weights)
    found: dict[str, Any] = {"search": tried.facts} if tried is not None else {}
    facts = merged.facts.model_copy(update={"head": heads.name, **found})
    settings = config.merge.model_dump(mode="json", exclude={"start"})
    of_heads = [heads.name, handed_on(heads.source.manifest)] if heads.source else [NO_HEAD]
    weights = list(map(handed_on, merged.made_of))
    identity = fingerprint([settings, facts.model_dump(mode="json", exclude={"search"}), weights, of_heads])
    folder = out or runs / f"{MERGED}-{identity}"
    described = _config(config, parents, heads, merged)
    for note in (*unlearned(parent.manifest for parent in parents), *merged.notes):
        report.say(note)
    report.say(f"head: {_told(heads)}")
    state = state_of(folder, identity, overwrite=overwrite, asked=described)
    if dry_run:
        report.say(f"would write {folder} ({state})")
        return MergePlanned(folder, {"identity": identity, "state": state, "merge": facts.model_dump(mode="json")})
    if state == "done":
        verify_files(folder, read_manifest(folder))
        report.say(f"{folder} holds this merge already; nothing to do (--overwrite writes it again)")
        return trained(folder)
    with locked(folder):
        if overwrite:
            clear(folder)
        remove_remains(folder)
        claim(folder, identity, MERGED)
        write_text(folder / LOCAL, dump(described))
        write_text(folder / CONFIG, dump(travelling(described, parents[0].manifest.trunk.name)))
        remember(folder, trunk=known_trunk(parents[0].folder))
        if heads.source is not None and (heads.source.folder / TASK_FILE).is_file():
            write_text(folder / TASK_FILE, told(heads.source.folder / TASK_FILE))
        loaded = tried.loaded if tried is not None else ()
        manifest = _manifest(parents, replace(merged, facts=facts), heads, line, loaded, identity, folder)
        _write(folder, manifest, _parts(line, merged, heads))
    return trained(folder)


def heads_of(parents: Sequence[Bundle], choice: str, weights: Sequence[float]) -> Heads:
    """The heads that are asked for; UsageError for heads that have no mean."""
    if choice == NO_HEAD or (not choice and len(parents) > 1):
        return Heads((), NO_HEAD, None)
    if choice == MEAN:
        return Heads(tuple(_mean_heads(parents, weights)), "merged", parents[0])
    folders = {parent.folder.resolve(): parent for parent in parents}
    source = parents[0] if not choice else folders.get(Path(choice).resolve())
    if source is None:
        raise UsageError(f"--head {choice} is none of the runs that are merged", do=HEADS)
    if not source.of("head"):
        return Heads((), NO_HEAD, None)
    return Heads(source.of("head"), source.manifest.name, source)


def _builder(parents: Sequence[Bundle], config: RunConfig, head: str) -> Callable[[Merge], Bundle]:
    """A merge to the bundle it would be, in memory."""

    def build(merging: Merge) -> Bundle:
        merged = merge_runs(parents, merging, config.training.seed)
        heads = heads_of(parents, head, merged.facts.weights)
        line = lineage("merge", parents, MERGED, merged.part.facts["kind"], merged=merged.part)
        of = heads.source.manifest if heads.source else parents[0].manifest
        changed = {"composition": str(line.composition), "format": of.format if heads.source else "", "tasks": of.tasks}
        manifest = parents[0].manifest.model_copy(update=changed)
        return replace(parents[0], manifest=manifest, parts=tuple(_parts(line, merged, heads)))

    return build


def _told(heads: Heads) -> str:
    if heads.source is None:
        return f"none (--head RUN takes a run's, --head {MEAN} the mean of heads with the same labels)"
    return "the mean of all" if heads.name == "merged" else f"that of {heads.name}"


def _mean_heads(parents: Sequence[Bundle], weights: Sequence[float]) -> list[Part]:
    """The mean of heads that answer with the same labels, weighted as their adapters."""
    every = [{part.name: part for part in parent.of("head")} for parent in parents]
    total = sum(weights)
    if not every[0] or any(set(heads) != set(every[0]) for heads in every) or total <= 0:
        raise UsageError("these heads have no mean: not every run has one, or their weights sum to 0 or less", do=HEADS)
    means = []
    for name, first in every[0].items():
        heads = [of_run[name] for of_run in every]
        for key in ("format", "labels", "pool"):
            if any(head.facts.get(key) != first.facts.get(key) for head in heads):
                values = "; ".join(str(head.facts.get(key)) for head in heads)
                raise UsageError(f"these heads have no mean: they differ in {key}: {values}", do=HEADS)
        tensors = {
            key: torch.stack(
                [head.tensors[key].double() * (weight / total) for head, weight in zip(heads, weights, strict=True)]
            )
            .sum(0)
            .float()
            for key in first.tensors
        }
        means.append(replace(first, tensors=tensors))
    return means


def _parts(line: Lineage, merged: MergedRuns, heads: Heads) -> list[Part]:
    """All that the run stores, in the order of its composition."""
    adapters = [
        replace(merged.part, name=name) if name == line.new else line.frozen[name] for name in names(line.composition)
    ]
    return [*adapters, *(replace(part, name=name) for name, part in line.fusions.items()), *heads.parts]


def _config(config: RunConfig, parents: Sequence[Bundle], heads: Heads, merged: MergedRuns) -> RunConfig:
    """The configuration of the run that says what the head is for, with the merge in it."""
    source = heads.source or parents[0]
    base = load(source.folder / CONFIG) if (source.folder / CONFIG).is_file() else RunConfig()
    adapter = Adapter(kind=merged.part.facts["kind"], settings=merged.part.facts["settings"])
    after = tuple(str(parent.folder) for parent in parents)
    changed = {"how": "merge", "after": after, "merge": config.merge, "adapter": adapter, "composition": ""}
    changed |= {"control": "none"} | ({"task": Task(), "data": Data()} if heads.source is None else {})
    training = base.training.model_copy(update={"seed": config.training.seed})
    return base.model_copy(update={**changed, "training": training})


def _manifest(
    parents: Sequence[Bundle],
    merged: MergedRuns,
    heads: Heads,
    line: Lineage,
    loaded: Sequence[Loaded],
    identity: str,
    folder: Path,
) -> Manifest:
    """All but the hashes of the files. loaded: the rows that the merge was chosen on."""
    first, source = parents[0].manifest, heads.source.manifest if heads.source else None
    manifests = [parent.manifest for parent in parents]
    seen = history(loaded, manifests)
    chosen_on = [DataFacts.model_validate(split_facts(split)) for split in loaded]
    facts_of = (*(fact for manifest in manifests for fact in manifest.data), *chosen_on)
    data = {fact.model_dump_json(): fact for fact in facts_of}
    trunk = [row.model_copy(update={"active": True}) for row in first.parts if row.role == "trunk"]
    rows = [
        PartFacts(part=part.name, role=part.role, active=True, trained=False, parameters=part.parameters)
        for part in _parts(line, merged, heads)
    ]
    facts: dict[str, Any] = {
        "name": folder.resolve().name,
        "identity": identity,
        "task": source.task if source else ",".join(dict.fromkeys(manifest.task for manifest in manifests)),
        "task_file": source.task_file if source else "",
        "format": source.format if source else "",
        "language": ",".join(dict.fromkeys(manifest.language for manifest in manifests)),
        "how": "merge",
        "control": "none",
        "composition": str(line.composition),
        "from_layer": min(manifest.from_layer for manifest in manifests),
        "trunk": first.trunk,
        "parents": parent_facts(parents),
        "data": tuple(data.values()),
        "seeds": {"training": merged.facts.seed},
        "versions": environment.versions(),
        "device": environment.device_name("cpu"),
        "seconds": 0.0,
        "peak_memory": environment.peak_memory("cpu"),
        "licence": "; ".join(dict.fromkeys(filter(None, (manifest.licence for manifest in manifests)))),
        "substitutions": tuple(dict.fromkeys(note for manifest in manifests for note in manifest.substitutions)),
        "tasks": source.tasks if source else (),
        "merge": merged.facts,
        "seen": seen_of(manifests),
        "history": seen,
        "training": TrainingFacts(stopped_by="merge"),
        "parts": (*trunk, *rows),
        "files": {},
    }
    if heads.source is not None:
        tasks = [find_task(*remembered(heads.source.folder, name, Task())) for name in facts["task"].split(",")]
        facts["leaks"] = tuple(sentence for task in tasks for sentence in leaks(task, seen))
    return Manifest(**facts)


def _write(folder: Path, manifest: Manifest, parts: Sequence[Part]) -> None:
    """Weights, scores and card, the manifest last; then all of it is read again."""
    hashes = save_parts(folder, parts)
    there = [name for name in (IDENTITY, CONFIG, TASK_FILE) if (folder / name).is_file()]
    whole = manifest.model_copy(update={"files": {**hashes, **{name: sha256(folder / name) for name in there}}})
    write_results(folder, [])
    write_card(folder, whole, [])
    write_manifest(folder, whole)
    stored = {(part.role, part.name): part.tensors for part in load_bundle(folder).parts}
    for part in parts:
        read = stored[part.role, part.name]
        if any(not torch.equal(read[name], tensor) for name, tensor in part.tensors.items()):
            (folder / MANIFEST).unlink()
            what = f"'{part.name}' was not read as it was written"
            raise ArtefactError(what, where=str(folder), do="check the disk, and merge again")
