"""Scoring a model with a head: one split of one language to predictions, rows of results and XTREME's prediction files."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapter_stilts.data.examples import Example
from adapter_stilts.data.features import Feature, features
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.evaluation import folder as forms
from adapter_stilts.evaluation.predict import predict
from adapter_stilts.evaluation.scoring import Options, Predictions, Score, score
from adapter_stilts.files import write_bytes
from adapter_stilts.study.attention import store_attention
from adapter_stilts.study.build import HEAD
from adapter_stilts.study.disclosure import beside
from adapter_stilts.study.masked import masked_score
from adapter_stilts.study.material import origin_facts
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.sources import Loaded


@dataclass(frozen=True)
class Reading:
    """How examples become predictions: the head's labels, the length of an input, how many tokens go at once, and of several heads which one."""

    labels: tuple[str, ...] | None
    max_length: int
    token_budget: int
    protocol: str = "own"
    seed: int = 0
    head: str = HEAD


def measure(model: TaskModel, task: Task, loaded: Loaded, reading: Reading, folder: Path | None) -> list[dict[str, Any]]:
    """Rows for every metric of the task on one language.

    Under `folder`: predictions/ in XTREME's form, units/ with the sums that paired comparisons need, fusion/attention.json.
    """
    origin = loaded.origin
    facts = origin_facts(origin)
    base = {"task": task.name, "protocol": reading.protocol, "language": origin.language, "split": origin.split, "data": facts["files"] or facts}
    base |= beside(origin)
    if task.format == "text":
        scored, predictions = masked_score(model, loaded.examples, reading.max_length, reading.token_budget, reading.seed), None
    else:
        predictions, attention = _predict(model, task, loaded.examples, _features(model, task, loaded.examples, reading), reading)
        scored = score(task.metric, loaded.examples, predictions, Options(language=origin.language, seed=reading.seed))
        if attention and folder is not None:
            store_attention(folder, task.name, origin.split, origin.language, attention)
    paths = _store(folder, task, origin.language, origin.split, predictions, scored)
    settings: dict[str, Any] = {"max_length": reading.max_length, **({"head": reading.head} if reading.head != HEAD else {})}
    settings |= {"multiword": origin.multiword} if origin.multiword else {}
    return [
        {
            **base,
            "metric": m.metric,
            "score": m.score,
            "n": scored.n,
            "interval": list(m.interval) if m.interval else None,
            "headline": m.metric == scored.headline,
            "retrieval": False,
            "settings": settings,
            **paths,
        }
        for m in scored.measures
    ]


def validation_score(task: Task, examples: Sequence[Example], reading: Reading, language: str = "") -> Callable[[TaskModel], float]:
    """A function for the training loop: the headline metric on validation rows of a language ("": the task's own); higher is better."""
    found: list[Feature] = []  # made once, by the first evaluation

    def validate(model: TaskModel) -> float:
        if task.format == "text":
            return masked_score(model, examples, reading.max_length, reading.token_budget, reading.seed, replicates=0).value
        found.extend([] if found else _features(model, task, examples, reading))
        predictions, _ = _predict(model, task, examples, found, reading)
        return score(task.metric, examples, predictions, Options(language=language or task.train_language, replicates=0)).value

    return validate


def write_array(path: Path, array: NDArray[Any]) -> None:
    """An array as .npy. Raises DoesNotFit on a full disk, which NumPy writing by itself would not tell from other errors."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    write_bytes(path, content.getvalue())


def _features(model: TaskModel, task: Task, examples: Sequence[Example], reading: Reading) -> list[Feature]:
    return features(task.format, examples, model.encoder.trunk.tokenizer, labels=reading.labels, max_length=reading.max_length, training=False)


def _predict(
    model: TaskModel, task: Task, examples: Sequence[Example], found: Sequence[Feature], reading: Reading
) -> tuple[Predictions, Mapping[str, Any]]:
    with model.encoder.capture_attention() as attention:
        predictions = predict(model, examples, found, labels=reading.labels, token_budget=reading.token_budget, unanswerable=task.unanswerable)
    return predictions, {name: attention.mean(name) for name in attention.sums}


def _store(folder: Path | None, task: Task, language: str, split: str, predictions: Predictions | None, scored: Score) -> dict[str, str]:
    if folder is None:
        return {}
    stored = {}
    if predictions is not None:
        path = forms.prediction_path(folder / "predictions", task.folder, language, forms.FORMS[task.format], split)
        forms.write(path, forms.FORMS[task.format], predictions)
        stored["predictions"] = path.relative_to(folder).as_posix()
    path = folder / "units" / task.name / f"{split}-{language}.npy"
    write_array(path, scored.units)
    return {**stored, "units": path.relative_to(folder).as_posix(), "statistic": scored.main.statistic}
