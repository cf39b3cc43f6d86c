"""The scores of a run: results.json, the files they were made of, and their means.

rows = read_results(folder)                            # [Result, ...], [] where there are none
rows = write_results(folder, merged(rows, new))        # in their order, with the sha256 of the files they name
means(rows).tasks["xnli"][0].score                     # the mean over languages
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.errors import ArtefactError, MissingError
from adapter_stilts.files import MADE_OF, read_json, sha256
from adapter_stilts.sharing.manifest import RESULTS
from adapter_stilts.sharing.places import remember
from adapter_stilts.sharing.sealed import read_sealed, write_sealed
from adapter_stilts.statistics.gains import Scored
from adapter_stilts.statistics.result import PATHS, Result

SHOWN = 120  # characters of what is wrong
PRODUCTS = ("predictions", "units", "items", "report")  # files that a score was made of
Key = tuple[str, str, str]  # how a task was read: protocol, split, settings (as JSON)


def read_results(folder: Path) -> list[Result]:
    """The rows of results.json, [] where there is none; a changed file is an ArtefactError."""
    path = folder / RESULTS
    if not path.is_file():
        return []
    document = read_sealed(path, RESULTS, do="remove it and evaluate again")
    try:
        return [_row(row) for row in document["results"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{RESULTS} holds what is no score: {' '.join(str(error).split())[:SHOWN]}"
        raise ArtefactError(what, where=str(path), do="fetch it again, or remove it and evaluate again") from error


def write_results(folder: Path, rows: Iterable[Result]) -> list[Result]:
    """Write results.json, the rows in their order and the means over languages and tasks; returns the rows.

    A row carries the sha256 of the files it names, as they are when it is first written. Of the files it was scored on
    it has the names; where they lie is kept apart (sharing/places.py).
    """
    ordered = sorted((row if row.hashes else _hashed(folder, row) for row in rows), key=lambda row: row.key)
    remember(folder, files={file["sha256"]: file["path"] for row in ordered for file in _files(row) if _lies(file)})
    ordered = [_by_name(row) for row in ordered]
    document = {"results": [row.to_json() for row in ordered], "means": means(ordered).to_json()}
    write_sealed(folder / RESULTS, document)
    return ordered


def data_id(data: Any) -> str:
    """What tells the data of a score from other data: the bytes of its files in their order, or else where it is from.

    data  as `Result.data` has it
    """
    files = isinstance(data, Sequence) and not isinstance(data, str)
    return fingerprint([file["sha256"] for file in data] if files else {"kind": (data or {}).get("kind")})


def read_made_of(folder: Path) -> list[Result]:
    """Rows that were predicted and not scored, as results whose score says nothing; [] where there are none."""
    path = folder / "predictions" / MADE_OF
    if not path.is_file():
        return []
    document = read_sealed(path, MADE_OF, do="remove it; predictions of other data may then be written over")
    return [Result.from_json({**row, "metric": "", "score": 0.0}) for row in document["predicted"]]


def write_made_of(folder: Path, rows: Iterable[Result]) -> list[Result]:
    """Keep what predictions without a score were made of, beside them; the file also says whose folder that is."""
    kept = list({row.key: row for row in rows}.values())
    if (folder / "predictions").is_dir():
        names = ("task", "protocol", "split", "language", "data", "settings")
        rows_of = [{name: value for name, value in row.to_json().items() if name in names} for row in kept]
        write_sealed(folder / "predictions" / MADE_OF, {"predicted": rows_of})
    return kept


def merged(old: Iterable[Result], new: Iterable[Result]) -> list[Result]:
    """Rows by key; a new row replaces an old one of the same task, protocol, split, language, metric and settings.

    A predictions file holds the last reading written to it: rows of other settings that named it name it no longer.
    """
    fresh = {row.key: row for row in new}
    written = {row.paths["predictions"]: row.settings for row in fresh.values() if "predictions" in row.paths}
    rows = {row.key: replace(row, hashes={}) if row.paths.get("predictions") in written else row for row in old} | fresh
    return [
        _unpredicted(row) if written.get(row.paths.get("predictions", ""), row.settings) != row.settings else row
        for row in rows.values()
    ]


def check_products(folder: Path, rows: Iterable[Result]) -> None:
    """Refuse predictions and units that are not those of the scores; a bundle may have left them out."""
    for row in rows:
        for noun, expected in row.hashes.items():
            path = folder / row.paths[noun]
            if path.is_file() and sha256(path) != expected:
                what = f"{row.paths[noun]} is not the file that was scored: it was changed or damaged"
                raise ArtefactError(what, where=str(path), do=_score_again(folder, row))


def has_report(folder: Path, row: Result) -> bool:
    """Whether what a score hides is there."""
    return "report" in row.paths and (folder / row.paths["report"]).is_file()


def read_report(folder: Path, row: Result) -> Result:
    """The score with what it hides, where that was written."""
    return replace(row, report=read_json(folder / row.paths["report"])) if has_report(folder, row) else row


def read_scored(folder: Path, row: Result) -> Scored:
    """The sums [N, S] that a score was made of, and their items; MissingError or ArtefactError where they are not there
    as they were."""
    paths = [folder / row.paths[noun] for noun in ("units", "items") if noun in row.paths]
    for path in paths:
        if not path.is_file():
            what = f"the sums that the score of {row.task} was made of are not there"
            raise MissingError(what, where=str(path), do=_score_again(folder, row))
    check_products(folder, [row])
    units, *items = (np.load(path, allow_pickle=False) for path in paths)
    return Scored(units, items[0]) if items else Scored.numbered(units)


class File(BaseModel):
    """A file that a row was scored on, as results.json has it."""

    path: str
    sha256: str


class Row(BaseModel):
    """A row of results.json, as far as anything is computed of it."""

    model_config = ConfigDict(strict=True)
    task: str
    protocol: str = ""
    language: str = ""
    split: str = ""
    metric: str
    score: float
    n: Annotated[int, Field(ge=0, le=10**15)] = 0
    interval: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    headline: bool | None = None
    retrieval: bool | None = None
    statistic: str = ""
    settings: dict[str, Any] = {}
    data: list[File] | dict[str, Any] | None = None
    sha256: dict[str, str] = {}
    vectors: dict[str, str] | str | None = None
    predictions: str | None = None
    units: str | None = None
    items: str | None = None
    report: str | None = None


@dataclass(frozen=True)
class TaskMean:
    """The unweighted mean of one task's headline over languages; `unseen` over those that no training rows were in."""

    protocol: str
    split: str
    settings: Mapping[str, Any]
    score: float
    languages: int
    unseen: Mapping[str, Any] | None = None  # {"score", "languages"}; None where that is every language


