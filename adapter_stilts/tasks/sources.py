"""Where a task's rows come from (the miniature, plain files, or the hub), and what was read, with hashes.

    load(find_task("xnli"), "test", "sw", Where("files", folder=Path("data"))).examples

The train split of a task that has none of its own is that of its training task: XNLI trains on MNLI, XQuAD on SQuAD. A
validation split may be held out of the training rows, by content, so that it never moves.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

from adapter_stilts.data.tables import suffix
from adapter_stilts.errors import StiltsError, TaskDataError, UsageError
from adapter_stilts.formats.base import Example, refuse_placeholders, withheld
from adapter_stilts.formats.pair import Classified, with_mismatches
from adapter_stilts.miniature.datasets import DATASETS, VERSION, Dataset
from adapter_stilts.miniature.datasets import examples as miniature_examples
from adapter_stilts.registry import unknown_name
from adapter_stilts.tasks.base import Task, tasks
from adapter_stilts.tasks.languages import spelled, spelled_in
from adapter_stilts.tasks.reading.files import (
    Group,
    find,
    language_told,
    languages_in,
    no_files,
    read_files,
    values_of,
)
from adapter_stilts.tasks.reading.hub import hub_examples, languages_at
from adapter_stilts.tasks.reading.place import Loaded, Origin, Where
from adapter_stilts.tasks.source import SPLITS

TREEBANK = ".conllu"
SPLIT_WORDS = "CoNLL-U is read by syntactic words; XTREME fuses multi-word tokens"
UNDETERMINED = "und"  # ISO 639's code for a language nobody has told

T = TypeVar("T")


def load(
    task: Task, split: str, language: str, where: Where, labels: Sequence[str] | None = None, *, unscored: bool = False
) -> Loaded:
    """The rows of one split and language.

    labels    the classes a head knows, where the task leaves them open: a label outside them is refused with file and
              line
    unscored  rows whose labels are withheld will do, to be predicted and not scored

    Raises TaskDataError for files that are missing or wrong, Unreachable where the hub is needed and off, UnknownName
    for a language that a closed source does not have.
    """
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    if labels is not None and task.labels is None and not task.open_labels:
        task = replace(task, labels=tuple(labels))
    if where.kind == "miniature":
        language = _miniature_language(task, language)
        examples = miniature_examples(task.source.miniature, split, language)
        facts: dict[str, Any] = {"revision": VERSION, "rows": task.format.count(examples), "mark": where.mark}
        origin = Origin(task.name, split, language, "miniature", **facts)
        return Loaded(examples, origin, task.format)
    language = spelled(language, task.languages)
    owner, stored = _owner(task, split, where)
    loaded = _rows(owner, stored, language, where)
    examples = loaded.examples
    if task.held_out and stored == "train" and split in ("train", "validation"):
        examples = kept_for(task, split, examples)
    if not examples:
        raise _no_rows(task, split, language, loaded)
    if split != "train" and not task.source.any_name and not (unscored and withheld(task.format, examples)):
        refuse_placeholders(task.format, examples, task.labels, f"{split} split of '{task.name}' in '{language}'")
    parts = () if stored in where.files else owner.parts
    told: dict[str, Any] = {"task": task.name, "split": split, "rows": task.format.count(examples), "mark": where.mark}
    origin = replace(loaded.origin, parts=parts, **told)
    return Loaded(examples, origin, task.format)


def has_split(task: Task, split: str, where: Where) -> bool:
    """Whether the split can be had from there, as far as names tell; nothing is read."""
    if where.kind == "miniature":
        return split in miniature_of(task).sizes
    owner, stored = _owner(task, split, where)
    if owner.parts and stored not in where.files:
        return all(has_split(tasks[part], stored, where) for part in owner.parts)
    if where.kind == "hub":
        return any(stored in hub.splits for hub in owner.source.hubs)
    if where.files or where.folder is None:
        return stored in where.files
    return bool(languages_in(owner, stored, where.folder))


def check_language(task: Task, split: str, language: str, where: Where) -> None:
    """Refuse a language that is not there, as far as names tell; nothing is read, and the hub is not asked."""
    if where.kind == "miniature":
        _miniature_language(task, language)
    elif where.kind == "files":
        owner, stored = _owner(task, split, where)
        if owner.parts and stored not in where.files:
            for part in owner.parts:
                check_language(tasks[part], stored, language, where)
        else:
            _groups(owner, stored, spelled(language, task.languages), where)


def languages_of(task: Task, split: str, where: Where) -> tuple[str, ...]:
    """The languages to be had, as the task spells them, or in ISO 639-1; "und" for files that do not tell theirs.

    () where there is none: `nothing_found` says what was looked for.
    """
    source = task.source
    if where.kind == "miniature":
        return miniature_of(task).languages
    if where.kind == "hub":
        wanted = (*task.languages, *task.extra_languages)
        there = dict.fromkeys(code for hub in source.hubs if split in hub.splits for code in languages_at(hub, task))
        return tuple(code for code in there if code in wanted or not wanted) or task.languages or (task.train_language,)
    if task.parts and split not in where.files:
        return languages_of(tasks[task.parts[0]], split, where)
    if paths := where.files.get(split, ()):
        if source.language_column and (values := values_of(task, paths)):
            return values
        told = language_told(task, paths[:1] if task.retrieval else paths)  # of a bitext, the foreign side's
        return (told or (task.train_language if source.id_prefixes or source.language_column else UNDETERMINED),)
    if where.folder is None:
        return ()
    codes = languages_in(task, split, where.folder)
    if "" in codes and source.language_column:
        groups = find(task, split, task.train_language, where.folder)
        return values_of(task, [path for group in groups for path in group.paths])
    if "" in codes and source.id_prefixes:
        return tuple(source.id_prefixes)
    return tuple(code or (task.train_language if task.languages else UNDETERMINED) for code in codes)


def miniature_of(task: Task) -> Dataset:
    """The miniature's data set that stands for the task. Raises TaskDataError where there is none."""
    if not task.source.miniature:
        do = "name a folder with its files: --data DIR"
        raise TaskDataError(f"the miniature has nothing for '{task.name}'", do=do)
    return DATASETS[task.source.miniature]


