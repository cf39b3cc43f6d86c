"""One task's rows on their way into training: in which languages, how many of them count, what they become as tokens.

A task is trained on rows of its own language (English), or of those the configuration names: one other language in its
place, or several together, which then share as many rows as the task has in its own language, so that a diverse set can
be compared with the plain one. Text for masked language modelling is not translated row by row: of several languages
all of it counts, and as one task of a mixture it is read in every language there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.data.feature import Feature, token_rows
from adapter_stilts.encoder.trunk.loading import Trunk
from adapter_stilts.errors import TaskDataError, UsageError, refuse
from adapter_stilts.formats.base import Cut, Example, Format
from adapter_stilts.runs.material import for_task, subset, where_of
from adapter_stilts.seeding import Seeds
from adapter_stilts.tasks.base import Task, labels_of
from adapter_stilts.tasks.languages import is_known, same_language, serves
from adapter_stilts.tasks.reading.place import Loaded, Where
from adapter_stilts.tasks.sources import UNDETERMINED, as_selected, has_split, languages_of, load

ENGLISH = "en"
ALL = "all"  # in data.language: every language there is
SHUFFLED_LABELS = "shuffled-labels"  # the control that shows what is left when there is nothing to learn


@dataclass(frozen=True)
class TaskData:
    """One task's rows, read and sampled; then as tokens.

    labels      in the order of the head's outputs; None for a format without any
    train       what was read to learn from, language by language
    validation  the same to select with; () where there is none
    examples    the rows trained on, after sampling and the control
    notes       what a person should know before training starts
    features    the tokens of `examples`, and max_length what they were cut at; none before `tokenised`
    """

    task: Task
    labels: tuple[str, ...] | None
    train: tuple[Loaded, ...]
    validation: tuple[Loaded, ...]
    examples: list[Example]
    notes: tuple[str, ...]
    features: list[Feature] = field(default_factory=list)
    max_length: int = 0

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages trained on."""
        return tuple(dict.fromkeys(loaded.origin.language for loaded in self.train))

    @property
    def loaded(self) -> tuple[Loaded, ...]:
        """What was read, to learn from and to select with."""
        return (*self.train, *self.validation)


def read_rows(config: RunConfig, task: Task, tasks: Sequence[str]) -> TaskData:
    """Read and sample a task's rows; `tasks` are the names of all that the run learns.

    Raises TaskDataError, UsageError or Unreachable where the rows cannot be had.
    """
    seeds = Seeds(config.training.seed)
    where = where_of(config.data.sources, config.trunk.name, columns=config.task.columns, task=task.name, tasks=tasks)
    chosen = for_task(config.data.language, task.name, tasks, "data.language")
    places = _places(task, where, chosen, every=task.format.masked and len(tasks) > 1)
    train = tuple(load(task, "train", language, place) for language, place in places)
    labels = labels_of(task, [example for loaded in train for example in loaded.examples])
    if labels is not None and len(labels) == 1:
        what, do = f"every training row has the same label: {labels[0]}", "give rows of two labels or more"
        raise TaskDataError(what, where=", ".join(map(str, config.data.sources)) or task.name, do=do)
    untold = [loaded for loaded in train if loaded.origin.language == UNDETERMINED and loaded.origin.kind == "files"]
    validation, notes = _validation(as_selected(task), places, labels, chosen=bool(chosen))
    examples, more = _sampled(task, train, where, config.training.rows, seeds)
    if config.control == SHUFFLED_LABELS:
        examples = shuffled_labels(task.format, examples, seeds)
    if untold:
        what = f"{task.name}: neither name nor column tells the language of the rows, so the run says '{UNDETERMINED}'"
        more = (*more, f"{what} (--language sw, for example, tells it)")
    return TaskData(task, labels, train, validation, examples, (*notes, *more))


def shuffled_labels(format: Format[Any], examples: Sequence[Example], seeds: Seeds) -> list[Example]:
    """The same inputs, the same number of each label, in another order."""
    return format.shuffled(examples, seeds.python("shuffled labels"))


def tokenised(rows: TaskData, trunk: Trunk, max_length: int | None) -> TaskData:
    """The rows as a trunk's tokens. max_length: asked for; None is the task's own."""
    task = rows.task
    wanted = max_length or task.max_length
    length = min(wanted, trunk.config.max_length)
    cut = Cut(labels=rows.labels, max_length=length, query_length=task.query_length, training=True)
    features = task.format.features(rows.examples, trunk.tokenizer, cut)
    if not features:
        advice = "check that answers stand in their contexts and texts are not empty"
        raise TaskDataError("no row of the training data can be trained on", where=task.name, do=advice)
    notes = list(rows.notes)
    if skipped := sum(map(task.format.misplaced, rows.examples)):
        notes.append(f"{skipped} of {len(rows.examples)} {task.format.misplaced_note}")
    read = (row for feature in features for row in (*token_rows(feature), feature.candidate))
    if wanted > length and any(len(row) >= length for row in read):
        what = f"inputs are cut at {length} tokens, which is all this trunk has positions for"
        notes.append(f"{what} (asked for {wanted})")
    return replace(rows, notes=tuple(notes), features=features, max_length=length)


