"""Scoring a model with a head: one split of one language to predictions, rows of results and XTREME's prediction
files."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.data.feature import Feature
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.evaluation.predict import predict
from adapter_stilts.files import write_bytes
from adapter_stilts.formats.base import Cut, Example, Rules
from adapter_stilts.formats.protocols import OWN, TargetProtocol, target_protocols
from adapter_stilts.metrics import forms
from adapter_stilts.metrics.base import Options, Score
from adapter_stilts.runs.attention import store_attention
from adapter_stilts.runs.build import HEAD
from adapter_stilts.runs.disclosure import beside
from adapter_stilts.runs.masked import masked_score
from adapter_stilts.runs.material import origin_facts
from adapter_stilts.runs.ranking import own_score
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.reading.place import Loaded


@dataclass(frozen=True)
class Reading:
    """How examples become predictions: the head's labels and the length it was trained with, how many tokens go at
    once, whose rules hold, which head.

    adapters   "own" where each language is read under its own language adapter
    precision  of the trunk, where it is another than in training; "": as in training
    """

    labels: tuple[str, ...] | None
    max_length: int
    token_budget: int
    protocol: str = "own"
    seed: int = 0
    head: str = HEAD
    adapters: str = ""
    precision: str = ""

    @property
    def marks(self) -> dict[str, str]:
        """Settings of a score that tell this reading from others of the same rows."""
        found = {
            "head": self.head if self.head != HEAD else "",
            "language_adapters": self.adapters,
            "precision": self.precision,
        }
        return {name: value for name, value in found.items() if value}

    @property
    def rules(self) -> TargetProtocol:
        return target_protocols[self.protocol]

    def length(self, model: TaskModel) -> int:
        """Tokens of an input: the protocol's, or as trained; at most what the trunk has positions for."""
        return min(model.format.length(self.rules, self.max_length), model.encoder.trunk.max_length)


def measure(model: TaskModel, task: Task, loaded: Loaded, reading: Reading, folder: Path | None) -> list[Result]:
    """Rows for every metric of the task on one language.

    Under `folder`: predictions/ in XTREME's form, units/ with the sums that paired comparisons need,
    fusion/attention.json.
    """
    origin, options = loaded.origin, Options(loaded.origin.language, seed=reading.seed)
    if task.format.ranking:
        limits = (reading.max_length, reading.token_budget)
        scored, predictions = own_score(model, task, loaded.examples, *limits, options)
        asked = {"max_length": reading.max_length, "query_length": task.query_length}
        return results(task, loaded, reading, scored, asked, folder, predictions)
    settings = task.format.settings(reading.rules, reading.length(model))
    if task.format.masked:
        scored = masked_score(model, loaded.examples, reading.max_length, reading.token_budget, reading.seed)
        return results(task, loaded, reading, scored, settings, folder)
    features = _features(model, task, loaded.examples, reading)
    predictions, attention = _predict(model, task, loaded.examples, features, reading, origin.language)
    gold, lost = task.format.scored_part(loaded.examples, predictions)
    scored = task.format.score(task.metric, gold, predictions, options)
    if attention and folder is not None:
        store_attention(folder, task.name, origin.split, origin.language, attention)
    return results(task, loaded, reading, scored, settings, folder, predictions, words_lost=lost)


def predicted(model: TaskModel, task: Task, loaded: Loaded, reading: Reading, folder: Path) -> dict[str, Any]:
    """A row without a score, for rows whose labels are withheld: what was read, how, and where its predictions lie in
    XTREME's form."""
    origin, features = loaded.origin, _features(model, task, loaded.examples, reading)
    predictions, _ = _predict(model, task, loaded.examples, features, reading, origin.language)
    return {
        "task": task.name,
        "protocol": reading.protocol,
        "language": origin.language,
        "split": origin.split,
        "n": len(loaded.examples),
        "settings": {**task.format.settings(reading.rules, reading.length(model)), **reading.marks},
        "predictions": _write(folder, task, loaded, predictions),
    }


