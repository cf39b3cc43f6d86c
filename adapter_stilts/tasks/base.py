"""Task: what a task is, as data. One small file per task registers it by being here; `sources.py` finds and reads its rows.

A file is named by the pattern of its original release, tried at any depth of a folder, plain or with ".gz":

    {l}      a language as the release spells it (de, deu, zho_Hans); later ones in the same pattern are equal to the first
    {name}   a language by its name (german), where the task names its languages
    *        anything but a slash
    "a b"    files that belong together, in one folder: both sides of a bitext, or two pools and their gold pairs
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.base import Example, Format, formats
from adapter_stilts.registry import Registry
from adapter_stilts.tasks.leaks import Leak

SPLITS = ("train", "validation", "test")
SPLIT_NAMES: Mapping[str, tuple[str, ...]] = {"train": ("train",), "validation": ("validation", "valid", "dev", "val"), "test": ("test",)}

NLI_LABELS = ("contradiction", "entailment", "neutral")  # XTREME's order
BINARY_LABELS = ("0", "1")
NER_LABELS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")

Patterns = Mapping[str, tuple[str, ...]]
PLAIN, UNVERIFIED, SCRIPT = "plain files", "not verified", "loading script"


@dataclass(frozen=True)
class Hub:
    """A data set of the hub, as far as protocol facts go.

    config       its configuration; "{l}" is the language as `codes` spells it, or as the task does
    revision     a commit or branch; "" is the newest, or its conversion to plain files where the newest is a loading script
    splits       our split -> the data set's; several are joined by "+"
    codes        language -> how the configuration names spell it; several configurations are joined by "+"
    label_names  the data set's label (a class number as text) -> ours
    languages    those it has, where they are not the task's
    candidates   ranking: the configuration that holds what can be found; "" where the rows of a split do, in all languages together
    certainty    what is known of its files: "plain files" (confirmed), "not verified", or "loading script"
    note         where its rows differ from the published set-up, in words
    """

    id: str
    config: str = ""
    revision: str = ""
    splits: Mapping[str, str] = field(default_factory=lambda: {split: split for split in SPLITS})
    codes: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    label_names: Mapping[str, str] = field(default_factory=dict)
    languages: tuple[str, ...] = ()
    candidates: str = ""
    certainty: str = PLAIN
    note: str = ""


@dataclass(frozen=True)
class Task:
    """A task and its facts.

    format_name      which examples it has (formats/)
    metric           accuracy, accuracy_f1, chunk_f1, token_accuracy, squad, squad_v2, mlqa, map20, mrr20, retrieval, mining or masked_accuracy
    languages        the published ones; others that lie in a folder work as well
    extra_languages  those that XTREME-R adds to XTREME's
    labels           in the order of the head's outputs; None: found in the training rows (labels_of)
    train_language   the language it is trained and selected in
    train_task       the task whose training rows it learns from, where it has none of its own
    held_out         one in so many groups of training rows (a question's context, a row) is validation, for a task without such a split
    files            split -> patterns, the first that matches counts
    any_name         files are called as users call them: of those that a pattern matches, only the ones with the right columns and labels count
    parts            tasks whose rows together are this one's, in this order, unless files of its own are given
    joined           a pattern's two files hold one split together: "pairs" with their texts, or rows with their "labels" (data/joined_rows.py)
    mismatches       every row is given a partner that does not match (data/mismatched.py)
    concatenate      several files of one split and language belong together (the treebanks of a language); otherwise that is refused
    columns, label_names, ignore_labels   see data/layout.py
    open_labels      a tag that training did not show is no error: it is scored as wrong
    tag_column, multiword, skip_short   see data/layout.py; multiword "" is what the protocol says (tasks/protocols.py)
    unnumbered       files whose ids repeat in the release, as patterns: their rows are numbered instead
    language_names   language -> its name in file names, for {name}
    language_column  a column that tells the language where a file holds many
    id_prefixes      language -> how its ids begin ("english-"), where one file holds many
    hub, more_hubs   the data set of the hub it is read from, and others that hold the same rows or further languages
    sizes            split -> published number of rows, with how sure that is: [S] read, [D] derived, [M] remembered
    stands_for       the licensed task that this one is used in the place of
    candidates       ranking: patterns of the files that hold what can be found, in any language; () where the files of a split do
    query_length     span, ranking: tokens of a question
    folder           its name in XTREME's prediction folders
    miniature        its data set in the miniature, "" where there is none
    unanswerable     span: questions without an answer are part of it
    leaks            what other tasks' rows would tell about this one's test data
    substitutions    where our reading differs from the published set-up, in words; copied to every manifest
    stand_ins        split -> the same, where only that split differs
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
    files: Patterns = field(default_factory=dict)
    any_name: bool = False
    joined: str = ""
    mismatches: bool = False
    concatenate: bool = False
    unnumbered: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    label_names: Mapping[str, str] = field(default_factory=dict)
    ignore_labels: tuple[str, ...] = ()
    tag_column: str = "upos"
    multiword: str = ""
    skip_short: bool = False
    language_names: Mapping[str, str] = field(default_factory=dict)
    language_column: str = ""
    id_prefixes: Mapping[str, str] = field(default_factory=dict)
    hub: Hub | None = None
    more_hubs: tuple[Hub, ...] = ()
    sizes: Mapping[str, str] = field(default_factory=dict)
    stands_for: str = ""
    miniature: str = ""
    candidates: tuple[str, ...] = ()
    max_length: int = 128
    query_length: int = 64
    folder: str = ""
    unanswerable: bool = False
    licence: str = ""
    paper: str = ""
    leaks: tuple[Leak, ...] = ()
    substitutions: tuple[str, ...] = ()
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", self.folder or self.name)

    @property
    def format(self) -> Format[Any]:
        """What its examples are, which answers everything that is asked about them."""
        return formats[self.format_name]

    @property
    def retrieval(self) -> bool:
        """Whether it trains nothing and compares sentence vectors."""
        return self.format.retrieval

    @property
    def hubs(self) -> tuple[Hub, ...]:
        """Every data set of the hub that holds rows of it, the usual one first."""
        return (*((self.hub,) if self.hub else ()), *self.more_hubs)

    def has_split(self, split: str) -> bool:
        """Whether the task as published has the split, its training task's rows included."""
        own = split in self.files or any(split in hub.splits for hub in self.hubs)
        together = bool(self.parts) and all(tasks[part].has_split(split) for part in self.parts)
        return own or together or (split == "train" and bool(self.train_task)) or (split == "validation" and self.held_out > 0)


tasks: Registry[Task] = Registry("task", package="adapter_stilts.tasks")


def register(task: Task) -> Task:
    """Put a task under its name and its aliases."""
    for name in (task.name, *task.aliases):
        tasks.add(name, task)
    return task


def all_tasks() -> list[Task]:
    """Every task once, by name."""
    return [task for name in tasks if (task := tasks[name]).name == name]


def codes(text: str) -> tuple[str, ...]:
    """Language codes, written in a line."""
    return tuple(text.split())


def splits(*patterns: str) -> dict[str, tuple[str, ...]]:
    """Patterns for all three splits: {split} stands for train; validation, valid, dev or val; test."""
    named = {split: [pattern.replace("{split}", name) for pattern in patterns for name in names] for split, names in SPLIT_NAMES.items()}
    return {split: tuple(dict.fromkeys(files)) for split, files in named.items()}


def labels_of(task: Task, examples: Sequence[Example]) -> tuple[str, ...] | None:
    """The classes of a head: the task's own, or those of its training rows, sorted; None for a format without any.

    Labels found are completed where the format knows which belong together.
    Raises TaskDataError for a row without a label.
    """
    if not task.format.classes:
        return None
    if task.labels is not None:
        return task.labels
    labels = {label for example in examples for label in _labels(task, example)}
    return task.format.completed(labels)


def _labels(task: Task, example: Example) -> tuple[str, ...]:
    labels = task.format.labels_of(example)
    if not labels or "" in labels:
        where, do = f"row '{example.id}'", "fill in its label or leave it out"
        raise TaskDataError("a training row without a label", where=where, do=do)
    return labels
