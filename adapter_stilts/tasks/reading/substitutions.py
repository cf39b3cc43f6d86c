"""Substitutions: where rows that were read differ from the published set-up, in words, for the manifest and tables."""

from __future__ import annotations

from adapter_stilts.data.tables import suffix
from adapter_stilts.tasks.base import Task
from adapter_stilts.tasks.reading.place import FileFact

TREEBANK = ".conllu"
SPLIT_WORDS = "CoNLL-U is read by syntactic words; XTREME fuses multi-word tokens"


def substitutions_of(
    task: Task, split: str, *, files: tuple[FileFact, ...] = (), hub: str = "", given: bool = False
) -> tuple[str, ...]:
    """What a reader of the scores should know of these rows.

    split  of the task whose rows they are
    files  those read, none for the hub
    hub    the data set read, "" for files
    given  the files were named one by one, so that what a release lacks is not known to be missing here
    """
    source = task.source
    notes = list(source.substitutions)
    if source.stands_for:
        notes.append(f"{task.name} stands in for {source.stands_for}, whose corpus is licensed")
    if split in source.stand_ins and not given:
        notes.append(source.stand_ins[split])
    if multiword_of(task, files) == "split" and source.tag_column == "upos":
        notes.append(SPLIT_WORDS)
    notes += [known.note for known in source.hubs if known.id == hub and known.note]
    return tuple(dict.fromkeys(notes))


def multiword_of(task: Task, files: tuple[FileFact, ...]) -> str:
    """How multi-word tokens were read: "split" or "fuse" where treebanks were, "" for anything else."""
    treebanks = task.format.classes and any(suffix(file.path) == TREEBANK for file in files)
    return (task.source.multiword or "split") if treebanks else ""
