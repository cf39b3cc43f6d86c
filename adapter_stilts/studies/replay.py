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

from pydantic import BaseModel, ConfigDict, ValidationError

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
HASHES = ("trunk", "weights", "data")


class Stage(BaseModel):
    """A stage as study.json has it; None where it is of a version that did not keep that."""

    model_config = ConfigDict(frozen=True)

    stage: str
    key: str
    work: str
    state: str
    error: str = ""
    folder: str = ""
    trunk: str | None = None
    weights: dict[str, str] | None = None
    data: dict[str, str] | None = None
    versions: dict[str, str] | None = None
    device: str | None = None
    rows: list[tuple[str, ...]] = []
    scores: list[float | None] | None = None


class Entry(BaseModel):
    """A cell of the table."""

    intermediate: str
    how: str
    target: str
    score: float | None = None
    gain: float | None = None
    verdict: str | None = None


class Record(BaseModel):
    """A study.json."""

    config: dict[str, Any]
    stages: list[Stage]
    entries: list[Entry] = []


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
    config = chosen(_config(recorded.config, path), trunk, data)
    out = out or HOME / f"{config.name}-again"
    if out.resolve() == path.parent.resolve():
        what = "a study cannot be made again in its own folder"
        raise UsageError(what, where=str(out), do="name another folder with -o")
    again = run(config, out, jobs=jobs, report=report).document
    now = Record.model_validate(again)
    by_key, by_name = ({getattr(stage, name): stage for stage in now.stages} for name in ("key", "stage"))
    folders = path.parent, out
    # settings that have another meaning now make another key
    stages = [_stage(stage, by_key.get(stage.key) or by_name.get(stage.stage), folders) for stage in recorded.stages]
    counts = {state: sum(stage["state"] == state for stage in stages) for state in (EQUAL, DIFFERS, UNKNOWN)}
    said = {"study": config.name, "manifest": str(path), "out": str(out), "equal": counts[EQUAL] == len(stages)}
    return {**said, "counts": counts, "stages": stages, "entries": list(_entries(recorded.entries, now.entries))}


def difference(document: Mapping[str, Any]) -> StudyFailed:
    """What to raise once a replay that is not equal has been shown."""
    counts = document["counts"]
    what = f"{counts[DIFFERS]} of {len(document['stages'])} stages differ from the recorded ones"
    what += f", and {counts[UNKNOWN]} have nothing to be compared with" if counts[UNKNOWN] else ""
    return StudyFailed(what, where=document["out"], do="compare versions, device, trunk and data, which are told above")


def _read(path: Path) -> Record:
    if not path.is_file():
        raise MissingError(f"there is no {STUDY}", where=str(path), do=f"name a study's folder or its {STUDY}")
    try:
        return Record.model_validate(from_json(read_bytes(path)))
    except (OSError, ValueError) as error:
        do = "name the one that `adapter-stilts study` has written"
        raise ArtefactError(f"{STUDY} is damaged, or no record of a study", where=str(path), do=do) from error


def _config(recorded: Mapping[str, Any], path: Path) -> StudyConfig:
    try:
        return StudyConfig.model_validate(recorded)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        what = f"{STUDY} is of another version: {key}: {first['msg']}"
        raise ArtefactError(what, where=str(path), do="replay it with the version that it names") from error


def _stage(recorded: Stage, again: Stage | None, folders: tuple[Path, Path]) -> dict[str, Any]:
    """How one stage compares: its state, and what is not as it was."""
    row = {"stage": recorded.stage, "work": recorded.work, "key": recorded.key}
    if again is None:
        return {**row, "state": DIFFERS, "differences": [_told("stage", "there", "not there")]}
    if (recorded.state, again.state) != ("done", "done"):
        state = UNKNOWN if again.state == "done" else DIFFERS
        return {**row, "state": state, "differences": [_told("state", recorded.state, again.error or again.state)]}
    before, now = (_evidence(stage, folder) for stage, folder in zip((recorded, again), folders, strict=True))
    differences = list(_differences(before, now))
    deciding = [one for one in differences if one["what"].partition(" ")[0] not in CONDITIONS]
    known = before.keys() & {"weights", "scores"}
    return {**row, "state": DIFFERS if deciding else EQUAL if known else UNKNOWN, "differences": differences}


def _evidence(stage: Stage, folder: Path) -> dict[str, Any]:
    """What study.json says of a stage, or, where that is of an older version, the run itself."""
    kept = {name: value for name in (*HASHES, *CONDITIONS) if (value := getattr(stage, name)) is not None}
    run = folder / "runs" / Path(stage.folder).name
    if stage.work == "train":
        return kept if "weights" in kept or not (run / MANIFEST).is_file() else of_training(read_manifest(run))
    scores = stage.scores
    if scores is None and run.is_dir():
        there = {row.key: row.score for row in read_results(run)}
        scores = [there.get(key) for key in stage.rows]
    return kept if scores is None else {**kept, "scores": dict(zip(stage.rows, scores, strict=False))}


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What is not as it was; of hashes, versions and scores each by its name."""
    for name, one in before.items():
        other = now.get(name)
        if not isinstance(one, Mapping) or not isinstance(other, Mapping):
            if one != other:
                yield _told(name, one, other)
            continue
        for part in dict.fromkeys([*one, *other]):
            if one.get(part) != other.get(part):
                label = " ".join(part[:-1]) if isinstance(part, tuple) else part  # a score's key, without settings
                yield _told(f"{name} {label}", one.get(part), other.get(part))


def _entries(recorded: Sequence[Entry], again: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    """The rows of the table whose score, gain or verdict is another."""
    now = {(entry.intermediate, entry.how, entry.target): entry for entry in again}
    for entry in recorded:
        other = now.get((entry.intermediate, entry.how, entry.target))
        if entry != other:
            told = ("score", "gain", "verdict")
            both = {name: [getattr(entry, name), getattr(other, name, None)] for name in told}
            yield {"intermediate": entry.intermediate, "how": entry.how, "target": entry.target, **both}


def _told(what: str, recorded: object, now: object) -> dict[str, Any]:
    return {"what": what, "recorded": recorded, "now": now}
