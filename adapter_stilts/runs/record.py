"""What a run says of itself: its resolved configuration, its manifest, and what it would be before it is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adapter_stilts import environment
from adapter_stilts.config.load import dump
from adapter_stilts.config.places import LOCAL, TASK_FILES, last_name, travelling
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.composition import fusion_name, fusions, names
from adapter_stilts.encoder.task_model import JointModel
from adapter_stilts.encoder.transfer import copies
from adapter_stilts.encoder.trunk.loading import Trunk, half_copies
from adapter_stilts.files import IDENTITY, sha256, write_text
from adapter_stilts.runs.advice import advice
from adapter_stilts.runs.build import HEAD
from adapter_stilts.runs.folder import State
from adapter_stilts.runs.identity import rows_digest
from adapter_stilts.runs.material import MINIATURE, leaks, origin_facts
from adapter_stilts.runs.measure import Model
from adapter_stilts.runs.prepare import JOINT, Prepared
from adapter_stilts.runs.results import read_results
from adapter_stilts.runs.task_data import TaskData
from adapter_stilts.sharing.bundle import Bundle, Part
from adapter_stilts.sharing.manifest import (
    CONFIG,
    METRICS,
    TASK_FILE,
    Manifest,
    Parent,
    PartFacts,
    TaskFacts,
    read_manifest,
)
from adapter_stilts.sharing.places import named, remember
from adapter_stilts.statistics.learned import Learning
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.reading.place import Loaded
from adapter_stilts.tasks.user import told
from adapter_stilts.training.plan import Outcome

SHOWN = {"identity", "task", "how", "composition", "parts", "training", "tasks", "merge", "substitutions", "leaks"}
GENERATED = "Apache-2.0 (generated text of this package)"


def decided(prepared: Prepared) -> RunConfig:
    """The configuration with every default, and what stands here in the place of "auto" and "as the task says"."""
    config, loaded, line = prepared.config, prepared.trunk, prepared.lineage
    trunk = config.trunk.model_copy(update={"precision": loaded.precision, "revision": loaded.revision or None})
    adapter = config.adapter.model_copy(update={"kind": line.kind, "settings": line.settings})
    training = config.training.model_copy(update={} if prepared.joint else {"max_length": prepared.data[0].max_length})
    return config.model_copy(update={"trunk": trunk, "adapter": adapter, "training": training})


def write_config(prepared: Prepared, folder: Path) -> None:
    """The configuration, with the places of this machine and without, and the user's own description of the task where
    there is one: it may change or move."""
    config, trunk = decided(prepared), prepared.trunk
    write_text(folder / LOCAL, dump(config))
    name, source = (named(trunk.name, trunk.revision)[key] for key in ("name", "source"))
    write_text(folder / CONFIG, dump(travelling(config, name)))
    files = {file.sha256: str(file.path) for split in prepared.loaded for file in split.origin.files}
    remember(folder, trunk="" if source == "miniature" or trunk.revision else trunk.name, files=files)
    if prepared.config.task.name.endswith(TASK_FILES) and not prepared.joint:
        write_text(folder / TASK_FILE, told(Path(prepared.config.task.name)))


def manifest_of(
    prepared: Prepared,
    folder: Path,
    parts: Sequence[PartFacts],
    hashes: Mapping[str, str],
    outcome: Outcome,
    learned: Mapping[str, Learning],
    seconds: float,
    from_layer: int,
) -> Manifest:
    """The manifest of a run whose weights and config.yaml are in the folder. seconds: of this process; from_layer: the
    hidden state that is shared."""
    config, trunk, data, loaded = prepared.config, prepared.trunk, prepared.data, prepared.loaded
    task = config.task.name
    there = [name for name in (IDENTITY, CONFIG, METRICS, TASK_FILE) if (folder / name).is_file()]
    ended = {**asdict(outcome), "losses": [[step, round(loss, 6)] for step, loss in outcome.losses[-1:]]}
    ended |= {"rows": sum(len(rows.examples) for rows in data), "features": sum(len(rows.features) for rows in data)}
    if not outcome.tasks:
        del ended["tasks"]
    ended |= {"learned": learned} if learned else {}
    if config.control == "none" and any(learning.learned is False for learning in learned.values()):
        ended["advice"] = advice(config, outcome, ended["rows"], max(len(rows.labels or ()) for rows in data))
    history = prepared.history
    learned_in = [(language, [rows.task.name]) for rows in data for language in rows.languages if prepared.trains]
    # of the rows trained on: the task's own, unless they are the miniature's generated ones
    generated = [all(loaded.origin.kind == MINIATURE for loaded in rows.train) for rows in data]
    licences = [GENERATED if made else rows.task.source.licence for rows, made in zip(data, generated, strict=True)]
    facts = {
        "name": folder.resolve().name,
        "identity": prepared.identity,
        "task": prepared.task,
        "task_file": last_name(task) if task.endswith(TASK_FILES) and not prepared.joint else "",
        "format": JOINT if prepared.joint else data[0].task.format.name,
        "language": ",".join(dict.fromkeys(language for rows in data for language in rows.languages)),
        "how": config.how,
        "control": config.control,
        "composition": str(prepared.lineage.composition),
        "from_layer": from_layer,
        "trunk": facts_of_trunk(trunk, config.trunk.prefix),
        "parents": parent_facts(prepared.parents),
        "data": [split_facts(split) for split in loaded],
        "seeds": {"training": config.training.seed},
        "versions": environment.versions(),
        "device": environment.device_name(prepared.device),
        "seconds": round(max(seconds, outcome.seconds), 3),
        "peak_memory": environment.peak_memory(prepared.device),
        "licence": "; ".join(dict.fromkeys(filter(None, licences))),
        "substitutions": list(dict.fromkeys(note for split in loaded for note in split.origin.substitutions)),
        "tasks": [task_facts(prepared, rows, outcome.tasks) for rows in data] if prepared.joint else [],
        "merge": prepared.merged.facts if prepared.merged is not None else None,
        "seen": seen_of((parent.manifest for parent in prepared.parents), learned_in),
        "history": history,
        "leaks": [note for rows in data for note in leaks(rows.task, history)],
        "training": {**ended, "processes": prepared.processes.count},
        "parts": parts,
        "files": {**hashes, **{name: sha256(folder / name) for name in there}},
    }
    return Manifest.model_validate(facts)


def parent_facts(parents: Sequence[Bundle]) -> list[Parent]:
    """The runs that a run builds on, as its manifest names them."""
    return [Parent(name=parent.manifest.name, checksum=parent.manifest.checksum) for parent in parents]


def facts_of_trunk(trunk: Trunk, prefix: str = "") -> dict[str, Any]:
    """What a manifest says of a trunk that is loaded; prefix: of the run's own sentences."""
    return {
        **named(trunk.name, trunk.revision),
        **{name: getattr(trunk, name) for name in ("fingerprint", "precision")},
        "layers": trunk.config.num_hidden_layers,
        "hidden": trunk.config.hidden_size,
        "prefix": prefix,
        "copies": half_copies(trunk.name, trunk.revision, trunk.fingerprint),
        "rounding": float(f"{trunk.rounding:.3g}"),
    }


