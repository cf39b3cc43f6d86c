"""`replay`: a study made again from its study.json, in another folder, and where it differs from the recorded one.

    replay(Path("studies/paper"), out=Path("again"), jobs=1, report=report)
    {"equal": False, "stages": [{"stage": "nli-s13", "state": "differs", "differences": [...]}, ...], ...}

A stage is equal where the bytes of its weights and data, its trunk and all its scores are the recorded ones. Versions
and device are told where they are others; numbers that are equal in spite of them are equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from adapter_stilts.config.study import StudyConfig
from adapter_stilts.errors import ArtefactError, MissingError, StudyFailed, UsageError
from adapter_stilts.files import from_json, read_bytes
from adapter_stilts.reporting import Reporter
from adapter_stilts.runs.results import read_results
from adapter_stilts.sharing.manifest import MANIFEST, read_manifest
from adapter_stilts.studies.board import STUDY
from adapter_stilts.studies.evidence import of_training
from adapter_stilts.studies.grid import HOME, chosen
from adapter_stilts.studies.run import run

EQUAL, DIFFERS, UNKNOWN = "equal", "differs", "not comparable"
CONDITIONS = ("versions", "device")  # what a stage was made with, which decides nothing by itself
ENTRY = ("intermediate", "how", "target")


def replay(
    manifest: Path,
    *,
    out: Path | None,
    jobs: int,
    report: Reporter,
    trunk: str | None = None,
    data: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Do every stage of a recorded study under `out`, or those missing there, and compare them with the record.

    manifest     study.json, or its folder
    out          None: studies/NAME-again
    trunk, data  where they lie now, in the place of those that are recorded

    Returns what `--json` prints. Raises MissingError or ArtefactError for a manifest that is not there or not of this
    version, UsageError where `out` is the recorded study itself.
    """
    path = manifest / STUDY if manifest.is_dir() else manifest
    recorded = _read(path)
    config = chosen(_config(recorded, path), trunk, data)
    out = out or HOME / f"{config.name}-again"
    if out.resolve() == path.parent.resolve():
        what = "a study cannot be made again in its own folder"
        raise UsageError(what, where=str(out), do="name another folder with -o")
    again = run(config, out, jobs=jobs, report=report).document
    stages = _compared(recorded["stages"], again["stages"], (path.parent, out))
    counts = {state: sum(stage["state"] == state for stage in stages) for state in (EQUAL, DIFFERS, UNKNOWN)}
    differing = counts[DIFFERS] + counts[UNKNOWN]
    said = {"study": config.name, "manifest": str(path), "out": str(out), "equal": not differing, "counts": counts}
    return {**said, "stages": stages, "entries": _entries(recorded, again), "failed": again["failed"]}


def difference(document: Mapping[str, Any]) -> StudyFailed:
    """What to raise once a replay that is not equal has been shown."""
    counts = document["counts"]
    what = f"{counts[DIFFERS]} of {len(document['stages'])} stages differ from the recorded ones"
    what += f", and {counts[UNKNOWN]} have nothing to be compared with" if counts[UNKNOWN] else ""
    return StudyFailed(what, where=document["out"], do="compare versions, device, trunk and data, which are told above")


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingError(f"there is no {STUDY}", where=str(path), do=f"name a study's folder or its {STUDY}")
    try:
        document = from_json(read_bytes(path))
        if not all(isinstance(stage["key"] + stage["state"], str) for stage in document["stages"]):
            raise ValueError
        document["config"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        do = "name the one that `adapter-stilts study` has written"
        raise ArtefactError(f"{STUDY} is damaged, or no record of a study", where=str(path), do=do) from error
    return dict(document)


def _config(recorded: Mapping[str, Any], path: Path) -> StudyConfig:
    try:
        return StudyConfig.model_validate(recorded["config"])
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        what = f"{STUDY} is of another version: {key}: {first['msg']}"
        raise ArtefactError(what, where=str(path), do="replay it with the version that it names") from error


def _compared(
    recorded: Sequence[Mapping[str, Any]], again: Sequence[Mapping[str, Any]], folders: tuple[Path, Path]
) -> list[dict[str, Any]]:
    """Stage by stage, in the order of the record; a stage is known by its key, and where settings have another meaning
    now by its name."""
    by_key, by_name = ({stage[name]: stage for stage in again} for name in ("key", "stage"))
    return [_stage(stage, by_key.get(stage["key"]) or by_name.get(stage.get("stage")), folders) for stage in recorded]


def _stage(recorded: Mapping[str, Any], again: Mapping[str, Any] | None, folders: tuple[Path, Path]) -> dict[str, Any]:
    row = {"stage": recorded.get("stage", ""), "work": recorded.get("work", ""), "key": recorded["key"]}
    if again is None:
        return {**row, "state": DIFFERS, "differences": [_told("stage", "there", "not there")]}
    states = recorded["state"], again["state"]
    if states != ("done", "done"):
        said = again.get("error") or states[1]
        state = UNKNOWN if states[1] == "done" else DIFFERS
        return {**row, "state": state, "differences": [_told("state", states[0], said)]}
    before, now = (_evidence(stage, folder) for stage, folder in zip((recorded, again), folders, strict=True))
    differences = list(_differences(before, now))
    deciding = [one for one in differences if one["what"].partition(" ")[0] not in CONDITIONS]
    known = before.keys() & {"weights", "scores"}
    return {**row, "state": DIFFERS if deciding else EQUAL if known else UNKNOWN, "differences": differences}


def _evidence(record: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What study.json says of a stage, or, where that is of an older version, the run itself."""
    named = {name: record[name] for name in ("trunk", "weights", "data", *CONDITIONS) if name in record}
    run = folder / "runs" / Path(str(record.get("folder", ""))).name
    if record.get("work") == "train":
        there = "weights" in named or not (run / MANIFEST).is_file()
        return named if there else of_training(read_manifest(run))
    keys = [tuple(key) for key in record.get("rows", ())]
    scores = record.get("scores")
    if scores is None and run.is_dir():
        there_now = {row.key: row.score for row in read_results(run)}
        scores = [there_now.get(key) for key in keys]
    if scores is None:
        return named
    return {**named, "scores": dict(zip(keys, scores, strict=True))}


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What is not as it was; of hashes, versions and scores each by its name."""
    for name in before:
        one, other = before[name], now.get(name)
        if not isinstance(one, Mapping) or not isinstance(other, Mapping):
            if one != other:
                yield _told(name, one, other)
            continue
        for part in dict.fromkeys([*one, *other]):
            if one.get(part) != other.get(part):
                # a score by its key without the settings
                label = " ".join(map(str, part[:-1])) if isinstance(part, tuple) else part
                yield _told(f"{name} {label}", one.get(part), other.get(part))


def _entries(recorded: Mapping[str, Any], again: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of the table whose score, gain or verdict is another."""
    before, now = (
        {tuple(entry[name] for name in ENTRY): entry for entry in document.get("entries", ())}
        for document in (recorded, again)
    )
    told = ("score", "gain", "verdict")
    rows = []
    for key, entry in before.items():
        other = now.get(key, {})
        if any(entry.get(name) != other.get(name) for name in told):
            both = {name: [entry.get(name), other.get(name)] for name in told}
            rows.append({**dict(zip(ENTRY, key, strict=True)), **both})
    return rows


def _told(what: str, recorded: object, now: object) -> dict[str, Any]:
    return {"what": what, "recorded": recorded, "now": now}
