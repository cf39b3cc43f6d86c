"""Scoring a model with a head: one split of one language to predictions, rows of results and XTREME's prediction files;
and the validation score that training selects by.

The step that is kept is the one with the best mean: over languages, then over tasks, every one counting the same
whatever its size. A task without validation rows takes no part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.data.feature import Feature, token_rows
from adapter_stilts.encoder.task_model import JointModel, TaskModel
from adapter_stilts.encoder.trunk.loading import Trunk
from adapter_stilts.evaluation.predict import predict
from adapter_stilts.formats.base import Cut, Example, Format, Rules
from adapter_stilts.metrics.base import Options, Score, metrics
from adapter_stilts.planning.memory import VALIDATED
from adapter_stilts.runs.build import HEAD
from adapter_stilts.runs.material import subset
from adapter_stilts.runs.ranking import own_score
from adapter_stilts.runs.rows import (
    Reading,
    data_of,
    mark_of,
    rows_of,
    store_attention,
    with_report,
    write_predictions,
)
from adapter_stilts.runs.task_data import TaskData
from adapter_stilts.seeding import Seeds
from adapter_stilts.statistics.result import Result
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.reading.place import Loaded
from adapter_stilts.training.course import Order
from adapter_stilts.training.plan import Prepare, Validation, feature_data, masker

MASKED = 0.15  # of the tokens of a text, when masked language modelling is scored
Model = TaskModel | JointModel
Features = Mapping[str, Sequence[Sequence[Feature]]]  # of validation rows, by task, as its `validation` has them


@dataclass(frozen=True)
class Predicted:
    """Rows whose labels are withheld: what was read, how, and where its predictions lie in XTREME's form."""

    task: str
    protocol: str
    language: str
    split: str
    n: int
    settings: Mapping[str, Any]
    predictions: str
    data: Any = None
    leaks: tuple[str, ...] = ()

    @property
    def row(self) -> Result:
        """As a result, whose score says nothing."""
        what = (self.task, self.protocol, self.language, "", 0.0, self.n)
        return Result(*what, split=self.split, settings=self.settings, data=self.data)

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "leaks" or value}


def measure(
    model: TaskModel,
    task: Task,
    loaded: Loaded,
    reading: Reading,
    folder: Path | None,
    report: bool = False,
    features: Sequence[Feature] = (),
) -> list[Result]:
    """Rows for every metric of the task on one language.

    Under `folder`: predictions/ in XTREME's form, units/ with the sums that paired comparisons need,
    fusion/attention.json; reports/ where it is asked for and the format has one.

    features  the examples as tokens, where they are made already
    """
    origin, options = loaded.origin, Options(loaded.origin.language, rule=task.rule)
    features = list(features)
    answers: list[dict[str, Any]] | None = [] if report and task.format.reports else None
    scored, predictions, lost, attention = _scored(model, task, loaded.examples, reading, options, features, answers)
    if attention and folder is not None:
        store_attention(folder, task.name, origin.split, origin.named, attention)
    settings, format = _settings(model, task, reading), task.format
    rows, _ = format.scored_part(loaded.examples, predictions)
    worth: Any = {"baseline": format.baseline(task.metric, rows, reading.labels, options)}
    worth |= {"one_class": format.one_class(predictions), "words_lost": lost}
    results = rows_of(task, loaded, reading, scored, settings, folder, predictions, **worth)
    hidden: Mapping[str, Any] = {}
    if answers is not None:
        hidden = format.report(format.gold(rows), predictions, scored, options, answers, _lengths(features, len(rows)))
    return results if folder is None else with_report(folder, results, origin, reading, hidden)


def _lengths(features: Sequence[Feature], examples: int) -> list[int]:
    """Tokens of each example as it was read; of several choices the longest."""
    lengths = [0] * examples
    for feature in features:
        lengths[feature.example] += max(map(len, token_rows(feature)))
    return lengths


