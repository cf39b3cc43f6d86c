"""Which finished run to build a target on, before the target is trained on any: by what their states say of its labels.

    found = recommend("xcopa", [Path("runs/hellaswag"), Path("runs/nli")], config, report=report)

The target's training rows (of other languages: its validation rows there, never its test rows) are read once under
every run and under the trunk alone, and each reading is scored by LogME: how well a linear model could tell the labels
from the states that a head reads. "none" is the trunk alone. A bootstrap over the rows says how sure the order is.
Beside it stands what is free: a run's number of training rows.

    pair, single    the state of <s>
    choice          the states of <s> less their mean over the answers, against which is right
    tags            the first piece of every word
    span            the first and last piece of the answer among a few others of the same text
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.data.batches import length_sorted_batches, with_mask
from adapter_stilts.data.feature import IGNORED, Feature, length, token_rows
from adapter_stilts.encoder.composition import Composition
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.errors import TaskDataError, UsageError, refuse
from adapter_stilts.reporting import Reporter
from adapter_stilts.runs.many import together
from adapter_stilts.runs.material import first_rows, where_of
from adapter_stilts.runs.subject import named_trunk
from adapter_stilts.runs.task_data import TaskData, read_rows, tokenised
from adapter_stilts.seeding import Seeds
from adapter_stilts.sharing.bundle import Bundle, load_bundle
from adapter_stilts.statistics.intervals import LEVEL
from adapter_stilts.statistics.logme import Array, gram, one_hot
from adapter_stilts.tasks.sources import load
from adapter_stilts.tasks.user import find_task
from adapter_stilts.training.devices import pick_device

NONE = "none"
RESAMPLES = 100
ROWS, BUDGET = 1000, 4096  # rows of the target that are read; tokens at once
OTHERS = 4  # tokens of a text beside the two ends of its answer
CLASSES = {"span": 3, "choice": 2}  # elsewhere, the first piece of an answer, the last; wrong, right
SURE = 0.95  # of the resamples in which the best is the best


@dataclass(frozen=True)
class Source:
    """One run that the target could build on, or the trunk alone.

    evidence  in nats a row (LogME)
    ahead     of the trunk alone, with the interval over rows; None of the trunk itself
    best      the share of resamples in which it has the highest evidence of all
    rows      that it was trained on
    seconds   that its training took
    """

    name: str
    task: str
    evidence: float
    ahead: tuple[float, float, float] | None
    best: float
    rows: int
    seconds: float


@dataclass(frozen=True)
class Recommended:
    """The order, the best first, and what to do, in a sentence."""

    target: str
    rows: int
    sources: tuple[Source, ...]
    advice: str

    def document(self) -> dict[str, Any]:
        rows = [
            {
                **{key: getattr(source, key) for key in ("name", "task", "evidence", "best", "rows", "seconds")},
                "ahead": source.ahead and source.ahead[0],
                "interval": source.ahead and source.ahead[1:],
            }
            for source in self.sources
        ]
        return {"target": self.target, "rows": self.rows, "advice": self.advice, "results": rows}


@dataclass(frozen=True)
class _Read:
    """States [N, H] of one reading, what they should tell [N], and the example of each row [N]."""

    states: Array
    targets: NDArray[np.int64]
    owners: NDArray[np.int64]


def recommend(
    target: str,
    runs: Sequence[Path],
    config: RunConfig,
    *,
    languages: Sequence[str] = (),
    rows: int = ROWS,
    report: Reporter,
) -> Recommended:
    """Rank finished runs of one trunk, and the trunk alone, for a target.

    config     data, language and columns of the target, as `train` takes them
    languages  whose validation rows are read, each counting the same; (): the training rows
    rows       that are read, of each language

    Raises UsageError for targets without labels and runs that do not go together.
    """
    refuse(not runs, "no run to choose among", "name finished intermediate runs")
    task = find_task(target, config.task.model_dump(exclude_none=True))
    what = f"'{task.name}' has no labels that states could be compared with"
    refuse(task.retrieval or task.format.masked or task.format.ranking, what, "name a task with labels")
    bundles = [load_bundle(run) for run in runs]
    names = [NONE, *_names(bundles)]
    trunk = load_trunk(**named_trunk(bundles[0]), device=str(pick_device()))
    encoder, compositions = together(trunk, bundles)
    few, named = config.training.model_copy(update={"rows": rows}), config.trunk.model_copy(update={"name": trunk.name})
    given = config.model_copy(update={"training": few, "trunk": named})
    data = read_rows(given, task, [task.name])
    read = [tokenised(of_language, trunk, None) for of_language in _in_languages(data, given, languages, rows)]
    classes, format = CLASSES.get(task.format.name) or len(data.labels or ()), task.format.name
    readings = (_readings(encoder, compositions, each.features, format, report) for each in read)
    scored = [_scored(each, classes) for each in readings]
    evidence = np.mean([alone for alone, _ in scored], axis=0), np.mean([again for _, again in scored], axis=0)
    count = sum(len(each.examples) for each in read)
    return _ordered(task.name, count, names, bundles, evidence)


def _in_languages(data: TaskData, config: RunConfig, languages: Sequence[str], rows: int) -> list[TaskData]:
    """The training rows, or the validation rows of each language."""
    if not languages:
        return [data]
    where = where_of(config.data.sources, config.trunk.name, columns=config.task.columns, task=data.task.name)
    loaded = [first_rows(load(data.task, "validation", each, where, data.labels), rows) for each in languages]
    return [replace(data, train=(each,), examples=list(each.examples), notes=()) for each in loaded]


def _names(bundles: Sequence[Bundle]) -> list[str]:
    names = [bundle.manifest.name for bundle in bundles]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise UsageError(f"two runs are called '{twice}'", do="name each run once")
    return names


@torch.inference_mode()
def _readings(
    encoder: AdapterEncoder,
    compositions: Sequence[Composition],
    features: Sequence[Feature],
    format: str,
    report: Reporter,
) -> list[_Read]:
    """Of the trunk alone, then of each run: the same rows in the same order."""
    parts: list[list[Array]] = [[] for _ in range(1 + len(compositions))]
    targets: list[int] = []
    owners: list[int] = []
    pad = encoder.trunk.config.pad_token_id
    draw = Seeds(13).python("tokens beside answers")
    with report.progress(f"reading {len(features):,} rows {len(parts)} times") as advance:
        done = 0
        for batch in length_sorted_batches([length(feature) for feature in features], BUDGET):
            chosen = [features[row] for row in batch]
            read = with_mask([row for feature in chosen for row in token_rows(feature)], pad)
            ids, mask = (each.to(encoder.device) for each in read)
            places = list(_places(chosen, format, draw))
            targets += [target for _, _, target, _ in places]
            owners += [owner for *_, owner in places]
            rows, tokens = (torch.tensor([place[side] for place in places], dtype=torch.int64) for side in (0, 1))
            encoder.activate(None)
            states = [encoder.hidden(ids, mask), *encoder.hidden_each(compositions, ids, mask)]
            for kept, state in zip(parts, states, strict=True):
                taken = state[rows, tokens].double().cpu().numpy()
                kept.append(_centred(taken, chosen) if format == "choice" else taken)
            advance(done := done + len(chosen), len(features), "")
    if len(set(targets)) < 2:
        raise TaskDataError("the rows that were read have one label alone", do="give more rows, or rows of two labels")
    found, whose = np.array(targets, dtype=np.int64), np.array(owners, dtype=np.int64)
    return [_Read(np.concatenate(kept), found, whose) for kept in parts]


def _places(features: Sequence[Feature], format: str, draw: Any) -> Iterator[tuple[int, int, int, int]]:
    """(row of the batch, token, what it should tell, its example) for every state that is read."""
    row = 0
    for feature in features:
        target, own = feature.target, token_rows(feature)
        if format == "choice":
            for number in range(len(own)):
                yield row + number, 0, int(number == target), feature.example
        elif format == "tags":
            assert isinstance(target, tuple)
            for token, tag in enumerate(target):
                if tag != IGNORED:
                    yield row, token, tag, feature.example
        elif format == "span":
            assert isinstance(target, tuple)
            first, last = target
            if 0 < first < last:
                yield row, first, 1, feature.example
                yield row, last, 2, feature.example
                others = [token for token in range(1, len(own[0])) if token not in (first, last)]
                for token in draw.sample(others, min(OTHERS, len(others))):
                    yield row, token, 0, feature.example
        elif isinstance(target, int) and target != IGNORED:
            yield row, 0, target, feature.example
        row += len(own)


def _centred(states: Array, features: Sequence[Feature]) -> Array:
    """Each answer's state less the mean over the answers to its question."""
    ends = np.cumsum([len(token_rows(feature)) for feature in features])
    return np.concatenate([part - part.mean(0) for part in np.split(states, ends[:-1])])