def nothing_found(task: Task, split: str, where: Where) -> StiltsError:
    """The error for a place that holds a split in no language at all."""
    return _not_given(task, split, where) if where.folder is None else no_files(task, split, where.folder)


def as_selected(task: Task) -> Task:
    """The task as a run that learns it reads it: where it learns on another task's rows and holds some of them out,
    these alone are its validation rows. MLQA's own would select in the target languages' data, where XTREME and jiant
    select on SQuAD."""
    if not (task.train_task and task.held_out):
        return task
    hubs = tuple(replace(hub, splits=_unvalidated(hub.splits)) for hub in task.source.hubs)
    return task.reading(files=_unvalidated(task.source.files), hubs=hubs)


def kept_for(task: Task, split: str, examples: Sequence[Example]) -> list[Example]:
    """The rows of "validation" (one group in `task.held_out`) or of "train" (all others).

    A group is what would leak across the cut: all questions of a context, all hypotheses of a premise, equal sentences;
    what several queries look for, or the paragraph it stands in.
    """

    def held(example: Example) -> bool:
        digest = hashlib.sha256(task.format.group(example).encode()).digest()
        return int.from_bytes(digest[:8], "big") % task.held_out == 0

    return [example for example in examples if held(example) == (split == "validation")]


def _unvalidated(splits: Mapping[str, T]) -> dict[str, T]:
    return {split: held for split, held in splits.items() if split != "validation"}


def _miniature_language(task: Task, language: str) -> str:
    """A language as the miniature spells it; UnknownName for one it does not have."""
    known = miniature_of(task).languages
    code = spelled_in(language, known)
    if code is None:
        raise unknown_name(f"language of '{task.name}' in the miniature", language, known)
    return code


def _owner(task: Task, split: str, where: Where) -> tuple[Task, str]:
    """The task and split whose rows are read for this one."""
    named = split in where.files
    if split == "train" and task.train_task and not named and split not in task.source.files:
        return tasks[task.train_task], "train"
    own = named or bool(task.parts) or task.source.has(split)
    if split == "validation" and task.held_out and (where.files or not own) and not named:
        return _owner(task, "train", where)
    return task, split