def predict_only(model: TaskModel, task: Task, loaded: Loaded, reading: Reading, folder: Path) -> Predicted:
    """Write the predictions of rows whose labels are withheld."""
    origin, features = loaded.origin, _features(model.encoder.trunk, task, loaded.examples, reading)
    predictions, _ = _predict(model, task, loaded.examples, features, reading, origin.language)
    settings = {**_settings(model, task, reading), **reading.marks, **mark_of(origin)}
    path, rows = write_predictions(folder, task, loaded, predictions), len(loaded.examples)
    what = (task.name, reading.protocol, origin.language, origin.split, rows, settings, path)
    return Predicted(*what, data=data_of(loaded))


def validation_features(config: RunConfig, data: Sequence[TaskData], trunk: Trunk) -> Features:
    """All validation rows as tokens; none of tasks that make them anew for every score."""
    features: dict[str, list[list[Feature]]] = {}
    for rows in data:
        reading = _validation_reading(config, rows, HEAD)
        every = [[] if _anew(rows.task) else loaded.examples for loaded in rows.validation]
        features[rows.task.name] = [_features(trunk, rows.task, examples, reading) for examples in every]
    return features


def selector(
    config: RunConfig, data: Sequence[TaskData], trunk: Trunk, features: Features
) -> Callable[[Model], Validation] | None:
    """The score of a model as it stands, of several tasks one each; None where no task has validation rows."""
    wanted, seeds = config.training.validation_rows, Seeds(config.training.seed)
    scores: dict[str, list[Callable[[TaskModel], float]]] = {}
    for of_task in (of_task for of_task in data if of_task.validation):
        rows = None if wanted is None else -(-wanted // len(of_task.validation))
        reading = _validation_reading(config, of_task, HEAD)
        scores[of_task.task.name] = [
            validation_score(
                of_task.task,
                chosen := subset(loaded.examples, rows, seeds),
                reading,
                loaded.origin.language,
                trunk,
                made if len(chosen) == len(loaded.examples) else (),
            )
            for loaded, made in zip(of_task.validation, features[of_task.task.name], strict=True)
        ]

    def validate(model: Model) -> Validation:
        models = model.tasks if isinstance(model, JointModel) else dict.fromkeys(scores, model)
        means = {task: sum(score(models[task]) for score in every) / len(every) for task, every in scores.items()}
        return means if isinstance(model, JointModel) else next(iter(means.values()))

    return validate if scores else None


def validation_rows(
    model: Model, config: RunConfig, data: Sequence[TaskData], folder: Path, features: Features
) -> list[Result]:
    """Rows for every task on all of its validation split, language by language."""
    results: list[Result] = []
    for rows in data:
        name = rows.task.name
        reader, head = (model.tasks[name], name) if isinstance(model, JointModel) else (model, HEAD)
        for loaded, made in zip(rows.validation, features[name], strict=True):
            reading = _validation_reading(config, rows, head)
            results += measure(reader, rows.task, loaded, reading, folder, features=made)
    return results


def validation_score(
    task: Task,
    examples: Sequence[Example],
    reading: Reading,
    language: str,
    trunk: Trunk,
    made: Sequence[Feature] = (),
) -> Callable[[TaskModel], float]:
    """A function for the training loop: the headline metric on validation rows of a language; higher is better.

    made  the examples as tokens, where they are made already
    """
    options = Options(language or task.train_language, rule=task.rule, intervals=False)
    features = list(made) or ([] if _anew(task) else _features(trunk, task, examples, reading))
    return lambda model: _scored(model, task, examples, reading, options, features)[0].value


def _anew(task: Task) -> bool:
    """Whether rows are made tokens for every score: others each time, or with what they are ranked against."""
    return task.format.ranking or task.format.masked


def masking_of(format: Format[Any], trunk: Trunk, rate: float = MASKED) -> Prepare | None:
    """How batches of a text task are masked; None for every other format."""
    if not format.masked:
        return None
    tokenizer = trunk.tokenizer
    return masker(trunk.config.vocab_size, tokenizer.mask_token_id, tokenizer.all_special_ids, rate)


@torch.no_grad()
def masked_score(model: TaskModel, examples: Sequence[Example], reading: Reading, options: Options) -> Score:
    """Accuracy on masked tokens, 15 % of each text; the masks depend on the reading's seed alone, so that runs can be
    compared.

    A unit is a text, or a piece of one that is longer than max_length. The model is left in the mode it was in.
    """
    trunk, device, was_training = model.encoder.trunk, next(model.parameters()).device, model.training
    cut = Cut(max_length=reading.max_length, training=False)
    features = model.format.features(examples, trunk.tokenizer, cut)
    data = feature_data(features, model.format, trunk.config.pad_token_id, masking_of(model.format, trunk))
    assert data.prepare is not None
    units = np.zeros((len(features), 2))  # right, masked
    model.eval()
    try:
        for number, rows in enumerate(Order(data.lengths, reading.token_budget, 1, reading.seed).batches(0)):
            prepared = data.prepare(data.collate(rows), Seeds(reading.seed).torch(f"masked/{number}"))
            batch = {name: tensor.to(device) for name, tensor in prepared.items()}
            picked = batch["labels"] != -100  # [B, T]
            right = torch.zeros_like(picked)
            right[picked] = model(batch).argmax(-1) == batch["labels"][picked]
            units[batch["rows"].cpu().numpy()] = torch.stack([right.sum(-1), picked.sum(-1)], dim=-1).cpu().numpy()
    finally:
        model.train(was_training)
    return metrics["masked_accuracy"].score(units, None, options)


def _validation_reading(config: RunConfig, data: TaskData, head: str) -> Reading:
    training, protocol = config.training, config.evaluation.protocol
    return Reading(data.labels, data.max_length, VALIDATED * training.token_budget, protocol, training.seed, head)


def _settings(model: TaskModel, task: Task, reading: Reading) -> dict[str, Any]:
    if task.format.ranking:
        return {"max_length": reading.max_length, "query_length": task.query_length}
    return dict(task.format.settings(reading.rules, reading.length(task.format, model.encoder.trunk)))


def _scored(
    model: TaskModel,
    task: Task,
    examples: Sequence[Example],
    reading: Reading,
    options: Options,
    features: list[Feature],
    answers: list[dict[str, Any]] | None = None,
) -> tuple[Score, Any, int, Mapping[str, Any]]:
    """A score, its predictions, the words it lost, attention [L, A] by fusion. features: filled by the first call;
    answers: filled, for a report."""
    if task.format.ranking:
        return *own_score(model, task, examples, reading, options), 0, {}
    if task.format.masked:
        return masked_score(model, examples, reading, options), None, 0, {}
    features.extend([] if features else _features(model.encoder.trunk, task, examples, reading))
    predictions, attention = _predict(model, task, examples, features, reading, options.language, answers)
    gold, lost = task.format.scored_part(examples, predictions)
    return task.format.score(task.metric, gold, predictions, options), predictions, lost, attention


def _features(trunk: Trunk, task: Task, examples: Sequence[Example], reading: Reading) -> list[Feature]:
    rules, labels, length = reading.rules, reading.labels, reading.length(task.format, trunk)
    sizes = (rules.query_length, rules.decoding.window_step, rules.end_marks, rules.truncate)
    return task.format.features(examples, trunk.tokenizer, Cut(length, labels, *sizes))


def _predict(
    model: TaskModel,
    task: Task,
    examples: Sequence[Example],
    features: Sequence[Feature],
    reading: Reading,
    language: str,
    answers: list[dict[str, Any]] | None = None,
) -> tuple[Any, Mapping[str, Any]]:
    rules = Rules(reading.labels, task.unanswerable, reading.rules.decoding, language)
    with model.encoder.capture_attention() as attention:
        predictions = predict(model, examples, features, rules, reading.token_budget, answers)
    return predictions, {name: attention.mean(name) for name in attention.sums}
