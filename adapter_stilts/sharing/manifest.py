"""What a run says of itself: trunk, parts, parents, data, versions and the hash of every file that belongs to it.

The manifest is written last, so a folder with one is whole. It carries a hash of itself ("checksum"), of each file it
lists ("files"), and the fingerprint of the trunk that its adapters were trained on.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_serializer,
    field_validator,
    model_serializer,
)

from adapter_stilts.config.schema import Precision
from adapter_stilts.errors import ArtefactError, MissingError
from adapter_stilts.files import IDENTITY
from adapter_stilts.sharing.sealed import read_sealed, write_sealed
from adapter_stilts.statistics.learned import Learning
from adapter_stilts.tasks.leaks import Seen

MANIFEST = "manifest.json"
CONFIG = "config.yaml"
TASK_FILE = "task.yaml"  # the user's own description of the task, without comments
METRICS = "metrics.jsonl"  # one line per logged step
RESULTS = "results.json"
NO_HEAD = "none"  # in the place of the run whose head a merged one has
ROLES = ("adapter", "fusion", "head")  # of parts, and their folders
VERSION = 2
READ = (1, 2)  # 1 said where things lay on the machine that made it
Count = Annotated[int, Field(ge=0, le=10**15)]
FETCH_AGAIN = "fetch the bundle again, or train the run again with --overwrite"


def _without_empty(fields: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names or value}


class Strict(BaseModel):
    """A part of the manifest that says all it has to say."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Facts(BaseModel):
    """A part of the manifest; what was not said of it is not in the JSON."""

    model_config = ConfigDict(frozen=True, extra="allow")

    @model_serializer(mode="wrap")
    def _said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if name in self.model_fields_set}


class FileFacts(Facts):
    """A file that rows were read from; path: its name, without the folder it lay in."""

    path: str
    sha256: str
    rows: Count = 0


class DataFacts(Facts):
    """Where the rows of one split in one language came from: the miniature, files or the hub."""

    task: str = ""
    split: str
    language: str
    kind: str
    files: tuple[FileFacts, ...] = ()
    hub: str = ""
    config: str = ""
    revision: str = ""
    rows: Count = 0
    dropped: dict[str, Count] = {}
    parts: tuple[str, ...] = ()
    multiword: str = ""
    substitutions: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    rows_sha256: str = ""


class TaskFacts(Facts):
    """One of a joint run's tasks; steps: that it had, None before training."""

    task: str
    format: str
    languages: tuple[str, ...]
    rows: Count
    features: Count
    share: float
    steps: Count | None = None


class PartFacts(Facts):
    """A row of the table of parts."""

    part: str
    role: str
    active: bool
    trained: bool
    parameters: Count


class TrainingFacts(Facts):
    """How training ended, on how much, and whether it taught anything.

    losses   the last one, with its step
    learned  by task, its validation score against what takes no learning
    advice   what to try where that says no, as `--set` takes it
    """

    steps: Count = 0
    epochs: Count = 0
    best_step: Count | None = None
    best_score: float | None = None
    losses: tuple[tuple[int, float], ...] = ()
    seconds: float = 0.0
    stopped_by: str = ""
    tasks: dict[str, Count] = {}
    rows: Count = 0
    features: Count = 0
    processes: Count = 1
    learned: dict[str, Learning] = {}
    advice: str = ""


class MergeFacts(Facts):
    """How adapters were merged.

    weights      as they were used, in the order of the parents
    relative_to  what their changes are changes of
    rank         of the merged adapter; 0 of kinds that have none
    exact        whether it is the method's result, not the nearest of its rank
    error        its distance from the method's result, relative to it
    head         whose head it has: a run's name, "merged" or "none"; "" where one is trained
    search       what was tried, and on which validation rows
    """

    method: str
    weights: tuple[float, ...]
    density: float = 1.0
    scale: float = 1.0
    split: tuple[int, ...] = ()
    seed: int = 0
    relative_to: str = ""
    rank: int = 0
    exact: bool = True
    error: float = 0.0
    head: str = ""
    search: dict[str, Any] = {}