def task_facts(prepared: Prepared, data: TaskData, steps: Mapping[str, int]) -> TaskFacts:
    """One task of a joint run: its rows, how probable it was in a step, and how many steps it had."""
    name = data.task.name
    return TaskFacts(
        task=name,
        format=data.task.format.name,
        languages=data.languages,
        rows=len(data.examples),
        features=len(data.features),
        share=round(prepared.shares[name], 6),
        **({"steps": steps[name]} if name in steps else {}),
    )


def parts_of(prepared: Prepared, model: Model) -> list[Part]:
    """Everything a finished run stores, in the order of its composition; of a head, all that new rows need."""
    encoder, line, (first, *others) = model.encoder, prepared.lineage, prepared.data
    # of a language adapter, one that learned text of one language
    language = first.languages[0] if not others and first.task.format.masked and len(first.languages) == 1 else ""
    made = {"kind": line.kind, "settings": dict(line.settings), "trained": True, "language": language}
    parts = []
    for name in names(line.composition):
        adapter = made if name == line.new else line.frozen[name].facts
        parts.append(Part("adapter", name, adapter, encoder.tensors(name)))
    for fuse in fusions(line.composition):
        name = fusion_name(fuse)
        parts.append(Part("fusion", name, {"trained": name == line.new_fusion}, encoder.fusion_tensors(fuse)))
    for data in prepared.data:
        task, pool = data.task, {"pool": prepared.config.training.head_pool} if data.task.format.ranking else {}
        name, reader = (task.name, model.tasks[task.name]) if isinstance(model, JointModel) else (HEAD, model)
        head = {"format": task.format.name, "task": task.name, "labels": list(data.labels or ())}
        parts.append(Part("head", name, {**head, "max_length": data.max_length, **pool}, copies(reader.head)))
    return parts