@dataclass(frozen=True)
class Means:
    """Means over languages by task, and over tasks with and without retrieval.

    A task read in several ways (protocols, splits, layers) has a mean for each; it enters the means over tasks only
    where it was read in one. Validation scores enter none.
    """

    tasks: Mapping[str, tuple[TaskMean, ...]]
    with_retrieval: float | None
    without_retrieval: float | None

    def without(self, tasks: Collection[str]) -> Means:
        """The same with fewer tasks named."""
        return replace(self, tasks={name: of_task for name, of_task in self.tasks.items() if name not in tasks})

    def to_json(self) -> dict[str, Any]:
        """The "means" of results.json and `--json`."""
        tasks = {task: [asdict(mean) for mean in of_task] for task, of_task in self.tasks.items()}
        for mean in (mean for of_task in tasks.values() for mean in of_task if mean["unseen"] is None):
            del mean["unseen"]
        return {"tasks": tasks, "with_retrieval": self.with_retrieval, "without_retrieval": self.without_retrieval}


def means(rows: Sequence[Result]) -> Means:
    """The means of every task's headline metric."""
    tested = readings(row for row in rows if row.split != "validation")
    tasks = {task: tuple(_task_mean(key, of_key) for key, of_key in keys.items()) for task, keys in tested.items()}
    retrieval = {row.task for row in rows if row.retrieval}
    single = {task: of_task[0].score for task, of_task in tasks.items() if len(of_task) == 1}
    trained = [score for task, score in single.items() if task not in retrieval]
    return Means(tasks, _mean(list(single.values())), _mean(trained))


def readings(rows: Iterable[Result]) -> dict[str, dict[Key, list[Result]]]:
    """The headline rows of every task by how they were read; without scores of the first rows alone."""
    tasks: dict[str, dict[Key, list[Result]]] = {}
    for row in rows:
        if row.headline and not row.partial:
            key = (row.protocol, row.split, json.dumps(dict(row.settings), sort_keys=True))
            tasks.setdefault(row.task, {}).setdefault(key, []).append(row)
    return tasks


def _row(fields: Mapping[str, Any]) -> Result:
    """A row as it was written; ValueError where it is none, or names a file outside its folder."""
    checked = Row.model_validate(fields)
    for named in (getattr(checked, noun) or "" for noun in PATHS):
        for place in map(PurePosixPath, named.values() if isinstance(named, dict) else [named]):
            if place.is_absolute() or ".." in place.parts or "\\" in str(place):
                raise ValueError(f"'{place}' is outside the run")
    return Result.from_json(fields)


def _files(row: Result) -> Sequence[Mapping[str, Any]]:
    """The files a row was scored on."""
    return row.data if isinstance(row.data, list) else (row.data or {}).get("files", ())


def _lies(file: Mapping[str, Any]) -> bool:
    """Whether a file is named by its place, not by its name alone."""
    return Path(file["path"]).name != file["path"] or Path(file["path"]).is_file()


def _by_name(row: Result) -> Result:
    """The row with the names of its files in the place of their paths."""
    files = [{**file, "path": Path(file["path"]).name} for file in _files(row)]
    if not files:
        return row
    return replace(row, data=files if isinstance(row.data, list) else {**row.data, "files": files})


def _task_mean(key: Key, rows: Sequence[Result]) -> TaskMean:
    protocol, split, settings = key
    scores = [row.score for row in rows]
    new = [row.score for row in rows if not row.notes.get("seen")]
    unseen = None if len(new) == len(rows) else {"score": _mean(new), "languages": len(new)}
    return TaskMean(protocol, split, json.loads(settings), sum(scores) / len(scores), len(rows), unseen)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _hashed(folder: Path, row: Result) -> Result:
    paths = {noun: folder / row.paths[noun] for noun in PRODUCTS if noun in row.paths}
    return replace(row, hashes={noun: sha256(path) for noun, path in paths.items() if path.is_file()})


def _unpredicted(row: Result) -> Result:
    return replace(row, paths={noun: path for noun, path in row.paths.items() if noun != "predictions"}, hashes={})


def _score_again(folder: Path, row: Result) -> str:
    asked = f"--tasks {row.task} --languages {row.language} --split {row.split}"
    return f"score it again: adapter-stilts eval {folder} {asked} --overwrite"