def results(
    task: Task,
    loaded: Loaded,
    reading: Reading,
    scored: Score,
    settings: Mapping[str, Any],
    folder: Path | None,
    predictions: Any = None,
    data: Any = None,
    **notes: Any,
) -> list[Result]:
    """A row of results.json for every measure of a score; under `folder` its predictions, where it has any, and units.

    data  what it was scored on, where that is more than `loaded`
    """
    origin, facts = loaded.origin, origin_facts(loaded.origin)
    words = {"multiword": origin.multiword} if origin.multiword else {}
    paths: dict[str, str] = {}
    if folder is not None:
        paths |= {} if predictions is None else {"predictions": _write(folder, task, loaded, predictions)}
        # each reading's sums stay, since several may stand in one results.json
        protocols = [] if reading.protocol == OWN.name else [reading.protocol]
        name = ".".join([f"{origin.split}-{origin.language}", *reading.marks.values(), *protocols])
        units = folder / "units" / task.name / f"{name}.npy"
        write_array(units, scored.units)
        paths["units"] = units.relative_to(folder).as_posix()
    return [
        Result(
            *(task.name, reading.protocol, origin.language, measure.metric, measure.score, scored.n, measure.interval),
            split=origin.split,
            headline=measure.metric == scored.headline,
            retrieval=task.format.ranking,
            settings={**settings, **reading.marks, **words},
            data=data or facts["files"] or facts,
            paths=paths,
            statistic=scored.main.statistic if folder is not None else "",
        ).with_notes(**beside(origin), **notes)
        for measure in scored.measures
    ]


def validation_score(
    task: Task, examples: Sequence[Example], reading: Reading, language: str = ""
) -> Callable[[TaskModel], float]:
    """A function for the training loop: the headline metric on validation rows of a language ("": the task's own);
    higher is better."""
    found: list[Feature] = []  # made once, by the first evaluation

    def validate(model: TaskModel) -> float:
        if task.format.masked:
            return masked_score(
                model, examples, reading.max_length, reading.token_budget, reading.seed, replicates=0
            ).value
        spoken = language or task.train_language
        if task.format.ranking:
            options = Options(language=spoken, replicates=0)
            return own_score(model, task, examples, reading.max_length, reading.token_budget, options)[0].value
        found.extend([] if found else _features(model, task, examples, reading))
        predictions, _ = _predict(model, task, examples, found, reading, spoken)
        gold, _ = task.format.scored_part(examples, predictions)
        return task.format.score(task.metric, gold, predictions, Options(language=spoken, replicates=0)).value

    return validate


def write_array(path: Path, array: NDArray[Any]) -> None:
    """An array as .npy. Raises DoesNotFit on a full disk, which NumPy writing by itself would not tell from other
    errors."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    write_bytes(path, content.getvalue())


def _features(model: TaskModel, task: Task, examples: Sequence[Example], reading: Reading) -> list[Feature]:
    rules = reading.rules
    return task.format.features(
        examples,
        model.encoder.trunk.tokenizer,
        Cut(
            labels=reading.labels,
            max_length=reading.length(model),
            query_length=rules.query_length,
            window_step=rules.decoding.window_step,
            end_marks=rules.end_marks,
            truncate=rules.truncate,
            training=False,
        ),
    )


def _predict(
    model: TaskModel, task: Task, examples: Sequence[Example], found: Sequence[Feature], reading: Reading, language: str
) -> tuple[Any, Mapping[str, Any]]:
    with model.encoder.capture_attention() as attention:
        predictions = predict(
            model,
            examples,
            found,
            Rules(reading.labels, task.unanswerable, reading.rules.decoding, language),
            reading.token_budget,
        )
    return predictions, {name: attention.mean(name) for name in attention.sums}


def _write(folder: Path, task: Task, loaded: Loaded, predictions: Any) -> str:
    """Write predictions in the form of their format; returns where they are."""
    origin, form = loaded.origin, task.format.form
    path = forms.prediction_path(folder / "predictions", task.name, origin.language, form, origin.split)
    forms.forms[form].write(path, predictions)
    return path.relative_to(folder).as_posix()