@dataclass(frozen=True)
class Trained:
    """A finished run: what it says of itself, and its scores. attention: of a fusion, as rows.py has it."""

    folder: Path
    manifest: Manifest
    results: tuple[Result, ...]
    attention: Mapping[str, Any] | None = None
    means: None = None  # validation scores enter none

    def to_json(self) -> dict[str, Any]:
        """The document of `train --json` and `fuse --json`."""
        empty = {name for name in ("tasks", "merge") if not getattr(self.manifest, name)}
        shown = self.manifest.model_dump(mode="json", include=SHOWN - empty)
        document = {"run": str(self.folder), **shown, "results": [row.to_json() for row in self.results]}
        return document | ({} if self.attention is None else {"attention": self.attention})


def trained(folder: Path) -> Trained:
    """What lies in the folder of a finished run."""
    return Trained(folder, read_manifest(folder), tuple(read_results(folder)))


@dataclass(frozen=True)
class Planned:
    """What a run would be, without a step of training."""

    prepared: Prepared
    folder: Path
    state: State
    parts: Sequence[PartFacts]
    results: tuple[Result, ...] = ()
    means: None = None

    @property
    def bytes(self) -> int:
        """Of its weights on disk, about."""
        return sum(4 * row.parameters for row in self.parts if row.role != "trunk")

    @property
    def rows(self) -> int:
        return sum(len(data.examples) for data in self.prepared.data)

    @property
    def tasks(self) -> list[TaskFacts]:
        """The tasks of a joint run, [] of another."""
        return [task_facts(self.prepared, data, {}) for data in self.prepared.data] if self.prepared.joint else []

    def to_json(self) -> dict[str, Any]:
        """The document of `train --dry-run --json`."""
        prepared = self.prepared
        return {
            "run": str(self.folder),
            "identity": prepared.identity,
            "state": self.state,
            "task": prepared.task,
            "how": prepared.config.how,
            "composition": str(prepared.lineage.composition),
            "rows": self.rows,
            "validation_rows": sum(len(loaded.examples) for data in prepared.data for loaded in data.validation),
            "steps": prepared.steps,
            **({"tasks": [task.model_dump(mode="json") for task in self.tasks]} if prepared.joint else {}),
            "bytes": self.bytes,
            "parts": [part.model_dump() for part in self.parts],
            "results": [],
        }


def seen_of(parents: Iterable[Manifest], learned: Iterable[tuple[str, Sequence[str]]] = ()) -> dict[str, list[str]]:
    """Language -> tasks learned in it, here or in a run that this one builds on."""
    seen: dict[str, set[str]] = {}
    for language, tasks in (*(pair for parent in parents for pair in parent.seen.items()), *learned):
        seen.setdefault(language, set()).update(tasks)
    return {language: sorted(tasks) for language, tasks in sorted(seen.items())}


def split_facts(loaded: Loaded) -> dict[str, Any]:
    """Where a split came from, with its files' hashes, and that of its rows where these are no files of the user's."""
    facts = origin_facts(loaded.origin)
    facts["files"] = [{**file, "path": last_name(file["path"])} for file in facts["files"]]
    return facts if loaded.origin.kind == "files" else {**facts, "rows_sha256": rows_digest(loaded)}