def _scored(read: Sequence[_Read], classes: int) -> tuple[Array, Array]:
    """The evidence of each reading, and [resamples, readings] of it over examples drawn again."""
    owners, draw = read[0].owners, np.random.default_rng(13)
    examples = int(owners.max()) + 1
    weights = [None, *(np.bincount(draw.integers(0, examples, examples), minlength=examples) for _ in range(RESAMPLES))]
    table = np.empty((len(weights), len(read)))
    for column, each in enumerate(read):
        targets = one_hot(each.targets, classes)
        for row, weight in enumerate(weights):
            of_rows = None if weight is None else weight[owners].astype(np.float64)
            table[row, column] = gram(each.states, targets, of_rows).score()
    return table[0], table[1:]


def _ordered(
    target: str, rows: int, names: Sequence[str], bundles: Sequence[Bundle], scored: tuple[Array, Array]
) -> Recommended:
    evidence, again = scored
    best = np.bincount(again.argmax(1), minlength=len(names)) / len(again)
    sources = []
    for number, name in enumerate(names):
        manifest = bundles[number - 1].manifest if number else None
        low, high = np.quantile(again[:, number] - again[:, 0], ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
        ahead = (float(evidence[number] - evidence[0]), float(low), float(high)) if number else None
        free = (manifest.training.rows, manifest.seconds) if manifest else (0, 0.0)
        task = manifest.task if manifest else ""
        sources.append(Source(name, task, float(evidence[number]), ahead, float(best[number]), *free))
    sources.sort(key=lambda source: -source.evidence)
    return Recommended(target, rows, tuple(sources), _advice(sources))


def _advice(sources: Sequence[Source]) -> str:
    """What to do; nothing is said to be better that the rows do not tell apart."""
    first = sources[0]
    if first.ahead is None:
        return "none: no run's states say more of these labels than the trunk's own"
    if first.ahead[1] <= 0:
        return f"none: {first.name} is not surely ahead of the trunk alone on these rows"
    if first.best >= SURE:
        return f"build on {first.name}"
    near = [source.name for source in sources if source.best > 1 - SURE and source is not first]
    return f"build on {first.name}, or on {' or '.join(near)}: these rows do not tell them apart"