def _places(task: Task, where: Where, chosen: Sequence[str], *, every: bool) -> list[tuple[str, Where]]:
    """The languages to train on, each with where its rows lie."""
    if ALL in chosen or (every and not chosen):
        if where.files:
            return _by_language(task, where)
        return [(language, where) for language in languages_of(task, "train", where)] or [(task.train_language, where)]
    if len(chosen) > 1 and where.files:
        what = f"files named one by one, and several languages: {', '.join(chosen)}"
        advice = "name one language, or a folder whose file names tell the languages"
        raise UsageError(what, where="data.language", do=advice)
    return [(language, where) for language in dict.fromkeys(chosen or [_found(task, where)])]


def _found(task: Task, where: Where) -> str:
    """The language of the training rows where none is asked for: what a user's own files tell, else the task's own, or
    "und" for a task that has none. UsageError for a folder of several from which none can be chosen."""
    described = task.languages or task.train_language != ENGLISH  # a published task, or a file of the user's says so
    if where.kind != "files" or (described and not where.files):
        return task.train_language
    there = languages_of(task, "train", where) if has_split(task, "train", where) else ()
    usual = next((code for code in there if same_language(code, task.train_language)), "")
    if where.files:
        found = there[0] if there else UNDETERMINED
        return task.train_language if found == UNDETERMINED and described else found
    what = f"the folder has training rows of '{task.name}' in several languages: {', '.join(there)}"
    refuse(len(there) > 1 and not usual, what, f"choose one, for example --language {there[-1] if there else 'sw'}")
    return usual or (there[0] if there else task.train_language)


def _by_language(task: Task, where: Where) -> list[tuple[str, Where]]:
    """Files given one by one, grouped by the language that each one's name tells."""

    def grouped(paths: Sequence[Path]) -> dict[str, tuple[Path, ...]]:
        groups: dict[str, tuple[Path, ...]] = {}
        for path in paths:
            (named,) = languages_of(task, "train", replace(where, files={"train": (path,)}))
            language = named if is_known(named) or named == UNDETERMINED else task.train_language
            groups[language] = (*groups.get(language, ()), path)
        return groups

    by_split = {split: grouped(paths) for split, paths in where.files.items()}
    places = []
    for language in by_split.get("train", {task.train_language: ()}):
        files = {split: groups[language] for split, groups in by_split.items() if language in groups}
        places.append((language, replace(where, files=files)))
    return places


def _validation(
    task: Task, places: Sequence[tuple[str, Where]], labels: tuple[str, ...] | None, *, chosen: bool
) -> tuple[tuple[Loaded, ...], tuple[str, ...]]:
    """The validation rows of the languages trained on; where none has any, those of the task's own, and a note."""
    there = [(language, where) for language, where in places if has_split(task, "validation", where)]

    def has_rows(language: str, where: Where) -> bool:
        return any(serves(other, language) for other in languages_of(task, "validation", where))

    own = [(language, where) for language, where in there if not chosen or where.files or has_rows(language, where)]
    notes: tuple[str, ...] = ()
    if there and not own:
        own = [(task.train_language, there[0][1])]
        lacking = ", ".join(language for language, _ in places)
        notes = (f"{task.name} is selected on validation rows in {task.train_language}: there are none in {lacking}",)
    return tuple(load(task, "validation", language, where, labels) for language, where in own), notes


def _sampled(
    task: Task, train: Sequence[Loaded], where: Where, rows: int | None, seeds: Seeds
) -> tuple[list[Example], tuple[str, ...]]:
    """The rows trained on, and what to say of them."""
    every = [example for loaded in train for example in loaded.examples]
    if len(train) == 1 or task.format.masked:
        return subset(every, rows, seeds), ()
    own = next((loaded for loaded in train if same_language(loaded.origin.language, task.train_language)), None)
    total = rows or len((own or load(task, "train", task.train_language, where)).examples)
    examples = spread([loaded.examples for loaded in train], total, seeds)
    note = f"{task.name}: {len(examples)} rows of {', '.join(loaded.origin.language for loaded in train)} together"
    return examples, (note if len(examples) >= total else f"{note}; {total} were asked for, and there are no more",)


def spread(languages: Sequence[Sequence[Example]], total: int, seeds: Seeds) -> list[Example]:
    """`total` rows, drawn from each language in turn.

    Where all languages have equally many rows these are taken for the same items in the same order, and none is used
    twice.
    """
    sizes = {len(examples) for examples in languages}
    orders = [list(range(len(examples))) for examples in languages]
    for number, order in enumerate(orders):
        seeds.python("language rows" if len(sizes) == 1 else f"language rows/{number}").shuffle(order)
    picked: list[list[int]] = [[] for _ in languages]
    used: set[int] = set()
    left = total
    for turn in range(max(sizes) * len(languages)):
        number = turn % len(languages)
        while orders[number] and len(sizes) == 1 and orders[number][-1] in used:
            orders[number].pop()
        if left and orders[number]:
            used.add(orders[number][-1])
            picked[number].append(orders[number].pop())
            left -= 1
    return [examples[row] for examples, rows in zip(languages, picked, strict=True) for row in sorted(rows)]