class TrunkFacts(Strict):
    """The trunk a run was made on; the fingerprint is computed from its weights.

    What is empty of the last four is not in the JSON.

    name    a hub id, "miniature", or the last name of a folder
    prefix  what stands before every sentence that becomes a vector
    source  where it came from; None: an older manifest, whose name may be a path
    copies  the fingerprints that copies of these weights in half precision have: {"fp16": ..., "bf16": ...}
    rounding  in int8 and nf4, the largest |packed W - W| / |W| of its projections
    """

    name: str
    revision: str | None
    fingerprint: str
    layers: Count
    hidden: Count
    precision: Precision
    prefix: str = ""
    source: Literal["hub", "folder", "miniature"] | None = None
    copies: dict[str, str] = {}
    rounding: float = 0.0

    @model_serializer(mode="wrap")
    def _said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without_empty(handler(self), ("prefix", "source", "copies", "rounding"))

    def same_weights(self, other: TrunkFacts) -> bool:
        """Whether two are one trunk, stored in float32, in half precision or in either."""
        return other.fingerprint in self.fingerprints or self.fingerprint in other.fingerprints

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Those of the weights as they were, and of their copies in half precision."""
        return (self.fingerprint, *self.copies.values())


def half_of(copies: Mapping[str, str]) -> str:
    """The half precision that weights are stored in, told by their copies: rounding to it changes nothing, so there is
    none. "" for float32, and where no copies are known."""
    without = {"fp16", "bf16"} - set(copies)
    return without.pop() if len(without) == 1 else ""


class Parent(Strict):
    """A run that this one builds on, by the checksum of its manifest. folder: in older manifests alone."""

    name: str
    folder: str = ""
    checksum: str

    @model_serializer(mode="wrap")
    def _said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without_empty(handler(self), ("folder",))


class Manifest(Strict):
    """Everything needed to load, verify and repeat a run.

    identity      the fingerprint of all that decides the weights
    task          of a run of several tasks, their names with commas between them
    task_file     the name of the YAML file that described the task, "" for one of ours
    format        of the task's examples; "joint" for several tasks, "" for a run without a head
    language      of the training rows, several with commas between them
    tasks         of a run of several tasks
    merge         of a run that was merged; not in the JSON of any other
    from_layer    the hidden state that is read off the bare trunk row by row (encoder/lower_layers.py); not in the JSON
                  of a run that has none
    seen          language -> the tasks that this run or one it builds on has learned in it
    data          per split and language
    seconds       from the first step to the manifest; of a run that was resumed, at least its training
    peak_memory   bytes, of the process that finished the run
    history       rows that this run or one it builds on was trained or selected on
    leaks         what that history gives away of this task's test data, in words
    files         path in the run -> sha256: the weights, their descriptions, config.yaml, metrics.jsonl
    """

    version: int = VERSION
    name: str
    identity: str
    task: str
    task_file: str = ""
    format: str
    language: str
    how: str
    control: str
    composition: str
    trunk: TrunkFacts
    parents: tuple[Parent, ...]
    data: tuple[DataFacts, ...]
    seeds: dict[str, int]
    versions: dict[str, str]
    device: str
    seconds: float
    peak_memory: Count
    licence: str
    substitutions: tuple[str, ...]
    tasks: tuple[TaskFacts, ...] = ()
    merge: MergeFacts | None = None
    from_layer: Count = 0
    seen: dict[str, list[str]] = {}
    history: tuple[Seen, ...] = ()
    leaks: tuple[str, ...] = ()
    training: TrainingFacts
    parts: tuple[PartFacts, ...]
    files: dict[str, str]
    checksum: str = ""

    @property
    def unlearned(self) -> dict[str, Learning]:
        """The tasks that were not learned; nothing of those of which that is not known."""
        return {task: learning for task, learning in self.training.learned.items() if learning.learned is False}

    @property
    def did_not_learn(self) -> bool:
        """Whether nothing was learned of the tasks of which that is known."""
        known = [learning for learning in self.training.learned.values() if learning.learned is not None]
        return bool(known) and len(self.unlearned) == len(known)

    @property
    def unlearned_sentences(self) -> list[str]:
        """What is said of the tasks that were not learned; the last one ends with what to try."""
        as_it_should = "" if self.control == "none" else ", as a control should not"
        several = len(self.training.learned) > 1
        said = [
            f"did not learn{f' {task}' if several else ''}{as_it_should}: {learning.numbers}"
            for task, learning in self.unlearned.items()
        ]
        return [*said[:-1], f"{said[-1]}{self.advised}"] if said else []

    @property
    def advised(self) -> str:
        """What to try next, after a sentence on what was not learned; "" where nothing is advised."""
        return f"; {self.training.advice}" if self.training.advice else ""

    @model_serializer(mode="wrap")
    def _without_a_merge(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without_empty(handler(self), ("merge", "from_layer"))

    @field_serializer("history")
    def _rows_seen(self, history: tuple[Seen, ...]) -> list[dict[str, Any]]:
        facts = [{**vars(rows), "parts": list(rows.parts)} for rows in history]
        return [{name: value for name, value in seen.items() if name != "parts" or value} for seen in facts]

    @field_validator("files")
    @classmethod
    def _inside_the_run(cls, files: dict[str, str]) -> dict[str, str]:
        """A bundle may come from anywhere; its manifest must not name files elsewhere on this machine."""
        for name in files:
            role, *rest = PurePosixPath(name).parts or ("",)
            inside = role in ROLES and len(rest) == 1 and rest[0] not in ("..", ".") and "\\" not in name
            if name not in (CONFIG, IDENTITY, METRICS, TASK_FILE) and not inside:
                raise ValueError(f"'{name}' cannot be a file of a run")
        return files


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Write the manifest and return it with its checksum."""
    checksum = write_sealed(folder / MANIFEST, manifest.model_dump(mode="json"))
    return manifest.model_copy(update={"checksum": checksum})


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a run or bundle, every byte of it verified; raises MissingError or ArtefactError."""
    path = folder / MANIFEST
    if not path.is_file() and any((folder / name).exists() for name in (IDENTITY, CONFIG, "checkpoints")):
        what, advice = "the run is not finished: it has no manifest yet", "run the command that started it again"
        raise MissingError(what, where=str(folder), do=f"finish it: {advice}")
    if not path.is_file():
        what = "a file where a run's folder was expected" if folder.exists() else "no such folder"
        what = "no run here: there is no manifest.json" if folder.is_dir() else what
        advice = "name a finished run's folder; `adapter-stilts list runs` shows them"
        if folder.is_file() and folder.suffix.lower() == ".zip":
            what, unpacked = "a .zip where a run's folder was expected", shlex.quote(folder.stem)
            advice = f"take the bundle out of it: adapter-stilts pull {shlex.quote(str(folder))} -o {unpacked}"
        raise MissingError(what, where=str(folder), do=advice)
    fields = read_sealed(path, "the manifest", do=FETCH_AGAIN)
    if fields.get("version") not in READ:
        what = f"manifest version {fields.get('version')}, and this program reads {' and '.join(map(str, READ))}"
        raise ArtefactError(what, where=str(path), do="use a matching version of adapter-stilts")
    try:
        return Manifest.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        what = f"the manifest is not one of a run: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise ArtefactError(what, where=str(path), do=FETCH_AGAIN) from error