def _rows(task: Task, split: str, language: str, where: Where) -> Loaded:
    """A task's own rows, or those of its parts one after another."""
    if task.parts and split not in where.files:
        parts = {part: _rows(*_owner(tasks[part], split, where), language, where) for part in task.parts}
        return _together(task, parts, Origin(task.name, split, language, where.kind))
    dropped: Counter[str] = Counter()
    if where.kind == "hub":
        loaded = hub_examples(task, split, language, where, dropped)
        examples, origin = loaded.examples, loaded.origin
    else:
        groups = _groups(task, split, language, where)
        remarks: list[str] = []
        examples, files = read_files(task, groups, split, language, where, dropped, remarks.append)
        treebanks = task.format.classes and any(suffix(file.path) == TREEBANK for file in files)
        multiword = (task.source.multiword or "split") if treebanks else ""
        said = tuple(dict.fromkeys(remarks))
        origin = Origin(task.name, split, language, where.kind, files, multiword=multiword, remarks=said)
    if task.source.mismatches:
        examples = [*with_mismatches(cast(list[Classified], examples), f"{split} split of '{task.name}'")]
    notes = _substitutions(task, origin, named=split in where.files)
    return Loaded(examples, replace(origin, dropped=dict(dropped), substitutions=notes), task.format)


def _substitutions(task: Task, origin: Origin, *, named: bool) -> tuple[str, ...]:
    """Where rows differ from the published set-up, in words, for the manifest and tables.

    named  the files were named one by one, so that what a release lacks is not known to be missing here
    """
    source = task.source
    notes = list(source.substitutions)
    if source.stands_for:
        notes.append(f"{task.name} stands in for {source.stands_for}, whose corpus is licensed")
    if origin.split in source.stand_ins and not (named and origin.files):
        notes.append(source.stand_ins[origin.split])
    if origin.multiword == "split" and source.tag_column in ("", "upos"):
        notes.append(SPLIT_WORDS)
    notes += [hub.note for hub in source.hubs if hub.id == origin.hub and hub.note]
    return tuple(dict.fromkeys(notes))


def _together(task: Task, parts: Mapping[str, Loaded], origin: Origin) -> Loaded:
    """The rows of several tasks as those of one; each id says which task it is from."""
    examples = [replace(row, id=f"{name}:{row.id}") for name, part in parts.items() for row in part.examples]
    origins = {name: part.origin for name, part in parts.items()}
    places = [(own.hub, own.config, own.revision) for own in origins.values() if own.kind == "hub"]
    hub, config, revision = (" + ".join(facts) for facts in zip(*places, strict=True)) if places else ("", "", "")
    origin = replace(
        origin,
        files=tuple(fact for own in origins.values() for fact in own.files),
        hub=hub,
        config=config,
        revision=revision,
        dropped={f"{name}: {why}": number for name, own in origins.items() for why, number in own.dropped.items()},
        remarks=tuple(dict.fromkeys(remark for own in origins.values() for remark in own.remarks)),
        substitutions=tuple(dict.fromkeys(note for own in origins.values() for note in own.substitutions)),
    )
    return Loaded(examples, origin, task.format)


def _groups(task: Task, split: str, language: str, where: Where) -> list[Group]:
    """A split's files: those given, each for itself but for the two or three that make a bitext or a mining set; or
    those found in the folder."""
    if paths := where.files.get(split, ()):
        joined = 2 if task.source.joined and len({suffix(path) for path in paths[:2]}) > 1 else 1
        together = max(joined, task.format.together(paths))
        return [Group(tuple(paths[start : start + together]), "") for start in range(0, len(paths), together)]
    if where.files or where.folder is None:
        raise _not_given(task, split, where)
    return find(task, split, language, where.folder)


def _no_rows(task: Task, split: str, language: str, loaded: Loaded) -> TaskDataError:
    """The error for a split without a row, though rows may have been read that it is held out of."""
    read, dropped = len(loaded.examples), loaded.origin.dropped
    left_out = "".join(f"; {number:,} left out: {reason}" for reason, number in dropped.items())
    what = f"no row of the {split} split of '{task.name}' in '{language}'{left_out}"
    if not read:
        return TaskDataError(what, do="check the language, the labels and the files")
    what += f": validation is one in {task.held_out} contexts of the training rows, chosen by their text, and of these"
    what += f" {read:,} rows that is {'none' if split == 'validation' else 'all'}"
    return TaskDataError(what, do="give both splits, --data train=FILE --data validation=FILE, or more rows")


def _not_given(task: Task, split: str, where: Where) -> StiltsError:
    if where.files:
        what = f"no file for the {split} split of '{task.name}'; given: {', '.join(sorted(where.files))}"
        return TaskDataError(what, do=f"add --data {split}=FILE")
    advice = f"name a folder with --data DIR, or files with --data {split}=FILE"
    return UsageError(f"'{task.name}' needs its files", do=advice)
