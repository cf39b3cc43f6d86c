"""Sections on where numbers come from: what it cost, and everything that is needed to make it again.

Nothing here names a place of the machine: trunk, data and folders go by their last names and hashes.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from adapter_stilts.config.explain import written
from adapter_stilts.config.places import last_name
from adapter_stilts.reports.inside import Runs
from adapter_stilts.reports.page import COUNT, MEGABYTES, SECONDS, Block, Cell, Column, Section, Table
from adapter_stilts.reports.record import RunRecord, Stage, StudyRecord
from adapter_stilts.sharing.manifest import Manifest

HASH = 16  # of a hash that is shown: enough to tell it, and a table keeps its width


def costs(runs: Runs, stages: Sequence[Stage] = ()) -> Section:
    """Seconds, steps, bytes and memory, by name; readings by their target.

    stages  of a study, whose readings cost time as well
    """
    columns = [
        *(Column("stage"), Column("done", COUNT), Column("steps", COUNT), Column("time", SECONDS)),
        *(Column("parameters trained", COUNT), Column("weights", MEGABYTES), Column("peak memory", MEGABYTES)),
    ]
    rows: list[Sequence[Cell]] = []
    for name, records in runs.items():
        manifests = [record.manifest for record in records]
        trained = sum(part.parameters for part in manifests[0].parts if part.trained)
        steps, seconds = sum(m.training.steps for m in manifests), sum(m.seconds for m in manifests)
        memory = max(m.peak_memory for m in manifests)
        rows.append((name, len(records), steps, seconds, trained, sum(r.bytes for r in records), memory))
    read = [stage for stage in stages if stage.work == "read" and stage.state == "done"]
    for tasks in dict.fromkeys(stage.tasks for stage in read):
        of_task = [stage for stage in read if stage.tasks == tasks]
        seconds = sum(stage.seconds for stage in of_task)
        rows.append((f"scoring {', '.join(map(_named, tasks))}", len(of_task), None, seconds, None, None, None))
    totals = [_sum(row[at] for row in rows) for at in (1, 2, 3)]
    if len(rows) > 1:
        rows.append(("all", *totals, None, _sum(row[5] for row in rows), None))
    notes = ["Times and bytes are sums over seeds; memory is the most that one process held."]
    return Section("What it cost", [Table("costs", "Time, size and memory", columns, rows, notes)])


def study_provenance(study: StudyRecord, runs: Runs) -> Section:
    """Of a study: its settings, commands, versions, data and the hashes of its runs."""
    document, name = study.document, shlex.quote(study.document.study)
    facts = [
        ("study", document.study),
        ("study.json, sha256", study.sha256),
        ("seeds", ", ".join(map(str, document.config.seeds))),
        *_trunks(runs),
        *_made_with(runs),
        ("to make it again", f"adapter-stilts replay {name} -o {name}-again"),
    ]
    blocks: list[Block] = [_facts("provenance", "What made it", facts), *_failed(document.stages), *_data(runs)]
    config = _without_places(document.config.model_dump(mode="json", exclude_unset=True))
    blocks += [_settings(config), *_hashes(runs)]
    return Section("Provenance", blocks)


def run_provenance(run: RunRecord, config: Mapping[str, Any]) -> Section:
    """Of a run: its settings, command, versions, data, parents and hashes."""
    manifest, runs = run.manifest, {run.manifest.name: [run]}
    facts = [
        ("run", manifest.name),
        ("identity", manifest.identity),
        ("manifest, checksum", manifest.checksum),
        ("seeds", ", ".join(f"{name} {seed}" for name, seed in manifest.seeds.items())),
        *_trunks(runs),
        *_made_with(runs),
        *(("built on", f"{parent.name}, checksum {parent.checksum}") for parent in manifest.parents),
        *(("substitution", said) for said in manifest.substitutions),
        *(("leak", said) for said in manifest.leaks),
    ]
    if manifest.merge is None:
        facts.append(("to make it again", _command(manifest)))
    blocks: list[Block] = [_facts("provenance", "What made it", facts), *_data(runs), _settings(config), *_hashes(runs)]
    return Section("Provenance", blocks)


def _command(manifest: Manifest) -> str:
    """How a trained run is trained again, with the words for what lies elsewhere on another machine in capitals."""
    words = ["adapter-stilts", "train", manifest.task_file or manifest.task, "--config", f"{manifest.name}/config.yaml"]
    for parent in manifest.parents:
        words += ["--after", parent.name]
    place = shlex.join(words) + (" --trunk DIR" if manifest.trunk.source == "folder" else "")
    return place + (" --data DIR" if any(part.files for part in manifest.data) else "")


def _facts(name: str, caption: str, facts: Iterable[tuple[str, str]]) -> Table:
    return Table(name, caption, [Column("what"), Column("value")], [fact for fact in facts if fact[1]])


def _trunks(runs: Runs) -> list[tuple[str, str]]:
    trunks = [record.manifest.trunk for records in runs.values() for record in records]
    described = dict.fromkeys(
        f"{last_name(trunk.name) if trunk.source == 'folder' else trunk.name}"
        f"{f' at {trunk.revision}' if trunk.revision else ''}, {trunk.layers} layers of width {trunk.hidden}, "
        f"{trunk.precision}, fingerprint {trunk.fingerprint}"
        for trunk in trunks
    )
    return [("trunk", said) for said in described]


def _made_with(runs: Runs) -> list[tuple[str, str]]:
    """Versions and devices, all that there are."""
    manifests = [record.manifest for records in runs.values() for record in records]
    versions = dict.fromkeys(", ".join(f"{name} {version}" for name, version in m.versions.items()) for m in manifests)
    devices = dict.fromkeys(manifest.device for manifest in manifests)
    return [*(("versions", said) for said in versions), *(("device", said) for said in devices)]


def _failed(stages: Sequence[Stage]) -> list[Table]:
    rows: list[Sequence[Cell]] = [(stage.stage, stage.state, stage.error) for stage in stages if stage.state != "done"]
    columns = [Column("stage"), Column("state"), Column("error")]
    return [Table("not-done", "Stages that are not done", columns, rows, folded=len(rows) > 8)] if rows else []


def _data(runs: Runs) -> list[Table]:
    """Every file or data set that rows came from, once."""
    rows: dict[Sequence[Cell], None] = {}
    for record in (record for records in runs.values() for record in records):
        for part in record.manifest.data:
            named = (part.task, part.split, part.language)
            for file in part.files:
                rows[(*named, Path(file.path).name, file.rows, file.sha256[:HASH])] = None
            if not part.files:
                place = f"{part.hub} {part.config} {part.revision}".strip() if part.hub else part.kind
                rows[(*named, place, part.rows, part.rows_sha256[:HASH])] = None
    columns = [*map(Column, ("task", "split", "language", "from")), Column("rows", COUNT), Column("sha256")]
    caption = "Data that was trained and validated on"
    return [Table("data", caption, columns, [*rows], folded=len(rows) > 8)] if rows else []


def _hashes(runs: Runs) -> list[Table]:
    rows: list[Sequence[Cell]] = []
    for name, records in runs.items():
        for record in records:
            manifest = record.manifest
            weights = [(file, digest) for file, digest in manifest.files.items() if file.endswith(".safetensors")]
            rows += [(name, manifest.seeds.get("training"), file, digest[:HASH]) for file, digest in weights]
    columns = [Column("run"), Column("seed"), Column("file"), Column("sha256")]
    return [Table("hashes", "Weights by their hashes", columns, rows, folded=len(rows) > 8)] if rows else []


def _settings(config: Mapping[str, Any]) -> Table:
    rows = [(key, written(value)) for key, value in _flat(config)]
    return Table("settings", "Every setting", [Column("setting"), Column("value")], rows, folded=True)


def _flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted keys; of lists of sections each by its number."""
    flat: list[tuple[str, Any]] = []
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            flat += _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
            for at, one in enumerate(value):
                flat += _flat(one if isinstance(one, Mapping) else {"": one}, f"{prefix}{key}[{at}].")
        else:
            flat.append((f"{prefix}{key}", value))
    return flat


def _without_places(value: Any) -> Any:
    """A study's configuration with the last names of its places: of "/a/b", and of "/a/b.tsv" in "train=/a/b.tsv"."""
    if isinstance(value, Mapping):
        return {key: _without_places(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_places(each) for each in value]
    if not isinstance(value, str):
        return value
    key, equals, place = value.rpartition("=")
    return f"{key}{equals}{last_name(place)}" if Path(place).is_absolute() else value


def _named(task: str) -> str:
    return last_name(task) if task.endswith((".yaml", ".yml")) else task


def _sum(cells: Iterable[Cell]) -> float | None:
    numbers = [cell for cell in cells if isinstance(cell, int | float)]
    return sum(numbers) if numbers else None
