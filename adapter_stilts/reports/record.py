"""What a report reads of a study: study.json, checked, and the runs beside it, as far as they are there.

study = read_study(Path("studies/paper"))
study.entries[0].gain        a row of the table
study.runs["bdf865b6"]       what the run of a stage says of itself: manifest, scores, course, attention
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from adapter_stilts.errors import ArtefactError, MissingError
from adapter_stilts.files import from_json, read_bytes, sha256
from adapter_stilts.runs.results import read_results
from adapter_stilts.runs.rows import read_attention
from adapter_stilts.sharing.manifest import MANIFEST, METRICS, Manifest, read_manifest
from adapter_stilts.statistics.result import Result
from adapter_stilts.studies.board import STUDY

Interval = tuple[float, float]
MOST = 1e12  # of a step or a value that can be drawn


class Read(BaseModel):
    """A part of study.json, as far as a report reads it."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Elsewhere(Read):
    interval: Interval


class OverControl(Read):
    gain: float
    interval: Interval | None = None
    p: float | None = None
    control: str = ""


class Scores(Read):
    """A score over seeds and languages, and its gain over `direct`, as study_table.py has them."""

    n: int
    score: float
    gain: float | None = None
    interval: Interval | None = None
    p_holm: float | None = None
    by_language: Mapping[str, float] = {}
    gain_by_language: Mapping[str, float] = {}
    verdict: str = ""
    detectable: float | None = None
    elsewhere: Elsewhere | None = None
    dropped: tuple[str, ...] = ()
    over_control: OverControl | None = None


class Entry(Scores):
    """A cell of the table."""

    intermediate: str
    how: str
    target: str
    control: bool
    retrieval: bool
    metric: str
    seeds: tuple[int, ...]
    compared: tuple[int, ...]
    languages: int
    leaks: tuple[str, ...] = ()
    unlearned: tuple[str, ...] = ()
    source: Scores | None = None

    @property
    def arm(self) -> tuple[str, str]:
        return (self.intermediate, self.how)


class Mean(Read):
    """A row of means over targets, over all of them and over those that are trained."""

    intermediate: str
    how: str
    control: bool = False
    all: float | None = None
    all_gain: float | None = None
    all_interval: Interval | None = None
    trained: float | None = None
    trained_gain: float | None = None
    trained_interval: Interval | None = None


class Stage(Read):
    """A stage and how it went."""

    stage: str
    key: str
    work: str
    tasks: tuple[str, ...]
    how: str
    seed: int
    after: tuple[str, ...] = ()
    state: str
    seconds: float = 0.0
    error: str = ""
    steps: int | None = None
    folder: str = ""

    @property
    def name(self) -> str:
        """Of the stage under every seed."""
        return self.stage.removesuffix(f"-s{self.seed}")


class Setting(BaseModel):
    """A part of the study's configuration, with all that it says besides."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Trunk(Setting):
    name: str = ""


class TableOptions(Setting):
    holm: str = "row"
    nested: bool = False
    equal_within: float | None = None


class Config(Setting):
    trunk: Trunk = Trunk()
    table: TableOptions = TableOptions()
    seeds: tuple[Any, ...] = ()
    data: tuple[str, ...] = ()


class Document(Read):
    study: str
    config: Config = Config()
    stages: tuple[Stage, ...]
    entries: tuple[Entry, ...] = ()
    means: tuple[Mean, ...] = ()


@dataclass(frozen=True)
class RunRecord:
    """A run's folder, and what it says of itself."""

    folder: Path

    @cached_property
    def manifest(self) -> Manifest:
        return read_manifest(self.folder)

    @cached_property
    def results(self) -> list[Result]:
        return list(read_results(self.folder))

    @cached_property
    def course(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl: {"step", "loss"} and {"step", "score"}; [] of a run that was not trained."""
        path = self.folder / METRICS
        if not path.is_file():
            return []
        try:
            rows = [from_json(line) for line in read_bytes(path).splitlines() if line.strip()]
        except (OSError, ValueError) as error:
            raise ArtefactError(f"{METRICS} is damaged", where=str(path), do="train the run again") from error
        return [row for row in rows if isinstance(row, dict) and isinstance(row.get("step"), int)]

    def points(self, name: str) -> list[tuple[float, float]]:
        """A number of the course by its step."""
        found = [(row["step"], row[name]) for row in self.course if isinstance(row.get(name), float | int)]
        return [(step, float(value)) for step, value in found if abs(step) < MOST and abs(value) < MOST]

    @cached_property
    def attention(self) -> dict[str, Any]:
        return read_attention(self.folder)

    @property
    def bytes(self) -> int:
        """Of its weights."""
        weights = (self.folder / name for name in self.manifest.files if name.endswith(".safetensors"))
        return sum(path.stat().st_size for path in weights if path.is_file())


@dataclass(frozen=True)
class StudyRecord:
    """A study's file, its hash, and its finished runs that lie beside it, by the keys of their stages; `trunks` are the
    folders of what was read with the trunk alone."""

    path: Path
    document: Document
    sha256: str
    runs: Mapping[str, RunRecord] = field(default_factory=dict)
    trunks: Sequence[RunRecord] = ()

    @property
    def entries(self) -> tuple[Entry, ...]:
        return self.document.entries

    @property
    def done(self) -> int:
        return sum(stage.state == "done" for stage in self.document.stages)


def is_study(path: Path) -> bool:
    """Whether a path names a study, its folder or file."""
    return path.name == STUDY or (path / STUDY).is_file()


def read_study(path: Path) -> StudyRecord:
    """The record of a study; MissingError where there is none, ArtefactError for one that is damaged."""
    file = path / STUDY if path.is_dir() else path
    if not file.is_file():
        raise MissingError(f"there is no {STUDY}", where=str(file), do="name a study's folder, or a finished run's")
    try:
        document = Document.model_validate(from_json(read_bytes(file)))
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{STUDY} is damaged: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise ArtefactError(what, where=str(file), do="run the study again: finished stages are kept") from error
    except (OSError, ValueError) as error:
        do = "run the study again: finished stages are kept"
        raise ArtefactError(f"{STUDY} is damaged", where=str(file), do=do) from error
    folders = {stage.key: file.parent / "runs" / Path(stage.folder).name for stage in document.stages if stage.folder}
    done = [stage for stage in document.stages if stage.state == "done" and stage.key in folders]
    trained = {stage.key: folders[stage.key] for stage in done if stage.work == "train"}
    runs = {key: RunRecord(folder) for key, folder in trained.items() if (folder / MANIFEST).is_file()}
    alone = dict.fromkeys(folders[stage.key] for stage in done if stage.work == "read" and not stage.after)
    trunks = [RunRecord(folder) for folder in alone if folder.is_dir()]
    return StudyRecord(file, document, sha256(file), runs, trunks)


def read_run(path: Path) -> RunRecord:
    """The record of a finished run; MissingError where there is none, ArtefactError where a byte of it was changed."""
    record = RunRecord(path)
    record.manifest  # noqa: B018  # read now, so that what is wrong is said at once
    return record
