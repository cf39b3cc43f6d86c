"""Task: what a task is, as data. One small file per family of tasks registers them by being here.

What it is stands in Task, where its rows come from in its `source` (source.py), which `reading/` finds and reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from adapter_stilts.data.layout import Layout
from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.base import Example, Format, check_few, formats
from adapter_stilts.metrics.tags import OWN_RULE
from adapter_stilts.registry import Registry
from adapter_stilts.tasks.source import SPLITS, Source

NLI_LABELS = ("contradiction", "entailment", "neutral")  # XTREME's order
BINARY_LABELS = ("0", "1")
NER_LABELS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
FUSING = ("xtreme", "xtreme-r", "jiant")  # protocols whose treebanks are the files that XTREME's scripts prepare
WITHOUT_EXTRAS = ("xtreme", "jiant")  # those without the languages that XTREME-R adds

LeakKind = Literal["in-task", "same-text", "selection", "target"]  # what they mean: leaks.py


@dataclass(frozen=True)
class Leak:
    """One way a task's score may be touched by what a run has seen.

    source     the task whose rows were seen
    splits     which of its splits
    languages  "": seen in any language; "other": only in another than the target trains in
    why        in a clause
    """

    source: str
    kind: LeakKind
    why: str
    splits: tuple[str, ...] = ("train",)
    languages: Literal["", "other"] = ""


@dataclass(frozen=True)
class Task:
    """A task and its facts.

    format_name      which examples it has (formats/)
    metric           accuracy, accuracy_f1, chunk_f1, token_accuracy, squad, squad_v2, mlqa, map20, mrr20, retrieval,
                     mining or masked_accuracy
    languages        the published ones; others that lie in a folder work as well
    extra_languages  those that XTREME-R adds to XTREME's
    labels           in the order of the head's outputs; None: found in the training rows (labels_of)
    open_labels      a tag that training did not show is no error: it is scored as wrong
    train_language   the language it is trained and selected in
    train_task       the task whose training rows it learns from, where it has none of its own
    parts            tasks whose rows together are this one's, in this order, unless files of its own are given
    held_out         one in so many groups of training rows (a question's context, a row) is validation, for a task
                     without such a split
    source           where its rows come from
    max_length       tokens of an input
    query_length     span, ranking: tokens of a question
    rule             tags: whose rule finds chunks (metrics/tags.py); what a benchmark's rule makes of tags is its own
    leaks            what other tasks' rows would tell about this one's test data
    """

    name: str
    format_name: str
    metric: str
    summary: str
    languages: tuple[str, ...] = ()
    extra_languages: tuple[str, ...] = ()
    labels: tuple[str, ...] | None = None
    open_labels: bool = False
    train_language: str = "en"
    train_task: str = ""
    parts: tuple[str, ...] = ()
    held_out: int = 0
    source: Source = field(default_factory=Source)
    max_length: int = 128
    query_length: int = 64
    rule: str = OWN_RULE
    leaks: tuple[Leak, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def format(self) -> Format[Any]:
        """What its examples are, which answers everything that is asked about them."""
        return formats[self.format_name]

    @property
    def unanswerable(self) -> bool:
        """span: whether questions without an answer are part of it."""
        return self.metric == "squad_v2"

    @property
    def retrieval(self) -> bool:
        """Whether it trains nothing and compares sentence vectors."""
        return self.format.retrieval

    def has_split(self, split: str) -> bool:
        """Whether the task as published has the split, its training task's rows included."""
        together = bool(self.parts) and all(tasks[part].has_split(split) for part in self.parts)
        elsewhere = (split == "train" and bool(self.train_task)) or (split == "validation" and self.held_out > 0)
        return self.source.has(split) or together or elsewhere

    def layout(self, **changes: Any) -> Layout:
        shared = ("columns", "label_names", "ignore_labels", "tag_column", "skip_short")
        own = {"labels": self.labels, "labelled": not self.source.mismatches, "published": self.rule != OWN_RULE}
        own |= {name: getattr(self.source, name) for name in shared}
        return Layout(self.format_name, **(own | {"multiword": self.source.multiword or "split"} | changes))

    def reading(self, **changes: Any) -> Task:
        """The same task, with facts of its source changed."""
        return replace(self, source=replace(self.source, **changes))


def under(task: Task, protocol: str) -> Task:
    """The task as a protocol has it: its languages, and how a treebank's multi-word tokens are read.

    What the user chose stays. "own" reads syntactic words, and has every language there is.
    """
    multiword = task.source.multiword or ("fuse" if protocol in FUSING else "split")
    extra = () if protocol in WITHOUT_EXTRAS else task.extra_languages
    languages = (*task.languages, *(code for code in extra if code not in task.languages))
    return replace(task.reading(multiword=multiword), languages=languages, extra_languages=())


tasks: Registry[Task] = Registry("task", package="adapter_stilts.tasks")


def task_of(name: str, format_name: str, summary: str, **facts: Any) -> Task:
    """A task by the facts of Task and of Source, without telling which are whose.

    metric, max_length       those of its format where they are not given
    train, validation, test  patterns of the files of a split, as text: "COPA/val.jsonl | copa/val.jsonl"
    """
    format = formats[format_name]
    facts = {"metric": format.metric, "max_length": format.max_length, **facts}
    patterns = {split: tuple(facts.pop(split).split(" | ")) for split in SPLITS if split in facts}
    source = {each.name: facts.pop(each.name) for each in fields(Source) if each.name in facts}
    return Task(name, format_name, summary=summary, source=Source(**({"files": patterns} | source)), **facts)


def register(name: str, format_name: str, summary: str, **facts: Any) -> None:
    """Make a task, of English rows where it does not say, and put it under its name and its aliases."""
    task = task_of(name, format_name, summary, **{"languages": ("en",), **facts})
    for each in (name, *task.aliases):
        tasks.add(each, task)


def all_tasks() -> list[Task]:
    return [task for name in tasks if (task := tasks[name]).name == name]


def labels_shown(task: Task, examples: Iterable[Example], most: int = 24) -> str:
    """The labels of rows with how often each stands there, in words: "O 1,204, B-PER 37"."""
    counts = Counter(label for example in examples for label in task.format.labels_of(example))
    ordered = [f"{label} {number:,}" for label, number in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    more = f" and {len(ordered) - most:,} more" if len(ordered) > most else ""
    return ", ".join(ordered[:most]) + more


def labels_of(task: Task, examples: Sequence[Example]) -> tuple[str, ...] | None:
    """The classes of a head: the task's own, or those of its training rows, sorted; None for a format without any.

    Labels found are completed where the format knows which belong together.
    Raises TaskDataError for a row without a label, and for so many labels that they must be something else.
    """
    if not task.format.classes:
        return None
    if task.labels is not None:
        return task.labels
    shown: set[str] = set()
    for example in examples:
        labels = task.format.labels_of(example)
        if not labels or "" in labels:
            where, do = f"row '{example.id}'", "fill in its label or leave it out"
            raise TaskDataError("a training row without a label", where=where, do=do)
        shown.update(labels)
        check_few(shown, f"row '{example.id}'")
    return task.format.completed(shown)
